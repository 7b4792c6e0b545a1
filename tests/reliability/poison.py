"""The poison matrix: each kind of harmful version in each situation, over the twins.

`python -m tests.reliability.poison --write` puts the table into docs/reliability.md. Ends with 1
where a cell is not as it must be.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from berth.domain import documents
from tests.reliability import report
from tests.reliability.poison_kinds import (
    KINDS,
    QUARANTINED,
    REFUSED,
    RETRIED,
    SERVED,
    Kind,
)
from tests.reliability.poison_situations import SITUATIONS, Situation
from tests.reliability.speed import fast
from tests.reliability.starts import _announced

DIGITS = "acme.digits"
SHARD = "shard-0"
LONG = timedelta(minutes=12)
QUIET = timedelta(minutes=4)
STEP_SECONDS = 10
ALL_AWAY_SECONDS = 60  # in all, where a request ends every replica at once: nobody can prevent that


@dataclass
class Cell:
    """What came of one kind in one situation. Times are seconds of the twin's clock."""

    kind: str
    situation: str
    verdict: str = ""
    reason: str = ""
    deaths: int = 0
    stopped: float = 0.0
    away: float = 0.0
    disturbed: float = 0.0
    together: float = 0.0
    replicas: int = 0
    whole: int = 0
    problems: list[str] = field(default_factory=list)


class Watch:
    """Looks at a fleet after each of its ticks, and counts what ends."""

    def __init__(self, fleet, cell: Cell, kind: Kind, situation: Situation, number: int) -> None:
        self.fleet, self.cell, self.kind, self.situation = fleet, cell, kind, situation
        self.number = number
        self.struck, self.over, self.last = False, False, fleet.clock.now()
        self.known = {name for name, _ in self.announced()}
        self.before = self.known - {DIGITS}
        self._tick, fleet.tick = fleet.tick, self.tick
        fleet.servers.after = self.strike
        for end in ("restart", "kill", "evict"):
            self._count(end)

    def _count(self, end: str) -> None:
        original = getattr(self.fleet.workloads, end)

        def counted(*args, **more):
            self.cell.deaths += 1
            return original(*args, **more)

        setattr(self.fleet.workloads, end, counted)

    def announced(self):
        found = self.fleet.buckets.objects["control"].get(documents.status_name(SHARD))
        return _announced(found.data) if found else ()

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self._tick()
            if not self.over:
                self.look()

    def look(self) -> None:
        now = self.fleet.clock.now()
        passed, self.last = (now - self.last).total_seconds(), now
        ready = [pod for pod in self.fleet.workloads._pods_of(SHARD) if pod.serving]
        said = dict(self.announced())
        lacking = {name for name, numbers in said.items() if self._lacks(name, numbers, ready)}
        self.cell.stopped += passed * (DIGITS in lacking)
        self.cell.away += passed * bool(self.situation.kept and DIGITS not in said)
        gone = lacking | (self.known - said.keys())
        self.cell.disturbed += passed * bool(gone & self.before)
        self.cell.together += passed * bool(gone - self.before - {DIGITS})
        self.known |= said.keys()

    def _lacks(self, name, numbers, ready) -> bool:
        """Whether one of the ready replicas has not got what is announced, or none is ready."""
        return not ready or any(not set(numbers) <= _has(self.fleet, pod, name) for pod in ready)

    def strike(self, call: str, address: str) -> None:
        """Once, when the first replica was told the version."""
        if call != "reload" or self.struck or self.over:
            return
        for pod in self.fleet.workloads._pods_of(SHARD):
            server = self.fleet.servers._servers.get(pod.address)
            if pod.address == address and server and self.number in server.statuses(DIGITS):
                self.struck = True
                self.kind.strike(self.fleet, pod)


def _has(fleet, pod, name) -> set[int]:
    """The versions that one replica has AVAILABLE."""
    server = fleet.servers._servers.get(pod.address)
    said = server.statuses(name) if server else {}
    return {number for number, status in said.items() if status.state == "AVAILABLE"}


def run(kind: Kind, situation: Situation) -> Cell:
    """Let a version of a kind come in a situation, let a quarter of an hour pass, restart all."""
    fleet, cell = situation.start(), Cell(kind.name, situation.name)
    number = situation.unknown if kind.verdict == REFUSED else situation.number
    kind.arm(fleet, number)
    watch = Watch(fleet, cell, kind, situation, number)
    situation.come(fleet, number, kind.files)
    cell.deaths = 0  # what the situation itself ended
    pass_by(fleet, kind)
    watch.over = True
    judge(fleet, cell, number)
    cell.problems += wrong(fleet, cell, kind, situation, number)
    restart_all(fleet, cell)
    return cell


def pass_by(fleet, kind: Kind, span: timedelta = LONG) -> None:
    """Time, messages, and clients that ask for whatever is announced, until all is quiet."""
    asked, turn = fleet.clock.now(), 0
    end, changed, mutations = asked + span, asked, fleet.mutations
    while fleet.clock.now() < min(end, changed + QUIET):
        if mutations != fleet.mutations:
            changed, mutations = fleet.clock.now(), fleet.mutations
        delivery = fleet.due()
        if delivery is not None:
            fleet.deliver(delivery)
            continue
        fleet.pass_time(STEP_SECONDS)
        if fleet.clock.now() - asked >= timedelta(seconds=kind.asks):
            asked, turn = fleet.clock.now(), turn + 1
            ask(fleet, turn, all_at_once=kind.all_at_once)


