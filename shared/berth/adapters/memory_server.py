"""Memory twin of one TF Serving process: what of its behaviour matters to a control plane."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from berth import ports
from berth.protos import tfserving_pb2

UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ends, as Kubernetes will report it of the container.

    128 + the signal: 139 a segmentation fault, 137 a SIGKILL, whose reason is OOMKilled when the
    container's own memory limit was the cause. 255 is TF Serving's own end.
    """

    code: int
    reason: str = "Error"


SEGFAULT = Death(139)
OOM = Death(137, "OOMKilled")


class Files(Protocol):
    """What lies under a base path on a server's mount: version -> how its load ends; None: no path."""

    def __call__(
        self, base_path: str, loading: int = 0
    ) -> Mapping[int, ports.VersionStatus | Death] | None:
        """Look; `loading` is the version that is being loaded, if any: only that may kill."""
        ...


@dataclass(slots=True)
class _Version:
    state: str
    code: int = 0
    message: str = ""
    left: int = 0
    managed: bool = True
    moved: int = 0


@dataclass(slots=True)
class _Reload:
    config: tfserving_pb2.ModelServerConfig
    names: frozenset[str] = frozenset()
    began: int = 0
    settled: set[str] = field(default_factory=set)
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    ended: bool = False
    answer: str = ""


