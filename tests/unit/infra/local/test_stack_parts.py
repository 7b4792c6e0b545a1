"""The stack's folder, its environment file and the order of its parts."""

import pytest

from infra.local import state, supervisor
from infra.local.part import Part, Step
from infra.local.process import Identity
from infra.local.state import Folder, State


def test_the_environment_file_is_export_lines_and_reads_back(tmp_path):
    values = {"A": "http://127.0.0.1:80/x", "B": "projects/p/topics/t"}
    state.write_environment(tmp_path / "env", values)
    wanted = "export A=http://127.0.0.1:80/x\nexport B=projects/p/topics/t\n"
    assert (tmp_path / "env").read_text() == wanted
    assert state.read_environment(tmp_path / "env") == values


@pytest.mark.parametrize("value", ["", "a b", "$(rm)", "a;b", "a\nb", "'"])
def test_a_value_that_a_shell_would_interpret_is_refused_by_name(tmp_path, value):
    with pytest.raises(ValueError, match="BAD"):
        state.write_environment(tmp_path / "env", {"GOOD": "x", "BAD": value})


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(state.NotAStack):
        Folder(tmp_path).prepare()
    Folder(tmp_path).clear()
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_folder_keeps_its_logs_until_it_is_prepared_again(tmp_path):
    folder = Folder(tmp_path / "stack")
    folder.prepare()
    (folder.logs / "a.log").write_text("said")
    (folder.path / "data").mkdir()
    folder.clear()
    assert sorted(one.name for one in folder.path.iterdir()) == [
        ".berth-stack",
        "logs",
        "stack.log",
    ]
    folder.prepare()
    assert list(folder.logs.iterdir()) == []


def test_the_state_reads_back(tmp_path):
    written = State(Identity(1, 2.5), "ready", {"a": Identity(3, 4.5)}, ["a died"])
    Folder(tmp_path).write(written)
    assert Folder(tmp_path).read() == written
    assert Folder(tmp_path / "none").read() is None


def part(name, *after):
    return Part(name, ("true",), lambda: True, after=after)


def test_parts_start_in_waves_after_what_they_need():
    nodes = [part("c", "b"), part("a"), Step("b", lambda: None, after=("a",)), part("d")]
    waves = [[one.name for one in wave] for wave in supervisor.levels(nodes)]
    assert waves == [["a", "d"], ["b"], ["c"]]


@pytest.mark.parametrize("nodes", [[part("a", "nothing")], [part("a", "b"), part("b", "a")]])
def test_parts_that_can_never_start_are_named(nodes):
    with pytest.raises(ValueError, match=r"a \(after"):
        supervisor.levels(nodes)
