"""Any story of uploads, pins, deaths and silences: the laws hold at every call, and it ends in peace."""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from berth.domain import serving_config
from berth.domain.documents import Projection
from berth.domain.observation import VersionStatus
from tests.unit.berth.app import worlds

PLACE = "/models/acme/digits"
NUMBERS = st.integers(1, 4)
STEPS = st.one_of(
    st.tuples(st.just("upload"), NUMBERS),
    st.tuples(st.just("broken"), NUMBERS),
    st.tuples(st.just("hiccup"), NUMBERS),
    st.tuples(st.just("pin"), NUMBERS),
    st.tuples(st.just("keep"), st.integers(1, 3)),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("kill"), st.integers(0, 1)),
    st.tuples(st.just("restart"), st.integers(0, 1)),
    st.tuples(st.just("silence"), st.integers(0, 1)),
    st.tuples(st.just("crash"), st.integers(1, 60)),
    st.tuples(st.just("tick"), st.integers(1, 3)),
    st.tuples(st.just("time"), st.integers(1, 300)),
)


@dataclass
class Laws:
    """Looks at the world before every call of the control plane."""

    world: object
    boot: dict = field(default_factory=dict)
    seen: int = 0

    def check(self, kind, name):
        control = self.world.buckets.objects["control"]
        generation = max(stored.stat.generation for stored in control.values())
        if generation == self.seen:
            return
        self.seen = generation
        boot, live = (
            serving_config.parse(control[f"shards/shard-0/{which}/models.config"].data.decode())
            for which in ("boot", "live")
        )
        for servable, record in self.world.shard_status().models.items():
            projected = control.get(f"shards/shard-0/models/{servable}")
            if projected is None or Projection.from_metadata(projected.stat.metadata).retired:
                continue
            for config in (boot, live):
                named = config[servable].versions if servable in config else ()
                assert set(record.announced) <= set(named), (
                    f"{servable}: {record.announced}, {named}"
                )
        if boot != self.boot:
            self._new(boot)

    def _new(self, boot):
        """What enters the boot config is AVAILABLE on every replica that serves."""
        for servable, entry in boot.items():
            before = self.boot[servable].versions if servable in self.boot else ()
            for pod in self.world.workloads._pods_of("shard-0"):
                if pod.serving and self.boot and pod.address not in self.world.servers.unreachable:
                    server = self.world.servers._servers[pod.address]
                    said = {n: s.state for n, s in server.statuses(servable).items()}
                    for number in set(entry.versions) - set(before):
                        assert said.get(number) == "AVAILABLE", f"{servable}/{number}: {said}"
        self.boot = boot


def take(world, step, number):
    """Let one thing happen."""
    if step in ("kill", "restart", "silence"):
        pods = [p for p in world.workloads.pods("shard-0") if not p.terminating and p.started_at]
        for pod in pods[number : number + 1]:
            _harm(world, step, pod)
    elif step in ("broken", "hiccup", "upload"):
        _upload(world, step, number)
    elif step in ("pin", "keep"):
        world.put("acme/digits/serving.yaml", b"%s: %d" % (step.encode(), number))
    elif step == "delete":
        world.customer("deleted", "acme", at=1, model="digits", version=number)
    elif step == "tick":
        world.tick(number)
    else:
        world.clock.advance(number)


def _harm(world, step, pod):
    if step == "kill":
        world.workloads.kill(pod.name)
    elif step == "restart":
        world.workloads.restart(pod.name)
    else:
        world.servers.unreachable ^= {pod.address}


def _upload(world, step, number):
    if step != "upload" and (PLACE, number) not in serving(world):
        code = 3 if step == "broken" else 14
        world.mount.broken[PLACE, number] = VersionStatus("END", code, "it does not load")
    world.upload(f"acme/digits/{number}")


def serving(world):
    return {
        (PLACE, n)
        for n in (1, 2, 3, 4)
        if f"acme/digits/{n}/saved_model.pb" in world.buckets.objects["models"]
    }


def tell(story):
    world = worlds.signed_up()
    laws = Laws(world)
    world.fail(laws.check)
    world.revive = lambda: world.fail(laws.check)
    for step, number in story:
        if step == "crash":
            _crash(world, laws, number)
        else:
            take(world, step, number)
        if world.queue:
            world.deliver(world.queue.popleft())
            world._collect()
    world.servers.unreachable.clear()
    world.run()
    world.settle(rounds=120)
    return world


def _crash(world, laws, number):
    """Let the next delivery die at a call."""
    world.crash_at(number)
    if world.queue:
        world.deliver(world.queue.popleft())
    world.fail(laws.check)


@settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.lists(STEPS, max_size=12))
def test_any_story_ends_in_peace(story):
    world = tell(story)
    before = world.mutations
    world.fleet_tick()
    assert world.mutations == before, "a second look after convergence writes nothing"
    record = world.shard_status().models.get("acme.digits")
    if record and record.state == "SERVING":
        assert world.loaded("shard-0", "acme.digits") == set(record.announced)
    assert world.loaded("shard-0", "acme.starter") == {1}
