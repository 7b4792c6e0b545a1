"""Kills parts of a stack as a schedule says, and keeps the log of what it killed and when."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

import kubernetes
import psutil
import urllib3

from infra.demo.replicas import NAMESPACE
from infra.local import storage
from tests.chaos import schedule
from tests.support.e2e import until

PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Killed:
    """One kill that was done: from the first moment it may have been felt to the process's end."""

    target: str
    what: str
    uid: str
    begin: float
    end: float


class Killer:
    """Kills; every kill waits until it hurts as the schedule means it."""

    def __init__(self, stack, replicas):
        self._stack, self._replicas = stack, replicas
        self._api = kubernetes.client.CoreV1Api(
            kubernetes.config.new_client_from_config(stack.environment["KUBECONFIG"])
        )
        self._restored = {"pubsub": 0, "storage": 0}
        self.log = []

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
                until("the platform is whole", self.whole, seconds=PATIENCE)
            self._part(target)

    def whole(self):
        """Whether every part of the platform runs, ready, with all that it had forgotten."""
        said = self._stack.folder.log.read_text()
        back = all(said.count(f"{n}: restored") >= k for n, k in self._restored.items())
        return back and set(schedule.PLATFORM) <= set(self._stack.parts) and self._answers()

    def _answers(self):
        try:
            self._api.list_namespaced_pod(NAMESPACE, limit=1, _request_timeout=2)
        except (urllib3.exceptions.HTTPError, kubernetes.client.ApiException, OSError):
            return False
        return True

    def _part(self, name):
        until(f"{name} runs", lambda: psutil.pid_exists(self._stack.parts.get(name, -1)))
        process = psutil.Process(self._stack.parts[name])
        begin = time.monotonic()
        if name == "storage":
            _stop_between_writes(process, self._stack.folder.path / "storage" / "objects")
        process.kill()
        if name in self._restored:
            self._restored[name] += 1
        self._note(name, f"pid {process.pid}", "", begin)
        until(f"another {name}", lambda: self._stack.parts.get(name) != process.pid, seconds=60)

    def _pod(self, target):
        chosen = []

        def spare():
            """Whether there is a shard with two servers alive: one of them is chosen."""
            for shard in sorted({r.shard for r in self._replicas.ready()}):
                alive = [r for r in self._replicas.ready(shard) if _server(r) is not None]
                if len(alive) >= 2:
                    chosen[:] = [alive[len(self.log) % len(alive)]]
                    return True
            return False

        until("a shard has a replica to spare", spare, seconds=PATIENCE)
        (replica,) = chosen
        process, begin = _server(replica), time.monotonic()
        if target == "pod killed":
            process.kill()
        else:
            until("the API server answers", self._answers, seconds=PATIENCE)
            begin = time.monotonic()
            self._replicas.kill(replica)
        until("the server is gone", lambda: not _runs(process), seconds=30)
        self._note(target, f"{replica.name} of {replica.shard}", replica.uid, begin)

    def _note(self, target, what, uid, begin):
        self.log.append(Killed(target, what, uid, begin, time.monotonic()))


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


def _runs(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE and os.path.exists(f"/proc/{process.pid}")
    return False
