"""Which parts and steps make a stack, and what its clients and functions are told."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from berth.adapters import gcs
from infra import functions, schedules, templates
from infra.local import cluster, http, instances, ports, pubsub, route, router, storage
from infra.local.part import Part, Step
from infra.local.site import LOCATION, PROJECT, Site

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


def plan(here: Site, options: Options) -> Layout:
    """The stack's parts, in an order that reads well, and its environment. Raises TableError."""
    environment = _environment(here)
    keeper = storage.part(
        here.tools.storage,
        here.folder.path / "storage",
        storage.Address(here.storage_port, here.topics.host, log_requests=options.log_requests),
    )
    emulator = pubsub.part(
        here.tools.java, here.tools.emulator, here.folder.path / "pubsub", here.pubsub_port
    )
    nodes: list[Part | Step] = [
        replace(keeper, restored=partial(_notifications, here, environment)),
        replace(emulator, restored=partial(_topics, here)),
        Step("topics", partial(_topics, here), after=("pubsub",)),
        Step("buckets", partial(_buckets, here, environment), after=("storage", "topics")),
        Step("templates", partial(_templates, here, environment), after=("buckets",)),
    ]
    if options.cluster:
        nodes += cluster.parts(here)
        nodes += router.parts(here, environment["BERTH_CONTROL_BUCKET"])
    told = environment | cluster.environment(here, running=options.cluster)
    nodes += instances.parts(here, told)
    awaited = ("ticker", "templates", *(("manifests",) if options.cluster else ()))
    nodes += [_relay(here), _ticker(here), Step("schedules", partial(_schedules, here), awaited)]
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
        "BERTH_ROUTER_URL": here.router_url,
        "BERTH_SCHEDULER_HOST": here.scheduler,
        "BERTH_TICK_TOPIC": here.topics.topic(_TICKS),
        "BERTH_AUDIT_LOG": str(here.kube / "audit.log"),
    }


def _topics(here: Site) -> None:
    scheduled = [one.topic for one in schedules.read()]
    pubsub.create(here.topics, here.table.values(), scheduled)


def _buckets(here: Site, environment: dict[str, str]) -> None:
    storage.create_buckets(here.storage_url, PROJECT, list(_roles(environment).values()))
    _notifications(here, environment)


def _notifications(here: Site, environment: dict[str, str]) -> None:
    roles = _roles(environment)
    for one in here.table.values():
        if isinstance(one.trigger, functions.BucketTrigger) and one.topic:
            bucket, topic = roles[one.trigger.bucket], here.topics.topic(one.topic)
            storage.notify(here.storage_url, bucket, topic)


def _roles(environment: dict[str, str]) -> dict[str, str]:
    roles = ("uploads", "models", "control")
    return {role: environment[f"BERTH_{role.upper()}_BUCKET"] for role in roles}


def _templates(here: Site, environment: dict[str, str]) -> None:
    client = storage.client(here.storage_url, PROJECT)
    templates.install_templates(
        client.bucket(environment["BERTH_MODELS_BUCKET"]), here.tools.starter
    )
    control = gcs.GcsObjectStore(client, environment["BERTH_CONTROL_BUCKET"])
    templates.record_template(control, here.tools.starter)


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


def _ticker(here: Site) -> Part:
    return Part(
        name="ticker",
        argv=(
            *(sys.executable, "-m", "infra.local.ticker"),
            *(str(here.scheduler_port), str(here.folder.path / "jobs.json")),
        ),
        ready=partial(ports.listens, here.scheduler_port),
        environment={
            "PYTHONPATH": functions.PYTHONPATH,
            "PUBSUB_EMULATOR_HOST": here.topics.host,
        },
        after=("topics",),
        restart=True,
    )


def _schedules(here: Site) -> None:
    """As the deployment does it; and all that is new runs once: a fleet need not wait a minute."""
    with schedules.connect(here.scheduler) as client:
        for verb, job in schedules.apply_all(client, PROJECT, LOCATION):
            if verb == "create":
                with schedules.explained(f"run {schedules.short(job)}", job.name):
                    client.run_job(name=job.name)
