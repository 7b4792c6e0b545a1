"""What a pod's spec means to a process: command line, environment, user, mounts, ports. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]

GCSFUSE = "gcsfuse.csi.storage.gke.io"
NOBODY = 65532  # who runs a container that says runAsNonRoot and no more
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_UNITS = {"": 1, "m": 0.001, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class ConfigError(Exception):
    """The node cannot run this container as it is written; the message says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image name stands for on this machine: an argv prefix, its environment and folder."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    paths: tuple[str, ...] = ()  # more places the process reads; opened to its user


@dataclass(frozen=True, slots=True)
class Mount:
    """A host folder at a place in the container."""

    source: Path
    target: str
    read_only: bool


def images(table: Json) -> dict[str, Image]:
    """Read the table of images: name -> {command, env?, workdir?, paths?}."""
    return {
        name: Image(
            tuple(entry["command"]),
            dict(entry.get("env", {})),
            entry.get("workdir", "/"),
            tuple(entry.get("paths", ())),
        )
        for name, entry in table.items()
    }


def find_image(table: Mapping[str, Image], name: str) -> Image | None:
    """Return the entry for an image reference: as written, or without its tag."""
    repository = name.partition("@")[0]
    head, slash, last = repository.rpartition("/")
    return table.get(name) or table.get(head + slash + last.partition(":")[0])


def command_line(image: Image, container: Json, environment: Mapping[str, str]) -> list[str]:
    """Return argv: `command` replaces the image's, `args` follow it, $(VAR) is expanded."""
    command = container.get("command")
    own: Sequence[str] = [expand(part, environment) for part in command or ()]
    arguments = [expand(part, environment) for part in container.get("args") or ()]
    return [*(own or image.command), *arguments]


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace $(NAME) by its value; $$ is a dollar, an unknown name stays as it is written."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return environment.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def environment(container: Json, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the container's own variables; `fields` are the downward API's. Raises ConfigError."""
    result: dict[str, str] = {}
    for entry in container.get("env") or ():
        source = entry.get("valueFrom")
        if source is None:
            result[entry["name"]] = expand(entry.get("value", ""), result)
            continue
        path = source.get("fieldRef", {}).get("fieldPath")
        if path not in fields:
            raise ConfigError(f"variable {entry['name']}: the local node knows no {source}")
        result[entry["name"]] = fields[path]
    return result


def downward(pod: Json, address: str, node: str) -> dict[str, str]:
    """Return what fieldRef can name."""
    meta = pod["metadata"]
    fields = {f"metadata.{name}": str(meta[name]) for name in ("name", "namespace", "uid")}
    fields |= {f"metadata.labels['{k}']": v for k, v in meta.get("labels", {}).items()}
    fields |= {f"metadata.annotations['{k}']": v for k, v in meta.get("annotations", {}).items()}
    return fields | {
        "spec.nodeName": node,
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "status.podIP": address,
        "status.hostIP": "127.0.0.1",
    }


def user(pod: Json, container: Json) -> tuple[int, int]:
    """Return user and group id; 0 unless the pod asks for another. Raises ConfigError."""
    context = {**pod["spec"].get("securityContext", {}), **container.get("securityContext", {})}
    non_root = bool(context.get("runAsNonRoot"))
    uid = int(context.get("runAsUser", NOBODY if non_root else 0))
    if non_root and uid == 0:
        raise ConfigError("container has runAsNonRoot and image will run as root")
    return uid, int(context.get("runAsGroup", uid))


def mounts(pod: Json, container: Json, folder: Path, buckets: Path) -> list[Mount]:
    """Return the container's mounts; `folder` holds the pod's own volumes. Raises ConfigError."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    result = []
    for mount in container.get("volumeMounts") or ():
        volume = volumes[mount["name"]]
        if mount["name"].startswith("kube-api-access-"):
            continue  # an account's token: no process here asks for one
        if "subPath" in mount or "subPathExpr" in mount:
            raise ConfigError(f"volume {mount['name']}: the local node knows no subPath")
        source, read_only = _source(volume, folder, buckets)
        result.append(Mount(source, mount["mountPath"], read_only or bool(mount.get("readOnly"))))
    return sorted(result, key=lambda mount: mount.target)


def _source(volume: Json, folder: Path, buckets: Path) -> tuple[Path, bool]:
    if "emptyDir" in volume:
        return folder / volume["name"], False
    if "configMap" in volume:
        return folder / volume["name"], True
    csi = volume.get("csi", {})
    if csi.get("driver") != GCSFUSE:
        raise ConfigError(f"volume {volume['name']}: the local node has no such kind of volume")
    attributes = csi.get("volumeAttributes", {})
    options = attributes.get("mountOptions", "").split(",")
    only = [option.removeprefix("only-dir=") for option in options if option[:9] == "only-dir="]
    parts = (attributes["bucketName"], *(only[-1].strip("/").split("/") if only else ()))
    if any(part in {"", ".", ".."} for part in parts):
        raise ConfigError(f"volume {volume['name']}: no bucket or folder is named {parts}")
    return buckets.joinpath(*parts), bool(csi.get("readOnly")) or "ro" in options


def port(container: Json, value: int | str) -> int:
    """Return the number of a port given by number or name. Raises ConfigError."""
    if isinstance(value, int) or value.isdigit():
        return int(value)
    for entry in container.get("ports") or ():
        if entry.get("name") == value:
            return int(entry["containerPort"])
    raise ConfigError(f"no port is named {value}")


def quantity(text: str | int) -> float:
    """Return a Kubernetes quantity (`500m`, `1Gi`) as a number."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    if match is None or match[2] not in _UNITS:
        raise ConfigError(f"no quantity: {text}")
    return float(match[1]) * _UNITS[match[2]]


def memory_limit(container: Json) -> int | None:
    """Return the memory limit in bytes."""
    limit = container.get("resources", {}).get("limits", {}).get("memory")
    return None if limit is None else int(quantity(limit))
