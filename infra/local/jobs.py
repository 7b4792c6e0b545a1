"""The jobs that the local Cloud Scheduler holds, in one file; when each is due, and what is refused."""

import json
import re
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import grpc
from croniter import croniter
from google.cloud.scheduler_v1 import Job

from infra import schedules

_PARENT = re.compile(r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")
_TOPIC = re.compile(r"projects/[a-z0-9.:-]+/topics/[A-Za-z][\w.~+%-]{2,254}")
_FIELDS = {"description", "schedule", "time_zone", "pubsub_target", "retry_config"}
_LEAST_PAUSE, _MOST_PAUSE = 5.0, 3600.0
Clock = Callable[[], datetime]


class Refused(Exception):
    """What the API answers instead of a job."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        """`code` goes to the client with the text."""
        super().__init__(text)
        self.code = code


def following(job: Job, now: datetime) -> datetime:
    """The first time after `now` at which a job is due, in UTC."""
    local = now.astimezone(ZoneInfo(job.time_zone))
    due: datetime = croniter(job.schedule, local).get_next(datetime)
    return due.astimezone(UTC)


class Jobs:
    """All jobs of all locations. Every change is on disk before it is answered. For many threads."""

    def __init__(self, path: Path, clock: Clock = lambda: datetime.now(UTC)) -> None:
        """Read `path`, if it is there."""
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self.changed = threading.Event()
        """Set with every change; who waits for it clears it."""
        texts = json.loads(path.read_text()) if path.exists() else []
        self._jobs = {job.name: job for job in map(Job.from_json, texts)}

    def page(self, parent: str, size: int, token: str) -> tuple[list[Job], str]:
        """At most `size` jobs of a location by name, after the one that `token` names."""
        _check(_PARENT.fullmatch(parent), f"parent {parent!r} is no location of a project")
        with self._lock:
            names = sorted(n for n in self._jobs if n.startswith(f"{parent}/jobs/") and n > token)
            more = len(names) > size
            return [self._jobs[name] for name in names[:size]], names[size - 1] if more else ""

    def get(self, name: str) -> Job:
        """One job."""
        with self._lock:
            return self._find(name)

    def create(self, parent: str, job: Job) -> Job:
        """A new job, enabled."""
        start, _, identity = job.name.rpartition("/jobs/")
        _check(_PARENT.fullmatch(parent), f"parent {parent!r} is no location of a project")
        _check(start == parent and _ID.fullmatch(identity), f"{job.name!r} is no job of {parent}")
        with self._lock:
            if job.name in self._jobs:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"{job.name} already exists")
            return self._keep(job, Job.State.ENABLED)

    def update(self, job: Job, paths: Sequence[str]) -> Job:
        """The fields named, or all; the state stays."""
        _check(set(paths) <= _FIELDS, f"update_mask: none but {', '.join(sorted(_FIELDS))}")
        with self._lock:
            current = self._find(job.name)
            changed = Job(current)
            for field in paths or _FIELDS:
                setattr(changed, field, getattr(job, field))
            return self._keep(changed, current.state)

    def pause(self, name: str) -> Job:
        """The job, silent."""
        return self._switch(name, Job.State.ENABLED, Job.State.PAUSED)

    def resume(self, name: str) -> Job:
        """The job, to run when it is next due."""
        return self._switch(name, Job.State.PAUSED, Job.State.ENABLED)

    def run(self, name: str) -> Job:
        """The job, due now, whatever its state."""
        with self._lock:
            job = self._find(name)
            job.schedule_time = self._clock()
            return self._write(job)

    def delete(self, name: str) -> None:
        """Forget it."""
        with self._lock:
            self._find(name)
            del self._jobs[name]
            self._write()

    def due(self) -> tuple[list[Job], float]:
        """The jobs that are due, and the seconds until the next will be, at most a minute."""
        with self._lock:
            now = self._clock()
            waiting = [job for job in self._jobs.values() if "schedule_time" in job]
            late = [job for job in waiting if job.schedule_time <= now]
            pauses = [(job.schedule_time - now).total_seconds() for job in waiting]
            return late, max(0.0, min([60.0, *pauses]))

    def attempted(self, name: str, *, failed: bool) -> None:
        """Say when a job that was due is due again: after a pause while it has retries left."""
        with self._lock:
            if (job := self._jobs.get(name)) is None:
                return
            now = job.last_attempt_time = self._clock()
            failures = self._failures.get(name, 0) + 1 if failed else 0
            if 0 < failures <= job.retry_config.retry_count:
                pause = min(_MOST_PAUSE, _LEAST_PAUSE * 2.0 ** (failures - 1))
                job.schedule_time = now + timedelta(seconds=pause)
            else:
                failures = 0
                self._plan(job)
            self._failures[name] = failures
            self._write(job)

    def _switch(self, name: str, before: Job.State, after: Job.State) -> Job:
        with self._lock:
            job = self._find(name)
            if job.state != before:
                text = f"{name} is {job.state.name}, not {before.name}"
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, text)
            return self._keep(job, after)

    def _find(self, name: str) -> Job:
        if name not in self._jobs:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"{name} does not exist")
        return Job(self._jobs[name])

    def _keep(self, job: Job, state: Job.State) -> Job:
        job.time_zone = job.time_zone or "Etc/UTC"
        _check(schedules.is_cron(job.schedule), f"schedule {job.schedule!r} is no cron line")
        _check(schedules.is_zone(job.time_zone), f"time_zone {job.time_zone!r} is unknown")
        _check(len(job.description) <= 500, "description: more than 500 characters")
        target = job.pubsub_target
        _check(_TOPIC.fullmatch(target.topic_name), f"topic {target.topic_name!r}")
        _check(target.data or target.attributes, "pubsub_target: neither data nor attributes")
        _check(0 <= job.retry_config.retry_count <= 5, "retry_config.retry_count: 0 to 5")
        job.state, job.user_update_time = state, self._clock()
        self._plan(job)
        return self._write(job)

    def _plan(self, job: Job) -> None:
        enabled = job.state == Job.State.ENABLED
        job.schedule_time = following(job, self._clock()) if enabled else None

    def _write(self, *changed: Job) -> Job:
        self._jobs |= {job.name: job for job in changed}
        partial = self._path.with_suffix(".part")
        partial.write_text(json.dumps([Job.to_json(one) for one in self._jobs.values()]))
        partial.replace(self._path)
        self.changed.set()
        return changed[0] if changed else Job()


def _check(holds: object, text: str) -> None:
    if not holds:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, text)
