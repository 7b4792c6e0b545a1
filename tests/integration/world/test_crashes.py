"""The crash matrix, a share of it: `make reliability` tries all of it. See tests/reliability."""

import pytest

from berth.domain.observation import VersionStatus
from tests.reliability import faults, matrix, stories
from tests.reliability.speed import fast

SHARE = 0.02


@pytest.mark.parametrize("overtake", [False, True], ids=["in turn", "overtaken"])
@pytest.mark.parametrize("story", stories.STORIES, ids=lambda story: story.name)
def test_a_story_survives_a_failure_at_any_call(story, overtake):
    with fast():
        result = matrix.run(story, share=SHARE, seed=7, overtake=overtake)
    assert result.failures == []
    assert result.survived.total() == result.tried.total()
    assert result.calls > 15


def test_what_differs_in_the_end_is_found():
    story = stories.BY_NAME["an upload, served"]
    with fast():
        told = matrix.undisturbed(story)
        (admission,) = [m for m in told.moments if any(c.kind == "probe" for c in m.calls)]
        call = next(c for c in admission.calls if (c.kind, c.name) == ("publish", "shards"))
        fleet = admission.fleet.copy()
        fleet.mount.broken["/models/acme/digits", 1] = VersionStatus("END", 3, "broken")
        harmed = matrix.Moment(admission.number, fleet, admission.delivery, admission.calls)
        found = matrix.problems(told, harmed, faults.Fault("refused", call), overtake=False)
    assert any(line.startswith("/shards/shard-0") for line in found)
    assert any("never said" in line for line in found)
