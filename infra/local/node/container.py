"""One container: started, watched, started again, and ended as its pod asks."""

import contextlib
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from infra.local.kube_api import ApiError
from infra.local.node import adopted, launcher, prepare, spec, status, usage
from infra.local.node.actions import Action, Target
from infra.local.node.adopted import Adopted, Note
from infra.local.node.cgroups import Group
from infra.local.node.kit import Kit, now
from infra.local.node.launcher import Launch
from infra.local.node.probes import Probes

Json = Mapping[str, Any]
RETRY_SECONDS = 1.0  # between looks at an image, bucket or ConfigMap that is not there
AFTER_HOOK_SECONDS = 2.0  # left to a process whose preStop hook took all of the grace period


class Container:
    """Runs as a thread; `seen` is what the pod reports of it, `changed` is called on news."""

    def __init__(
        self, kit: Kit, pod: Json, container: Json, address: str, changed: Callable[[], None]
    ) -> None:
        """Take up the container where its pod's status left it."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._kit, self._pod, self._spec, self._address = kit, pod, container, address
        self._folder = kit.state / pod["metadata"]["name"]
        self._changed = changed
        self._backoff = kit.backoff
        self._stopping = threading.Event()
        self.over = threading.Event()
        self._condition = threading.Condition(threading.RLock())
        self._process: subprocess.Popen[bytes] | Adopted | None = None
        self._group: Group | None = None
        self._launch: Launch | None = None
        self._deadline = float("inf")
        uid, name = pod["metadata"]["uid"], container["name"]
        self._file = launcher.note(kit.state / "running", uid, name)
        self._noted: Note | None = adopted.read(self._file)
        self.seen = status.before(pod, container, now())
        if (found := adopted.adopt(self._noted)) and self._noted:
            self._process, self._group = found, kit.cgroups.find(f"{uid}-{name}")
            self.seen = status.resumed(pod, container, self._noted.identity) or self.seen

    def start(self) -> None:
        """Run from now on, until the pod ends or the restart policy says it is over."""
        self._thread.start()

    def join(self) -> None:
        """Wait until it is over."""
        self._thread.join()

    def _run(self) -> None:
        policy = self._pod["spec"].get("restartPolicy", "Always")
        try:
            while (held := self._process or self._prepared()) is not None:
                begun = time.monotonic()
                code = self._run_once(held) if isinstance(held, Launch) else self._resume(held)
                if self._stopping.is_set() or not status.restarts(policy, code):
                    break
                self._backoff = self._backoff.ended(time.monotonic() - begun)
                self._wait_out(self._backoff.delay)
        finally:
            self.over.set()
            self._changed()

    def end(self, grace: float) -> None:
        """End for good: preStop, SIGTERM, and SIGKILL when `grace` seconds are over."""
        self._stopping.set()
        self._halt(grace)

    def kill(self) -> None:
        """End for good and at once."""
        self._stopping.set()
        self.hasten(0)

    def hasten(self, grace: float) -> None:
        """Shorten the grace period of a container that is being ended."""
        with self._condition:
            self._deadline = min(self._deadline, time.monotonic() + grace)
            if grace <= 0 and self._process is not None:
                self._process.kill()
            self._condition.notify_all()

    def used(self) -> usage.Usage | None:
        """Return what the container has used so far; None unless it runs."""
        with self._condition:
            process, group = self._process, self._group
        return None if process is None else usage.read(self.seen.identity, process.pid, group)

    def _see(self, **changes: Any) -> None:  # noqa: ANN401
        with self._condition:
            before, self.seen = self.seen, replace(self.seen, **changes)
        if self.seen != before:
            self._changed()

    def _probed(self, process: subprocess.Popen[bytes] | Adopted, **changes: bool) -> None:
        """See what a probe tells, unless its process has ended meanwhile."""
        with self._condition:
            if self._process is process:
                self._see(**changes)

    def _prepared(self) -> Launch | None:
        """Return what to start, as soon as all it needs is there; None when the pod ends first."""
        reason = "ErrImagePull"
        while not self._stopping.is_set():
            name = self._spec["image"]
            image = spec.find_image(self._kit.images, name)
            if image is None:
                told = f"image {name} is not in this node's table of images"
                self._see(state=status.waiting(reason, told))
                reason = "ImagePullBackOff"
            else:
                try:
                    return prepare.launch(self._kit, self._pod, self._spec, image, self._address)
                except (spec.ConfigError, ApiError, OSError) as error:
                    self._see(state=status.waiting("CreateContainerConfigError", str(error)))
            self._stopping.wait(RETRY_SECONDS)
        return None

    def _run_once(self, launch: Launch) -> int:
        identity, begun = f"berth://{uuid.uuid4().hex}", now()
        pod = self._pod["metadata"]["uid"]
        limit = spec.memory_limit(self._spec)
        group = self._kit.cgroups.create(f"{pod}-{self._spec['name']}", limit)
        self._launch = replace(launch, groups=(group,) if group else ())
        try:
            process = self._started(group)
        except launcher.StartError as error:
            self._ended(128, "StartError", (begun, now()), identity, str(error))
            return 128
        launcher.remember(self._file, process.pid, identity, begun)
        return self._attend(process, identity, begun)

    def _resume(self, process: subprocess.Popen[bytes] | Adopted) -> int:
        """Attend to a process that an earlier agent started."""
        if self._noted is None:
            raise AssertionError("a process is adopted by its note")
        image = spec.find_image(self._kit.images, self._spec["image"])
        if image is not None:
            with contextlib.suppress(
                spec.ConfigError, ApiError, OSError
            ):  # commands in it fail then
                self._launch = prepare.launch(
                    self._kit, self._pod, self._spec, image, self._address
                )
        return self._attend(process, self._noted.identity, self._noted.begun)

    def _attend(self, process: subprocess.Popen[bytes] | Adopted, identity: str, begun: str) -> int:
        """Probe a process and report of it until it has ended; return its exit code."""
        target = Target(self._address, self._spec, self._execute)
        probes = Probes(target, lambda **told: self._probed(process, **told), self._fail)
        if self.seen.identity != identity:
            self._begin(identity, begun)
        if self.seen.started:
            probes.resume()
        else:
            probes.begin()
        returned = process.wait()
        probes.stop()
        group = self._group
        oom = bool(group and group.oom_kills()) and returned in (-9, None)
        with self._condition:
            self._process = self._group = None
            self._condition.notify_all()
        launcher.clear_session(process.pid)
        if group:
            group.remove()
        self._file.unlink(missing_ok=True)
        code = 137 if returned is None else status.exit_code(returned)
        # Of a process that is not its child an agent is not told how it ended.
        why = "ContainerStatusUnknown" if returned is None and not oom else status.reason(code, oom)
        self._ended(code, why, (begun, now()), identity)
        return code

    def _started(self, group: Group | None) -> subprocess.Popen[bytes]:
        if self._launch is None:
            raise AssertionError("a container is prepared before it starts")
        try:
            with self._log() as log:
                process = launcher.start(self._launch, log)
        except launcher.StartError:
            if group:
                group.remove()
            raise
        with self._condition:
            self._process, self._group = process, group
            self._deadline = float("inf")
            if self._stopping.is_set():  # the pod ended while this started
                process.kill()
        return process

    def _begin(self, identity: str, begun: str) -> None:
        again = bool(self.seen.identity)
        self._see(
            identity=identity,
            state=status.running(begun),
            last_state=self.seen.last_state if "waiting" in self.seen.state else self.seen.state,
            restarts=self.seen.restarts + again,
        )

    def _ended(
        self, code: int, reason: str, times: tuple[str, str], identity: str, message: str = ""
    ) -> None:
        state = status.terminated(code, reason, times, identity)
        if message:
            state["terminated"]["message"] = message
        self._see(state=state, started=False, ready=False, identity=identity)

    def _wait_out(self, delay: float) -> None:
        if not delay:
            return
        name, pod = self._spec["name"], self._pod["metadata"]
        told = f"back-off {delay:g}s restarting failed container={name} pod={pod['name']}"
        state = status.waiting("CrashLoopBackOff", told)
        self._see(state=state, last_state=self.seen.state)
        self._stopping.wait(delay)

    def _fail(self) -> None:
        """End this run because a probe says so; the restart policy decides what follows."""
        self._halt(float(self._pod["spec"].get("terminationGracePeriodSeconds", 30)))

    def _halt(self, grace: float) -> None:
        self.hasten(grace)
        process = self._process
        if process is None:
            return
        if hook := self._spec.get("lifecycle", {}).get("preStop"):
            self._run_hook(hook, process)
        with self._condition:
            process.terminate()
            if hook:
                self._deadline = max(self._deadline, time.monotonic() + AFTER_HOOK_SECONDS)
            self._wait_for_end(process)
            process.kill()

    def _wait_for_end(self, process: subprocess.Popen[bytes] | Adopted) -> None:
        with self._condition:
            while self._process is process and (left := self._deadline - time.monotonic()) > 0:
                self._condition.wait(left)

    def _run_hook(self, hook: Json, process: subprocess.Popen[bytes] | Adopted) -> None:
        left = max(0.0, self._deadline - time.monotonic())
        if sleep := hook.get("sleep"):
            end = time.monotonic() + min(left, float(sleep["seconds"]))
            with self._condition:
                while self._process is process and (left := end - time.monotonic()) > 0:
                    if self._deadline <= time.monotonic():
                        return
                    self._condition.wait(left)
            return
        action = Action(hook, Target(self._address, self._spec, self._execute))
        action.succeeds(left)
        action.close()

    def _execute(self, argv: list[str], timeout: float) -> bool:
        """Run a command inside the container; whether it ended well in time."""
        process = self._process
        if process is None or self._launch is None:
            return False
        inside = replace(self._launch, argv=argv, join=process.pid)
        try:
            with self._log() as log:
                command = launcher.start(inside, log)
        except launcher.StartError:
            return False
        try:
            return command.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            command.kill()
            command.wait()
            return False

    def _log(self) -> IO[bytes]:
        path: Path = self._folder / f"{self._spec['name']}.log"
        return path.open("ab")
