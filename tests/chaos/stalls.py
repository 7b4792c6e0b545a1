"""SIGSTOP in the middle of a function's work until its lease is another's; then SIGCONT.

A stalled writer wakes with what it had seen long ago, between any two of its calls. Each function has
two instances here: the other one works on, and takes over what stands still.
"""

import random
import signal
import time
from datetime import UTC, datetime

import yaml

from berth.domain.documents import Admission
from berth.domain.lease import Lease
from infra import functions
from tests.chaos import signals
from tests.chaos.causes import working
from tests.chaos.outside import AWAY
from tests.support.e2e import until

STALLED = ("reconcile_shard", "admit_model", "reconcile_fleet")
TRIES = 60
# Seconds from an expired lease to the next holder's: ticks come as often, and one has work to do.
TAKEN_OVER = 60.0
EVERY = 4.0


def table(project):
    """A project like this one, but with two instances of each function that is stalled; its table."""
    document = yaml.safe_load(functions.TABLE.read_text())
    (project / "functions").mkdir(parents=True)
    (project / "k8s").symlink_to(functions.ROOT / "k8s")
    for name, row in document["functions"].items():
        (project / "functions" / name).symlink_to(functions.TABLE.parent / name)
        if name in STALLED:
            row["local_instances"] = row["instances"] = 2
    path = project / "functions" / "functions.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def stall(folder, seed, each):
    """Stall each function `each` times; return the seconds it stood still each time, and what does not
    hold in the end.
    """
    with working(folder, table(folder / "project")) as (running, fleet, causes):
        stalls = Stalls(running, fleet, causes, seed)
        stood = {function: [] for function in STALLED}
        for function in STALLED * each:
            stood[function].append(stalls.stall(function))
        return stood, causes.left(sweep=True)


class Stalls:
    """Stops instances of functions that hold a lease."""

    def __init__(self, running, fleet, causes, seed):
        self._running, self._fleet, self._causes = running, fleet, causes
        self._chance = random.Random(seed)

    def stall(self, function):
        """Stop one that holds a lease until another took it; return the seconds it stood still.

        Which of the two holds it is not known: the one that does not lets go of nothing when stopped,
        and the lease is released by the other, before its time.
        """
        lasts = self._lasts(function)
        for _ in range(TRIES):
            self._act(function)
            time.sleep(self._chance.uniform(0, lasts))  # the moment that is drawn
            self._send(signal.SIGSTOP, f"{function}-1", f"{function}-2")
            began, held = time.monotonic(), self._held(function)
            chosen = self._chance.sample([f"{function}-1", f"{function}-2"], 2)
            self._send(signal.SIGCONT, chosen[1])
            try:
                if any(self._outlived(function, *one) for one in held.items()):
                    return time.monotonic() - began
            finally:
                self._send(signal.SIGCONT, chosen[0])
        raise AssertionError(f"{function} was never stopped with a lease")

    def _outlived(self, function, name, lease):
        """Whether it was held until it expired; then return once another has it."""
        while datetime.now(UTC) < lease.expires:
            if self._changed(function, name, lease):
                return False
            time.sleep(0.2)

        def taken():
            self._act(function)
            ended = time.monotonic() + EVERY
            while not (changed := self._changed(function, name, lease)):
                if time.monotonic() > ended:
                    break
                time.sleep(0.2)
            return changed

        until(f"another has {name}", taken, seconds=TAKEN_OVER)
        return True

    def _act(self, function):
        """Give it something to do, and ask for what waits."""
        if function == "reconcile_fleet":
            self._causes.lose_projections()
            self._causes.tick(sweep=False)
        elif function == "reconcile_shard":
            self._causes.join()
        elif self._causes.judged():
            self._causes.upload()
        else:
            self._causes.tick(sweep=True)

    def _changed(self, function, name, lease):
        """Whether a lease is another's, or was let go."""
        try:
            return self._leases(function).get(name, Lease()) != lease
        except AWAY:
            return False

    def _held(self, function):
        now = datetime.now(UTC)
        return {name: one for name, one in self._leases(function).items() if not one.free(now)}

    def _leases(self, function):
        """The function's leases by the name of their document, but for `wanted`, which others set."""
        prefix = {"reconcile_shard": "shards/", "admit_model": "admissions/"}.get(
            function, "fleet/"
        )
        found = {}
        for listed in self._fleet.storage.list_blobs(self._fleet.control, prefix=prefix):
            if function != "admit_model" and not listed.name.endswith("lease.json"):
                continue
            data = self._fleet.control.blob(listed.name).download_as_bytes()
            lease = (
                Admission.decode(data).lease if function == "admit_model" else Lease.decode(data)
            )
            found[listed.name] = lease.model_copy(update={"wanted": False})
        return found

    def _lasts(self, function):
        """Seconds from a cause to an instance's last word about it, undisturbed."""
        before, began = self._said(function), time.monotonic()
        self._act(function)
        until(f"{function} works", lambda: self._said(function) > before, seconds=60)
        return time.monotonic() - began

    def _said(self, function):
        logs = (self._running.log(f"{function}-{number}") for number in (1, 2))
        return sum(log.read_text().count('"outcome"') for log in logs)

    def _send(self, number, *parts):
        for part in parts:
            signals.send(self._running.parts[part], number)
