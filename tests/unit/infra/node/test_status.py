"""A pod's status as a kubelet reports it."""

import pytest

from infra.local.node import status

RUNNING = status.running("2026-01-01T00:00:00Z")
TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z")


def ended(code):
    return status.terminated(code, status.reason(code, False), TIMES, "berth://1")


def seen(state, **more):
    return status.Observed("c", "image:1", state, **more)


@pytest.mark.parametrize(
    ("containers", "policy", "phase"),
    [
        ([seen(status.waiting("ContainerCreating"))], "Always", "Pending"),
        ([seen(RUNNING)], "Always", "Running"),
        ([seen(RUNNING), seen(status.waiting("ErrImagePull"))], "Always", "Pending"),
        ([seen(status.waiting("CrashLoopBackOff"), last_state=ended(1))], "Always", "Running"),
        ([seen(ended(0))], "Always", "Running"),
        ([seen(ended(0))], "Never", "Succeeded"),
        ([seen(ended(0)), seen(ended(3))], "Never", "Failed"),
        ([seen(ended(3))], "OnFailure", "Running"),
    ],
)
def test_phase(containers, policy, phase):
    assert status.phase(containers, policy) == phase


def kinds(conditions):
    return {each["type"]: (each["status"], each["lastTransitionTime"]) for each in conditions}


def test_a_condition_keeps_its_time_until_it_changes():
    first = status.conditions([seen(RUNNING)], [], "t1")
    assert kinds(first)["Ready"] == ("False", "t1")
    assert first[2]["message"] == "containers with unready status: [c]"
    same = status.conditions([seen(RUNNING)], first, "t2")
    assert same == first
    ready = kinds(status.conditions([seen(RUNNING, ready=True)], same, "t3"))
    assert ready["Ready"] == ready["ContainersReady"] == ("True", "t3")
    assert ready["Initialized"] == ("True", "t1")


def test_a_condition_that_holds_clears_its_reason():
    ready = status.conditions([seen(RUNNING, ready=True)], [], "t")
    assert {(each["reason"], each["message"]) for each in ready} == {(None, None)}


def test_the_whole_status():
    container = seen(RUNNING, ready=True, started=True, restarts=2, identity="berth://2")
    told = status.pod_status(
        [container], policy="Always", address="127.20.0.9", started="t0", conditions=[]
    )
    assert told == {
        "phase": "Running",
        "conditions": [],
        "containerStatuses": [
            {
                "name": "c",
                "image": "image:1",
                "imageID": "local://image:1",
                "state": RUNNING,
                "lastState": {},
                "restartCount": 2,
                "started": True,
                "ready": True,
                "containerID": "berth://2",
            }
        ],
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": "127.20.0.9",
        "podIPs": [{"ip": "127.20.0.9"}],
        "startTime": "t0",
    }


@pytest.mark.parametrize(("returned", "code"), [(0, 0), (255, 255), (-9, 137), (-15, 143)])
def test_death_by_signal_is_128_and_its_number(returned, code):
    assert status.exit_code(returned) == code


@pytest.mark.parametrize(
    ("code", "oom", "reason"),
    [(0, False, "Completed"), (1, False, "Error"), (137, True, "OOMKilled"), (137, False, "Error")],
)
def test_reason(code, oom, reason):
    assert status.reason(code, oom) == reason


def test_a_container_an_earlier_agent_left_running_is_lost_not_forgotten():
    told = {"name": "c", "restartCount": 3, "containerID": "berth://1", "state": RUNNING}
    found = status.before(
        {"status": {"containerStatuses": [told]}}, {"name": "c", "image": "i"}, "t"
    )
    ended = found.last_state["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown")
    assert (found.restarts, found.identity) == (3, "berth://1")
    assert status.before({}, {"name": "c", "image": "i"}, "t").last_state == {}
