"""The confined child: ordinary models load and run, hostile ones end with a verdict in bounded time."""

import shutil
import time
from pathlib import Path

import pytest

import berth
from berth.adapters import sandbox
from berth.domain.errors import InvalidModel, Unavailable
from berth.domain.manifest import Limits
from tests.support import hostile, probe_models

LIMITS = Limits(memory_mib=512, seconds=20)
SHORT = Limits(memory_mib=512, seconds=4)


@pytest.fixture(scope="module")
def loader():
    return sandbox.SandboxedLoader()


@pytest.mark.parametrize("name", probe_models.NAMES)
def test_ordinary_models_load_and_run(loader, name):
    result = loader.load(probe_models.model(name), LIMITS)
    assert result.problem == ""
    cost = result.measurements
    assert 0 < cost.load_seconds < cost.child_seconds
    assert 0 < cost.resident_bytes <= cost.peak_bytes < 200 << 20
    assert result.tensorflow_version


@pytest.mark.parametrize(
    ("edit", "limits", "problem"),
    [
        (hostile.memory_eater, LIMITS, "needs more than 512 MiB to run"),
        (hostile.memory_eater_at_load, LIMITS, "needs more than 512 MiB to load"),
        (hostile.huge_constant, LIMITS, "needs more than 512 MiB to"),
        (hostile.endless_run, SHORT, "did not run within 4 s"),
        (hostile.endless_load, SHORT, "did not load within 4 s"),
        (hostile.unknown_op, LIMITS, "TensorFlow cannot load it"),
        (hostile.aborting, LIMITS, "crashed the loader (signal 6) on run"),
    ],
)
def test_hostile_models_get_a_verdict(loader, tmp_path, edit, limits, problem):
    folder = hostile.write(edit, tmp_path / "1")
    start = time.monotonic()
    assert loader.load(folder, limits).problem.startswith(problem)
    assert time.monotonic() - start < limits.seconds + 5


def test_a_model_that_lost_its_variables_does_not_run(loader):
    result = loader.load(probe_models.model(probe_models.FORGETFUL), LIMITS)
    assert "it loads, but does not run (code 9): Could not find variable" in result.problem


def test_a_file_is_not_written_even_by_a_model_that_was_not_judged(loader, tmp_path):
    target = tmp_path / "written"
    hostile_edit = hostile.write_file_on_restore

    def edit(meta):
        hostile_edit(meta)
        path = next(node for node in meta.graph_def.node if node.name == "path")
        path.attr["value"].tensor.string_val[0] = str(target).encode()

    result = loader.load(hostile.write(edit, tmp_path / "1"), LIMITS)
    assert "Operation not permitted" in result.problem
    assert not target.exists()


def test_zeros_that_do_not_suit_a_model_are_no_fault(loader, tmp_path):
    def edit(meta):
        del meta.signature_def["serving_default"]

    result = loader.load(hostile.write(edit, tmp_path / "1", "loops"), LIMITS)
    assert result.problem == ""  # `image` decodes an empty JPEG: INVALID_ARGUMENT


def test_a_machine_that_cannot_confine_loads_nothing(loader, monkeypatch, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(Path(berth.__file__).parent / "adapters", root / "berth" / "adapters")
    (root / "berth" / "__init__.py").touch()
    (root / "berth" / "adapters" / "__init__.py").touch()
    source = root / "berth" / "adapters" / "seccomp.py"
    source.write_text(source.read_text().replace('"x86_64": (', '"other": (', 1))
    monkeypatch.setattr(berth, "__file__", str(root / "berth" / "__init__.py"))
    with pytest.raises(Unavailable, match="cannot confine"):
        loader.load(probe_models.model("module"), LIMITS)


def test_bytes_that_are_no_model_are_invalid(loader, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff")
    with pytest.raises(InvalidModel):
        loader.load(tmp_path, LIMITS)
