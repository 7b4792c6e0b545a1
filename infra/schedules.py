"""Brings Cloud Scheduler in line with infra/schedules.yaml: what is not listed is deleted.

`python -m infra.schedules PROJECT LOCATION [--dry-run] [--emulator HOST:PORT]`.
Only jobs whose name starts with "berth-" are looked at.
"""

import argparse
import json
import sys
import zoneinfo
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import grpc
import pydantic
import yaml
from croniter import croniter
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.scheduler_v1 import CloudSchedulerClient, Job, PubsubTarget, RetryConfig
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import (
    CloudSchedulerGrpcTransport,
)

FILE = Path(__file__).with_name("schedules.yaml")
Action = tuple[str, Job]
# Seconds: the client itself would go on for ten minutes.
TIMEOUT = 30.0
RETRY = Retry(
    initial=0.2,
    maximum=5.0,
    timeout=60.0,
    predicate=if_exception_type(exceptions.DeadlineExceeded, exceptions.ServiceUnavailable),
)
_PREFIX = "berth-"
# What the file says of a job; the deadline of an attempt means nothing for messages.
_OURS = ("description", "schedule", "time_zone", "pubsub_target")
_AGAIN = "run this again, which does what is left"
_MENDED = (
    (GoogleAuthError, "gcloud auth application-default login"),
    (exceptions.Unauthenticated, "gcloud auth application-default login"),
    (
        exceptions.Forbidden,
        "give the account that deploys roles/cloudscheduler.admin on project {project}",
    ),
    (exceptions.AlreadyExists, f"somebody else made it at the same time: {_AGAIN}"),
    (exceptions.NotFound, "see that Cloud Scheduler is in {location} and that the topic exists"),
    (exceptions.InvalidArgument, f"mend {FILE.name}"),
    (exceptions.FailedPrecondition, f"somebody else changed it at the same time: {_AGAIN}"),
)


class ScheduleError(RuntimeError):
    """Cloud Scheduler was not brought in line; the text names the step and what mends it."""


def is_cron(line: str) -> bool:
    """Whether it is a cron line as Unix knows it: minute, hour, day, month, day of the week."""
    return len(line.split()) == 5 and croniter.is_valid(line)


def is_zone(name: str) -> bool:
    """Whether the tz database knows it."""
    return name in zoneinfo.available_timezones()


class Schedule(pydantic.BaseModel):
    """A message sent to a topic whenever its cron line is due in its time zone."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")]
    schedule: str
    topic: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9-]{2,60}$")]
    data: dict[str, Any] = {}
    description: Annotated[str, pydantic.Field(max_length=500)] = ""
    time_zone: str = "Etc/UTC"
    paused: bool = False
    retries: Annotated[int, pydantic.Field(ge=0, le=5)] = 0

    @pydantic.field_validator("schedule")
    @classmethod
    def _is_a_cron_line(cls, line: str) -> str:
        if not is_cron(line):
            raise ValueError(f"{line!r} is no cron line of five fields")
        return line

    @pydantic.field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if not is_zone(name):
            raise ValueError(f"{name!r} is no time zone of the tz database")
        return name

    def message(self) -> bytes:
        """The message's bytes."""
        return json.dumps(self.data, sort_keys=True).encode()


class _File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    schedules: list[Schedule]


def read(path: Path = FILE) -> list[Schedule]:
    """The schedules of the file. Raises ValueError, which names every wrong key."""
    found = _File.model_validate(yaml.safe_load(path.read_text())).schedules
    if len({one.name for one in found}) != len(found):
        raise ValueError(f"{path}: two schedules with one name")
    return found


def job(schedule: Schedule, project: str, location: str) -> Job:
    """The job that Cloud Scheduler should have for it; whether it is paused is set apart."""
    return Job(
        name=f"projects/{project}/locations/{location}/jobs/{_PREFIX}{schedule.name}",
        description=schedule.description,
        schedule=schedule.schedule,
        time_zone=schedule.time_zone,
        pubsub_target=PubsubTarget(
            topic_name=f"projects/{project}/topics/{schedule.topic}", data=schedule.message()
        ),
        retry_config=RetryConfig(retry_count=schedule.retries),
    )


def short(target: Job) -> str:
    """The last part of a job's name."""
    return str(target.name).rsplit("/", 1)[-1]


