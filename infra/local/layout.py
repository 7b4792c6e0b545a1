"""Which parts and steps make a stack, and what its clients and functions are told."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import yaml

from berth.adapters import gcs
from infra import bundle, functions, schedules, templates
from infra.functions import Function
from infra.local import http, kubernetes, ports, pubsub, route, storage
from infra.local.part import Part, Step
from infra.local.setup import Tools
from infra.local.state import Folder

PROJECT = "berth-local"
NAMESPACE = "berth"
NODE = "local-1"
_TICKS = "fleet-ticks"


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for: the table of functions, with Kubernetes or without, parts left out.

    The stack ends with the process `owner`, if one is named. `log_requests` has the storage
    emulator write a line for each request to its log.
    """

    table: Path = functions.TABLE
    cluster: bool = True
    without: tuple[str, ...] = ()
    owner: int | None = None
    log_requests: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A stack before it starts; `environment` is what .local/env will say."""

    nodes: tuple[Part | Step, ...]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Site:
    """The places that parts need to know of each other."""

    folder: Folder
    tools: Tools
    table: dict[str, Function]
    storage_port: int
    pubsub_port: int
    relay_port: int
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
    def topics(self) -> pubsub.Project:
        """Pub/Sub's project."""
        return pubsub.Project(f"127.0.0.1:{self.pubsub_port}", PROJECT)

    @property
    def kube(self) -> Path:
        """Kubernetes' own folder."""
        return self.folder.path / "kube"


def site(folder: Folder, tools: Tools, table: dict[str, Function], network: str) -> Site:
    """Choose ports for everything."""
    count = sum(one.local_instances for one in table.values())
    own = ports.free(8 + count)
    taken = iter(own[8:])
    instances = {
        name: [next(taken) for _ in range(one.local_instances)] for name, one in table.items()
    }
    cluster = kubernetes.Ports(*own[3:8])
    return Site(folder, tools, table, own[0], own[1], own[2], instances, cluster, network)


def plan(here: Site, options: Options) -> Layout:
    """The stack's parts, in an order that reads well, and its environment. Raises TableError."""
    environment = _environment(here)
    nodes: list[Part | Step] = [
        storage.part(
            here.tools.storage,
            here.folder.path / "storage",
            storage.Address(here.storage_port, here.topics.host, log_requests=options.log_requests),
        ),
        pubsub.part(
            here.tools.java, here.tools.emulator, here.folder.path / "pubsub", here.pubsub_port
        ),
        Step("topics", partial(_topics, here), after=("pubsub",)),
        Step("buckets", partial(_buckets, here, environment), after=("storage", "topics")),
        Step("templates", partial(_templates, here, environment), after=("buckets",)),
    ]
    if options.cluster:
        nodes += _cluster(here)
    nodes += _functions(here, environment)
    awaited = ("templates", "manifests") if options.cluster else ("templates",)
    nodes += [_relay(here), _ticker(here, awaited)]
    return Layout(tuple(one for one in nodes if one.name not in options.without), environment)


def _environment(here: Site) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "STORAGE_EMULATOR_HOST": here.storage_url,
        "PUBSUB_EMULATOR_HOST": here.topics.host,
        "KUBECONFIG": str(here.kube / "kubeconfig"),
        "BERTH_UPLOADS_BUCKET": "berth-uploads",
        "BERTH_MODELS_BUCKET": "berth-models",
        "BERTH_CONTROL_BUCKET": "berth-control",
        "BERTH_CUSTOMER_TOPIC": here.topics.topic("customer-events"),
        "BERTH_EVENTS_TOPIC": here.topics.topic("model-events"),
        "BERTH_STATUS_URL": f"{here.relay_url}/http/status",
        "BERTH_TICK_TOPIC": here.topics.topic(_TICKS),
        "BERTH_AUDIT_LOG": str(here.kube / "audit.log"),
    }


def _topics(here: Site) -> None:
    scheduled = [one.topic for one in schedules.read()]
    pubsub.create(here.topics, here.table.values(), scheduled)


def _buckets(here: Site, environment: dict[str, str]) -> None:
    roles = {role: environment[f"BERTH_{role.upper()}_BUCKET"] for role in _roles()}
    storage.create_buckets(here.storage_url, PROJECT, list(roles.values()))
    for one in here.table.values():
        if isinstance(one.trigger, functions.BucketTrigger):
            topic = here.topics.topic(pubsub.UPLOADS)
            storage.notify(here.storage_url, roles[one.trigger.bucket], topic)


def _roles() -> tuple[str, ...]:
    return ("uploads", "models", "control")


def _templates(here: Site, environment: dict[str, str]) -> None:
    client = storage.client(here.storage_url, PROJECT)
    templates.install_templates(
        client.bucket(environment["BERTH_MODELS_BUCKET"]), here.tools.starter
    )
    control = gcs.GcsObjectStore(client, environment["BERTH_CONTROL_BUCKET"])
    templates.record_template(control, here.tools.starter)


