"""SIGKILL at a random moment of a function's work, again and again, on a real stack."""

import os
import random
import time
from collections import Counter

import psutil

from infra.demo.fleet import Fleet
from infra.local import stack
from infra.local.layout import Options
from tests.chaos import outside, promises, recovery, versions
from tests.chaos.dead_letters import DeadLetters
from tests.chaos.outside import Outside
from tests.support.e2e import until

FUNCTIONS = (
    "on_upload",
    "admit_model",
    "probe_model-1",
    "probe_model-2",
    "reconcile_shard",
    "on_customer_event",
    "reconcile_fleet",
)


class Causes:
    """What makes each function work: sign-ups, uploads, ticks; and what must come of them."""

    def __init__(self, people):
        self._people = people
        self._versions = iter(
            (c, v) for v in range(1, versions.VERSIONS + 1) for c in range(versions.CUSTOMERS)
        )
        self._joined = 0
        self.wanted, self.verdicts = {}, {}

    def cause(self, part):
        """Give a function something to do."""
        if part == "reconcile_fleet":
            self._people.publish("BERTH_TICK_TOPIC", {"sweep": True})
        elif part == "on_customer_event" and self._joined < versions.CUSTOMERS:
            self._join()
        else:
            self._upload()

    def _join(self):
        self._people.tell("customer.signed_up", self._joined, plan="standard")
        self.wanted[f"{outside.name(self._joined)}.starter"] = 1
        self._joined += 1

    def _upload(self):
        customer, version = next(self._versions)
        while self._joined <= customer:
            self._join()
        self._people.upload(customer, "own", version)
        self.wanted[f"{outside.name(customer)}.own"] = version
        self.verdicts[f"{outside.name(customer)}/own/{version}"] = "ADMITTED"


def sample(folder, seed, each):
    """Kill each function `each` times; return how often, and what does not hold in the end."""
    running = stack.start(folder / "stack", Options(owner=os.getpid()))
    try:
        os.environ.update(running.environment)
        fleet = Fleet(running.environment)
        people = Outside(fleet, folder)
        try:
            dead = DeadLetters(running.environment)
            dead.begin()
            until("the first replicas", lambda: len(fleet.replicas.ready()) >= 4, seconds=90)
            causes = Causes(people)
            killed = _kill(running, causes, random.Random(seed), each)

            def look():
                return promises.open_promises(
                    fleet, causes.wanted, causes.verdicts, [*people.told()]
                )

            left, _ = recovery.until_kept(look, people, sweep=False)
            return killed, [*left, *(f"dead letter: {one}" for one in dead.found())]
        finally:
            people.close()
            fleet.close()
    finally:
        running.stop()


def _kill(running, causes, chance, each):
    lasts = {part: _duration(running, causes, part) for part in FUNCTIONS}
    order = [part for part in FUNCTIONS for _ in range(each)]
    chance.shuffle(order)
    killed = Counter()
    for part in order:
        until(f"{part} runs", lambda p=part: _runs(running, p))
        process = psutil.Process(running.parts[part])
        causes.cause(part)
        time.sleep(chance.uniform(0, lasts[part]))  # the moment that is drawn
        process.kill()
        killed[part] += 1
        until(f"another {part}", lambda p=part, old=process.pid: running.parts.get(p) != old)
    return killed


def _duration(running, causes, part):
    """Seconds from a cause to the function's last word about it, undisturbed."""
    teller = "admit_model" if part.startswith("probe_model") else part  # which waits for the probe
    before = _lines(running, teller)
    began = time.monotonic()
    causes.cause(part)
    until(f"{part} works", lambda: _lines(running, teller) > before, seconds=30)
    return time.monotonic() - began


def _lines(running, part):
    return running.log(part).read_text().count('"outcome"')


def _runs(running, part):
    pid = running.parts.get(part)
    return pid is not None and psutil.pid_exists(pid)
