"""What must hold after a round: each promise names what breaks it."""

import json

import requests

from berth.domain.documents import Admission, Model
from berth.domain.shard_status import ShardStatus
from tests.chaos import outside, rebuilt, versions


def unexplained(failures, kills):
    """The failed predictions that were not in flight on a server that was killed. Pure."""
    return [
        failure
        for failure in failures
        if not any(
            kill.uid == failure.uid and failure.start <= kill.end and failure.end >= kill.begin
            for kill in kills
            if kill.uid
        )
    ]


def open_promises(fleet, wanted, verdicts, told):
    """What does not hold yet, one line each; empty when everything does.

    `told` are the customers' events. Every replica is asked about every model when the rest holds.
    """
    found = [*_unanswered(fleet, verdicts), *_unserved(fleet, wanted)]
    state = _read(fleet)
    found += rebuilt.differences(state, told)
    return found or [*_not_as_announced(fleet, state)]


def _unanswered(fleet, verdicts):
    for upload, state in verdicts.items():
        told = fleet.verdict(upload)
        if told is None or told["state"] != state:
            yield f"{upload} is {told and (told['state'], told['reason'])}, not {state}"


def _unserved(fleet, wanted):
    for servable, version in wanted.items():
        document = fleet.control.get_blob(f"models/{servable}.json")
        if document is None:
            if version is not None:
                yield f"{servable} has no document"
            continue
        shard = document.metadata["shard"]
        replicas = fleet.replicas.ready(shard)
        if len(replicas) < 2:
            yield f"{shard} has {len(replicas)} ready replicas"
        for replica in replicas:
            if (found := _available(fleet, replica, servable)) != ({version} - {None}):
                yield f"{servable} on {replica.name}: {found} available, not {version}"
            elif version and ".own" in servable:
                yield from _answers_as_its_own(fleet, replica, servable, version)


def _answers_as_its_own(fleet, replica, servable, version):
    customer = int(servable.removesuffix(".own").removeprefix(outside.name("")))
    url = f"{replica.url}/v1/models/{servable}:predict"
    said = fleet.http.post(url, json={"instances": [2.0]}, timeout=30).json()
    if said != {"predictions": [versions.code(customer, version)]}:
        yield f"{servable} {version} on {replica.name} answers {said}"


def _not_as_announced(fleet, state):
    """Ask every ready replica about every model ever named: it serves what its shard announces, no more."""
    names = {*state.all("models/", Model)}
    names |= {name.partition("/")[0] for name in state.all("admissions/", Admission)}
    for shard, status in state.shards("status.json", ShardStatus).items():
        ready = fleet.replicas.ready(shard)
        if {r.name for r in ready} != (said := {r.name for r in status.replicas if r.ready}):
            yield f"{shard} says that {sorted(said)} are ready, not {[r.name for r in ready]}"
        for replica in ready:
            for name in sorted({*names, *status.models}):
                record = status.models.get(name)
                announced = set(record.announced) if record else set()
                if (found := _available(fleet, replica, name)) != announced:
                    yield f"{name} on {replica.name}: {found} available, announced {announced}"


def _read(fleet):
    control = {
        blob.name: rebuilt.Stored(
            blob.download_as_bytes(), dict(blob.metadata or {}), blob.generation
        )
        for blob in fleet.storage.list_blobs(fleet.control)
        if not blob.name.endswith("lease.json")
    }
    models = fleet.storage.bucket(fleet.environment["BERTH_MODELS_BUCKET"])
    crc = {blob.name: blob.crc32c for blob in fleet.storage.list_blobs(models)}
    return rebuilt.State(control, crc)


def _available(fleet, replica, servable):
    try:
        body = fleet.http.get(f"{replica.url}/v1/models/{servable}", timeout=10).json()
    except (requests.RequestException, json.JSONDecodeError) as error:
        return repr(error)
    rows = body.get("model_version_status", ())
    return {int(row["version"]) for row in rows if row["state"] == "AVAILABLE"}
