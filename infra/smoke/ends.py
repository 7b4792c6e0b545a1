"""What the cluster tells of servers' processes: how they end, and what they hold in memory."""

import json

from berth.adapters import kubernetes_pods
from berth.domain import deaths
from infra import functions
from infra.smoke import pods
from infra.smoke.check import Check, Disproved
from infra.smoke.target import Target

# Scripts that end as a server may: by its memory limit (64 MiB here), by a crash, killed from outside.
# The first process of a container is spared signals that it sends itself: a child takes them.
_GROW = "a=x; while :; do a=$a$a; done"
_KILLED = "bash -c 'kill -{signal} $$'; exit $?"
_ENDS = {
    "oom": (_GROW, True),
    "segfault": (_KILLED.format(signal="SEGV"), True),
    "abort": (_KILLED.format(signal="ABRT"), True),
    "killed": (_KILLED.format(signal="KILL"), False),
}


def exits(target: Target) -> str:
    """Ends that speak against a model are told as such, and a kill from outside is not."""
    told, wrong = [], []
    for name, (script, own_doing) in _ENDS.items():
        pod = pods.manifest(f"{target.name}-{name}", target.image, script, {"app": "smoke"})
        pod["spec"]["containers"][0]["name"] = kubernetes_pods.CONTAINER
        seen = kubernetes_pods.read(target.ended(pod)).exit
        told.append(f"{name}: {seen.code} {seen.reason}" if seen else f"{name}: nothing")
        if seen is None or deaths.crashed(seen) is not own_doing:
            wrong.append(told[-1])
    if wrong:
        raise Disproved("; ".join(wrong))
    return ", ".join(told)


def memory(target: Target) -> str:
    """Every serving pod's memory is known to the function that judges by it."""
    identity = target.email(functions.read()["reconcile_shard"].identity)
    may = target.kubectl("auth", "can-i", "list", "pods.metrics.k8s.io", f"--as={identity}")
    if may.strip() != "yes":
        raise Disproved(f"{identity} may not read the figures: {may.strip()}")
    said = json.loads(target.kubectl("get", "--raw", pods.FIGURES))
    used = kubernetes_pods.used_bytes(said["items"])
    names = [pod["metadata"]["name"] for pod in target.serving_pods()]
    if missing := [name for name in names if not used.get(name)]:
        raise Disproved(f"nobody tells the memory of {', '.join(missing)}")
    most = max(used[name] for name in names) // 1024**2
    return f"{len(names)} servers, at most {most} MiB"


CHECKS = (
    Check(
        "exit-codes",
        "A container that its memory limit ends is told as OOMKilled, a crash by its signal, and a kill "
        "from outside as neither: versions are quarantined by that.",
        "The local node agent is no kubelet, and there is no containerd.",
        exits,
    ),
    Check(
        "memory-figures",
        "metrics.k8s.io tells every serving pod's memory, and reconcile_shard may read it.",
        "Locally the node agent makes the figures; there is no metrics-server.",
        memory,
    ),
)
