"""A pod's status as a kubelet reports it, from what was observed of its containers. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of one container. `state` and `last_state` are ContainerState objects."""

    name: str
    image: str
    state: Json
    last_state: Json = field(default_factory=dict)
    restarts: int = 0
    started: bool = False
    ready: bool = False
    identity: str = ""

    @property
    def exit_code(self) -> int | None:
        """The exit code of a container that ended for good."""
        terminated = self.state.get("terminated")
        return None if terminated is None else int(terminated["exitCode"])


def waiting(reason: str, message: str = "") -> Json:
    """Return the state of a container that is not running yet."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def running(since: str) -> Json:
    """Return the state of a running container."""
    return {"running": {"startedAt": since}}


def terminated(code: int, reason: str, times: tuple[str, str], identity: str) -> Json:
    """Return the state of a container that ran from times[0] to times[1]."""
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": times[0],
            "finishedAt": times[1],
            "containerID": identity,
        }
    }


def reason(code: int, oom: bool) -> str:
    """Return the word for an exit code."""
    return "OOMKilled" if oom else "Completed" if code == 0 else "Error"


def exit_code(returned: int) -> int:
    """Translate a process's return code: death by signal N is 128 + N."""
    return 128 - returned if returned < 0 else returned


def restarts(policy: str, code: int) -> bool:
    """Say whether a container that ended with `code` is started again."""
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def container_status(seen: Observed) -> Json:
    """Return one entry of containerStatuses."""
    result: Json = {
        "name": seen.name,
        "image": seen.image,
        "imageID": f"local://{seen.image}" if seen.identity else "",
        "state": seen.state,
        "lastState": seen.last_state,
        "restartCount": seen.restarts,
        "started": seen.started,
        "ready": seen.ready,
    }
    return result | ({"containerID": seen.identity} if seen.identity else {})


def phase(containers: Sequence[Observed], policy: str) -> str:
    """Return the pod's phase. A container in back-off counts as running."""
    codes = [seen.exit_code for seen in containers]
    if all(code is not None and not restarts(policy, code) for code in codes):
        return "Failed" if any(codes) else "Succeeded"
    never = [seen for seen in containers if "waiting" in seen.state and not seen.last_state]
    return "Pending" if never else "Running"


def conditions(
    containers: Sequence[Observed], previous: Iterable[Mapping[str, Any]], now: str
) -> list[Json]:
    """Return the kubelet's conditions; an unchanged one keeps its transition time."""
    unready = [seen.name for seen in containers if not seen.ready]
    why: Json = {}
    if unready:
        why = {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(unready)}]",
        }
    wanted: list[Json] = [
        {"type": "PodReadyToStartContainers", "status": "True"},
        {"type": "Initialized", "status": "True"},
        {"type": "Ready", "status": str(not unready), **why},
        {"type": "ContainersReady", "status": str(not unready), **why},
        {"type": "PodScheduled", "status": "True"},
    ]
    before = {condition["type"]: condition for condition in previous}
    for condition in wanted:
        old = before.get(condition["type"], {})
        same = old.get("status") == condition["status"]
        condition["lastTransitionTime"] = old.get("lastTransitionTime", now) if same else now
        if "reason" not in condition:  # a strategic merge keeps what is not named
            condition |= {"reason": None, "message": None}
    return wanted


def pod_status(
    containers: Sequence[Observed],
    *,
    policy: str,
    address: str,
    started: str,
    conditions: Sequence[Json],
) -> Json:
    """Return the body of a pod's status."""
    return {
        "phase": phase(containers, policy),
        "conditions": list(conditions),
        "containerStatuses": [container_status(seen) for seen in containers],
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": started,
    }


def resumed(pod: Mapping[str, Any], container: Mapping[str, Any], identity: str) -> Observed | None:
    """Return what an earlier agent reported of a run that goes on; None if it reported none."""
    for old in pod.get("status", {}).get("containerStatuses") or ():
        if old["name"] == container["name"] and old.get("containerID") == identity:
            return Observed(
                container["name"],
                container["image"],
                old["state"],
                old.get("lastState", {}),
                int(old.get("restartCount", 0)),
                started=bool(old.get("started")),
                ready=bool(old.get("ready")),
                identity=identity,
            )
    return None


def before(pod: Mapping[str, Any], container: Mapping[str, Any], now: str) -> Observed:
    """Return what an earlier agent reported; a container it left running died with it."""
    name, image, state = container["name"], container["image"], waiting("ContainerCreating")
    for old in pod.get("status", {}).get("containerStatuses") or ():
        if old["name"] == name and old.get("containerID"):
            identity = str(old["containerID"])
            last = {"terminated": old["state"].get("terminated")}
            if begun := old["state"].get("running"):
                times = (begun["startedAt"], now)
                last = terminated(137, "ContainerStatusUnknown", times, identity)
            elif last["terminated"] is None:
                last = old.get("lastState", {})
            count = int(old.get("restartCount", 0))
            return Observed(name, image, state, last, count, identity=identity)
    return Observed(name, image, state)
