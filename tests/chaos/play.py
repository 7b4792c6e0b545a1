"""One round: a stack, its customers, a load, the kills, and what is left of the promises."""

import os
import threading
import time
from dataclasses import dataclass, field

import psutil

from infra.demo.fleet import Fleet, NotAsItShouldBe
from infra.local import stack
from infra.local.layout import Options
from tests.chaos import outside, promises, recovery, schedule, versions
from tests.chaos.dead_letters import DeadLetters
from tests.chaos.killer import Killer
from tests.chaos.load import Load
from tests.chaos.outside import AWAY, Outside
from tests.support.e2e import until


@dataclass
class Round:
    """What a round did and what broke; `broken` is empty when every promise held."""

    seed: int
    kills: list = field(default_factory=list)
    sent: int = 0
    per_second: float = 0.0
    refused: int = 0
    in_flight: int = 0
    uploads: int = 0
    settled: float = 0.0
    broken: list = field(default_factory=list)

    def told(self):
        """The seed, every kill and every broken promise, as text."""
        lines = [f"seed {self.seed}"]
        first = self.kills[0].begin if self.kills else 0.0
        lines += [f"  {k.begin - first:7.2f} s {k.target}: {k.what}" for k in self.kills]
        return "\n".join([*lines, "broken:", *(f"  {one}" for one in self.broken)])


def play(folder, seed, seconds):
    """Play one round in an empty folder; nothing of it runs when this returns."""
    found = Round(seed)
    running = stack.start(folder / "stack", Options(owner=os.getpid()))
    family = psutil.Process(running.folder.read().supervisor.pid)
    try:
        os.environ.update(running.environment)
        fleet = Fleet(running.environment)
        dead = DeadLetters(running.environment)
        killer = Killer(running, fleet.replicas, before={"pubsub": dead.collect})
        people = Outside(fleet, folder)
        try:
            dead.begin()
            _told(found, people, killer, fleet, seconds)
            found.broken += [f"dead letter: {one}" for one in dead.found()]
            started = [family, *family.children(recursive=True)]
        finally:
            killer.close()
            people.close()
            fleet.close()
    finally:
        running.stop()
    left = [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    found.broken += [f"left behind: {one}" for one in left]
    return found


def _told(found, people, killer, fleet, seconds):
    until("the first replicas", lambda: len(fleet.replicas.ready()) >= 4, seconds=90)
    spared = set(killer.parts) ^ set(schedule.PARTS)
    found.broken += [f"no part, or one that no schedule kills: {one}" for one in spared]
    people.settle()
    loaded = [f"{outside.name(c)}.own" for c in (0, 1, outside.TAKER_BACK, outside.WITH_TWO)]
    for servable in loaded:
        until(f"{servable} serves", lambda s=servable: fleet.serving(s, 1), seconds=90)
    places = {servable: fleet.model(servable)["shard"] for servable in loaded}
    answers = {s: {versions.code(int(s[6]), 1), versions.code(int(s[6]), 2)} for s in loaded}
    answers[loaded[-1]] = {versions.code(outside.WITH_TWO, 1)}
    with Load(fleet.replicas, places, answers, workers=4) as load:
        until("the load runs", lambda: load.sent > load.rate)
        _chaos(found, people, killer, seconds)
        _recover(found, people, killer, fleet)
        sent = load.sent
        until("the load ran on", lambda: load.sent > sent + load.rate)
    odd = promises.unexplained(load.failures, killer.log)
    found.kills, found.uploads = killer.log, people.uploads
    found.sent, found.per_second, found.refused = load.sent, load.per_second, load.refused
    found.in_flight = len(load.failures) - len(odd)
    found.broken += [f"failed prediction: {one}" for one in odd[:10]]
    found.broken += [f"another's answer: {one}" for one in load.foreign[:10]]
    if load.per_second < load.rate / 2:
        found.broken.append(f"only {load.per_second:.0f} predictions a second were sent")


def _chaos(found, people, killer, seconds):
    """Kill and act at the same time, each on its own."""
    lost = threading.Event()

    def act():
        steps = people.steps(found.seed)
        began = time.monotonic()
        try:
            for number, step in enumerate(steps):
                while (left := began + number * seconds / len(steps) - time.monotonic()) > 0:
                    if lost.wait(left):
                        return
                step()
        except AWAY as error:
            found.broken.append(f"not taken: {error!r}")
            lost.set()

    actor = threading.Thread(target=act, daemon=True)
    actor.start()
    try:
        killer.run(schedule.draw(found.seed, seconds), lost)
    except (NotAsItShouldBe, TimeoutError) as error:
        found.broken.append(f"a part that was killed did not come back: {error}")
        lost.set()
    actor.join(180)


def _recover(found, people, killer, fleet):
    """Publish again what Pub/Sub forgot, and wait until every promise holds."""

    def look():
        return promises.open_promises(fleet, people.wanted(), people.verdicts(), [*people.told()])

    try:
        until("every part is ready", killer.whole, seconds=90)
        people.tell_again()
    except (*AWAY, NotAsItShouldBe) as error:
        found.broken.append(repr(error))
        return
    left, found.settled = recovery.until_kept(look, people, sweep=True)
    found.broken += left
