"""A stack whose functions are given work, one after the other, and what must have come of it in the end."""

import os
from contextlib import contextmanager

from infra import functions
from infra.demo.fleet import Fleet
from infra.local import stack
from infra.local.layout import Options
from tests.chaos import outside, promises, recovery, versions
from tests.chaos.dead_letters import DeadLetters
from tests.chaos.outside import Outside
from tests.support.e2e import until


@contextmanager
def working(folder, table=functions.TABLE):
    """Start a stack; yields it, its fleet and the causes of work for it."""
    running = stack.start(folder / "stack", Options(owner=os.getpid(), table=table))
    try:
        os.environ.update(running.environment)
        fleet = Fleet(running.environment)
        people = Outside(fleet, folder)
        try:
            causes = Causes(fleet, people, DeadLetters(running.environment))
            until("the first replicas", lambda: len(fleet.replicas.ready()) >= 4, seconds=90)
            yield running, fleet, causes
        finally:
            people.close()
            fleet.close()
    finally:
        running.stop()


class Causes:
    """What makes each function work: sign-ups, uploads, ticks that find something to repair."""

    def __init__(self, fleet, people, dead):
        self._fleet, self._people, self._dead = fleet, people, dead
        self._versions = iter(
            (c, v) for v in range(1, versions.VERSIONS + 1) for c in range(versions.CUSTOMERS)
        )
        self._joined = 0
        self._wanted, self._verdicts = {}, {}
        dead.begin()

    def join(self):
        """A sign-up."""
        self._people.tell("customer.signed_up", self._joined, plan="standard")
        self._wanted[f"{outside.name(self._joined)}.starter"] = 1
        self._joined += 1

    def upload(self):
        """The next version, of a customer who signed up."""
        customer, version = next(self._versions)
        while self._joined <= customer:
            self.join()
        self._people.upload(customer, "own", version)
        self._wanted[f"{outside.name(customer)}.own"] = version
        self._verdicts[f"{outside.name(customer)}/own/{version}"] = "ADMITTED"

    def judged(self):
        """Whether the last version that was uploaded has its verdict."""
        last = [*self._verdicts][-1:]
        return all(self._fleet.verdict(name) for name in last)

    def lose_projections(self):
        """Delete what the next tick writes again."""
        for blob in self._fleet.storage.list_blobs(self._fleet.control, prefix="shards/"):
            if "/models/" in blob.name:
                self._fleet.control.delete_blobs([blob.name], on_error=lambda _: None)

    def tick(self, *, sweep):
        """What Cloud Scheduler publishes."""
        self._people.publish("BERTH_TICK_TOPIC", {"sweep": sweep})

    def left(self, *, sweep):
        """What does not hold when everything had its time."""

        def look():
            told = [*self._people.told()]
            return promises.open_promises(self._fleet, self._wanted, self._verdicts, told)

        left, _ = recovery.until_kept(look, self._people, sweep=sweep)
        return [*left, *(f"dead letter: {one}" for one in self._dead.found())]
