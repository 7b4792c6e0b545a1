"""The functions in the stack: each instance is functions-framework over the staged bundle."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from infra import bundle, functions
from infra.functions import Function
from infra.local import cluster, ports
from infra.local.part import Part
from infra.local.site import NAMESPACE, Site


def parts(here: Site, environment: dict[str, str]) -> Iterator[Part]:
    """One part for each instance; `environment` are the stack's values. Raises TableError."""
    values = environment | {
        "BERTH_ADMISSION_TOPIC": here.topics.topic("admission-requests"),
        "BERTH_SHARD_TOPIC": here.topics.topic("shard-requests"),
        "BERTH_PROBE_URL": f"{here.relay_url}/http/probe_model",
        "BERTH_NAMESPACE": NAMESPACE,
        "BERTH_IMAGE_REGISTRY": "",
        # What a plan is priced with: nodes as those of env/dev.tfvars.
        "BERTH_SERVING_MACHINE": "e2-standard-4",
        "BERTH_SERVING_DISK_GIB": "50",
    }
    for name, filled in functions.fill(here.table, values).items():
        function = here.table[name]
        staged = bundle.stage(function, here.folder.path / "bundles")
        only_here = {key: values[key] for key in ("STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST")}
        only_here |= cluster.token(here, function)
        for number, port in enumerate(here.instances[name], start=1):
            many = len(here.instances[name]) > 1
            yield _instance(
                function, f"{name}-{number}" if many else name, port, staged, filled | only_here
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