def ask(fleet, turn: int, *, all_at_once: bool) -> None:
    ready = [pod for pod in fleet.workloads._pods_of(SHARD) if pod.serving]
    asked = ready if all_at_once else ready[turn % len(ready) :][:1] if ready else []
    record = fleet.shard_status(SHARD).models.get(DIGITS)
    for number in record.announced if record else ():
        for pod in asked:
            fleet.servers.request(pod.address, DIGITS, number)
    fleet.workloads.tick()  # a kubelet knows at once, and to the second, when a process ended


def judge(fleet, cell: Cell, number: int) -> None:
    """Say in a word what became of the version."""
    record = fleet.shard_status(SHARD).models.get(DIGITS)
    held = record.quarantined.get(number) if record else None
    answer = fleet.answer(f"acme/digits/{number}.status.json") or {}
    if record and number in record.announced:
        cell.verdict = RETRIED if ("model.quarantined", DIGITS, number) in fleet.said() else SERVED
    elif held and held.active:
        cell.verdict, cell.reason = QUARANTINED, held.reason
    elif fleet.admission(DIGITS, number) and answer.get("state") in ("INCOMPLETE", "REJECTED"):
        cell.verdict, cell.reason = REFUSED, str(answer["reason"])
    else:
        cell.verdict = f"{record} {answer}"


def wrong(fleet, cell: Cell, kind: Kind, situation: Situation, number: int) -> list[str]:
    """What is not as it must be."""
    records = fleet.shard_status(SHARD).models
    announced = records[DIGITS].announced if DIGITS in records else ()
    served = cell.verdict in (SERVED, RETRIED)
    pods = fleet.workloads._pods_of(SHARD)
    boot = fleet.boot(SHARD) or ""
    away = ALL_AWAY_SECONDS * kind.all_at_once
    checks = {
        f"it is {cell.verdict}": cell.verdict in kind.verdicts,
        f"{cell.deaths} processes died": cell.deaths <= kind.deaths,
        f"{announced} is announced": announced == ((number,) if served else situation.kept),
        f"its last version was away for {cell.stopped} s": cell.stopped <= away,
        f"other models were away for {cell.disturbed} s": cell.disturbed <= away,
        "other models do not serve": all(
            name in records and records[name].announced and fleet.loaded(SHARD, name)
            for name in situation.others
        ),
        "a replica is missing": sum(pod.serving for pod in pods) >= 2,
        "the boot config names it": served or f"versions: {number} " not in _of(boot, DIGITS),
    }
    return [problem for problem, right in checks.items() if not right]


def _of(config: str, name: str) -> str:
    """The entry of one servable in a config's text."""
    return " ".join(config.partition(f'"{name}"')[2].partition("name:")[0].split()) + " "


def _alive(fleet):
    return [pod for pod in fleet.workloads._pods_of(SHARD) if not pod.terminating]


def restart_all(fleet, cell: Cell) -> None:
    """End every server at once; each must come back with all that is announced, and stay."""
    pods = _alive(fleet)
    before = fleet.shard_status(SHARD).models
    for pod in pods:
        fleet.workloads.restart(pod.name, code=137)
    died = cell.deaths
    fleet.tick(12)
    for pod in _alive(fleet):
        has = {name: {*record.announced} for name, record in before.items()}
        cell.replicas += 1
        cell.whole += pod.serving and all(n <= _has(fleet, pod, name) for name, n in has.items())
    pass_by(fleet, Kind("", "", asks=10**6), timedelta(minutes=3))
    after = fleet.shard_status(SHARD).models
    if {n: r.announced for n, r in before.items()} != {n: r.announced for n, r in after.items()}:
        cell.problems.append("other versions are announced after a restart of every replica")
    if cell.deaths != died:
        cell.problems.append("processes died again after a restart of every replica")
    if cell.whole < cell.replicas:
        cell.problems.append("a replica did not come back whole")
    cell.deaths = died - len(pods)


def table(cells) -> str:
    """One row a kind: verdict and deaths in each situation, then what all its situations came to."""
    head = ["a version that", *(situation.name for situation in SITUATIONS)]
    head += ["last version stopped", "away", "others disturbed", "came with it, away"]
    head += ["replicas whole after a restart of all"]
    rows = [f"| {' | '.join(head)} |", f"|---|{'---|' * len(SITUATIONS)}{'---:|' * 5}"]
    for kind in KINDS:
        mine = [cell for cell in cells if cell.kind == kind.name]
        row = [kind.name, *(f"{cell.verdict}, {cell.deaths}" for cell in mine)]
        row += [
            f"{max(getattr(cell, what) for cell in mine):,.0f} s"
            for what in ("stopped", "away", "disturbed", "together")
        ]
        row += [f"{sum(cell.whole for cell in mine)} of {sum(cell.replicas for cell in mine)}"]
        rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)


def _job(place) -> Cell:
    with fast():
        return run(KINDS[place[0]], SITUATIONS[place[1]])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.poison", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    places = [(k, s) for k in range(len(KINDS)) for s in range(len(SITUATIONS))]
    with ProcessPoolExecutor(2) as pool:
        cells = list(pool.map(_job, places, chunksize=4))
    asked = " ".join(["python -m tests.reliability.poison", *sys.argv[1:]])
    written = f"Written by `{asked}`: {len(cells)} cells.\n\n{table(cells)}"
    print(written)
    failures = [f"{c.kind}, {c.situation}: {', '.join(c.problems)}" for c in cells if c.problems]
    for line in failures:
        print(line, file=sys.stderr)
    if options.write and not failures:
        report.write({"poison": written})
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
