"""Brings Cloud Scheduler in line with infra/schedules.yaml: what is not listed is deleted.

`python -m infra.schedules PROJECT LOCATION [--dry-run]`.
Only jobs whose name starts with "berth-" are looked at.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import pydantic
import yaml
from google.cloud import scheduler_v1

FILE = Path(__file__).with_name("schedules.yaml")
_PREFIX = "berth-"
_PAUSED = scheduler_v1.Job.State.PAUSED


class Schedule(pydantic.BaseModel):
    """A message sent to a topic whenever its cron line is due in its time zone."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")]
    schedule: str
    topic: str
    data: dict[str, Any] = {}
    description: str = ""
    time_zone: str = "Etc/UTC"
    paused: bool = False

    def message(self) -> bytes:
        """The message's bytes."""
        return json.dumps(self.data, sort_keys=True).encode()


class _File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    schedules: list[Schedule]


def read(path: Path = FILE) -> list[Schedule]:
    """The schedules of the file. Raises pydantic.ValidationError, which names every wrong key."""
    found = _File.model_validate(yaml.safe_load(path.read_text())).schedules
    if len({one.name for one in found}) != len(found):
        raise ValueError(f"{path}: two schedules with one name")
    return found


def job(schedule: Schedule, project: str, location: str) -> scheduler_v1.Job:
    """The job that Cloud Scheduler should have for it; whether it is paused is set apart."""
    return scheduler_v1.Job(
        name=f"projects/{project}/locations/{location}/jobs/{_PREFIX}{schedule.name}",
        description=schedule.description,
        schedule=schedule.schedule,
        time_zone=schedule.time_zone,
        pubsub_target=scheduler_v1.PubsubTarget(
            topic_name=f"projects/{project}/topics/{schedule.topic}", data=schedule.message()
        ),
    )


def plan(
    wanted: Iterable[tuple[scheduler_v1.Job, bool]], observed: Iterable[scheduler_v1.Job]
) -> list[tuple[str, scheduler_v1.Job]]:
    """The differences in order: (create | update | resume | pause | delete, job)."""
    there = {one.name: one for one in observed if one.name.split("/")[-1].startswith(_PREFIX)}
    actions: list[tuple[str, scheduler_v1.Job]] = []
    for target, paused in wanted:
        current = there.pop(target.name, None)
        if current is None:
            actions.append(("create", target))
        elif not _same(target, current):
            actions.append(("update", target))
        if paused != (current is not None and current.state == _PAUSED):
            actions.append(("pause" if paused else "resume", target))
    return actions + [("delete", there[name]) for name in sorted(there)]


def apply(
    client: scheduler_v1.CloudSchedulerClient, actions: Iterable[tuple[str, scheduler_v1.Job]]
) -> None:
    """Carry the plan out; the first failure stops it and a second run does the rest."""
    for verb, target in actions:
        if verb == "create":
            parent = target.name.rsplit("/jobs/", 1)[0]
            client.create_job(parent=parent, job=target)
        elif verb == "update":
            client.update_job(job=target)
        elif verb == "pause":
            client.pause_job(name=target.name)
        elif verb == "resume":
            client.resume_job(name=target.name)
        else:
            client.delete_job(name=target.name)


def _same(target: scheduler_v1.Job, current: scheduler_v1.Job) -> bool:
    fields = ("description", "schedule", "time_zone", "pubsub_target")
    return all(getattr(target, field) == getattr(current, field) for field in fields)


def main() -> None:
    """Print the plan, and carry it out unless --dry-run is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project")
    parser.add_argument("location")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done")
    options = parser.parse_args()
    client = scheduler_v1.CloudSchedulerClient()
    parent = f"projects/{options.project}/locations/{options.location}"
    wanted = [(job(one, options.project, options.location), one.paused) for one in read()]
    actions = plan(wanted, client.list_jobs(parent=parent))
    for verb, target in actions:
        print(f"{verb} {target.name}")
    if not actions:
        print("schedules are up to date")
    elif not options.dry_run:
        apply(client, actions)


if __name__ == "__main__":
    main()
