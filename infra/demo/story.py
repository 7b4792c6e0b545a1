"""The demo's chapters, told with times; each raises when something is not as it should be."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from infra.demo import damage
from infra.demo.fleet import Fleet, NotAsItShouldBe, until
from infra.demo.load import Load
from infra.demo.replicas import Replica

MODEL = "acme.digits"
STEADY_SECONDS = 2.0


@dataclass(slots=True)
class Story:
    """What the chapters share: the fleet, the trained versions, and the closing table's rows."""

    fleet: Fleet
    digits: Path
    scratch: Path
    say: Callable[[str], None]
    passes: Callable[[str], int]
    """How many passes over a shard have ended, by the function's log."""
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    images: list[Any] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def row(self, what: str, result: str, seconds: float | None = None) -> None:
        """Note a line of the closing table, and tell it."""
        took = "" if seconds is None else f"{seconds:.2f} s"
        self.rows.append((what, result, took))
        self.say(f"    {what}: {result}{f' in {took}' if took else ''}")


def sign_up(story: Story) -> None:
    """A sign-up event: home shard, starter model, a REST predict."""
    fleet = story.fleet
    until("two replicas of two shards are ready", lambda: len(fleet.replicas.ready()) >= 4)
    began = time.monotonic()
    fleet.sign_up("acme")
    until("acme.starter serves", lambda: fleet.serving("acme.starter", 1), seconds=90)
    story.row(
        "sign-up -> starter model serves",
        fleet.model("acme.starter")["shard"],
        time.monotonic() - began,
    )
    for replica in fleet.ready("acme.starter"):
        answer = _predict(fleet, replica, "acme.starter", [[1.0, 2.0]])
        _same(answer, {"predictions": [[2.5, 3.0]]}, f"the starter on {replica.name}")
    story.row("starter predicts on every replica", f"{len(fleet.ready('acme.starter'))} replicas")


def first_version(story: Story) -> None:
    """The customer's own model: uploaded, and answering on every replica."""
    fleet = story.fleet
    began = time.monotonic()
    fleet.upload(story.digits / "1", "acme/digits/1")
    until("acme.digits 1 serves", lambda: fleet.serving(MODEL, 1))
    story.row("upload -> version 1 serves", fleet.model(MODEL)["shard"], time.monotonic() - began)
    held_out = json.loads((story.digits / "held_out.json").read_text())
    story.images, story.labels = held_out["images"], held_out["labels"]
    _accuracy(story, 1)


def second_version(story: Story) -> None:
    """Version 2 takes over under load, then a pin brings version 1 back."""
    fleet = story.fleet
    before = _first_probability(story)
    with _under_load(story, "version 2 takes over"):
        began = time.monotonic()
        fleet.upload(story.digits / "2", "acme/digits/2")
        until("acme.digits 2 serves alone", lambda: fleet.serving(MODEL, 2) and _only(fleet, 2))
        took = time.monotonic() - began
    story.row("upload -> version 2 serves, 1 unloaded", "newest wins", took)
    _accuracy(story, 2)
    with _under_load(story, "pin back to version 1"):
        began = time.monotonic()
        fleet.write("acme/digits/serving.yaml", "pin: 1\n")
        until("acme.digits 1 serves alone", lambda: fleet.serving(MODEL, 1) and _only(fleet, 1))
        took = time.monotonic() - began
    story.row("pin: 1 -> rollback", "version 1 serves, 2 unloaded", took)
    if _first_probability(story) != before:
        raise NotAsItShouldBe("after the rollback, version 1 does not answer as it did")


