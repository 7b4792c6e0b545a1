"""What the stack asks of the machine."""

import pytest

from infra.local import setup


def test_each_missing_prerequisite_is_one_line_that_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(setup.Missing) as raised:
        setup.prepare(print)
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *("java", "go", "the Pub/Sub emulator", "kubectl")
    ]
    assert all("install" in line for line in lines)


def test_what_is_built_is_built_once(monkeypatch, tmp_path):
    monkeypatch.setenv("BERTH_CACHE", str(tmp_path))
    result, said = tmp_path / "tool-1" / "tool", []
    for wanted in (True, False):
        with setup.once(result, said.append, "the tool") as build:
            assert build is wanted
            result.parent.mkdir(exist_ok=True)
            result.touch()
    assert len(said) == 2
