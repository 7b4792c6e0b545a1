"""When a poisoned version comes: what serves already, what else goes on, and what the outside does."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.reliability import starts, stories
from tests.reliability.fleet import Fleet
from tests.support.world import FILES

NEIGHBOURS = ("acme.starter", "globex.starter", "globex.own")
BURST = ("acme/a", "globex/b", "acme/c", "globex/d")


def both_sign_up(fleet):
    fleet.say("signed_up", plan="standard")
    fleet.say("signed_up", "globex", plan="standard")


def globex_uploads(fleet):
    fleet.upload_now("globex/own/1")


NEW = stories.after(both_sign_up, globex_uploads)
SECOND = stories.after(both_sign_up, globex_uploads, stories.upload(1))
THIRD = stories.after(both_sign_up, globex_uploads, stories.upload(1), stories.upload(2))


@dataclass(frozen=True)
class Situation:
    """`number` is the poisoned version, `kept` what serves before it comes."""

    name: str
    start: Callable[[], Fleet]
    number: int
    kept: tuple[int, ...]
    come: Callable
    others: tuple[str, ...] = NEIGHBOURS

    @property
    def unknown(self) -> int:
        """The number of a version that was never admitted."""
        return self.number if self.number not in range(max(self.kept, default=0)) else 3


def alone(fleet, number, files):
    fleet.upload_now(f"acme/digits/{number}", files=files)


def in_a_burst(fleet, number, files):
    for name in BURST[:2]:
        fleet.upload(f"{name}/1")
    fleet.upload(f"acme/digits/{number}", files)
    for name in BURST[2:]:
        fleet.upload(f"{name}/1")


def while_one_starts(fleet, number, files):
    """The second replica begins anew, and is not ready for long enough to miss the first telling."""
    starts.restart(fleet)
    alone(fleet, number, files)


def while_one_is_added(fleet, number, files):
    starts.add(fleet)
    alone(fleet, number, files)


def after_a_wave(fleet, number, files):
    """Every replica was replaced a moment ago."""
    before = {pod.uid for pod in fleet.workloads.pods("shard-0")}
    stories.restart_all(fleet)
    while any(pod.uid in before or not pod.ready for pod in fleet.workloads.pods("shard-0")):
        delivery = fleet.due()
        fleet.pass_time(10) if delivery is None else fleet.deliver(delivery)
    alone(fleet, number, files)


def during_a_wave(fleet, number, files):
    stories.restart_all(fleet)
    alone(fleet, number, files)


def by_pin(fleet, number, files):
    """The version served once; now it is wanted again, and is poison."""
    if files != FILES:
        alone(fleet, number, files)
    fleet.put("acme/digits/serving.yaml", f"pin: {number}\n".encode())


SITUATIONS = (
    Situation("a first version", NEW, 1, (), alone),
    Situation("a second version", SECOND, 2, (1,), alone),
    Situation(
        "among others",
        SECOND,
        2,
        (1,),
        in_a_burst,
        (*NEIGHBOURS, *(name.replace("/", ".") for name in BURST)),
    ),
    Situation("while a replica starts", SECOND, 2, (1,), while_one_starts),
    Situation("while a replica is added", SECOND, 2, (1,), while_one_is_added),
    Situation("during a wave of restarts", SECOND, 2, (1,), during_a_wave),
    Situation("after a wave of restarts", SECOND, 2, (1,), after_a_wave),
    Situation("a rollback by pin", THIRD, 1, (2,), by_pin),
)
