"""What Berth needs of the shard's manifests: what an operator may change, and what not."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from berth.domain import workload
from infra import functions
from infra.local.tfserving.flags import FLAGS, BadFlag, parse
from infra.manifests import pod_security
from infra.manifests.lines import Document, Key, Problem

KINDS = {
    "Deployment": "apps/v1",
    "Service": "v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
}
PORTS = (8500, 8501)
ACCOUNT = "berth-serving"  # its access to the buckets is granted to this name
NAME_LABEL = {"app.kubernetes.io/name": "tensorflow-serving"}  # what network policies select
DRIVER = "gcsfuse.csi.storage.gke.io"
BOOT_FILE = "models.config"
Found = Iterator[tuple[tuple[Key, ...], str]]


def problems(documents: list[Document]) -> Iterator[Problem]:
    """What is wrong with a shard's objects, each of which is valid by its schema."""
    for document in documents:
        if document.kind not in KINDS:
            yield document.problem(("kind",), f"a shard has no {document.kind or 'such object'}")
            continue
        wanted = KINDS[document.kind]
        if document.value.get("apiVersion") != wanted:
            yield document.problem(("apiVersion",), f"Berth reads and writes {wanted}")
        for where, text in _RULES[document.kind](document.value["spec"]):
            yield document.problem(("spec", *where), text)
    yield from _twice(documents)


def missing(documents: list[Document]) -> list[str]:
    """The kinds that a shard needs and that are not there."""
    return sorted(set(KINDS) - {document.kind for document in documents})


def container_of(spec: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]] | None:
    """The model server among a Deployment's containers, and its number."""
    for number, container in enumerate(spec["template"]["spec"]["containers"]):
        if container["name"] == workload.CONTAINER:
            return number, container
    return None


def _twice(documents: list[Document]) -> Iterator[Problem]:
    seen: set[str] = set()
    for document in documents:
        if document.kind in seen:
            yield document.problem(("kind",), "a shard has one of each kind; this is another")
        seen.add(document.kind)


def _deployment(spec: Mapping[str, Any]) -> Found:
    if "replicas" in spec:
        yield ("replicas",), "the number of replicas is the autoscaler's alone"
    yield from _strategy(spec.get("strategy") or {})
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    yield from _selects((spec.get("selector") or {}).get("matchLabels"), ("selector",))
    for key, value in NAME_LABEL.items():
        if labels.get(key) != value:
            yield ("template", "metadata", "labels"), f"needs {key}: {value}"
    pod = spec["template"]["spec"]
    if pod.get("serviceAccountName") != ACCOUNT:
        yield ("template", "spec", "serviceAccountName"), f"must be {ACCOUNT}"
    for where, text in (*pod_security.violations(pod), *_server(spec), *_volumes(pod)):
        yield ("template", "spec", *where), text


def _strategy(strategy: Mapping[str, Any]) -> Found:
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        yield ("strategy", "type"), "must be RollingUpdate: a restart never takes a replica away"
    elif (strategy.get("rollingUpdate") or {}).get("maxUnavailable") not in (0, "0", "0%"):
        where = ("strategy", "rollingUpdate", "maxUnavailable")
        yield where, "must be 0: a restart never takes a replica away"


def _server(spec: Mapping[str, Any]) -> Found:
    found = container_of(spec)
    if found is None:
        yield ("containers",), f"none is named {workload.CONTAINER}"
        return
    number, container = found
    ports = {port["containerPort"] for port in container.get("ports") or ()}
    if wanted := sorted(set(PORTS) - ports):
        yield ("containers", number, "ports"), f"Berth and the Service need port {wanted[0]}"
    if "command" in container:
        where: tuple[Key, ...] = ("containers", number, "command")
        yield (
            where,
            "the image's entry point passes signals on; it must be left to start the server",
        )
    for inner, text in (*_flags(container), *_probes(container), *_mounts(container)):
        yield ("containers", number, *inner), text


def _flags(container: Mapping[str, Any]) -> Found:
    arguments = [str(argument) for argument in container.get("args") or ()]
    for number, argument in enumerate(arguments):
        name = argument.removeprefix("--").partition("=")[0]
        if not argument.startswith("--") or name not in FLAGS:
            yield ("args", number), f"TensorFlow Serving has no flag {argument}, and would run on"
        try:
            parse([argument])
        except BadFlag as error:
            yield ("args", number), str(error)
            return
    flags = parse(arguments)
    given = {
        argument.removeprefix("--").partition("=")[0]: n for n, argument in enumerate(arguments)
    }
    for name, good, why in _NEEDED_FLAGS:
        if not good(flags.values[name]):
            where: tuple[Key, ...] = ("args", given[name]) if name in given else ("args",)
            yield where, f"--{name}={flags.values[name]}: {why}"