def plan(wanted: Iterable[tuple[Job, bool]], observed: Iterable[Job]) -> list[Action]:
    """The differences in order: (create | update | resume | pause | delete, job).

    `wanted` says of each job whether it is paused; what others made is left out of `observed`.
    """
    there = {one.name: one for one in observed if short(one).startswith(_PREFIX)}
    actions: list[Action] = []
    for target, paused in wanted:
        current = there.pop(target.name, None)
        if current is None:
            actions.append(("create", target))
        elif not _same(target, current):
            actions.append(("update", target))
        if paused != (current is not None and current.state == Job.State.PAUSED):
            actions.append(("pause" if paused else "resume", target))
    return actions + [("delete", there[name]) for name in sorted(there)]


def apply(client: CloudSchedulerClient, actions: Iterable[Action]) -> None:
    """Carry the plan out; the first failure stops it and a second run does the rest."""
    for verb, target in actions:
        with explained(f"{verb} {short(target)}", target.name):
            if verb == "create":
                parent = target.name.rsplit("/jobs/", 1)[0]
                client.create_job(parent=parent, job=target, timeout=TIMEOUT)
            elif verb == "update":
                mask = {"paths": [*_OURS, "retry_config"]}
                client.update_job(job=target, update_mask=mask, timeout=TIMEOUT)
            elif verb == "pause":
                client.pause_job(name=target.name, timeout=TIMEOUT)
            elif verb == "resume":
                client.resume_job(name=target.name, timeout=TIMEOUT)
            else:
                client.delete_job(name=target.name, retry=RETRY, timeout=TIMEOUT)


def connect(emulator: str = "") -> CloudSchedulerClient:
    """A client of Cloud Scheduler, or of the stand-in at `emulator` ("host:port"), without login.

    As a context manager it closes its connection. Raises google.auth's DefaultCredentialsError.
    """
    if not emulator:
        return CloudSchedulerClient()
    channel = grpc.insecure_channel(emulator)
    return CloudSchedulerClient(transport=CloudSchedulerGrpcTransport(channel=channel))


def apply_all(
    client: CloudSchedulerClient,
    project: str,
    location: str,
    dry_run: bool = False,
    wanted: Iterable[Schedule] | None = None,
) -> list[Action]:
    """Bring a location in line with `wanted`, by default the file's; what that took, or would take.

    Raises ScheduleError, which says what to do; another run then does what is left.
    """
    parent = f"projects/{project}/locations/{location}"
    chosen = read() if wanted is None else wanted
    jobs = [(job(one, project, location), one.paused) for one in chosen]
    with explained("list the jobs", parent):
        observed = list(client.list_jobs(parent=parent, retry=RETRY, timeout=TIMEOUT))
    actions = plan(jobs, observed)
    if not dry_run:
        apply(client, actions)
    return actions


@contextmanager
def explained(what: str, name: str) -> Iterator[None]:
    """Raise ScheduleError for a failure of Google's client inside, with what mends it.

    `what` says what was being done; `name` is the full name of a job or of its location.
    """
    try:
        yield
    except (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError) as error:
        _, project, _, location, *_ = name.split("/")
        text = getattr(error, "message", None) or str(error)
        mended = _mended(error).format(project=project, location=location)
        raise ScheduleError(f"Cloud Scheduler: {what}: {text}: {mended}") from error


def _mended(error: Exception) -> str:
    if isinstance(error, exceptions.Forbidden) and "SERVICE_DISABLED" in str(error):
        return "gcloud services enable cloudscheduler.googleapis.com --project {project}"
    return next((text for kind, text in _MENDED if isinstance(error, kind)), _AGAIN)


def _same(target: Job, current: Job) -> bool:
    if current.state == Job.State.UPDATE_FAILED:
        return False  # it is not executed until an update succeeds
    # Of the retries only their number is ours: the rest comes back with the service's defaults.
    retries = (one.retry_config.retry_count for one in (target, current))
    return len(set(retries)) == 1 and all(
        getattr(target, field) == getattr(current, field) for field in _OURS
    )


def main() -> int:
    """Print what is done, or with --dry-run what would be; 1 when it could not be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project")
    parser.add_argument("location")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done")
    parser.add_argument("--emulator", default="", metavar="HOST:PORT", help="the local stack's")
    options = parser.parse_args()
    try:
        with explained("log in", f"projects/{options.project}/locations/{options.location}"):
            client = connect(options.emulator)
        actions = apply_all(client, options.project, options.location, options.dry_run)
    except (ScheduleError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for verb, target in actions:
        print(f"{verb} {target.name}")
    if not actions:
        print("schedules are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
