"""A short round of chaos with a fixed seed; `make chaos` plays longer ones with others."""

from types import SimpleNamespace

import pytest

from berth.domain.documents import Footprint, Template
from tests.chaos import play, promises
from tests.chaos.killer import Killed
from tests.chaos.load import Failure

SEED, SECONDS = 1, 30.0


def test_a_round_breaks_no_promise(tmp_path):
    found = play.play(tmp_path, SEED, SECONDS)
    assert not found.broken, found.told()


@pytest.mark.parametrize(
    ("uid", "start", "end", "excused"),
    [
        ("a", 1.0, 2.5, True),
        ("b", 1.0, 2.5, False),
        ("a", 0.5, 1.9, False),
        ("a", 2.09, 3.0, True),
        ("a", 2.11, 3.0, False),
    ],
)
def test_only_what_was_in_flight_on_a_killed_server_is_excused(uid, start, end, excused):
    kills = [Killed("pod killed", "", "a", 2.0, 2.1), Killed("status", "", "", 0.0, 9.0)]
    failure = Failure("x.y", "pod", uid, start, end, "")
    assert (promises.unexplained([failure], kills) == []) is excused


def test_a_wrong_verdict_is_an_open_promise():
    footprint = Footprint(resident_bytes=1, peak_bytes=1, load_seconds=1.0)
    starter = SimpleNamespace(
        name="templates/starter.json",
        download_as_bytes=Template(digest="d", footprint=footprint).encode,
        metadata=None,
        generation=1,
    )
    fleet = SimpleNamespace(
        verdict=lambda _: {"state": "REJECTED", "reason": "x"},
        control=SimpleNamespace(get_blob=lambda _: None),
        environment={"BERTH_MODELS_BUCKET": "models"},
        storage=SimpleNamespace(
            list_blobs=lambda bucket: [] if bucket == "models" else [starter],
            bucket=lambda name: name,
        ),
    )
    told = promises.open_promises(fleet, {"a.own": 1}, {"a/own/1": "ADMITTED"}, [])
    assert told == ["a/own/1 is ('REJECTED', 'x'), not ADMITTED", "a.own has no document"]
