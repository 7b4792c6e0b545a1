"""Rollouts over a whole world: replicas that are silent, slow, replaced or poisoned."""

import pytest

from berth.domain import serving_config
from berth.domain.observation import VersionStatus
from tests.unit.berth.app import worlds

DIGITS = "/models/acme/digits"


def announced(world, servable="acme.digits"):
    record = world.shard_status().models.get(servable)
    return record.announced if record else ()


def configs(world):
    control = world.buckets.objects["control"]
    texts = [
        control[f"shards/shard-0/{kind}/models.config"].data.decode() for kind in ("boot", "live")
    ]
    return [serving_config.parse(text) for text in texts]


def test_what_is_announced_is_in_both_configs_at_every_write():
    world = worlds.serving()
    kept = []

    def check(kind, name):
        if kind != "put" or not world.read(
            "shards/shard-0/status.json", type(world.shard_status())
        ):
            return
        boot, live = configs(world)
        for servable, record in world.shard_status().models.items():
            for config in (boot, live):
                entry = config.get(servable)
                assert entry is not None, f"{servable} left a config while it is announced"
                assert set(record.announced) <= set(entry.versions)
                kept.append(servable)

    world.control.before = check
    world.upload("acme/digits/2")
    world.run()
    world.put("acme/digits/serving.yaml", b"keep: 2")
    world.run()
    world.put("acme/digits/serving.yaml", b"pin: 1")
    world.run()
    world.control.before = None
    world.settle()
    assert kept
    assert world.loaded("shard-0", "acme.digits") == {1}
    boot, live = configs(world)
    assert boot == live
    assert boot["acme.digits"].versions == (1,)


def test_a_silent_replica_stops_rollouts_and_takes_nothing_away():
    world = worlds.serving()
    silent = world.workloads.pods("shard-0")[0].address
    world.servers.unreachable.add(silent)
    world.upload("acme/digits/2")
    world.deliver(world.run_until("shards"))
    assert announced(world) == (1,)
    assert world.loaded_on(world.workloads.pods("shard-0")[1], "acme.digits") >= {1}
    world.servers.unreachable.clear()
    world.settle()
    assert announced(world) == (2,)


def test_a_replica_that_never_takes_its_config_is_replaced_not_the_shard():
    world = worlds.serving()
    first, second = world.workloads.pods("shard-0")
    world.servers.unreachable.add(first.address)
    world.upload("acme/digits/2")
    for _ in range(30):
        world.fleet_tick()
        world.tick(3)
        world.clock.advance(20)
    names = {pod.uid for pod in world.workloads.pods("shard-0")}
    assert first.uid not in names
    assert second.uid in names
    world.settle()
    assert announced(world) == (2,)


def test_passes_over_a_refusing_replica_do_not_spin():
    world = worlds.serving()
    world.servers.unreachable.add(world.workloads.pods("shard-0")[0].address)
    world.upload("acme/digits/2")
    due = world.run_until("shards")
    reads = world.control.reads
    started = world.clock.now()
    world.deliver(due)
    seconds = (world.clock.now() - started).total_seconds()
    assert world.control.reads - reads < 20 * (seconds + 2)


@pytest.mark.parametrize(("code", "attempts"), [(3, 1), (13, 3), (2, 3)])
def test_a_version_that_ends_in_error_is_quarantined_and_what_served_goes_on(code, attempts):
    world = worlds.serving()
    world.mount.broken[DIGITS, 2] = VersionStatus("END", code, "it does not load")
    world.upload("acme/digits/2")
    world.settle(rounds=80)
    assert world.loaded("shard-0", "acme.digits") == {1}
    assert announced(world) == (1,)
    held = world.shard_status().models["acme.digits"].quarantined[2]
    assert (held.attempts, held.active) == (attempts, True)
    assert (
        world.said("model.quarantined").count(("model.quarantined", "acme.digits", 2)) == attempts
    )
    boot, live = configs(world)
    assert boot["acme.digits"].versions == live["acme.digits"].versions == (1,)
    world.upload("acme/digits/3")
    world.settle()
    assert announced(world) == (3,)


def test_a_version_that_hiccuped_once_serves_after_all():
    world = worlds.serving()
    world.mount.broken[DIGITS, 2] = VersionStatus("END", 14, "storage hiccup")
    world.upload("acme/digits/2")

    def heal(seconds):
        if ("model.quarantined", "acme.digits", 2) in world.said():
            world.mount.broken.clear()

    world.clock.on_sleep.append(heal)
    world.settle(rounds=80)
    assert announced(world) == (2,)
    assert world.said("model.quarantined") == [("model.quarantined", "acme.digits", 2)]


def test_a_first_version_that_ends_in_error_is_quarantined_alone():
    world = worlds.signed_up()
    world.mount.broken[DIGITS, 1] = VersionStatus("END", 3, "it does not load")
    world.upload("acme/digits/1")
    world.settle()
    assert world.status.model("acme.digits")["state"] == "QUARANTINED"
    assert world.loaded("shard-0", "acme.starter") == {1}
    boot, live = configs(world)
    assert "acme.digits" not in boot
    assert "acme.digits" not in live


def test_one_poisoned_replica_quarantines_the_version_everywhere():
    world = worlds.serving()
    address = world.workloads.pods("shard-0")[1].address
    world.servers.break_on(address, DIGITS, 2, "bad node")
    world.policy(evidence_per_day=0)  # a restart of that replica would help
    world.upload("acme/digits/2")
    world.settle(rounds=80)
    assert announced(world) == (1,)
    assert world.loaded("shard-0", "acme.digits") == {1}


def test_a_restarted_container_is_told_again():
    world = worlds.serving()
    pod = world.workloads.pods("shard-0")[0]
    world.workloads.restart(pod.name)
    world.settle()
    keys = {p.key for p in world.workloads.pods("shard-0")}
    assert f"{pod.uid}/1" in keys
    assert world.loaded("shard-0", "acme.digits") == {1}
    world.upload("acme/digits/2")
    world.settle()
    assert world.loaded("shard-0", "acme.digits") == {2}


def test_no_replica_at_all_concludes_nothing():
    world = worlds.serving()
    for pod in world.workloads.pods("shard-0"):
        world.workloads.set_ready(pod.name, False)
    said = world.said()
    world.upload("acme/digits/2")
    world.run()
    world.customer("deleted", "acme", at=1, model="starter")
    world.run()
    told = {kind for kind, _, _ in world.said()[len(said) :]}
    assert not told & {"model.serving", "model.quarantined"}
    for pod in world.workloads.pods("shard-0"):
        world.workloads.set_ready(pod.name, None)
    world.settle()
    assert announced(world) == (2,)
    assert world.loaded("shard-0", "acme.starter") == set()
