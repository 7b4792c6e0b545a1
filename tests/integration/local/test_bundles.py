"""Every function's bundle imports in a clean interpreter, from anywhere, without the source tree."""

import subprocess
import sys

import pytest

from infra import bundle, functions

TABLE = functions.read()
IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import berth, main
assert berth.__file__.startswith(sys.argv[1]), berth.__file__
assert callable(getattr(main, sys.argv[2]))
"""


@pytest.mark.parametrize("name", TABLE)
def test_a_bundle_imports_on_its_own(name, tmp_path):
    staged = bundle.stage(TABLE[name], tmp_path / "staged")
    done = subprocess.run(
        (sys.executable, "-I", "-c", IMPORT, str(staged), name),
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
