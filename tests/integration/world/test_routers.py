"""A router that reads a shard's routes at any moment finds only what every ready replica serves."""

import pytest

from berth.domain import routing
from tests.reliability import stories
from tests.reliability.speed import fast

# The first one tells of shards alone.
WITH_MODELS = stories.STORIES[1:]


def told(story):
    with fast():
        return story.start().tell(story)


@pytest.mark.parametrize("story", WITH_MODELS, ids=lambda story: story.name)
def test_no_story_misleads_a_router(story):
    fleet = told(story)
    assert fleet.routers.misled == set()
    assert fleet.routers.looks > 10


@pytest.mark.parametrize(
    "name", ["a second version", "a rollback by pin", "a deleted model", "a closed account"]
)
def test_without_the_grace_routers_are_misled(name, monkeypatch):
    monkeypatch.setattr(routing, "needed", lambda stored, servable, versions, now: frozenset())
    assert told(stories.BY_NAME[name]).routers.misled
