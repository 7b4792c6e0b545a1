"""Kills parts of a stack as a schedule says, and keeps the log of what it killed and when."""

import contextlib
import re
import signal
import time
from dataclasses import dataclass

import kubernetes
import psutil
import urllib3

from infra.demo.replicas import NAMESPACE
from infra.local import storage
from tests.chaos import schedule, signals
from tests.chaos.ending import Ending
from tests.support.e2e import until

PATIENCE = 90.0
_ENDED = re.compile(r"(\S+) \(pid \d+\) ended: ")


@dataclass(frozen=True, slots=True)
class Killed:
    """One kill that was done: from the first moment it may have been felt to the end that was seen."""

    target: str
    what: str
    uid: str
    begin: float
    end: float


class Killer:
    """Kills; every kill waits until it hurts as the schedule means it."""

    def __init__(self, stack, replicas, before=None):
        """`before` maps a part to what is done before it is killed."""
        self._stack, self._replicas, self._before = stack, replicas, before or {}
        self._api = kubernetes.client.CoreV1Api(
            kubernetes.config.new_client_from_config(stack.environment["KUBECONFIG"])
        )
        self.log = []

    @property
    def parts(self):
        """The names of the stack's parts."""
        return self._stack.parts.keys()

    def close(self):
        self._api.api_client.close()

    def run(self, kills, stopped):
        """Carry a schedule out, unless `stopped` says that the round is lost already."""
        began = time.monotonic()
        for kill in kills:
            while (left := began + kill.at - time.monotonic()) > 0:
                if stopped.wait(left):
                    return
            self.kill(kill.target)

    def kill(self, target):
        """Kill one thing now, or as soon as nothing else is down that it may not overlap."""
        if target in schedule.PODS:
            self._pod(target)
        else:
            if target in schedule.PLATFORM:
                until("the platform is whole", self._platform, seconds=PATIENCE)
            self._part(target)

    def whole(self, parts=schedule.PARTS):
        """Whether these parts are ready, with all that they had forgotten."""
        gone = away(self._stack.folder.log.read_text())
        return not gone & set(parts) and set(parts) <= set(self._stack.parts) and self._answers()

    def _platform(self):
        return self.whole(schedule.PLATFORM)

    def _answers(self):
        try:
            self._api.list_namespaced_pod(NAMESPACE, limit=1, _request_timeout=2)
        except (urllib3.exceptions.HTTPError, kubernetes.client.ApiException, OSError):
            return False
        return True

    def _part(self, name):
        until(f"{name} runs", lambda: psutil.pid_exists(self._stack.parts.get(name, -1)))
        process = psutil.Process(self._stack.parts[name])
        if name in self._before:
            self._before[name]()
        begin = time.monotonic()
        if name == "storage":
            _stop_between_writes(process, self._stack.folder.path / "storage" / "objects")
        signals.send(process.pid, signal.SIGKILL)
        self.log.append(Killed(name, f"pid {process.pid}", "", begin, time.monotonic()))
        until(f"another {name}", lambda: self._stack.parts.get(name) != process.pid, seconds=60)

    def _pod(self, target):
        chosen = []

        def spare():
            """Whether there is a shard with two servers alive: one of them is chosen."""
            for shard in sorted({r.shard for r in self._replicas.ready()}):
                servers = [(r, _server(r)) for r in self._replicas.ready(shard)]
                alive = [one for one in servers if one[1] is not None]
                if len(alive) >= 2:
                    chosen[:] = alive[len(self.log) % len(alive)]
                    return True
            return False

        if target == "pod deleted":
            until("the API server answers", self._answers, seconds=PATIENCE)
        until("a shard has a replica to spare", spare, seconds=PATIENCE)
        replica, process = chosen
        with contextlib.closing(Ending(process.pid)) as ending:
            begin = time.monotonic()
            if target == "pod killed":
                process.kill()
            else:
                self._replicas.kill(replica)
            end = ending.wait(30)
        what = f"{replica.name} of {replica.shard}, gone after {1000 * (end - begin):.0f} ms"
        self.log.append(Killed(target, what, replica.uid, begin, end))


def away(said):
    """The parts that ended and are not ready again, by what the stack's supervisor said. Pure."""
    found = set()
    for line in said.splitlines():
        if ended := _ENDED.match(line):
            found.add(ended[1])
        elif line.endswith(": ready again"):
            found.discard(line.removesuffix(": ready again"))
    return found


def _stop_between_writes(process, objects):
    """Stop the storage server between two writes: an object of the cloud's is written whole or not.

    The emulator writes one in two steps, and an overwritten object is lost when it dies between.
    """
    while True:
        process.send_signal(signal.SIGSTOP)
        until("it stands still", lambda: process.status() == psutil.STATUS_STOPPED, every=0.001)
        if not storage.torn(objects):
            return
        process.send_signal(signal.SIGCONT)


def _server(replica):
    """The server process of a replica; None where none runs."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "tfserving" in " ".join(process.cmdline()) and (
                process.environ().get("BERTH_POD_IP") == replica.address
            ):
                return process
    return None
