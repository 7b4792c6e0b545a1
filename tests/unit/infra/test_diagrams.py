"""The diagrams name what is really there: a renamed function, topic, file or state fails here."""

import re
import typing
from pathlib import Path

import pytest

from berth.domain import shard_status
from infra import functions, schedules
from infra.functions import TopicTrigger

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "diagrams"
SOURCES = sorted(FOLDER.glob("*.dot"))


def words(name):
    text = (FOLDER / f"{name}.dot").read_text().replace(r"\n", " ")
    return set(re.findall(r"[a-z][a-z0-9_-]+", text))


@pytest.mark.parametrize("diagram", ["system", "cloud"])
def test_every_function_is_shown(diagram):
    assert set(functions.read()) <= words(diagram)


def test_every_topic_is_shown():
    triggers = [one.trigger for one in functions.read().values()]
    topics = {one.topic for one in triggers if isinstance(one, TopicTrigger)}
    assert topics | {one.topic for one in schedules.read()} <= words("system")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_every_file_that_is_named_exists(source):
    named = re.findall(r"(?:shared|functions|infra|k8s)/[\w/.-]+\.(?:py|yaml)", source.read_text())
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_one_event_goes_through_the_four_functions_it_concerns():
    text = (FOLDER / "upload.dot").read_text()
    assert set(re.findall(r'label="\d  (\w+)"', text)) == {
        *("on_upload", "admit_model", "probe_model", "reconcile_shard"),
    }


def test_the_states_of_a_rollout_are_those_of_the_status_documents():
    text = (FOLDER / "rollout.dot").read_text()
    shown = set(re.findall(r"^  ([A-Z]+) (?:->|\[)", text, re.MULTILINE))
    shown |= set(re.findall(r"-> ([A-Z]+)", text))
    assert shown == set(typing.get_args(shard_status.State))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_every_diagram_is_rendered_and_shown_in_the_documents(source):
    assert source.with_suffix(".svg").is_file()
    shown = [
        page for page in ROOT.glob("docs/*.md") if f"diagrams/{source.stem}.svg" in page.read_text()
    ]
    assert shown
