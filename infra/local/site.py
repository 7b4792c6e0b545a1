"""Where the parts of one stack are: folders, ports, names, and what they are told of each other."""

from dataclasses import dataclass
from pathlib import Path

from infra.functions import Function
from infra.local import kubernetes, ports, pubsub
from infra.local.setup import Tools
from infra.local.state import Folder

PROJECT = "berth-local"
LOCATION = "local"
NAMESPACE = "berth"
NODE = "local-1"


@dataclass(frozen=True, slots=True)
class Site:
    """The places that parts need to know of each other."""

    folder: Folder
    tools: Tools
    table: dict[str, Function]
    storage_port: int
    pubsub_port: int
    relay_port: int
    scheduler_port: int
    router_port: int
    router_health_port: int
    instances: dict[str, list[int]]
    cluster: kubernetes.Ports
    network: str

    @property
    def relay_url(self) -> str:
        """The relay's base URL."""
        return f"http://127.0.0.1:{self.relay_port}"

    @property
    def storage_url(self) -> str:
        """Cloud Storage's base URL."""
        return f"http://127.0.0.1:{self.storage_port}"

    @property
    def router_url(self) -> str:
        """The door's address, for REST and for gRPC."""
        return f"http://127.0.0.1:{self.router_port}"

    @property
    def scheduler(self) -> str:
        """Cloud Scheduler's "host:port"."""
        return f"127.0.0.1:{self.scheduler_port}"

    @property
    def topics(self) -> pubsub.Project:
        """Pub/Sub's project."""
        return pubsub.Project(f"127.0.0.1:{self.pubsub_port}", PROJECT)

    @property
    def kube(self) -> Path:
        """Kubernetes' own folder."""
        return self.folder.path / "kube"


def choose(folder: Folder, tools: Tools, table: dict[str, Function], network: str) -> Site:
    """Choose ports for everything."""
    count = sum(one.local_instances for one in table.values())
    own = ports.free(11 + count)
    taken = iter(own[11:])
    instances = {
        name: [next(taken) for _ in range(one.local_instances)] for name, one in table.items()
    }
    return Site(
        folder=folder,
        tools=tools,
        table=table,
        storage_port=own[0],
        pubsub_port=own[1],
        relay_port=own[2],
        scheduler_port=own[3],
        router_port=own[4],
        router_health_port=own[5],
        instances=instances,
        cluster=kubernetes.Ports(*own[6:11]),
        network=network,
    )
