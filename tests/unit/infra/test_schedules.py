"""Schedules: the difference between the file and Cloud Scheduler."""

from datetime import UTC, datetime

import pytest
from google.cloud import scheduler_v1

from infra import schedules
from infra.local import ticker
from infra.schedules import Schedule

TICK = Schedule(name="tick", schedule="* * * * *", topic="fleet-ticks")
PAUSED = scheduler_v1.Job.State.PAUSED


def job(**fields):
    found = schedules.job(TICK, "p", "l")
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def foreign():
    return scheduler_v1.Job(name="projects/p/locations/l/jobs/somebody-elses")


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
    row = "  - {name: a1, schedule: '* * * * *', topic: t}\n"
    path.write_text("schedules:\n" + row * 2)
    with pytest.raises(ValueError, match="two schedules"):
        schedules.read(path)


@pytest.mark.parametrize(
    ("line", "zone", "due"),
    [
        ("* * * * *", "Etc/UTC", "2026-01-01T10:31:00+00:00"),
        ("7 * * * *", "Etc/UTC", "2026-01-01T11:07:00+00:00"),
        ("0 12 * * *", "Europe/Berlin", "2026-01-01T11:00:00+00:00"),
    ],
)
def test_when_a_schedule_is_due(line, zone, due):
    schedule = TICK.model_copy(update={"schedule": line, "time_zone": zone})
    now = datetime(2026, 1, 1, 10, 30, 5, tzinfo=UTC)
    assert ticker.following(schedule, now).isoformat() == due