_NEEDED_FLAGS = (
    ("port", lambda n: n == 8500, "Berth calls port 8500"),
    ("rest_api_port", lambda n: n == 8501, "must be 8501, for predictions and metrics"),
    (
        "model_config_file",
        lambda text: PurePosixPath(text).name == BOOT_FILE,
        f"must be {BOOT_FILE} on the volume `boot`",
    ),
    (
        "model_config_file_poll_wait_seconds",
        lambda n: n == 0,
        "must be 0: the file's poller would overwrite what Berth told the server",
    ),
    (
        "file_system_poll_wait_seconds",
        lambda n: n > 0,
        "must be above 0: otherwise a reload that adds a model never ends",
    ),
    ("enable_grpc_healthcheck_service", bool, "must be true: probes ask it"),
    (
        "max_num_load_retries",
        lambda n: n > 0,
        "must be above 0: one read error would end the server",
    ),
)


def _probes(container: Mapping[str, Any]) -> Found:
    for name in ("startupProbe", "readinessProbe"):
        if (container.get(name) or {}).get("grpc", {}).get("port") != 8500:
            yield (name,), "must ask the gRPC health service on port 8500"


def _mounts(container: Mapping[str, Any]) -> Found:
    arguments = [str(argument) for argument in container.get("args") or ()]
    boot = [a.partition("=")[2] for a in arguments if a.startswith("--model_config_file=")]
    wanted = {
        "models": _models_mount(),
        "boot": str(PurePosixPath(boot[-1]).parent) if boot else None,
    }
    mounts = {mount["name"]: mount for mount in container.get("volumeMounts") or ()}
    for name, path in wanted.items():
        mount = mounts.get(name)
        if mount is None:
            yield ("volumeMounts",), f"volume {name} is not mounted"
        elif path is not None and mount["mountPath"] != path:
            number = list(mounts).index(name)
            yield ("volumeMounts", number, "mountPath"), f"volume {name} belongs at {path}"


@functools.cache
def _models_mount() -> str:
    return functions.read()["reconcile_shard"].environment["BERTH_MODELS_MOUNT"]


def _volumes(pod: Mapping[str, Any]) -> Found:
    volumes = {volume["name"]: (n, volume) for n, volume in enumerate(pod.get("volumes") or ())}
    for name in ("models", "boot"):
        if name not in volumes:
            yield ("volumes",), f"no volume is named {name}"
            continue
        number, volume = volumes[name]
        csi = volume.get("csi") or {}
        if csi.get("driver") != DRIVER:
            yield ("volumes", number), f"volume {name} must be a bucket, by the driver {DRIVER}"
        elif csi.get("readOnly") is not True:
            yield ("volumes", number, "csi", "readOnly"), "must be true: servers write nothing"
        elif "implicit-dirs" not in _options(csi):
            where = ("volumes", number, "csi", "volumeAttributes", "mountOptions")
            yield where, "needs implicit-dirs: without it the servers see no folders"


def _options(csi: Mapping[str, Any]) -> list[str]:
    return str((csi.get("volumeAttributes") or {}).get("mountOptions", "")).split(",")


def _selects(labels: Mapping[str, str] | None, where: tuple[Key, ...]) -> Found:
    for key, value in NAME_LABEL.items():
        if (labels or {}).get(key) != value:
            yield where, f"must select {key}: {value}"


def _service(spec: Mapping[str, Any]) -> Found:
    yield from _selects(spec.get("selector"), ("selector",))
    offered = {port["port"] for port in spec.get("ports") or ()}
    if wanted := sorted(set(PORTS) - offered):
        yield ("ports",), f"port {wanted[0]} is missing"


def _autoscaler(spec: Mapping[str, Any]) -> Found:
    target = spec["scaleTargetRef"]
    if (target.get("apiVersion"), target.get("kind")) != ("apps/v1", "Deployment"):
        yield ("scaleTargetRef",), "must be the Deployment, of apps/v1"
    for number, metric in enumerate(spec.get("metrics") or ()):
        name = (metric.get("containerResource") or {}).get("container", workload.CONTAINER)
        if name != workload.CONTAINER:
            where = ("metrics", number, "containerResource", "container")
            yield where, f"must be {workload.CONTAINER}"


def _budget(spec: Mapping[str, Any]) -> Found:
    yield from _selects((spec.get("selector") or {}).get("matchLabels"), ("selector",))


_RULES = {
    "Deployment": _deployment,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
}
