"""The heart of the server: what is configured, the labels, and reloading under one mutex."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving import config as configs
from infra.local.tfserving import engine, log, manager, source, warmup
from infra.local.tfserving.metrics import Metrics
from infra.local.tfserving.monitor import Bus, Monitor, State, unavailable
from infra.local.tfserving.serving_map import Bundle
from infra.local.tfserving.status import Code, StatusError, invalid


@dataclass(frozen=True, slots=True)
class Options:
    """What the flags say about models."""

    poll_seconds: int
    managing: manager.Options
    labels_for_unavailable: bool
    tags: tuple[str, ...]
    session_config: bytes
    warmup_iterations: int  # 0: no warm-up


class ServerCore:
    """Models by config. `reload` is the only way in, from the file and from the RPC alike."""

    def __init__(self, options: Options, metrics: Metrics) -> None:
        """No config yet; `reload` with the first one waits for all its models."""
        self._options = options
        self._metrics = metrics
        self._config_mutex = threading.Lock()
        self._config: pb.ModelServerConfig | None = None
        self._labels: dict[str, dict[str, int]] | None = None
        self._source: source.StoragePathSource | None = None
        self._bus = Bus()
        self.monitor = Monitor(self._bus)
        self._manager = manager.Manager(self._load, self._bus, options.managing)
        self._manager.start()

    def _load(self, path: str) -> engine.Session:
        started, succeeded = time.perf_counter(), False
        try:
            session = engine.load(path, self._options.tags, self._options.session_config)
            succeeded = True
        finally:
            micros = (time.perf_counter() - started) * 1e6
            self._metrics.load(path, succeeded=succeeded, micros=micros)
        try:
            if self._options.warmup_iterations:
                warmup.run(session, path, self._options.warmup_iterations)
        except StatusError:
            session.close()
            raise
        return session

    def reload(self, new: pb.ModelServerConfig) -> None:
        """Apply a whole config; waits without limit for new models. Raises StatusError."""
        with self._config_mutex:
            configs.check_transition(self._config, new)
            kind = new.WhichOneof("config")
            if kind is None:
                log.info("Taking no action for empty config.")
                return
            if kind == "custom_model_config":
                log.error("ModelServer does not yet support custom model config.")
                os.abort()
            configs.check_list(new.model_config_list.config)
            configs.check_platforms(self._config, new)
            # Remembered before labels and routes are looked at, so that what is refused below is
            # compared against by the next reload.
            self._config = new
            log.info("Adding/updating models.")
            self._labels = self._new_labels(new)
            self._apply(new)

    def _new_labels(self, new: pb.ModelServerConfig) -> dict[str, dict[str, int]]:
        labels: dict[str, dict[str, int]] = {}
        for model in new.model_config_list.config:
            states = self.monitor.versions(model.name)
            for label, version in sorted(model.version_labels.items()):
                known = (self._labels or {}).get(model.name, {}).get(label, version)
                available = version in states and states[version].state is State.AVAILABLE
                allowed = self._options.labels_for_unavailable and known == version
                if not available and not allowed:
                    raise StatusError(
                        Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of model {model.name}, "
                        "which is not currently available for inference",
                    )
                labels.setdefault(model.name, {})[label] = version
        return labels

    def _apply(self, new: pb.ModelServerConfig) -> None:
        wanted = self._source_config(new)
        configs.check_routes(new)
        if self._source is None:
            self._first(wanted)
            return
        fresh = Monitor(self._bus)
        try:
            known = {servable.name for servable in self._source.config().servables}
            self._source.update(wanted)
            names = [each.name for each in wanted.servables if each.name not in known]
            failure = unavailable("model", fresh.wait_for(names))
        finally:
            self._bus.unsubscribe(fresh)
        if failure:
            raise StatusError(Code.UNKNOWN, failure)

    def _first(self, wanted: source.SourceConfig) -> None:
        self._manager.set_load_threads(4 * len(os.sched_getaffinity(0)))
        started = source.StoragePathSource(wanted, self._manager.aspire)
        started.start()
        reached = self.monitor.wait_for([servable.name for servable in wanted.servables])
        self._manager.set_load_threads(self._options.managing.load_threads)
        failure = unavailable("servable", reached)
        if failure:
            started.stop()
            raise StatusError(Code.UNKNOWN, failure)
        self._source = started

    def _source_config(self, new: pb.ModelServerConfig) -> source.SourceConfig:
        servables = []
        for model in new.model_config_list.config:
            log.info(f" (Re-)adding model: {model.name}")
            if model.HasField("logging_config"):
                log.say(
                    f"logging_config of model {model.name} is accepted but not implemented here"
                )
            servables.append(
                source.Servable(model.name, model.base_path, model.model_version_policy)
            )
        return source.SourceConfig(tuple(servables), self._options.poll_seconds)

    @contextlib.contextmanager
    def servable(self, spec: pb.ModelSpec) -> Iterator[Bundle]:
        """Hold the version a request asks for. Raises StatusError."""
        with self._manager.serving.hold(spec.name, self._version(spec)) as bundle:
            yield bundle

    def _version(self, spec: pb.ModelSpec) -> int | None:
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value
        if choice is None:
            return None
        label, labels = spec.version_label, self._labels
        if labels is None:
            raise StatusError(Code.UNAVAILABLE, f"Model labels does not init yet.{label}")
        version = labels.get(spec.name, {}).get(label)
        if version is None:
            raise invalid(f"Unrecognized servable version label: {label}")
        return version


def poll_file(
    core: ServerCore, path: str, seconds: int, read: Callable[[str], pb.ModelServerConfig]
) -> None:
    """Reload from the file again and again, changed or not; failures are only logged."""
    while True:
        started = time.monotonic()
        try:
            new = read(path)
        except StatusError as error:
            log.error(f"Failed to read ModelServerConfig file: {error.status}")
        else:
            try:
                core.reload(new)
            except StatusError as error:
                log.error(f"PollFilesystemAndReloadConfig failed to ReloadConfig: {error.status}")
        time.sleep(max(0.0, started + seconds - time.monotonic()))