class MemoryServer:
    """One process. A `tick` is one sweep of the file system and one step of each servable.

    Reloads queue behind one mutex and an abandoned one is applied all the same; a reload ends when
    a version of each name it added was seen to become AVAILABLE or END since it began: a name that
    is added again before its END was seen ends with that END, or never. It is up when its boot
    config has settled, and exits when any of that failed. A load may end the process instead.
    A server whose `wedged` is set holds its mutex for ever: it answers, and applies no reload.
    One that is `busy` (a slow request holds its manager) takes reloads, and no servable moves.
    """

    def __init__(
        self, boot: tfserving_pb2.ModelServerConfig, files: Files, load_ticks: int
    ) -> None:
        """Start with a boot config; nothing is loaded before the first tick."""
        self.load_ticks = load_ticks
        self.up = False
        self.wedged = False
        self.busy = False
        self.death: Death | None = None
        self.exit_message = ""
        self._files = files
        self._models: dict[str, tfserving_pb2.ModelConfig] = {}
        self._versions: dict[str, dict[int, _Version]] = {}
        self._aspired: dict[str, frozenset[int]] = {}
        self._reloads: deque[_Reload] = deque()
        self._events = 0
        self._boot = self.submit(boot)

    def submit(self, config: tfserving_pb2.ModelServerConfig) -> _Reload:
        """Queue a reload and let it begin if the mutex is free."""
        reload = _Reload(config)
        self._reloads.append(reload)
        if len(self._reloads) == 1 and not self.wedged:
            self._begin(reload)
        return reload

    @property
    def exited(self) -> bool:
        """Whether the process is gone."""
        return self.death is not None

    def die(self, death: Death) -> None:
        """End at once; nothing of this process happens any more."""
        self.up, self.death = False, death

    def waiting(self) -> list[tfserving_pb2.ModelServerConfig]:
        """Return what was submitted and has not ended, in its order."""
        return [reload.config for reload in self._reloads]

    def statuses(self, name: str) -> dict[int, ports.VersionStatus]:
        """Return what GetModelStatus says of a name, newest version first."""
        versions = self._versions.get(name, {})
        return {
            number: ports.VersionStatus(found.state, found.code, found.message)
            for number, found in sorted(versions.items(), reverse=True)
        }

    def base_path(self, name: str) -> str:
        """Return the base path that a name was told with last; "" for a name that is not configured."""
        return self._models[name].base_path if name in self._models else ""

    def tick(self) -> None:
        """Let one sweep and one step pass."""
        if self.exited:
            return
        self._sweep()
        for name in () if self.busy else list(self._versions):
            self._step(name)
            if self.exited:
                return
        self._settle()

    def _begin(self, reload: _Reload) -> None:
        refusal = _refusal(reload.config)
        if refusal:
            self._finish(reload, refusal)
            return
        models = {model.name: model for model in reload.config.model_config_list.config}
        reload.names = frozenset(models.keys() - self._models.keys())
        reload.began = self._events
        for name in self._models.keys() - models.keys():
            self._aspired[name] = frozenset()
        self._models = models
        self._settle()

    def _finish(self, reload: _Reload, answer: str) -> None:
        reload.ended, reload.answer = True, answer
        self._reloads.remove(reload)
        if reload is getattr(self, "_boot", reload):
            self.up, self.exit_message = not answer, answer
            self.death = Death(255) if answer else None
        if self._reloads and not self.exited:
            self._begin(self._reloads[0])

    def _sweep(self) -> None:
        # One missing base path ends the whole sweep: no model changes its versions.
        found: dict[str, frozenset[int]] = {}
        for name, model in self._models.items():
            present = self._files(model.base_path)
            if present is None:
                return
            found[name] = _aspire(model.model_version_policy, frozenset(present))
        self._aspired.update(found)

    def _step(self, name: str) -> None:
        self._aspire_new(name)
        versions, aspired = self._versions[name], self._aspired.get(name, frozenset())
        for number, version in versions.items():
            before = version.state
            if version.managed:
                self._advance(name, number, version)
            if version.state != before:
                self._events += 1
                version.moved = self._events
        live = {n: v for n, v in versions.items() if v.managed}
        stale = sorted(n for n, v in live.items() if n not in aspired and v.state == "AVAILABLE")
        for number in live.keys() - aspired:
            # A failed or never loaded version is forgotten; what it last said stays.
            if live[number].state in ("START", "END"):
                live[number].managed = False
        taken_over = any(live[n].state == "AVAILABLE" for n in live.keys() & aspired)
        if stale and (taken_over or not aspired or len(stale) > 1):
            for number in stale if taken_over or not aspired else stale[:1]:
                versions[number].state = "UNLOADING"

    def _aspire_new(self, name: str) -> None:
        versions = self._versions[name]
        for number in sorted(self._aspired.get(name, frozenset()), reverse=True):
            if number not in versions or not versions[number].managed:
                versions[number] = _Version("START", left=self.load_ticks)

    def _advance(self, name: str, number: int, version: _Version) -> None:
        if version.state == "START":
            version.state = "LOADING"
        if version.state == "UNLOADING":
            version.state, version.managed = "END", False
        elif version.state == "LOADING":
            version.left -= 1
            if version.left < 0:
                end = self._load(name, number)
                if isinstance(end, Death):
                    self.die(end)
                    return
                version.state, version.code, version.message = end.state, end.code, end.message

    def _load(self, name: str, number: int) -> ports.VersionStatus | Death:
        model = self._models.get(name)
        present = self._files(model.base_path, number) if model else None
        gone = ports.VersionStatus("END", 5, "Could not find SavedModel .pb or .pbtxt")
        return (present or {}).get(number, gone)

    def _settle(self) -> None:
        for name in self._aspired:
            self._versions.setdefault(name, {})
        if not self._reloads or self.wedged:
            return
        reload = self._reloads[0]
        for name in reload.names - reload.settled:
            # From the newest down: the first that is AVAILABLE or at its END decides.
            for number, version in sorted(self._versions.get(name, {}).items(), reverse=True):
                if version.moved > reload.began and version.state in ("AVAILABLE", "END"):
                    reload.settled.add(name)
                    if version.state == "END":
                        reload.failures[name] = (number, version.message)
                    break
        if reload.settled == reload.names:
            self._finish(reload, _failures(reload, boot=not self.up))


def _aspire(policy: tfserving_pb2.ServableVersionPolicy, present: frozenset[int]) -> frozenset[int]:
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        return present & frozenset(policy.specific.versions)
    if choice == "all":
        return present
    return frozenset(sorted(present)[-max(1, policy.latest.num_versions) :])


def _refusal(config: tfserving_pb2.ModelServerConfig) -> str:
    seen: set[str] = set()
    for model in config.model_config_list.config:
        if model.name in seen:
            return f"Illegal to list model {model.name} multiple times in config list"
        seen.add(model.name)
        if not model.base_path.startswith("/") and "://" not in model.base_path:
            return (
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )
    return ""


def _failures(reload: _Reload, *, boot: bool) -> str:
    if not reload.failures:
        return ""
    noun = "servable(s)" if boot else "model(s)"
    each = "".join(
        f"{{name: {name} version: {number}}}{message and f' due to error: {message}'}}}, "
        for name, (number, message) in sorted(reload.failures.items())
    )
    return f"{len(reload.failures)} {noun} did not become available: {{{each}}}"
