"""An environment holds what its lock names, by uv or else by pip, made once, and never an unhashed file."""

import hashlib
import subprocess
import zipfile

import pytest

from infra.dependencies import environment
from infra.dependencies.environment import NotInstalled

WHEEL = "berth_tiny-1.0-py3-none-any.whl"
INFO = "berth_tiny-1.0.dist-info"
FILES = {
    "berth_tiny.py": "SAID = 'here'\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: berth-tiny\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/RECORD": f"berth_tiny.py,,\n{INFO}/METADATA,,\n{INFO}/WHEEL,,\n{INFO}/RECORD,,\n",
}


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """A lock of one package, which pip is told to find in a folder and nowhere else."""
    uv = environment.uv()
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("BERTH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    if uv is not None:
        (tmp_path / "cache" / uv.parents[1].name).symlink_to(uv.parents[1])
    digest = hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()
    path = tmp_path / "requirements.lock"
    path.write_text(f"berth-tiny==1.0 \\\n    --hash=sha256:{digest}\n")
    return path


@pytest.fixture
def without_uv(lock, tmp_path):
    """As on a machine whose index has no uv."""
    (tmp_path / "cache" / environment.folder("uv", environment.UV_LOCK).name).unlink()


def says(python):
    command = (str(python), "-I", "-c", "import berth_tiny; print(berth_tiny.SAID)")
    return subprocess.check_output(command, text=True).strip()


def test_uv_installs_where_pip_is_configured_to_look_and_only_once(lock, capfd):
    python = environment.python("tiny", lock)
    assert says(python) == "here"
    assert "pip installs" not in capfd.readouterr().err
    made = (python.parents[1] / "ready").stat().st_mtime_ns
    assert environment.python("tiny", lock) == python
    assert (python.parents[1] / "ready").stat().st_mtime_ns == made


def test_pip_installs_where_uv_cannot_be_had(lock, without_uv, capfd):
    assert says(environment.python("tiny", lock)) == "here"
    assert "uv could not: pip installs" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["sha256:" + "0" * 64, ""], ids=["another", "none"])
def test_a_file_of_another_hash_or_none_is_installed_by_neither(lock, text):
    line = f"berth-tiny==1.0 \\\n    --hash={text}\n" if text else "berth-tiny==1.0\n"
    lock.write_text(line)
    with pytest.raises(NotInstalled, match=r"requirements\.lock could not be installed"):
        environment.python("tiny", lock)
    assert not (environment.folder("tiny", lock) / "ready").exists()


def test_an_environment_whose_interpreter_is_gone_is_made_again(lock):
    python = environment.python("tiny", lock)
    python.unlink()
    assert says(environment.python("tiny", lock)) == "here"
