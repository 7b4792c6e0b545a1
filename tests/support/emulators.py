"""The real halves of the contract tests: parts of the local stack, each started alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local import kubernetes, ports, process, pubsub, setup, storage
from infra.local.part import Part
from infra.local.process import Running

SECONDS = 60.0


@contextmanager
def running(parts: tuple[Part, ...], folder: Path) -> Iterator[list[Running]]:
    """Start parts in order, each ready before the next; end them with all their children."""
    started: list[Running] = []
    try:
        for part in parts:
            started.append(Running(part, folder / f"{part.name}.log"))
            _wait(started[-1])
        yield started
    finally:
        process.end([(one.identity, one.part.grace) for one in reversed(started)])
        for one in started:
            one.process.wait()


def _wait(one: Running) -> None:
    deadline = time.monotonic() + SECONDS
    while not one.part.ready():
        if one.process.poll() is not None:
            raise RuntimeError(one.epitaph())
        if time.monotonic() > deadline:
            raise RuntimeError(f"{one.part.name} is not ready: {process.tail(one.log)}")
        time.sleep(0.05)


@contextmanager
def cloud_storage(folder: Path) -> Iterator[str]:
    """Run fake-gcs-server; yields its URL."""
    (port,) = ports.free(1)
    tools = setup.prepare(print, cluster=False)
    part = storage.part(tools.storage, folder / "storage", storage.Address(port, "127.0.0.1:1"))
    with running((part,), folder):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def pub_sub(folder: Path) -> Iterator[str]:
    """Run Google's emulator; yields host and port."""
    (port,) = ports.free(1)
    tools = setup.prepare(print, cluster=False)
    with running((pubsub.part(tools.java, tools.emulator, folder / "pubsub", port),), folder):
        yield f"127.0.0.1:{port}"


@contextmanager
def cluster(folder: Path) -> Iterator[Path]:
    """Run etcd, API server and controllers, no node; yields the administrator's kubeconfig."""
    binary = kubernetes.build(setup.cache())
    chosen = kubernetes.Ports(*ports.free(5))
    parts = kubernetes.parts(binary, folder, chosen, hpa_seconds=1)
    with running(parts[:3], folder):
        yield folder / "kubeconfig"