def _cluster(here: Site) -> Iterator[Part | Step]:
    assert here.tools.kubernetes is not None
    after = {
        "apiserver": ("etcd",),
        "controller-manager": ("apiserver",),
        "scheduler": ("apiserver",),
    }
    for part in kubernetes.parts(here.tools.kubernetes, here.kube, here.cluster, node=NODE):
        yield replace(part, after=after.get(part.name, ()))
    yield Step("manifests", partial(_manifests, here), after=("apiserver",))
    yield _node(here)


def _node(here: Site) -> Part:
    """The node agent; a pod of the serving image is the stand-in, in this Python."""
    state = here.folder.path / "node"
    serving = {
        "command": [sys.executable, "-m", "infra.local.tfserving"],
        "env": {"PYTHONPATH": functions.PYTHONPATH, "TF_CPP_MIN_LOG_LEVEL": "2"},
        "paths": [sys.prefix, sys.base_prefix],
    }
    images = here.folder.path / "images.yaml"
    images.write_text(yaml.safe_dump({"berth/tfserving": serving}))
    return Part(
        name="node",
        argv=(
            *(sys.executable, "-m", "infra.local.node", "--node", NODE),
            *("--kubeconfig", str(here.kube / "node.kubeconfig")),
            *("--buckets", str(here.folder.path / "storage" / "objects")),
            *("--state", str(state), "--images", str(images), "--cidr", here.network),
        ),
        ready=(state / "ready").exists,
        environment={"PYTHONPATH": functions.PYTHONPATH, "PYTHONUNBUFFERED": "1"},
        after=("apiserver",),
        grace=30.0,
    )


def _manifests(here: Site) -> None:
    kubernetes.bootstrap(here.kube / "kubeconfig")
    account = next((one.identity for one in here.table.values() if _talks_to_cluster(one)), None)
    if account:
        kubernetes.function_kubeconfig(here.kube / "kubeconfig", account, _kubeconfig(here))


def _talks_to_cluster(function: Function) -> bool:
    return any("${BERTH_KUBECONFIG}" in text for text in function.environment.values())


def _kubeconfig(here: Site) -> Path:
    return here.folder.path / "function.kubeconfig"


def _functions(here: Site, environment: dict[str, str]) -> Iterator[Part]:
    values = environment | {
        "BERTH_ADMISSION_TOPIC": here.topics.topic("admission-requests"),
        "BERTH_SHARD_TOPIC": here.topics.topic("shard-requests"),
        "BERTH_PROBE_URL": f"{here.relay_url}/http/probe_model",
        "BERTH_NAMESPACE": NAMESPACE,
        "BERTH_KUBECONFIG": str(_kubeconfig(here)),
    }
    for name, filled in functions.fill(here.table, values).items():
        function = here.table[name]
        staged = bundle.stage(function, here.folder.path / "bundles")
        emulators = {key: values[key] for key in ("STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST")}
        for number, port in enumerate(here.instances[name], start=1):
            many = len(here.instances[name]) > 1
            yield _instance(
                function, f"{name}-{number}" if many else name, port, staged, filled | emulators
            )


def _instance(
    function: Function, name: str, port: int, staged: Path, environment: dict[str, str]
) -> Part:
    home = staged.parents[1] / "homes" / name  # gunicorn keeps its control socket there
    home.mkdir(parents=True, exist_ok=True)
    runtime = {
        "HOME": str(home),
        "FUNCTION_TARGET": function.name,
        "FUNCTION_SIGNATURE_TYPE": "http" if function.is_http else "cloudevent",
        "FUNCTION_SOURCE": "main.py",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "K_SERVICE": function.name,
        "PYTHONUNBUFFERED": "1",
        "THREADS": str(function.concurrency),
    }
    return Part(
        name=name,
        argv=(str(Path(sys.prefix) / "bin" / "functions-framework"),),
        ready=partial(ports.listens, port),
        environment=environment | runtime,
        cwd=staged,
        restart=True,
    )


def _relay(here: Site) -> Part:
    routes = [
        route.route(function, here.instances[name], PROJECT)
        for name, function in here.table.items()
    ]
    config = here.folder.path / "relay.json"
    route.Configuration(here.relay_port, here.topics.host, routes).write(config)
    return Part(
        name="relay",
        argv=(sys.executable, "-m", "infra.local.eventarc", str(config)),
        ready=lambda: http.answers(f"{here.relay_url}/healthz"),
        environment={"PYTHONPATH": functions.PYTHONPATH, "PYTHONUNBUFFERED": "1"},
        after=("topics",),
        restart=True,
    )


def _ticker(here: Site, after: tuple[str, ...]) -> Part:
    return Part(
        name="ticker",
        argv=(sys.executable, "-m", "infra.local.ticker", PROJECT),
        ready=lambda: True,
        environment={
            "PYTHONPATH": functions.PYTHONPATH,
            "PUBSUB_EMULATOR_HOST": here.topics.host,
        },
        after=after,
        restart=True,
    )
