"""Writes into one folder what checkov reads: plans of both environments, rendered manifests, the Dockerfile."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from berth.domain import workload
from berth.domain.documents import Shard
from infra import manifests
from infra.offline.workspace import PROJECT, Workspace

ENVIRONMENTS = ("dev", "prod")
OVERLAYS = ("local", "dev", "prod")
_VALUES = {
    "BERTH_PROJECT": PROJECT,
    "BERTH_FUNCTIONS_CIDR": "10.10.8.0/24",
    "BERTH_ROUTER_IMAGE": f"europe-west1-docker.pkg.dev/{PROJECT}/berth/router:1",
}


def write(into: Path, scratch: Path) -> None:
    """Write all targets; `scratch` is a folder for Terraform's own files."""
    with ThreadPoolExecutor(len(ENVIRONMENTS)) as pool:
        plans = pool.map(lambda name: _plan(name, scratch / name), ENVIRONMENTS)
    for name, plan in zip(ENVIRONMENTS, plans, strict=True):
        (into / f"plan-{name}.json").write_text(json.dumps(plan))
    for overlay in OVERLAYS:
        _dump(into / f"overlay-{overlay}.yaml", manifests.render(overlay, _VALUES))
    _dump(into / "shard.yaml", _shard())
    for folder in ("image", "router-image"):
        (into / folder).mkdir()
        shutil.copyfile(manifests.FOLDER / folder / "Dockerfile", into / folder / "Dockerfile")


def _plan(environment: str, scratch: Path) -> dict[str, Any]:
    """The plan without what it leaves unset: checkov takes an empty block for one that is there."""
    workspace = Workspace(scratch, environment)
    workspace.init()
    plan = workspace.plan()
    plan["planned_values"] = _set(plan["planned_values"])
    for one in plan["resource_changes"]:
        one["change"]["after"] = _set(one["change"]["after"])
    return plan


def _set(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        kept = {key: _set(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, [], {})}
    return [_set(inner) for inner in value] if isinstance(value, list) else value


def _shard() -> list[dict[str, Any]]:
    """A shard as Berth applies it, under the name that its manifests have."""
    sources = [yaml.safe_load(path.read_text()) for path in sorted(manifests.SHARD.glob("*.yaml"))]
    registry = f"europe-west1-docker.pkg.dev/{PROJECT}"
    shard = Shard(shard="shard", memory_bytes=8 << 30)
    buckets = workload.Buckets("berth", "models", "control", registry)
    return [dict(one) for one in workload.render(sources, shard, buckets)]


def _dump(path: Path, objects: list[dict[str, Any]]) -> None:
    path.write_text(yaml.safe_dump_all(objects))
