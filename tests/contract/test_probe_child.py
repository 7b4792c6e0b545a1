"""The confined child: ordinary models load and run, hostile ones end with a verdict in bounded time."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import berth
from berth.adapters import sandbox
from berth.domain import op_policy
from berth.domain.errors import InvalidModel, Unavailable
from berth.domain.manifest import Limits
from tests.support import hostile, hostile_graphs, hostile_loads, probe_models

LIMITS = Limits(memory_mib=512, seconds=20)
SHORT = Limits(memory_mib=512, seconds=4)


@pytest.fixture(scope="module")
def loader():
    return sandbox.SandboxedLoader()


@pytest.fixture
def private(tmp_path):
    """A model's folder as the probe has it: under one that is nobody else's."""

    def copy(name="module"):
        return shutil.copytree(probe_models.model(name), tmp_path / "1")

    return copy


@pytest.fixture
def altered(monkeypatch, tmp_path):
    """The child's program with one thing in it changed, as on a machine that behaves otherwise."""

    def change(module, before, after):
        root = tmp_path / "root"
        shutil.copytree(Path(berth.__file__).parent / "adapters", root / "berth" / "adapters")
        (root / "berth" / "__init__.py").touch()
        (root / "berth" / "adapters" / "__init__.py").touch()
        source = root / "berth" / "adapters" / f"{module}.py"
        assert before in source.read_text()
        source.write_text(source.read_text().replace(before, after, 1))
        monkeypatch.setattr(berth, "__file__", str(root / "berth" / "__init__.py"))
        adapters = root / "berth" / "adapters" / "sandbox.py"
        monkeypatch.setattr(sandbox, "__file__", str(adapters))

    return change


@pytest.mark.parametrize("name", probe_models.NAMES)
def test_ordinary_models_load_and_run(loader, private, name):
    result = loader.load(private(name), LIMITS)
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
        (hostile_graphs.endless_recursion, SHORT, ""),
    ],
)
def test_hostile_models_get_a_verdict(loader, tmp_path, edit, limits, problem):
    folder = hostile.write(edit, tmp_path / "1")
    start = time.monotonic()
    found = loader.load(folder, limits).problem
    assert found
    assert found.startswith(problem)
    assert time.monotonic() - start < limits.seconds + 5


def test_a_model_that_lost_its_variables_does_not_run(loader, private):
    result = loader.load(private(probe_models.FORGETFUL), LIMITS)
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


@pytest.mark.parametrize(
    ("edit", "read"),
    [
        (hostile_graphs.overwritten_prefix, "/nonexistent/rival"),
        (hostile_graphs.by_default, "/etc/passwd-of-none"),
    ],
)
def test_what_only_the_policy_stops_is_real(loader, tmp_path, edit, read):
    """The loader does what these models ask for: the path in its answer is theirs."""

    def elsewhere(meta):
        edit(meta)
        for function in meta.graph_def.library.function:
            for node in function.node_def:
                if function.signature.name == "inner" and node.op == "Const":
                    node.attr["value"].tensor.string_val[0] = read.encode()

    assert op_policy.judge(hostile.edited(elsewhere))
    assert read in loader.load(hostile.write(elsewhere, tmp_path / "1"), LIMITS).problem


def test_functions_named_as_gradients_are_not_run(loader, tmp_path):
    folder = hostile.write(hostile_graphs.gradients, tmp_path / "1")
    assert loader.load(folder, LIMITS).problem == ""


@pytest.mark.parametrize(
    ("module", "before", "after", "reason"),
    [
        ("seccomp", '"x86_64": (', '"other": (', "no seccomp filter for x86_64"),
        (
            "seccomp",
            "_PR_SET_NO_NEW_PRIVS = 38",
            "_PR_SET_NO_NEW_PRIVS = -1",
            "NO_NEW_PRIVS failed",
        ),
        ("seccomp", '{"seccomp": 317', '{"seccomp": 100000', "seccomp failed with errno 38"),
        ("seccomp", "range(41, 48)", "range(42, 48)", "lets a socket through"),
        ("seccomp", "_WRITES = 0x243", "_WRITES = 0", "lets a file to write through"),
        ("seccomp", "_CLONE_THREAD = 0x00010000", "_CLONE_THREAD = 0xffffffff", "lets a process"),
        ("tensorflow_child", "(resource.RLIMIT_CORE, 0)", "(99, 0)", "limit 99 cannot be set"),
        (
            *("tensorflow_child", "resource.setrlimit(kind, (bound, bound))", "bound = bound + 0"),
            "is not kept",
        ),
    ],
)
def test_a_machine_that_cannot_confine_loads_nothing(
    loader, private, altered, module, before, after, reason
):
    altered(module, before, after)
    with pytest.raises(Unavailable, match=f"cannot confine a child here: .*{reason}"):
        loader.load(private(), LIMITS)


