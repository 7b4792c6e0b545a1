"""Version discovery: the ordered sweep over base paths that one unreadable path aborts."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving import engine, filesystem, log
from infra.local.tfserving.status import StatusError, invalid

_NUMBER = re.compile(r"[\t\n\v\f\r ]*[+-]?[0-9]+[\t\n\v\f\r ]*")


class Servable(NamedTuple):
    """One base path to watch, and which of its versions to want."""

    name: str
    base_path: str
    policy: pb.ServableVersionPolicy


class SourceConfig(NamedTuple):
    """What the source watches, in order, and how often (seconds; 0 once, negative never)."""

    servables: tuple[Servable, ...]
    poll_seconds: int


Versions = list[tuple[int, str]]
Emit = Callable[[str, Versions], None]


class StoragePathSource:
    """Sweeps all base paths in one thread and emits the versions each servable should have."""

    def __init__(self, config: SourceConfig, emit: Emit) -> None:
        """Watch what `config` says; nothing happens before `start`."""
        self._mutex = threading.Lock()
        self._config = config
        self._emit = emit
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to sweep, unless the interval is negative."""
        if self._config.poll_seconds >= 0:
            threading.Thread(target=self._poll, daemon=True, name="sweep").start()

    def stop(self) -> None:
        """No more sweeps."""
        self._stopped.set()

    def config(self) -> SourceConfig:
        """The current config; waits for a sweep in progress."""
        with self._mutex:
            return self._config

    def update(self, config: SourceConfig) -> None:
        """Watch something else; what is no longer watched is unaspired at once."""
        with self._mutex:
            if config.poll_seconds != self._config.poll_seconds:
                raise invalid("Changing file_system_poll_wait_seconds is not supported")
            kept = {servable.name for servable in config.servables}
            for servable in self._config.servables:
                if servable.name not in kept:
                    self._emit(servable.name, [])
            self._config = config

    def _poll(self) -> None:
        interval = self._config.poll_seconds
        while not self._stopped.is_set():
            started = time.monotonic()
            with self._mutex:
                try:
                    self._sweep(self._config)
                except StatusError as error:
                    log.error(
                        "FileSystemStoragePathSource encountered a filesystem access error: "
                        f"{error.status.message}"
                    )
            if not interval:
                return
            self._stopped.wait(max(0.0, started + interval - time.monotonic()))

    def _sweep(self, config: SourceConfig) -> None:
        found = [(servable.name, aspired(servable)) for servable in config.servables]
        for name, versions in found:
            self._emit(name, versions)


def aspired(servable: Servable) -> Versions:
    """The versions to want of one servable. Raises StatusError if its base path cannot be found."""
    try:
        filesystem.require(servable.base_path)
    except StatusError as error:
        raise StatusError(
            error.status.code,
            f"Could not find base path {servable.base_path} for servable {servable.name} "
            f"with error {error.status}",
        ) from error
    choice = servable.policy.WhichOneof("policy_choice")
    if choice == "specific":
        wanted = list(servable.policy.specific.versions)
        return _all_there(servable, wanted) or _specific(servable, wanted)
    found = _listing(servable)
    if choice == "all":
        return sorted(found.items())
    count = max(servable.policy.latest.num_versions, 1)
    return sorted(found.items(), reverse=True)[:count]


def _all_there(servable: Servable, wanted: Sequence[int]) -> Versions:
    paths = [(each, engine.version_directory(servable.base_path, str(each))) for each in wanted]
    return paths if all(filesystem.exists(path) for _, path in paths) else []


def _specific(servable: Servable, wanted: Sequence[int]) -> Versions:
    found = _listing(servable)
    for version in wanted:
        if version not in found:
            log.warning(
                f"Version {version} of servable {servable.name}, which was requested to be served "
                f"as a 'specific' version in the servable's version policy, was not found in the "
                f"file system"
            )
    if not any(version in found for version in wanted):
        log.warning(f"Failed to aspire any versions of servable {servable.name}")
    return [(version, found[version]) for version in dict.fromkeys(wanted) if version in found]


def _listing(servable: Servable) -> dict[int, str]:
    found: dict[int, str] = {}
    for child in filesystem.children(servable.base_path):
        version = number(child)
        if version is None:
            continue
        if version in found:
            log.warning(f"Duplicate version {version} of servable {servable.name}: {child}")
        found[version] = engine.version_directory(servable.base_path, child)
    if not found:
        log.warning(
            f"No versions of servable {servable.name} found under base path {servable.base_path}. "
            "Did you forget to name your leaf directory as a number (eg. '/1/')?"
        )
    return found


def number(text: str) -> int | None:
    """What absl::SimpleAtoi makes of a name: an int64, or nothing."""
    if not _NUMBER.fullmatch(text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None
