"""A replica that starts at any moment of any rollout: added, restarted or lost at each call of a port.

At every tick after that, in every world, each ready replica must have every announced version
AVAILABLE: a pod serves all that is announced from its first ready second, or is not ready.
"""

import argparse
import functools
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from berth.domain import documents
from berth.domain.shard_status import ShardStatus
from tests.reliability import faults, matrix, report, stories
from tests.reliability.speed import fast

STORIES = (
    "a sign-up with its starter model",
    "an upload, served",
    "a second version",
    "a rollback by pin",
    "serving.yaml keeps two",
    "a version that does not load",
    "a deleted model",
    "a deleted version",
    "closed, and signed up again",
    "a full shard's model placed anew",
    "a wave of restarts",
    "a model moves",
    "a version comes while its model moves",
    "a shard drains",
)


def add(fleet) -> bool:
    """One more replica, as the autoscaler does it."""
    for shard in fleet.workloads._shards():
        fleet.workloads._objects["Deployment", shard]["spec"]["replicas"] += 1
        fleet.workloads._scale(shard)
    return bool(fleet.workloads._shards())


def restart(fleet) -> bool:
    """The container of each shard's first replica ends and starts again."""
    return _first(fleet, lambda pod: fleet.workloads.restart(pod.name, code=137))


def lose(fleet) -> bool:
    """The node of each shard's first replica is gone."""
    return _first(fleet, lambda pod: fleet.workloads.kill(pod.name))


def _first(fleet, act) -> bool:
    found = False
    for shard in fleet.workloads._shards():
        pods = [pod for pod in fleet.workloads._pods_of(shard) if pod.serving]
        if len(pods) > 1:
            found = True
            act(pods[0])
    return found


ACTIONS = {"added": add, "restarted": restart, "lost": lose}


@dataclass
class Result:
    """What came of the starts that were tried in one story."""

    story: str
    moments: int = 0
    looks: int = 0
    tried: Counter = field(default_factory=Counter)
    whole: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@functools.lru_cache(4096)
def _announced(data: bytes):
    models = ShardStatus.decode(data).models
    return tuple((name, record.announced) for name, record in models.items() if record.announced)


class Watch:
    """Looks at every ready replica after every tick of a fleet."""

    def __init__(self, fleet) -> None:
        self.fleet, self.looks, self.lacking = fleet, 0, set()
        self._tick, fleet.tick = fleet.tick, self.tick

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self._tick()
            self.look()

    def look(self) -> None:
        for shard in self.fleet.workloads._shards():
            found = self.fleet.buckets.objects["control"].get(documents.status_name(shard))
            for pod in self.fleet.workloads._pods_of(shard) if found else ():
                if pod.serving:
                    self._replica(pod, _announced(found.data))

    def _replica(self, pod, announced) -> None:
        self.looks += 1
        server = self.fleet.servers._servers[pod.address]
        for name, numbers in announced:
            said = server.statuses(name)
            for number in numbers:
                if number not in said or said[number].state != "AVAILABLE":
                    self.lacking.add(f"{pod.key} is ready without {name}/{number}")


def problems(told, moment, number, action, result) -> list[str] | None:
    """Start a replica before a call, tell the rest; None where there was nothing to start."""
    fleet = moment.fleet.copy()
    watch, made, done = Watch(fleet), [0], []

    def before(kind, name):
        made[0] += 1
        if made[0] == number:
            done.append(ACTIONS[action](fleet))

    fleet.fail(before)
    fleet.deliver(matrix.copy_of(moment.delivery))
    fleet.revive()
    if not any(done):
        return None
    fleet.tell(told.story)
    result.looks += watch.looks
    return sorted(watch.lacking)


def run(name: str, every: int = 1, skip: int = 0) -> Result:
    """Try every `every`-th moment of a story, each with every kind of start."""
    told = matrix.undisturbed(stories.BY_NAME[name])
    result = Result(name)
    places = [
        (moment, number)
        for moment in told.moments
        for number in sorted({fault.call.number for fault in faults.possible(moment.calls)[0]})
    ]
    for moment, number in places[skip % every :: every]:
        result.moments += 1
        for action in ACTIONS:
            found = problems(told, moment, number, action, result)
            if found is None:
                continue
            result.tried[action] += 1
            result.whole[action] += not found
            if found:
                where = f"{name}: {moment.delivery.topic} #{moment.number}, call {number}, {action}"
                result.failures.append(f"{where}: {'; '.join(found[:3])}")
    return result


def table(results) -> str:
    """One row a story."""
    rows = [
        "| story | moments | replicas added | restarted | lost | looks at ready replicas | always whole |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    total = Result("all")
    for one in results:
        rows.append(_row(one, one.story))
        total.moments += one.moments
        total.looks += one.looks
        total.tried += one.tried
        total.whole += one.whole
    return "\n".join([*rows, _row(total, "**all**")])


def _row(one: Result, title: str) -> str:
    numbers = (one.moments, *(one.tried[a] for a in ACTIONS), one.looks, one.whole.total())
    return f"| {title} | " + " | ".join(f"{n:,}" for n in numbers) + " |"


def _job(job) -> Result:
    with fast():
        return run(*job)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.starts", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try every n-th moment")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        results = list(pool.map(_job, [(name, options.every) for name in STORIES]))
    asked = " ".join(["python -m tests.reliability.starts", *sys.argv[1:]])
    written = f"Written by `{asked}`.\n\n{table(results)}"
    print(written)
    failures = [line for result in results for line in result.failures]
    for line in failures:
        print(line, file=sys.stderr)
    if options.write and not failures:
        report.write({"starts": written})
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
