"""Admissions of one customer at the same time: no bound is ever exceeded, and as many get in as fit."""

import random
from dataclasses import dataclass, replace

import pytest

from berth.domain import quotas
from tests.reliability import stories
from tests.reliability.fleet import Story
from tests.reliability.speed import fast
from tests.reliability.together import Together
from tests.support.world import FILES

SIZE = sum(len(data) for data in FILES.values())
UPLOADS = 6


@dataclass(frozen=True)
class Bound:
    """What is bounded, what is uploaded at once, how many of those fit; the first `bad` are bad."""

    bounds: dict
    names: tuple[str, ...]
    fit: int
    bad: int = 0


MODELS = tuple(f"acme/m{n}/1" for n in range(UPLOADS))
VERSIONS = tuple(f"acme/digits/{n}" for n in range(1, UPLOADS + 1))
BOUNDS = {
    "models": Bound({"models": 3}, MODELS, 3),
    "versions": Bound({"versions": 2}, VERSIONS, 2),
    "bytes of many models": Bound({"bytes": 4 * SIZE + SIZE // 2}, MODELS, 4),
    "bytes of one model": Bound({"bytes": 2 * SIZE}, VERSIONS, 2),
    "one place": Bound({"models": 1}, MODELS, 1),
    "places that bad ones held": Bound({"models": 2}, MODELS, 2, bad=4),
    "all fit": Bound({}, MODELS, UPLOADS),
}


class Watch:
    """Looks at what is settled whenever a model's document was written."""

    def __init__(self, fleet, bounds):
        self.fleet = fleet
        self.bounds = replace(quotas.PLANS["standard"], **bounds)

    def __call__(self, kind, name):
        if kind != "put" or not name.startswith("models/"):
            return
        names = [n for n in self.fleet.buckets.objects["control"] if n.startswith("models/acme.")]
        found = [self.fleet.model(n.removeprefix("models/").removesuffix(".json")) for n in names]
        own = [model for model in found if model.model != "starter" and model.present]
        assert len(own) <= self.bounds.models
        assert all(len(model.present) <= self.bounds.versions for model in own)
        assert sum(model.stored_bytes for model in own) <= self.bounds.bytes


def at_once(bound, seed):
    """A fleet to which all uploads were told, judged at the same time, call by call."""
    fleet = stories.CUSTOMER()
    for number, name in enumerate(bound.names):
        graph = b"bad graph" if number < bound.bad else FILES["saved_model.pb"]
        fleet.upload_now(name, files={**FILES, "saved_model.pb": graph})
    fleet._collect()
    while any(message.topic == "uploaded" for message in fleet.queue):
        fleet.deliver(fleet.queue.popleft())
        fleet._collect()
    requests = list({message.data: message for message in fleet.queue}.values())
    assert len(requests) == UPLOADS
    fleet.queue.clear()
    chance = random.Random(seed)
    chance.shuffle(requests)
    Together(fleet, requests, chance.randrange, Watch(fleet, bound.bounds)).run()
    return fleet.tell(Story("the rest", stories.CUSTOMER, ()))


def states(fleet, names):
    answers = [fleet.answer(f"{name}.status.json")["state"] for name in names]
    return answers.count("ADMITTED"), answers.count("REJECTED")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", BOUNDS)
def test_as_many_get_in_as_fit_and_never_more(name, seed, monkeypatch):
    bound = BOUNDS[name]
    changed = replace(quotas.PLANS["standard"], **bound.bounds)
    monkeypatch.setitem(quotas.PLANS, "standard", changed)
    with fast():
        fleet = at_once(bound, seed)
    assert states(fleet, bound.names) == (bound.fit, UPLOADS - bound.fit)