def test_a_child_that_inherits_a_variable_loads_nothing(loader, private):
    started = subprocess.Popen

    def leaking(command, **options):
        return started(command, **{**options, "env": {**options["env"], "TOKEN": "secret"}})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox.subprocess, "Popen", leaking)
        with pytest.raises(Unavailable, match=r"the environment is not empty: \['TOKEN'\]"):
            loader.load(private(), LIMITS)


def test_a_child_that_inherits_a_file_loads_nothing(loader, private):
    started = subprocess.Popen
    other = os.open("/dev/null", os.O_RDONLY)

    def leaking(command, **options):
        return started(command, **{**options, "pass_fds": [*options["pass_fds"], other]})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox.subprocess, "Popen", leaking)
        with pytest.raises(Unavailable, match="descriptors of others are open"):
            loader.load(private(), LIMITS)
    os.close(other)


def test_a_folder_that_others_may_enter_is_not_loaded(loader):
    with tempfile.TemporaryDirectory() as outer:
        folder = shutil.copytree(probe_models.model("module"), Path(outer) / "1")
        assert loader.load(folder, LIMITS).problem == ""
        Path(outer).chmod(0o710)
        folder.chmod(0o755)
        with pytest.raises(Unavailable, match="not private"):
            loader.load(folder, LIMITS)
        folder.chmod(0o700)
        assert loader.load(folder, LIMITS).problem == ""


def test_a_folder_of_somebody_else_is_not_loaded(loader, private, monkeypatch):
    folder = private()
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(Unavailable, match="not private"):
        loader.load(folder, LIMITS)


def test_a_link_to_a_folder_is_not_loaded(loader, private, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(private())
    with pytest.raises(Unavailable, match="not private"):
        loader.load(link, LIMITS)


def test_a_folder_that_is_gone_is_no_verdict(loader, tmp_path):
    with pytest.raises(Unavailable, match="cannot be read"):
        loader.load(tmp_path / "none", LIMITS)


def test_bytes_that_are_no_model_are_invalid(loader, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff")
    with pytest.raises(InvalidModel):
        loader.load(tmp_path, LIMITS)


def test_dice_at_load_are_real(loader, tmp_path):
    """The same bytes load and do not: only the policy stops them from passing by luck."""
    assert op_policy.judge(hostile.edited(hostile_loads.dice_at_load))
    folder = hostile.write(hostile_loads.dice_at_load, tmp_path / "1")
    seen = set()
    for _ in range(40):  # both faces but in one run of 10^12
        seen.add("as it was made to" in loader.load(folder, LIMITS).problem)
        if len(seen) == 2:
            break
    assert seen == {True, False}


def test_a_model_can_tell_by_its_own_path_where_it_is(loader, tmp_path):
    assert op_policy.judge(hostile.edited(hostile_loads.probe_by_path, "table"))
    for name, problem in (("probed", ""), ("served", "as it was made to")):
        folder = hostile.write(hostile_loads.probe_by_path, tmp_path / name / "1", "table")
        assert problem in (said := loader.load(folder, LIMITS).problem)
        assert bool(said) == bool(problem)


_TWICE = """
import sys
from pathlib import Path
from berth.adapters import tensorflow
library = tensorflow.Library(Path(sys.argv[1]))
for _ in range(2):
    library.load(sys.argv[2])
"""


def test_one_load_knows_nothing_of_an_earlier_one_in_the_same_process(loader, tmp_path):
    """Sessions have devices, and so tables and variables, of their own: names are not shared."""
    folder = hostile.write(hostile_loads.first_load_only, tmp_path / "1")
    done = subprocess.run(
        [sys.executable, "-c", _TWICE, loader._library, str(folder)],
        env={"PYTHONPATH": str(Path(berth.__file__).parents[1])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
