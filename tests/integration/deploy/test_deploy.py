"""`make deploy` and `make plan`, with real tofu and an offline provider against stand-ins of the cloud."""

import json
import os
import signal
import time

from infra.deploy.steps import STEPS
from tests.support.deployment import Deployment

NAMES = [one.name for one in STEPS]


def test_the_whole_story(world):
    fresh(world)
    again(world)
    plan_finds_what_changed(world)
    destroyed_and_deployed_again(world)


def fresh(world):
    planned = world.run("plan")
    assert planned.status == 0, planned.error
    assert "make gs://" in planned.out
    assert "create google_container_cluster.berth" in planned.out
    assert "create berth-tick" in planned.out
    assert world.nothing_was_made()
    done = world.run()
    assert done.status == 0, done.error
    assert list(done.did()) == NAMES
    # The plan has built the bundles.
    assert [name for name, did in done.did().items() if did == "unchanged"] == ["bundles"]
    state = world.end_state()
    closed = {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"}
    assert state["buckets"][f"{world.project}-berth-state"] == ({"enabled": True}, closed)
    assert world.names("state") == ["berth/default.tfstate"]
    assert len(state["subscriptions"]) == len(state["grants"]) == 5
    assert "templates/starter/1/saved_model.pb" in state["templates"]
    assert len(state["jobs"]) == 2
    binding = state["objects"][
        "rbac.authorization.k8s.io.v1.RoleBinding.berth.berth-reconcile-shard"
    ]
    (user,) = binding["subjects"]
    assert user["name"] == f"berth-reconcile-shard@{world.project}.iam.gserviceaccount.com"


def again(world):
    """Nothing changed: nothing is written anywhere."""
    world.calls(), world.apis.calls.clear(), world.http.writes.clear()
    state = world.end_state()
    world.apis.calls.clear()
    done = world.run()
    assert done.status == 0, done.error
    assert done.did() == dict.fromkeys(NAMES, "unchanged")
    assert world.apis.writes() == []
    # The state's lock, taken and let go; nothing else.
    assert {
        one.split("name=")[-1].split("&")[0] for one in world.http.writes if "upload" in one
    } == {"berth%2Fdefault.tflock"}
    assert [one for one in world.http.writes if "default.tflock" not in one] == []
    writes = ("tofu apply", "kubectl apply", "gcloud builds")
    assert [one for one in world.calls() if one.startswith(writes)] == []
    assert world.end_state() == state


def plan_finds_what_changed(world):
    held = world.objects()
    held["v1.ConfigMap.berth.tensorflow-serving"]["data"] = {}
    (world.cloud / "cluster.json").write_text(json.dumps(held))
    world.apis.jobs.popitem()
    world.edit("shared/berth/ports.py", '"""', '"""Another release. ')
    writes, jobs = world.apis.writes(), dict(world.apis.jobs)
    planned = world.run("plan")
    assert planned.status == 0, planned.error
    assert "apply v1.ConfigMap.berth.tensorflow-serving" in planned.out
    assert "create berth-sweep" in planned.out
    assert 'update google_cloudfunctions2_function.triggered["on_upload"]' in planned.out
    assert (world.objects(), world.apis.jobs, world.apis.writes()) == (held, jobs, writes)
    done = world.run()
    assert done.status == 0, done.error
    assert {name for name, did in done.did().items() if did == "unchanged"} == {
        "state bucket",
        "bundles",  # the plan has built them
        "serving image",
        "subscriptions",
        "starter template",
    }


def destroyed_and_deployed_again(world):
    refused = world.run("destroy", given="another-name\n")
    assert refused.status == 1
    assert "nothing was destroyed" in refused.error
    assert len(world.apis.jobs) == 2
    before = world.names("models")
    assert world.names("bundles") == ["berth/router/1.tgz", "berth/tfserving/1.tgz"]
    done = world.run("destroy", given=f"{world.project}\n")
    assert done.status == 0, done.error
    assert world.apis.jobs == {}
    assert world.apis.triggers == []
    assert world.names("bundles") == []  # or Google would keep the bucket
    kept = world.run("destroy", "--yes")
    assert kept.did() == {"schedules": "unchanged", "infrastructure": "unchanged"}
    for role in ("uploads", "models", "control", "state"):
        assert f"gcloud storage rm --recursive gs://{world.project}-berth-{role}" in done.out
    assert world.names("models") == before
    back = world.run()
    assert back.status == 0, back.error
    assert back.did()["starter template"] == "unchanged"
    assert "to create" in back.did()["infrastructure"]
    assert len(world.apis.triggers) == 5


def test_interrupted_after_every_step_it_is_finished_by_running_again(
    world, tmp_path, pubsub, storage
):
    for number, name in enumerate(NAMES):
        stopped = world.run(STOP_AFTER=name)
        assert stopped.status == 130, stopped.error
        assert "run the same command again" in stopped.error
        assert list(stopped.did().values()) == ["unchanged"] * number
    done = world.run()
    assert done.did() == dict.fromkeys(NAMES, "unchanged")
    straight = Deployment(tmp_path / "straight", pubsub, storage)
    try:
        assert straight.run().status == 0
        assert neutral(straight) == neutral(world)
    finally:
        straight.close()


def neutral(world):
    return json.dumps(world.end_state(), sort_keys=True).replace(world.project, "PROJECT")


def test_an_interrupt_in_the_middle_of_terraform_leaves_no_lock_and_loses_nothing(world):
    (world.cloud / "slow-apply").touch()
    began = world.popen()
    log = world.checkout / "build" / "deploy" / world.project / "log"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_text().count("Creation complete") > 20):
        assert began.poll() is None, began.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(began.pid, signal.SIGINT)
    _, error = began.communicate(timeout=100)
    assert began.returncode == 130, error
    assert "run the same command again" in error
    assert world.names("state") == ["berth/default.tfstate"]
    kept = world.resources()
    done = world.run()
    assert done.status == 0, done.error
    left = int(done.did()["infrastructure"].split()[1])
    assert kept > 20
    assert left == world.resources() - kept > 0
    assert world.run().did() == dict.fromkeys(NAMES, "unchanged")


def test_a_step_that_fails_says_which_why_and_what_to_do(world):
    (world.bin / "kubectl").write_text(
        (world.bin / "kubectl")
        .read_text()
        .replace(
            "runpy.run_path",
            "import os, sys\nif sys.argv[1] == 'get': sys.exit('Unable to connect to the server: EOF')\nrunpy.run_path",
        )
    )
    done = world.run()
    assert done.status == 1
    assert "step 'manifests' failed: kubectl get namespace berth ended with 1" in done.error
    assert "Unable to connect to the server: EOF" in done.error
    assert "run the same command again" in done.error
    assert "schedules" not in done.did()


def test_protection_is_honoured_and_explained(world):
    world.edit(
        "infra/terraform/env/dev.tfvars",
        "deletion_protection = false",
        "deletion_protection = true",
    )
    assert world.run().status == 0
    jobs = dict(world.apis.jobs)
    refused = world.run("destroy", "--yes")
    assert refused.status == 1
    assert "google_container_cluster.berth: protected against deletion" in refused.error
    assert "deletion_protection = false in infra/terraform/env/dev.tfvars" in refused.error
    assert world.apis.jobs == jobs
