"""The generated messages are those of the .proto files: `make protos` would change nothing."""

import subprocess
import sys

from infra.functions import ROOT

PROTOS = ROOT / "shared" / "berth" / "protos"


def test_generated_messages_are_current(tmp_path):
    sources = sorted(str(path) for path in PROTOS.glob("*.proto"))
    command = ["-m", "grpc_tools.protoc", f"-I{ROOT / 'shared'}"]
    outputs = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([sys.executable, *command, *outputs, *sources], check=True, cwd=ROOT)
    made = {path.name: path.read_text() for path in (tmp_path / "berth" / "protos").iterdir()}
    kept = {path.name: path.read_text() for path in PROTOS.glob("*_pb2.py*")}
    assert made == kept
