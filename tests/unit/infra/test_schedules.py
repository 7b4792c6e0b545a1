"""Schedules: the difference between the file and Cloud Scheduler."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.scheduler_v1 import Job

from infra import schedules
from infra.schedules import Schedule

TICK = Schedule(name="tick", schedule="* * * * *", topic="fleet-ticks")
PAUSED = Job.State.PAUSED


def job(**fields):
    found = schedules.job(TICK, "p", "l")
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def foreign():
    return Job(name="projects/p/locations/l/jobs/somebody-elses")


@pytest.mark.parametrize(
    ("wanted", "observed", "verbs"),
    [
        ([(job(), False)], [], ["create"]),
        ([(job(), True)], [], ["create", "pause"]),
        ([(job(), False)], [job()], []),
        ([(job(), False)], [job(schedule="0 * * * *")], ["update"]),
        ([(job(), True)], [job()], ["pause"]),
        ([(job(), True)], [job(state=PAUSED)], []),
        ([(job(), False)], [job(state=PAUSED)], ["resume"]),
        ([], [job(), foreign()], ["delete"]),
    ],
)
def test_the_plan(wanted, observed, verbs):
    actions = schedules.plan(wanted, observed)
    assert [verb for verb, _ in actions] == verbs
    assert all(target.name.endswith("/berth-tick") for _, target in actions)


def test_two_schedules_of_one_name_are_refused(tmp_path):
    path = tmp_path / "schedules.yaml"
    row = "  - {name: a1, schedule: '* * * * *', topic: things}\n"
    path.write_text("schedules:\n" + row * 2)
    with pytest.raises(ValueError, match="two schedules"):
        schedules.read(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schedule": "* * * *"}, "schedule"),
        ({"schedule": "0 * * * * *"}, "schedule"),
        ({"schedule": "61 * * * *"}, "schedule"),
        ({"schedule": "every 5 minutes"}, "schedule"),
        ({"time_zone": "Europe/Nowhere"}, "time_zone"),
        ({"topic": "projects/p/topics/t"}, "topic"),
        ({"description": "x" * 501}, "description"),
        ({"retries": 6}, "retries"),
        ({"name": "Tick"}, "name"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_key_is_named_before_anything_is_asked_of_the_cloud(tmp_path, change, named):
    path = tmp_path / "schedules.yaml"
    row = {"name": "tick", "schedule": "* * * * *", "topic": "ticks"} | change
    path.write_text(yaml.safe_dump({"schedules": [row]}))
    with pytest.raises(ValueError, match=rf"schedules\.0\.{named}"):
        schedules.read(path)


def test_what_is_not_executed_any_more_is_updated():
    broken = job(state=Job.State.UPDATE_FAILED)
    assert schedules.plan([(job(), False)], [broken]) == [("update", job())]


def test_what_the_service_adds_is_no_difference():
    kept = job(state=Job.State.ENABLED, user_update_time=datetime(2026, 1, 1, tzinfo=UTC))
    kept.retry_config.max_backoff_duration = timedelta(hours=1)
    assert schedules.plan([(job(), False)], [kept]) == []


@pytest.mark.parametrize(
    ("error", "mended"),
    [
        (exceptions.PermissionDenied("no"), "roles/cloudscheduler.admin on project p"),
        (
            exceptions.PermissionDenied("reason: SERVICE_DISABLED"),
            "gcloud services enable cloudscheduler.googleapis.com --project p",
        ),
        (exceptions.NotFound("no"), "Cloud Scheduler is in l "),
        (exceptions.InvalidArgument("no"), "mend schedules.yaml"),
        (exceptions.AlreadyExists("no"), "run this again"),
        (exceptions.FailedPrecondition("no"), "run this again"),
        (exceptions.ServiceUnavailable("no"), "run this again"),
        (exceptions.RetryError("no", cause=None), "run this again"),
        (exceptions.Unauthenticated("no"), "gcloud auth application-default login"),
        (DefaultCredentialsError("no"), "gcloud auth application-default login"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_a_failure_is_named_with_what_mends_it(error, mended):
    name = "projects/p/locations/l/jobs/berth-tick"
    with (
        pytest.raises(schedules.ScheduleError, match=re.escape(mended)) as caught,
        schedules.explained("create berth-tick", name),
    ):
        raise error
    assert str(caught.value).startswith("Cloud Scheduler: create berth-tick: ")
    assert caught.value.__cause__ is error
