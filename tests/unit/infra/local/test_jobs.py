"""The jobs of the local Cloud Scheduler: when they are due, and that a restart keeps them."""

from datetime import UTC, datetime, timedelta

import pytest

from infra import schedules
from infra.local.jobs import Jobs, following
from infra.schedules import Schedule

PARENT = "projects/p/locations/l"
NAME = f"{PARENT}/jobs/berth-tick"


class Clock:
    now = datetime(2026, 1, 1, 10, 30, 5, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def jobs(tmp_path, clock):
    return Jobs(tmp_path / "jobs.json", clock)


def job(**facts):
    row = Schedule(**{"name": "tick", "schedule": "* * * * *", "topic": "ticks"} | facts)
    return schedules.job(row, "p", "l")


def names(jobs):
    return [one.name for one in jobs.due()[0]]


@pytest.mark.parametrize(
    ("line", "zone", "due"),
    [
        ("* * * * *", "Etc/UTC", "2026-01-01T10:31:00+00:00"),
        ("7 * * * *", "Etc/UTC", "2026-01-01T11:07:00+00:00"),
        ("0 12 * * *", "Europe/Berlin", "2026-01-01T11:00:00+00:00"),
    ],
)
def test_when_a_schedule_is_due(clock, line, zone, due):
    assert following(job(schedule=line, time_zone=zone), clock()).isoformat() == due


def test_a_job_is_due_at_its_time_and_then_at_its_next(jobs, clock):
    jobs.create(PARENT, job())
    assert jobs.due() == ([], 55.0)
    clock.now += timedelta(seconds=55)
    assert names(jobs) == [NAME]
    jobs.attempted(NAME, failed=False)
    assert jobs.due() == ([], 60.0)


def test_nothing_to_do_is_looked_at_again_in_a_minute(jobs):
    assert jobs.due() == ([], 60.0)


def test_a_job_that_is_run_is_due_once_even_when_paused(jobs):
    jobs.create(PARENT, job())
    jobs.pause(NAME)
    jobs.run(NAME)
    assert names(jobs) == [NAME]
    jobs.attempted(NAME, failed=False)
    assert jobs.due() == ([], 60.0)


def test_a_paused_job_is_never_due_and_a_resumed_one_at_its_next_time(jobs, clock):
    jobs.create(PARENT, job())
    jobs.pause(NAME)
    clock.now += timedelta(hours=1)
    assert names(jobs) == []
    jobs.resume(NAME)
    assert jobs.due() == ([], 55.0)


def test_a_restart_keeps_jobs_and_states_and_publishes_once_what_it_missed(jobs, clock, tmp_path):
    jobs.create(PARENT, job())
    jobs.create(PARENT, job(name="quiet"))
    jobs.pause(f"{PARENT}/jobs/berth-quiet")
    clock.now += timedelta(hours=3)
    again = Jobs(tmp_path / "jobs.json", clock)
    assert again.page(PARENT, 9, "") == jobs.page(PARENT, 9, "")
    assert names(again) == [NAME]
    again.attempted(NAME, failed=False)
    assert names(again) == []


def test_a_failed_attempt_is_repeated_after_growing_pauses_and_then_given_up(jobs, clock):
    jobs.create(PARENT, job(schedule="0 0 * * *", retries=2))
    jobs.run(NAME)
    for pause in (5, 10):
        assert names(jobs) == [NAME]
        jobs.attempted(NAME, failed=True)
        assert jobs.due() == ([], pause)
        clock.now += timedelta(seconds=pause)
    jobs.attempted(NAME, failed=True)
    assert jobs.get(NAME).schedule_time == datetime(2026, 1, 2, tzinfo=UTC)
    jobs.run(NAME)
    jobs.attempted(NAME, failed=True)
    assert jobs.due() == ([], 5)


def test_a_job_deleted_while_it_is_published_stays_deleted(jobs):
    jobs.create(PARENT, job())
    jobs.delete(NAME)
    jobs.attempted(NAME, failed=True)
    assert jobs.page(PARENT, 9, "") == ([], "")


def test_every_change_wakes_who_waits(jobs):
    for change in (
        lambda: jobs.create(PARENT, job()),
        lambda: jobs.pause(NAME),
        lambda: jobs.resume(NAME),
        lambda: jobs.run(NAME),
        lambda: jobs.delete(NAME),
    ):
        jobs.changed.clear()
        change()
        assert jobs.changed.is_set()