def bad_uploads(story: Story) -> None:
    """Five uploads that must not serve: each gets its verdict, and nothing that serves notices."""
    fleet, source, scratch = story.fleet, story.digits / "1", story.scratch
    cases = {
        "acme/cut-short/1": ("INCOMPLETE", "variables"),
        "acme/truncated/1": ("INCOMPLETE", "variables.data"),
        "acme/reads-a-file/1": ("REJECTED", "ReadFile"),
        "acme/steals/1": ("REJECTED", "/models/globex"),
        "acme/Bad_Name/1": ("REJECTED", "Bad_Name"),
    }
    with _under_load(story, "five bad uploads"):
        fleet.upload(source, "acme/cut-short/1", only=lambda name: "variables.data" not in name)
        fleet.upload(damage.truncated(source, scratch / "truncated"), "acme/truncated/1")
        spy = damage.edited(source, scratch / "spy", damage.reads_a_file)
        fleet.upload(spy, "acme/reads-a-file/1")
        thief = damage.edited(source, scratch / "thief", damage.restores_a_neighbour)
        fleet.upload(thief, "acme/steals/1")
        fleet.write("acme/Bad_Name/1/saved_model.pb", "?")
        for name, wanted in cases.items():
            until(f"{wanted} beside {name}", partial(_verdict_is, fleet, name, wanted))
            verdict = fleet.verdict(name) or {}
            story.row(name, f"{verdict['state']}: {verdict['reason'][:90]}")
    if not (fleet.serving(MODEL, 1) and _only(fleet, 1)):
        raise NotAsItShouldBe("what served before the bad uploads does not serve any more")


def killed_pod(story: Story) -> None:
    """A pod is killed: its successor serves every announced model from its first ready second."""
    fleet = story.fleet
    shard = fleet.model(MODEL)["shard"]
    known = {replica.uid for replica in fleet.replicas.ready(shard)}
    victim = fleet.replicas.ready(shard)[0]
    began = time.monotonic()
    fleet.replicas.kill(victim)
    fresh: list[Replica] = []

    def replaced() -> bool:
        fresh[:] = [r for r in fleet.replicas.ready(shard) if r.uid not in known]
        return bool(fresh)

    until(f"a successor of {victim.name}", replaced)
    took = time.monotonic() - began
    announced = _announced(fleet, shard)
    late = [m for m, v in announced.items() if not fleet.available(fresh[0], m, v)]
    if late:
        raise NotAsItShouldBe(f"{fresh[0].name} became ready without {late}")
    story.row("a pod killed -> its successor ready", f"{len(announced)} models at once", took)


def rolling_restarts(story: Story) -> None:
    """An operator orders restarts: every shard rolls, in waves, under load."""
    fleet = story.fleet
    shards = sorted(fleet.ask("/fleet")["shards"])
    before = {replica.uid for replica in fleet.replicas.ready()}
    with _under_load(story, "rolling restarts"):
        began = time.monotonic()
        now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        policy = fleet.control.blob("fleet/policy.json")
        policy.upload_from_string(json.dumps({"restart_before": now, "wave": 1}))
        minimum = {s: fleet.ask(f"/shards/{s}")["replicas_min"] for s in shards}

        def rolled() -> bool:
            ready = fleet.replicas.ready()
            new = {s: [r for r in ready if r.shard == s and r.uid not in before] for s in shards}
            old = [r for r in ready if r.uid in before]
            if not old and all(len(new[s]) >= minimum[s] for s in shards):
                return True
            fleet.tick()  # what Cloud Scheduler does every minute
            fleet.replicas.wait_for_change(2.0)
            return False

        until("every shard rolled", rolled, seconds=300)
        took = time.monotonic() - began
    policy.upload_from_string(json.dumps({}))
    story.row("restarts due -> every shard rolled", f"{len(shards)} shards, one at a time", took)


def idle_tick(story: Story) -> None:
    """A tick on a settled fleet writes nothing, by the cluster's audit log and by generations."""
    until("the fleet settles", lambda: _writes_of_a_tick(story) == (0, 0), seconds=120)
    objects, cluster = _writes_of_a_tick(story)
    story.row("an idle tick", f"{objects} objects written, {cluster} writes to the cluster")
    if objects or cluster:
        raise NotAsItShouldBe("an idle tick wrote something")


def _writes_of_a_tick(story: Story) -> tuple[int, int]:
    """Objects whose generation changed, and writes by Berth's account, over one whole tick."""
    fleet = story.fleet
    generations, audited = fleet.generations(), fleet.audit_size()
    asked = {shard: story.passes(shard) for shard in fleet.ask("/fleet")["shards"]}
    fleet.tick()
    until(
        "the tick reaches every shard",
        lambda: all(story.passes(shard) > count for shard, count in asked.items()),
        seconds=60,
    )
    after = fleet.generations()
    changed = {name for name in {*generations, *after} if generations.get(name) != after.get(name)}
    return len(changed), len(fleet.cluster_writes(audited))


