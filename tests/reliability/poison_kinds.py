"""What a version can do to the servers that load it, and what can look as if it did.

A kind is armed before the version comes. `strike` is what happens once, from outside, to the replica
that has the version first, before it is announced. Requests go to one replica at a time, as a proxy
sends them, or to all at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from berth.adapters.memory_server import OOM, SEGFAULT
from berth.adapters.memory_servers import Killer
from berth.domain.observation import END, VersionStatus
from tests.support.world import FILES

PLACE = "/models/acme/digits"
NEIGHBOUR = "/models/globex/own"
BROKEN = VersionStatus(END, 3, "unregistered op")
HICCUP = VersionStatus(END, 14, "storage hiccup")
WITHOUT_INDEX = {name: data for name, data in FILES.items() if not name.endswith(".index")}

QUARANTINED, SERVED, RETRIED, REFUSED = (
    "quarantined",
    "served",
    "retried and served",
    "refused at admission",
)


def nothing(fleet, number) -> None:
    pass


def no_strike(fleet, pod) -> None:
    pass


@dataclass(frozen=True)
class Kind:
    """One kind of poison, and what must come of it: the verdict, and at most so many dead processes."""

    name: str
    verdict: str
    deaths: int = 0
    arm: Callable = nothing
    strike: Callable = no_strike
    files: Mapping[str, bytes] = field(default_factory=lambda: FILES)
    asks: int = 60
    """Seconds between two requests for the model."""
    all_at_once: bool = False
    also: tuple[str, ...] = ()
    """Other verdicts that are right in some situations."""

    @property
    def verdicts(self) -> tuple[str, ...]:
        return (self.verdict, *self.also)


def broken(fleet, number):
    fleet.mount.broken[PLACE, number] = BROKEN


def broken_on(which):
    def arm(fleet, number):
        pods = [pod for pod in fleet.workloads.pods("shard-0") if pod.serving]
        fleet.servers.break_on(pods[which].address, PLACE, number, "a read failed")

    return arm


def hiccup(fleet, number):
    fleet.mount.broken[PLACE, number] = HICCUP


def killer(death, **more):
    def arm(fleet, number):
        fleet.servers.killers[PLACE, number] = Killer(death, **more)

    return arm


def killed(fleet, pod):
    fleet.workloads.restart(pod.name, code=137)


def node_gone(fleet, pod):
    fleet.workloads.kill(pod.name)


def evicted(fleet, pod):
    fleet.workloads.evict(pod.name)


def by_a_neighbour(fleet, pod):
    """A request to another customer's model, which served for long, ends the server."""
    fleet.servers.killers[NEIGHBOUR, 1] = Killer(SEGFAULT, on_request=True, left=1)
    fleet.servers.request(pod.address, "globex.own", 1)


KINDS = (
    Kind("ends in error on every replica", QUARANTINED, arm=broken),
    Kind("ends in error on the first replica alone", RETRIED, arm=broken_on(0), also=(SERVED,)),
    Kind("ends in error on the last replica alone", RETRIED, arm=broken_on(-1), also=(SERVED,)),
    Kind("meets a storage hiccup that passes", RETRIED, arm=killer(HICCUP, left=1), also=(SERVED,)),
    Kind("meets a storage error that stays", QUARANTINED, arm=hiccup),
    Kind("ends the process at its load, by a signal", QUARANTINED, 2, killer(SEGFAULT)),
    Kind("ends the process at its load, by memory", QUARANTINED, 2, killer(OOM)),
    Kind("ends the process at its load once", RETRIED, 1, killer(SEGFAULT, left=1)),
    Kind(
        "ends the process that is asked for it",
        QUARANTINED,
        5,
        killer(OOM, on_request=True),
        asks=30,
    ),
    Kind(
        "the same, asked of all replicas at once",
        QUARANTINED,
        9,
        killer(OOM, on_request=True),
        asks=30,
        all_at_once=True,
    ),
    Kind("loads and cannot predict: no variables.index", REFUSED, files=WITHOUT_INDEX),
    Kind(
        "is innocent: its server is killed from outside", RETRIED, 1, strike=killed, also=(SERVED,)
    ),
    Kind("is innocent: its server's node is gone", SERVED, 1, strike=node_gone),
    Kind("is innocent: its server is evicted", SERVED, 1, strike=evicted),
    Kind(
        "is innocent: another model ends its server",
        RETRIED,
        1,
        strike=by_a_neighbour,
        also=(SERVED,),
    ),
)
