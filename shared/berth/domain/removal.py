"""Removing a shard: its workload goes when nothing is placed, named or announced there any more.

A document that says "removed" is not enough: a shard that has models left is passed over as if it drained.
"""

from berth.domain.actions import Action, DeleteWorkload, WriteStatus
from berth.domain.observation import Observation
from berth.domain.shard_status import ShardStatus

# The autoscaler first, so that it sets no replicas of what goes; the pods last.
ORDER = ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Service", "Deployment")


def due(seen: Observation) -> bool:
    """Whether a shard is to be removed, and nothing of it is needed."""
    configs = [config for config in (seen.boot, seen.live) if config is not None]
    named = any(config.entries for config in configs)
    announced = any(record.announced for record in seen.status.models.values())
    empty = not (seen.projections or named or announced or _routed(seen))
    return seen.shard.state == "removed" and empty


def actions(seen: Observation) -> tuple[Action, ...]:
    """Return what is to be done for a shard that is due: its objects deleted, and when the last pod is
    gone, that noted once. What was collected already is not noted again.
    """
    live = {kind: found for kind, found in seen.workload.objects.items() if found is not None}
    if live:
        return tuple(
            DeleteWorkload(kind, live[kind]["metadata"]["uid"])
            for kind in sorted(live, key=lambda kind: (ORDER.index(kind), kind))
            if "deletionTimestamp" not in live[kind]["metadata"]
        )
    gone = ShardStatus(removed=True)
    left = seen.status_generation or seen.boot is not None
    if seen.workload.pods or seen.status == gone or not left:
        return ()
    return (WriteStatus(gone, seen.status_generation),)


def _routed(seen: Observation) -> bool:
    """Whether routers are sent there; what cannot be read may say so."""
    stored = seen.routes
    return stored is not None and (stored.routes is None or bool(stored.routes.models))
