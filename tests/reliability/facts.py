"""What a fleet has come to: everything that must be the same however it came about.

Left out, with the reason:
* times (`at`, `since`, `admitted_at`, revisions of restarts): they tell when, and that differs;
* generations, resource versions, names and addresses of pods, `said`: they count writes, births, events;
* what each pod was told: by a push or by its boot. What a pod runs is compared instead;
* a customer's ledger: when probes began, and places that end by themselves. That nobody holds a place who
  is still to be judged is compared; so is who waits for a turn: the note of one that was judged since goes
  when the customer's next version has its verdict;
* which ends of processes were judged: they happened or not. What came of it is compared;
* leases: whether they are free is compared, not who held them last;
* what a placement saw of the shards: they may have been fuller or emptier. Where it put the model is compared.
"""

import json
import re
from collections import Counter

from berth.domain.documents import Admission
from berth.domain.lease import Lease
from berth.domain.ledger import Ledger

TIMES = {
    "state_learned",
    "gone_at",
    "at",
    "since",
    "admitted_at",
    "uploaded_at",
    "restart_at",
    "started_at",
    "began",
    "ended",
    "avoided",
}
COUNTS = {"generation", "source_generation", "document", "said"}
REVISIONS = {"plan_revision", "state_revision", "account_revision", "deleted_revision"}
REVISIONS |= {"erased_revision", "keys_revision"}


def facts(fleet, alike=()):
    """Return what must be the same; `alike` names models that may change places."""
    found = _facts(fleet)
    renamed = _by_place(fleet, alike)
    if not renamed:
        return found
    text = json.dumps(found, sort_keys=True)
    for name, place in renamed.items():
        short = name.partition(".")[2]
        for spelling in (name, name.replace(".", "/")):
            text = text.replace(spelling, place)
        text = text.replace(f'"model": "{short}"', f'"model": "{place}"')
    # Where an admission placed it at first: the shard may have been full by then.
    return json.loads(re.sub(r"placed on shard-\d+", "placed", text))


def _by_place(fleet, alike):
    places = {name: fleet.model(name).shard for name in alike if fleet.model(name)}
    return {name: f"acme.on-{shard}" for name, shard in places.items()}


def _facts(fleet):
    control = fleet.buckets.objects["control"]
    return {
        "documents": {
            name: _plain(name, stored)
            for name, stored in sorted(control.items())
            if not name.endswith("lease.json") and not name.startswith(("ledgers/", "waiting/"))
        },
        "places held": [key for name in control for key in _reserved(fleet, name)],
        "waiting": [name for name in control if _waits(fleet, name)],
        "leases held": [name for name in control if _held(fleet, name)],
        "models": {n: o.stat.crc32c for n, o in fleet.buckets.objects["models"].items()},
        "uploads": {n: _answer(n, o) for n, o in fleet.buckets.objects["uploads"].items()},
        "shards": {shard: _serves(fleet, shard) for shard in fleet.workloads._shards()},
    }


def said(fleet, alike=()):
    """Return how many different ids were used to say each thing: 1 however often it was said."""
    renamed = _by_place(fleet, alike)
    ids = {}
    for message in fleet.publisher.messages["events"]:
        body = json.loads(message.data)
        data = {k: v for k, v in body["data"].items() if k not in ("shard", "reason")}
        place = renamed.get(body["subject"])
        if place:
            data["model"] = place
        ids.setdefault((body["type"], json.dumps(data, sort_keys=True)), set()).add(body["id"])
    return Counter({key: len(found) for key, found in ids.items()})


def _held(fleet, name):
    """Whether a lease stands: of a shard, of the fleet, or of a version's admission."""
    now = fleet.clock.now()
    if name.startswith("admissions/"):
        return not fleet.read(name, Admission).lease.free(now)
    return name.endswith("lease.json") and not fleet.read(name, Lease).free(now)


def _reserved(fleet, name):
    """The versions without a final verdict that hold a place in their customer's plan."""
    if not name.startswith("ledgers/"):
        return []
    customer = name.removeprefix("ledgers/").removesuffix(".json")
    places = fleet.read(name, Ledger).reservations.values()
    known = {p: fleet.admission(f"{customer}.{p.model}", p.number) for p in places}
    final = {p for p, one in known.items() if one and one.verdict and one.verdict.final}
    return sorted(f"{customer}.{p.model}/{p.number}" for p in places if p not in final)


def _waits(fleet, name):
    """Whether a version without a final verdict waits for its turn."""
    if not name.startswith("waiting/"):
        return False
    customer, model, number = name.removeprefix("waiting/").split("/")
    known = fleet.admission(f"{customer}.{model}", int(number))
    return known is None or known.verdict is None or not known.verdict.final


def _plain(name, stored):
    if name.endswith(".config"):
        return stored.data.decode()
    if not stored.data:
        return _shorn(json.loads(stored.stat.metadata["projection"]))
    body = _shorn(json.loads(stored.data))
    if name.endswith("/status.json"):
        body["replicas"] = sorted((r["ready"], r["reason"]) for r in body["replicas"])
        del body["told"], body["deaths"]
    if name.startswith("admissions/"):
        del body["lease"]
    if name.endswith("/shard.json"):
        body["restarted_for"] = list(body["restarted_for"].values())
    if name.startswith("models/"):
        body["wants"]["deleted_versions"] = sorted(body["wants"]["deleted_versions"])
        del body["placed"]
    return body


def _shorn(value):
    if isinstance(value, dict):
        return {
            key: ("set" if inner else "") if key in TIMES | REVISIONS else _shorn(inner)
            for key, inner in value.items()
            if key not in COUNTS
        }
    if isinstance(value, list):
        return [_shorn(inner) for inner in value]
    return value


def _answer(name, stored):
    if not name.endswith("status.json"):
        return stored.stat.crc32c
    return json.dumps(_shorn(json.loads(stored.data)), sort_keys=True)


def _serves(fleet, shard):
    """Of each pod: whether it serves, and which versions it has AVAILABLE or ended in error."""
    found = []
    for pod in fleet.workloads._pods_of(shard):
        server = fleet.servers._servers.get(pod.address)
        states = {}
        for name in server._versions if server else ():
            for number, status in server.statuses(name).items():
                if status.state != "END":
                    states[f"{name}/{number}"] = status.state
        found.append((pod.serving, pod.reason, sorted(states.items())))
    return sorted(found)