@contextmanager
def _under_load(story: Story, what: str) -> Iterator[None]:
    """Predict steadily before, during and after; nothing may fail."""
    fleet = story.fleet
    shard = fleet.model(MODEL)["shard"]
    body = json.dumps({"instances": story.images[:1]}).encode()

    def right(answer: dict[str, Any]) -> bool:
        rows = answer.get("predictions", ())
        return len(rows) == 1 and len(rows[0]) == 10 and abs(sum(rows[0]) - 1) < 1e-3

    with Load(MODEL, body, lambda: fleet.replicas.ready(shard), right) as load:
        time.sleep(STEADY_SECONDS)
        yield
        time.sleep(STEADY_SECONDS)
    story.row(
        f"load: {what}",
        f"{load.sent} predictions, {load.per_second:.0f}/s, {len(load.failures)} failed",
    )
    if load.failures:
        raise NotAsItShouldBe("failed predictions:\n" + "\n".join(load.failures[:10]))
    if load.per_second < 50:
        raise NotAsItShouldBe(f"only {load.per_second:.0f} predictions/s were sent")


def _accuracy(story: Story, version: int) -> None:
    """Classify the held-out digits on every replica."""
    fleet = story.fleet
    for replica in fleet.ready(MODEL):
        if not fleet.available(replica, MODEL, version):
            raise NotAsItShouldBe(f"version {version} is not AVAILABLE on {replica.name}")
        rows = _predict(fleet, replica, MODEL, story.images)["predictions"]
        guesses = [max(range(10), key=row.__getitem__) for row in rows]
        right = sum(g == label for g, label in zip(guesses, story.labels, strict=True))
        share = 100 * right / len(story.labels)
        story.row(f"version {version} on {replica.name}", f"{share:.1f} % of {len(rows)} right")
        if share < 50:
            raise NotAsItShouldBe(f"version {version} guesses: {share:.1f} %")


def _first_probability(story: Story) -> list[float]:
    replica = story.fleet.ready(MODEL)[0]
    answer = _predict(story.fleet, replica, MODEL, story.images[:1])
    row: list[float] = answer["predictions"][0]
    return row


def _predict(fleet: Fleet, replica: Replica, servable: str, instances: list[Any]) -> dict[str, Any]:
    url = f"{replica.url}/v1/models/{servable}:predict"
    answer = fleet.http.post(url, json={"instances": instances}, timeout=30)
    if answer.status_code != 200:
        raise NotAsItShouldBe(f"{url}: {answer.status_code} {answer.text[:200]}")
    body: dict[str, Any] = answer.json()
    return body


def _only(fleet: Fleet, version: int) -> bool:
    """Whether every replica has this version AVAILABLE and no other."""
    for replica in fleet.ready(MODEL):
        rows = fleet.http.get(f"{replica.url}/v1/models/{MODEL}", timeout=10).json()
        up = {
            r["version"] for r in rows.get("model_version_status", ()) if r["state"] == "AVAILABLE"
        }
        if up != {str(version)}:
            return False
    return True


def _verdict_is(fleet: Fleet, name: str, wanted: tuple[str, str]) -> bool:
    """Whether the answer is there; a version cut short gets it when the last file has come."""
    verdict = fleet.verdict(name)
    return verdict is not None and verdict["state"] == wanted[0] and wanted[1] in verdict["reason"]


def _announced(fleet: Fleet, shard: str) -> dict[str, int]:
    """Every announced model of a shard with its newest announced version."""
    models = fleet.ask(f"/shards/{shard}")["models"]
    return {m: max(record["announced"]) for m, record in models.items() if record["announced"]}


def _same(got: object, wanted: object, what: str) -> None:
    if got != wanted:
        raise NotAsItShouldBe(f"{what} answers {got}, not {wanted}")


def train(folder: Path) -> "subprocess.Popen[bytes]":
    """Start training in the background."""
    script = Path(__file__).with_name("digits.py")
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
    return subprocess.Popen([sys.executable, str(script), str(folder)], env=quiet)
