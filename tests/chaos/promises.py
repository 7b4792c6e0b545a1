"""What must hold after a round: each promise names what breaks it."""

import json

import requests

from berth.domain import documents, rollout, serving_config
from berth.domain.documents import Model, Projection
from tests.chaos import outside, versions

MOUNT = "/models"

# Seconds for which the kernel takes a killed process apart: its socket still takes connections, and resets them.
DYING = 0.5


def unexplained(failures, kills):
    """The failed predictions that were not in flight on a server that was killed. Pure."""
    return [
        failure
        for failure in failures
        if not any(
            kill.uid == failure.uid
            and failure.start <= kill.end + DYING
            and failure.end >= kill.begin
            for kill in kills
            if kill.uid
        )
    ]


def open_promises(fleet, wanted, verdicts):
    """What does not hold yet, one line each; empty when everything does."""
    return [*_unanswered(fleet, verdicts), *_unserved(fleet, wanted), *_not_as_rebuilt(fleet)]


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


def _not_as_rebuilt(fleet):
    """Derive what follows from the models' documents, and compare it with what is stored."""
    wanted, configs = _rebuilt(fleet)
    stored = {}
    for blob in fleet.storage.list_blobs(fleet.control, prefix="shards/"):
        shard, _, rest = blob.name.removeprefix("shards/").partition("/")
        if rest.startswith("models/"):
            stored[f"{shard}/{rest.removeprefix('models/')}"] = dict(blob.metadata)
        elif rest in ("boot/models.config", "live/models.config"):
            there = serving_config.parse(blob.download_as_bytes().decode())
            if there != configs.get(shard, {}):
                yield f"{blob.name} is {there}, and not as rebuilt"
    for key in sorted({*wanted, *stored}):
        if _told(wanted.get(key)) != _told(stored.get(key)):
            yield f"the projection {key} is {stored.get(key)}, rebuilt {wanted.get(key)}"


def _rebuilt(fleet):
    """Every projection, and every shard's config, as the models' documents have them."""
    projections, configs = {}, {}
    for blob in fleet.storage.list_blobs(fleet.control, prefix="models/"):
        model = Model.decode(blob.download_as_bytes())
        projection = documents.project(model, generation=blob.generation)
        numbers = () if projection.retired else rollout.wanted_versions(projection, {})
        for shard in model.shards:
            projections[f"{shard}/{model.name.servable}"] = projection.metadata()
            if numbers:
                entry = serving_config.entry(f"{MOUNT}/{model.base_path}", numbers)
                configs.setdefault(shard, {})[model.name.servable] = entry
    return projections, configs


def _told(metadata):
    return metadata and (Projection.from_metadata(metadata), metadata["document"])


def _available(fleet, replica, servable):
    try:
        body = fleet.http.get(f"{replica.url}/v1/models/{servable}", timeout=10).json()
    except (requests.RequestException, json.JSONDecodeError) as error:
        return repr(error)
    rows = body.get("model_version_status", ())
    return {int(row["version"]) for row in rows if row["state"] == "AVAILABLE"}
