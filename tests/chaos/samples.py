"""SIGKILL at a random moment of a function's work, again and again, on a real stack."""

import random
import signal
import time
from collections import Counter

import psutil

from tests.chaos import signals
from tests.chaos.causes import working
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


def sample(folder, seed, each):
    """Kill each function `each` times; return how often, and what does not hold in the end."""
    with working(folder) as (running, _, causes):
        killed = _kill(running, causes, random.Random(seed), each)
        return killed, causes.left(sweep=False)


def cause(causes, part):
    """Give a function something to do."""
    if part == "reconcile_fleet":
        causes.lose_projections()
        causes.tick(sweep=True)
    elif part == "on_customer_event":
        causes.join()
    else:
        causes.upload()


def _kill(running, causes, chance, each):
    lasts = {part: _duration(running, causes, part) for part in FUNCTIONS}
    order = [part for part in FUNCTIONS for _ in range(each)]
    chance.shuffle(order)
    killed = Counter()
    for part in order:
        until(f"{part} runs", lambda p=part: _runs(running, p))
        process = psutil.Process(running.parts[part])
        cause(causes, part)
        time.sleep(chance.uniform(0, lasts[part]))  # the moment that is drawn
        signals.send(process.pid, signal.SIGKILL)
        killed[part] += 1
        until(f"another {part}", lambda p=part, old=process.pid: running.parts.get(p) != old)
    return killed


def _duration(running, causes, part):
    """Seconds from a cause to the function's last word about it, undisturbed."""
    teller = "admit_model" if part.startswith("probe_model") else part  # which waits for the probe
    before = _lines(running, teller)
    began = time.monotonic()
    cause(causes, part)
    until(f"{part} works", lambda: _lines(running, teller) > before, seconds=30)
    return time.monotonic() - began


def _lines(running, part):
    return running.log(part).read_text().count('"outcome"')


def _runs(running, part):
    pid = running.parts.get(part)
    return pid is not None and psutil.pid_exists(pid)
