"""Pod Security's profile `restricted` of Kubernetes 1.34, told of a manifest before a cluster sees it.

The API server takes a Deployment whose pods it will refuse, and warns: nothing starts, and nobody
is told. Rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.manifests.lines import Key

Spec = Mapping[str, Any]
Found = Iterator[tuple[tuple[Key, ...], str]]

VOLUMES = frozenset(
    {
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
        *("persistentVolumeClaim", "projected", "secret"),
    }
)
_SELINUX_TYPES = frozenset(
    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
)
_HOOKS = ("startupProbe", "readinessProbe", "livenessProbe")


def violations(pod: Spec) -> Found:
    """Where a pod's spec goes beyond the profile, and how."""
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield (name,), "not allowed by Pod Security"
    yield from _volumes(pod)
    context = pod.get("securityContext") or {}
    yield from _either(context, ("securityContext",))
    for field in ("containers", "initContainers"):
        for number, container in enumerate(pod.get(field) or ()):
            for where, text in _container(container, context):
                yield (field, number, *where), text


def _volumes(pod: Spec) -> Found:
    for number, volume in enumerate(pod.get("volumes") or ()):
        for kind in sorted(set(volume) - VOLUMES - {"name"}):
            yield ("volumes", number, kind), "no volume of this kind is allowed by Pod Security"


def _container(container: Spec, pod: Spec) -> Found:
    own = container.get("securityContext") or {}
    here = ("securityContext",)
    if own.get("privileged"):
        yield (*here, "privileged"), "not allowed by Pod Security"
    if own.get("allowPrivilegeEscalation") is not False:
        yield (*here, "allowPrivilegeEscalation"), "must be false for Pod Security"
    if own.get("procMount", "Default") != "Default":
        yield (*here, "procMount"), "must be Default for Pod Security"
    yield from _capabilities(own.get("capabilities") or {})
    both = {**pod, **own}
    if both.get("runAsNonRoot") is not True:
        yield (*here, "runAsNonRoot"), "must be true, here or for the pod, for Pod Security"
    profile = (both.get("seccompProfile") or {}).get("type")
    if profile not in ("RuntimeDefault", "Localhost"):
        yield (*here, "seccompProfile"), "must be RuntimeDefault, here or for the pod"
    yield from _either(own, here)
    yield from _host(container)


def _capabilities(capabilities: Spec) -> Found:
    where: tuple[Key, ...] = ("securityContext", "capabilities")
    if "ALL" not in (capabilities.get("drop") or ()):
        yield (*where, "drop"), "must have ALL for Pod Security"
    if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield (*where, "add"), "only NET_BIND_SERVICE is allowed by Pod Security"


def _either(context: Spec, where: tuple[Key, ...]) -> Found:
    """Rules for a pod's and for a container's context alike."""
    if context.get("runAsUser") == 0:
        yield (*where, "runAsUser"), "0 is root, which Pod Security does not allow"
    if context.get("runAsNonRoot") is False:
        yield (*where, "runAsNonRoot"), "must not be false for Pod Security"
    if (context.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield (*where, "seccompProfile"), "Unconfined is not allowed by Pod Security"
    if (context.get("appArmorProfile") or {}).get("type") == "Unconfined":
        yield (*where, "appArmorProfile"), "not allowed by Pod Security"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield (*where, "windowsOptions"), "not allowed by Pod Security"
    labels = context.get("seLinuxOptions") or {}
    if labels.get("user") or labels.get("role") or labels.get("type", "") not in _SELINUX_TYPES:
        yield (*where, "seLinuxOptions"), "not allowed by Pod Security"


def _host(container: Spec) -> Found:
    for number, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort"):
            yield ("ports", number, "hostPort"), "not allowed by Pod Security"
    lifecycle = container.get("lifecycle") or {}
    hooks: dict[tuple[Key, ...], Any] = {(name,): container.get(name) for name in _HOOKS}
    hooks |= {("lifecycle", name): lifecycle.get(name) for name in ("postStart", "preStop")}
    for where, hook in hooks.items():
        for action in ("httpGet", "tcpSocket"):
            if ((hook or {}).get(action) or {}).get("host"):
                yield (*where, action, "host"), "not allowed by Pod Security"
