"""The life of scheduled jobs, through the real client: by Cloud Scheduler's rules, on the local one."""

import pytest
from google.api_core import exceptions
from google.cloud.scheduler_v1 import Job, PubsubTarget, RetryConfig

from infra import schedules
from infra.local import ports, scheduler
from infra.local.jobs import Jobs
from infra.schedules import Schedule

PROJECT, LOCATION = "p", "europe-west1"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
TICK = Schedule(name="tick", schedule="* * * * *", topic="fleet-ticks")
SWEEP = Schedule(
    name="sweep", schedule="7 * * * *", topic="fleet-ticks", data={"sweep": True}, retries=3
)


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path / "jobs.json")


@pytest.fixture
def client(jobs):
    (port,) = ports.free(1)
    server = scheduler.server(jobs, port)
    server.start()
    with schedules.connect(f"127.0.0.1:{port}") as made:
        yield made
    server.stop(grace=None).wait()


def bring(client, *wanted, dry_run=False):
    done = schedules.apply_all(client, PROJECT, LOCATION, dry_run, wanted)
    return [f"{verb} {schedules.short(job)}" for verb, job in done]


def states(client):
    return {schedules.short(job): job.state.name for job in client.list_jobs(parent=PARENT)}


def changed(row, **facts):
    return row.model_copy(update=facts)


def test_the_files_schedules_are_made_once(client):
    done = schedules.apply_all(client, PROJECT, LOCATION)
    assert [verb for verb, _ in done] == ["create"] * len(schedules.read())
    assert schedules.apply_all(client, PROJECT, LOCATION) == []
    made = client.get_job(name=f"{PARENT}/jobs/berth-sweep")
    assert made.pubsub_target.topic_name == f"projects/{PROJECT}/topics/fleet-ticks"
    assert made.pubsub_target.data == b'{"sweep": true}'
    assert (made.schedule, made.time_zone) == ("7 * * * *", "Etc/UTC")
    assert made.retry_config.retry_count == 3
    assert made.state == Job.State.ENABLED


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"schedule": "*/5 * * * *"}, lambda job: job.schedule == "*/5 * * * *"),
        ({"time_zone": "Europe/Berlin"}, lambda job: job.time_zone == "Europe/Berlin"),
        ({"data": {"a": 1}}, lambda job: job.pubsub_target.data == b'{"a": 1}'),
        ({"topic": "others"}, lambda job: job.pubsub_target.topic_name.endswith("/others")),
        ({"description": "why"}, lambda job: job.description == "why"),
        ({"retries": 2}, lambda job: job.retry_config.retry_count == 2),
    ],
)
def test_what_changed_is_updated_and_nothing_else(client, change, seen):
    bring(client, changed(TICK, description="what"), SWEEP)
    before = client.get_job(name=f"{PARENT}/jobs/berth-sweep")
    wanted = changed(TICK, **{"description": "what", **change})
    assert bring(client, wanted, SWEEP) == ["update berth-tick"]
    assert bring(client, wanted, SWEEP) == []
    assert seen(client.get_job(name=f"{PARENT}/jobs/berth-tick"))
    assert client.get_job(name=f"{PARENT}/jobs/berth-sweep") == before


def test_what_is_paused_is_silent_until_it_is_resumed(client, jobs):
    bring(client, TICK)
    assert bring(client, changed(TICK, paused=True)) == ["pause berth-tick"]
    assert bring(client, changed(TICK, paused=True)) == []
    assert states(client) == {"berth-tick": "PAUSED"}
    later = changed(TICK, paused=True, schedule="0 * * * *")
    assert bring(client, later) == ["update berth-tick"]
    assert states(client) == {"berth-tick": "PAUSED"}
    assert jobs.due() == ([], 60.0)
    assert bring(client, TICK) == ["update berth-tick", "resume berth-tick"]
    assert states(client) == {"berth-tick": "ENABLED"}


def test_what_is_not_listed_goes_and_what_is_not_ours_stays(client):
    target = PubsubTarget(topic_name="projects/p/topics/theirs", data=b"x")
    theirs = Job(name=f"{PARENT}/jobs/theirs", schedule="0 0 * * *", pubsub_target=target)
    client.create_job(parent=PARENT, job=theirs)
    bring(client, TICK, SWEEP)
    assert bring(client, TICK) == ["delete berth-sweep"]
    assert states(client) == {"berth-tick": "ENABLED", "theirs": "ENABLED"}
    assert bring(client) == ["delete berth-tick"]
    assert states(client) == {"theirs": "ENABLED"}


