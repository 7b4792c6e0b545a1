"""A shard's Kubernetes objects: an operator's plain manifests with the fields that Berth owns set.

Berth sets names, labels, the restart annotation, memory, the buckets, the HPA's bounds and the
registry of images that name none; every other line of the manifests is the operator's.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from berth.domain.documents import Shard

SHARD_LABEL = "berth.dev/shard"
RESTART_ANNOTATION = "berth.dev/restart-at"
CONTAINER = "tensorflow-serving"
Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Buckets:
    """What the serving pods mount, where their images come from, and where Berth's objects live.

    `registry` is a host and path, such as europe-west1-docker.pkg.dev/my-project; "" for none.
    """

    namespace: str
    models: str
    control: str
    registry: str = ""


def render(manifests: Sequence[Manifest], shard: Shard, buckets: Buckets) -> tuple[Manifest, ...]:
    """Return the shard's objects, one of each kind, ordered by kind."""
    rendered = []
    for manifest in sorted(manifests, key=lambda m: str(m["kind"])):
        body = copy.deepcopy(dict(manifest))
        labels = _labels(shard.shard)
        meta = body.setdefault("metadata", {})
        meta.update(name=shard.shard, namespace=buckets.namespace)
        meta["labels"] = {**meta.get("labels", {}), **labels}
        _SETTERS[body["kind"]](body["spec"], shard, buckets)
        rendered.append(body)
    return tuple(rendered)


def drifted(desired: Manifest, live: Manifest | None) -> bool:
    """Whether the live object lacks something that the desired one says."""
    return live is None or not _contains(
        live, {k: v for k, v in desired.items() if k != "apiVersion"}
    )


def with_token(desired: Manifest, live: Mapping[str, Manifest | None]) -> Manifest:
    """Return the manifest with the observed resourceVersion, so that a lost race is a Conflict."""
    current = live.get(desired["kind"])
    if current is None:
        return desired
    version = current["metadata"]["resourceVersion"]
    return {**desired, "metadata": {**desired["metadata"], "resourceVersion": version}}


def _labels(shard: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "tensorflow-serving",
        "app.kubernetes.io/managed-by": "berth",
        SHARD_LABEL: shard,
    }


def _selector(shard: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "tensorflow-serving", SHARD_LABEL: shard}


def _deployment(spec: dict[str, Any], shard: Shard, buckets: Buckets) -> None:
    spec["selector"] = {"matchLabels": _selector(shard.shard)}
    meta = spec["template"].setdefault("metadata", {})
    meta["labels"] = {**meta.get("labels", {}), **_labels(shard.shard)}
    if shard.restart_at:
        meta.setdefault("annotations", {})[RESTART_ANNOTATION] = shard.restart_at
    pod = spec["template"]["spec"]
    for constraint in pod.get("topologySpreadConstraints", []):
        constraint["labelSelector"] = {"matchLabels": _selector(shard.shard)}
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        container["image"] = image(container["image"], buckets.registry)
    for container in pod["containers"]:
        if container["name"] == CONTAINER:
            resources = container.setdefault("resources", {})
            for kind in ("requests", "limits"):
                resources.setdefault(kind, {})["memory"] = _quantity(shard.memory_bytes)
    for volume in pod["volumes"]:
        _mount(volume, shard, buckets)


def image(reference: str, registry: str) -> str:
    """Put the registry before an image that names no host; a full reference is left as it is.

    A host has a dot or a port, or is localhost: https://pkg.go.dev/github.com/distribution/reference
    """
    host, slash, _ = reference.partition("/")
    named = slash and ("." in host or ":" in host or host == "localhost")
    return reference if named or not registry else f"{registry}/{reference}"


def _mount(volume: dict[str, Any], shard: Shard, buckets: Buckets) -> None:
    attributes = volume.get("csi", {}).get("volumeAttributes", {})
    if volume["name"] == "models":
        attributes["bucketName"] = buckets.models
    if volume["name"] == "boot":
        attributes["bucketName"] = buckets.control
        options = [
            option
            for option in attributes.get("mountOptions", "").split(",")
            if option and not option.startswith("only-dir=")
        ]
        attributes["mountOptions"] = ",".join([*options, f"only-dir=shards/{shard.shard}/boot"])


def _service(spec: dict[str, Any], shard: Shard, buckets: Buckets) -> None:
    spec["selector"] = _selector(shard.shard)


def _hpa(spec: dict[str, Any], shard: Shard, buckets: Buckets) -> None:
    spec["scaleTargetRef"]["name"] = shard.shard
    spec["minReplicas"] = shard.replicas_min
    spec["maxReplicas"] = shard.replicas_max


def _pdb(spec: dict[str, Any], shard: Shard, buckets: Buckets) -> None:
    spec["selector"] = {"matchLabels": _selector(shard.shard)}


_SETTERS = {
    "Deployment": _deployment,
    "Service": _service,
    "HorizontalPodAutoscaler": _hpa,
    "PodDisruptionBudget": _pdb,
}


def _quantity(size: int) -> str:
    """Return bytes as Kubernetes spells them canonically."""
    for power, suffix in ((3, "Gi"), (2, "Mi"), (1, "Ki")):
        if size % 1024**power == 0:
            return f"{size // 1024**power}{suffix}"
    return str(size)


def _contains(live: object, desired: object) -> bool:
    """Whether everything in `desired` is in `live`; lists match element by element."""
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and all(
            _contains(live.get(key), value) for key, value in desired.items()
        )
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(map(_contains, live, desired))
        )
    if desired in ({}, None):
        return True
    return live == desired or str(live) == str(desired)
