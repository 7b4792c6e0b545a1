"""Kubernetes' pods and their figures, read from plain dictionaries."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from berth import ports

CONTAINER = "tensorflow-serving"


def used_bytes(items: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return what the server containers hold, by pod name, from a list of PodMetrics."""
    return {
        item["metadata"]["name"]: int(parse_quantity(container["usage"]["memory"]))
        for item in items
        for container in item["containers"]
        if container["name"] == CONTAINER
    }


def read(item: Mapping[str, Any]) -> ports.Pod:
    """Return a pod as Berth sees it."""
    metadata, status = item["metadata"], item.get("status", {})
    ended = status.get("phase") in ("Failed", "Succeeded")
    containers = {item["name"]: item for item in status.get("containerStatuses", ())}
    server: Mapping[str, Any] = containers.get(CONTAINER, {})
    state = server.get("state", {})
    started = state.get("running", {}).get("startedAt")
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in status.get("conditions", ())
    )
    return ports.Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        address=status.get("podIP", ""),
        ready=ready,
        terminating=ended or "deletionTimestamp" in metadata,
        restarts=server.get("restartCount", 0),
        started_at=datetime.fromisoformat(started) if started else None,
        reason=_reason(status, state),
        exit=_exit(state) or _exit(server.get("lastState", {})),
    )


def _exit(state: Mapping[str, Any]) -> ports.Exit | None:
    """Return how a run ended, None for a state that tells of none (or not of its time)."""
    ended = state.get("terminated") or {}
    if not ended.get("finishedAt"):
        return None
    at = datetime.fromisoformat(ended["finishedAt"])
    return ports.Exit(int(ended.get("exitCode", 0)), str(ended.get("reason", "")), at)


def _reason(status: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    for phase in ("waiting", "terminated"):
        if state.get(phase, {}).get("reason"):
            return str(state[phase]["reason"])
    unscheduled = (
        condition.get("reason", "")
        for condition in status.get("conditions", ())
        if condition["type"] == "PodScheduled" and condition["status"] == "False"
    )
    return str(status.get("reason") or next(unscheduled, ""))