def test_a_dry_run_tells_and_writes_nothing(client):
    bring(client, TICK, SWEEP)
    before = list(client.list_jobs(parent=PARENT))
    wanted = (changed(TICK, schedule="0 * * * *", paused=True), changed(SWEEP, name="other"))
    told = bring(client, *wanted, dry_run=True)
    assert told == [
        "update berth-tick",
        "pause berth-tick",
        "create berth-other",
        "delete berth-sweep",
    ]
    assert list(client.list_jobs(parent=PARENT)) == before
    assert bring(client, *wanted) == told


@pytest.mark.parametrize("broken", ["create_job", "update_job", "pause_job", "delete_job"])
def test_a_half_finished_apply_is_finished_by_the_next(client, monkeypatch, broken):
    bring(client, TICK, SWEEP)
    wanted = (changed(TICK, schedule="0 * * * *", paused=True), changed(SWEEP, name="other"))
    with monkeypatch.context() as patch:
        patch.setattr(type(client), broken, refusing(exceptions.PermissionDenied("not you")))
        with pytest.raises(schedules.ScheduleError, match=r"not you: .*cloudscheduler\.admin"):
            bring(client, *wanted)
    left = bring(client, *wanted)
    assert 0 < len(left) <= 4
    assert left[0].startswith(broken.removesuffix("_job"))
    assert bring(client, *wanted) == []
    assert states(client) == {"berth-tick": "PAUSED", "berth-other": "ENABLED"}


def refusing(error):
    def call(*_, **__):
        raise error

    return call


def test_nobody_listening_is_said_with_what_to_do(monkeypatch):
    (port,) = ports.free(1)
    monkeypatch.setattr(schedules, "RETRY", schedules.RETRY.with_timeout(0.3))
    with (
        schedules.connect(f"127.0.0.1:{port}") as client,
        pytest.raises(schedules.ScheduleError, match=r"list the jobs: .*run this again"),
    ):
        bring(client, TICK)


def test_many_jobs_come_in_pages(client):
    for number in range(7):
        client.create_job(parent=PARENT, job=job(name=f"{PARENT}/jobs/j{number}"))
    client.create_job(parent=f"{PARENT}b", job=job(name=f"{PARENT}b/jobs/j8"))
    found = client.list_jobs(request={"parent": PARENT, "page_size": 3})
    pages = [[schedules.short(one) for one in page.jobs] for page in found.pages]
    assert pages == [["j0", "j1", "j2"], ["j3", "j4", "j5"], ["j6"]]


def job(**facts):
    target = PubsubTarget(topic_name="projects/p/topics/things", data=b"x")
    whole = {"name": f"{PARENT}/jobs/j", "schedule": "* * * * *", "pubsub_target": target}
    return Job(**whole | facts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "j"},
        {"name": f"{PARENT}/jobs/a b"},
        {"name": f"{PARENT}/jobs/{'x' * 501}"},
        {"name": "projects/other/locations/l/jobs/j"},
        {"schedule": ""},
        {"schedule": "often"},
        {"schedule": "0 0 * * * *"},
        {"time_zone": "Mars/Olympus"},
        {"description": "x" * 501},
        {"pubsub_target": None},
        {"pubsub_target": PubsubTarget(topic_name="things", data=b"x")},
        {"pubsub_target": PubsubTarget(topic_name="projects/p/topics/things")},
        {"retry_config": RetryConfig(retry_count=6)},
    ],
)
def test_what_cloud_scheduler_refuses_is_refused(client, wrong):
    with pytest.raises(exceptions.InvalidArgument):
        client.create_job(parent=PARENT, job=job(**wrong))
    assert list(client.list_jobs(parent=PARENT)) == []


def test_what_is_not_there_or_there_already_or_in_another_state(client):
    for call in (client.get_job, client.pause_job, client.resume_job, client.delete_job):
        with pytest.raises(exceptions.NotFound):
            call(name=f"{PARENT}/jobs/j")
    with pytest.raises(exceptions.NotFound):
        client.update_job(job=job())
    client.create_job(parent=PARENT, job=job())
    with pytest.raises(exceptions.AlreadyExists):
        client.create_job(parent=PARENT, job=job())
    with pytest.raises(exceptions.FailedPrecondition):
        client.resume_job(name=job().name)
    client.pause_job(name=job().name)
    with pytest.raises(exceptions.FailedPrecondition):
        client.pause_job(name=job().name)
    with pytest.raises(exceptions.InvalidArgument):
        client.update_job(job=job(schedule="never"))
    assert client.get_job(name=job().name).schedule == "* * * * *"
    with pytest.raises(exceptions.InvalidArgument):
        client.list_jobs(parent="projects/p")
