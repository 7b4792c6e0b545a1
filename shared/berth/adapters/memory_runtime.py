"""What runs inside the pods of the Kubernetes twin: a seam for the servers of a test's world."""

from typing import Protocol

from berth import ports
from berth.adapters.memory_server import Death


class Runtime(Protocol):
    """What runs inside the pods: a test's world boots servers here."""

    def start(self, shard: str, pod: ports.Pod) -> None:
        """Start the server container of a pod; called again after each restart."""
        ...

    def ready(self, shard: str, pod: ports.Pod) -> bool:
        """Say whether its readiness probe passes."""
        ...

    def exited(self, shard: str, pod: ports.Pod) -> Death | None:
        """Return how its process ended by itself, None while it runs."""
        ...

    def stop(self, shard: str, pod: ports.Pod) -> None:
        """End it: the pod is gone, or its container restarts."""
        ...


class InstantRuntime:
    """Servers that are ready at the first look and never end."""

    def start(self, shard: str, pod: ports.Pod) -> None:
        """Do nothing."""

    def ready(self, shard: str, pod: ports.Pod) -> bool:
        """Say yes."""
        return True

    def exited(self, shard: str, pod: ports.Pod) -> Death | None:
        """Say that it runs."""
        return None

    def stop(self, shard: str, pod: ports.Pod) -> None:
        """Do nothing."""
