"""The crash matrix: every fault at every call of every delivery of a story, and what came of it."""

import random
from collections import Counter
from dataclasses import dataclass, field

from tests.reliability import facts, faults
from tests.reliability.faults import Fault, Induced
from tests.reliability.fleet import Story


@dataclass(frozen=True)
class Moment:
    """One delivery of a story: the world before it, and the calls that it makes."""

    number: int
    fleet: object
    delivery: object
    calls: tuple


@dataclass(frozen=True)
class Undisturbed:
    """A story told without a fault."""

    story: Story
    moments: tuple[Moment, ...]
    facts: dict
    said: Counter


@dataclass
class Result:
    """What came of the faults that were tried."""

    story: str
    deliveries: int = 0
    calls: int = 0
    points: int = 0
    tried: Counter = field(default_factory=Counter)
    survived: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def with_other(self, other: "Result") -> "Result":
        """Both ways of telling one story: the calls are the same, each fault was tried twice."""
        return Result(
            self.story,
            deliveries=self.deliveries,
            calls=self.calls,
            points=self.points + other.points,
            tried=self.tried + other.tried,
            survived=self.survived + other.survived,
            failures=self.failures + [f"(overtaken) {line}" for line in other.failures],
        )


def undisturbed(story: Story) -> Undisturbed:
    """Tell a story once; remember the world before each delivery."""
    fleet = story.start()
    moments = []
    while (delivery := fleet.next(story)) is not None:
        before = (fleet.copy(), copy_of(delivery))
        calls = faults.recorded(fleet, delivery)
        moments.append(Moment(len(moments) + 1, *before, tuple(calls)))
    return Undisturbed(story, tuple(moments), *_end(fleet, story))


def _end(fleet, story):
    return facts.facts(fleet, story.alike), facts.said(fleet, story.alike)


def copy_of(delivery):
    return type(delivery)(delivery.topic, delivery.data, delivery.message, delivery.attempts)


def problems(told: Undisturbed, moment: Moment, fault: Fault, *, overtake: bool) -> list[str]:
    """Tell the story with one fault; return what differs in the end."""
    fleet = moment.fleet.copy()
    try:
        if not Induced(fleet, moment.delivery, fault).deliver(copy_of(moment.delivery)):
            return ["the fault did not happen: its delivery went another way"]
        fleet.tell(told.story, overtake=overtake)
    except Exception as error:  # noqa: BLE001 - told as what it is: a bug, or a world without peace
        return [f"{type(error).__name__}: {str(error)[:600]}"]
    ended, said = _end(fleet, told.story)
    found = differences(told.facts, ended)
    if fault.call.port == "uploads":  # answers beside an upload are a courtesy (verdicts.py)
        found = [line for line in found if not line.startswith("/uploads")]
    found += [f"a router was misled: {line}" for line in sorted(fleet.routers.misled)]
    return found + unsaid(told.said, said, overtake=overtake, often=told.story.in_turn)


def differences(wanted, found, path="") -> list[str]:
    """Return where two values differ, as paths."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            line
            for key in sorted({*wanted, *found}, key=str)
            for line in differences(wanted.get(key), found.get(key), f"{path}/{key}")
        ]
    return [] if wanted == found else [f"{path}: {found!r} instead of {wanted!r}"]


def unsaid(wanted: Counter, found: Counter, *, overtake: bool, often: bool = False) -> list[str]:
    """Return promises not kept: an event that is missing, or one cause told under two ids.

    With `often`, how often something is told depends on the order of things.
    """
    lost = [key for key in wanted if key not in found]
    more = [key for key in found if found[key] > max(1, wanted.get(key, 0)) and not often]
    if overtake:  # what was overtaken never came to be
        lost = []
    return [f"never said: {key}" for key in lost] + [f"said under two ids: {key}" for key in more]


def run(story: Story, *, share: float = 1.0, seed: int = 0, overtake: bool = False) -> Result:
    """Try the faults of a story; `share` of them, drawn by a seed."""
    told = undisturbed(story)
    chance = random.Random(f"{seed}/{story.name}")
    result = Result(story.name, deliveries=len(told.moments))
    for moment in told.moments:
        possible, points = faults.possible(moment.calls)
        result.calls += len(moment.calls)
        result.points += points
        for fault in possible:
            if share < 1.0 and chance.random() >= share:
                continue
            result.tried[fault.kind] += 1
            found = problems(told, moment, fault, overtake=overtake)
            if found:
                call = fault.call
                where = (
                    f"{moment.delivery.topic} #{moment.number}: {fault.kind}, call {call.number}"
                )
                result.failures.append(
                    f"{where} {call.port}.{call.kind} {call.name}: " + "; ".join(found[:6])
                )
            else:
                result.survived[fault.kind] += 1
    return result
