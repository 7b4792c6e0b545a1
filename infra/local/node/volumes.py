"""Makes the host folders behind a container's mounts."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.local.node import spec
from infra.local.node.kit import Kit


def prepare(pod: Mapping[str, Any], container: Mapping[str, Any], folder: Path, kit: Kit) -> None:
    """Make what the container mounts. Raises ConfigError, and ApiError for a missing ConfigMap."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    names = {mount["name"] for mount in container.get("volumeMounts") or ()}
    for name in sorted(names):
        volume = volumes[name]
        if "emptyDir" in volume:
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name).chmod(0o777)
        elif "configMap" in volume:
            namespace = pod["metadata"]["namespace"]
            _write_map(kit, namespace, volume["configMap"]["name"], folder / name)
    for mount in spec.mounts(pod, container, folder, kit.buckets):
        if mount.source.is_relative_to(kit.buckets):
            _make_in_bucket(kit.buckets, mount.source)


def _write_map(kit: Kit, namespace: str, name: str, folder: Path) -> None:
    found = kit.api.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    folder.mkdir(parents=True, exist_ok=True)
    for key, text in found.get("data", {}).items():
        (folder / key).write_text(text)


def _make_in_bucket(buckets: Path, folder: Path) -> None:
    """Make a folder that has no object yet, owned as its bucket is: objects come later."""
    bucket = buckets / folder.relative_to(buckets).parts[0]
    if not bucket.is_dir():
        raise spec.ConfigError(f"bucket {bucket.name} does not exist")
    owner = bucket.stat()
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o755, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)
