"""What is stopped or killed is a part as a whole, and what is stalled has another beside it."""

import signal
import subprocess
import sys

import psutil

from infra import functions
from tests.chaos import signals, stalls

_PAIR = "import os, time; worker = os.fork(); worker and print(worker, flush=True); time.sleep(60)"


def test_two_instances_of_what_is_stalled_and_the_others_as_they_are(tmp_path):
    found, known = functions.read(stalls.table(tmp_path / "project")), functions.read()
    assert list(found) == list(known)
    for name, one in found.items():
        assert one.local_instances == (2 if name in stalls.STALLED else known[name].local_instances)
        assert (one.source / "main.py").exists()


def test_a_signal_reaches_a_parts_worker_too():
    with subprocess.Popen(
        [sys.executable, "-c", _PAIR], stdout=subprocess.PIPE, start_new_session=True
    ) as part:
        worker = psutil.Process(int(part.stdout.readline()))
        signals.send(part.pid, signal.SIGKILL)
        assert part.wait(10) == -signal.SIGKILL
    psutil.wait_procs([worker], timeout=10)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
