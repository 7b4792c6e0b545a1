"""Makes what a container needs on this machine, and says how it is to be started."""

from collections.abc import Mapping
from typing import Any

from infra.local.node import actions, spec, volumes
from infra.local.node.kit import Kit
from infra.local.node.launcher import Launch

Json = Mapping[str, Any]


def launch(kit: Kit, pod: Json, container: Json, image: spec.Image, address: str) -> Launch:
    """Return how to start the container. Raises ConfigError, and ApiError for a missing ConfigMap."""
    if pod["spec"].get("initContainers"):
        raise spec.ConfigError("the local node runs no init containers")
    actions.check(container)
    folder = kit.state / pod["metadata"]["name"]
    volumes.prepare(pod, container, folder / "volumes", kit)
    root = folder / f"root-{container['name']}"
    root.mkdir(parents=True, exist_ok=True)
    environment = _environment(kit, pod, container, image, address)
    uid, gid = spec.user(pod, container)
    workdir = container.get("workingDir") or image.folder
    return Launch(
        argv=spec.command_line(image, container, environment),
        environment=environment,
        folder=workdir,
        uid=uid,
        gid=gid,
        root=root,
        mounts=spec.mounts(pod, container, folder / "volumes", kit.buckets),
        paths=[*image.paths, workdir, *environment.get("PYTHONPATH", "").split(":")],
    )


def _environment(
    kit: Kit, pod: Json, container: Json, image: spec.Image, address: str
) -> dict[str, str]:
    fields = spec.downward(pod, address, kit.node)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOSTNAME": pod["metadata"]["name"],
        **image.environment,
        **spec.environment(container, fields),
        # pods share the host's network: a process binds this, not all addresses
        "BERTH_POD_IP": address,
    }
