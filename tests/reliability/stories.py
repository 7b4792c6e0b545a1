"""The stories whose every call is made to fail: what the outside does to a settled fleet."""

import functools
from datetime import timedelta

from berth.adapters.memory_server import SEGFAULT
from berth.adapters.memory_servers import Killer
from berth.domain.documents import Shard
from berth.domain.ledger import Ledger, Reservation
from berth.domain.observation import VersionStatus
from tests.reliability.fleet import Fleet, Story
from tests.support.world import FILES, MIB, SHARD_FILE

DIGITS = "acme/digits"
PLACE = "/models/acme/digits"


@functools.cache
def _made(steps, shape):
    fleet = Fleet(**dict(shape))
    return fleet.tell(Story("before", lambda: fleet, steps))


def after(*steps, **shape):
    """Return a maker of fleets in which these steps were taken, and all is settled."""

    def start() -> Fleet:
        fleet = _made(steps, tuple(sorted(shape.items()))).copy()
        fleet.begin()
        return fleet

    return start


def tick(fleet):
    fleet.send_tick()


def sign_up(fleet):
    fleet.say("signed_up", plan="standard")


def sign_up_free(fleet):
    fleet.say("signed_up", plan="free")


def close(fleet):
    fleet.say("closed")


def plan_changed(fleet):
    fleet.say("plan_changed", plan="enterprise")


def new_keys(fleet, numbers=()):
    fleet.say("keys_changed", keys=[f"{number:064x}" for number in numbers])


def forget_model(fleet):
    fleet.say("model.deleted", model="digits")


def forget(fleet, number):
    fleet.say("model.deleted", model="digits", version=number)


def forget_first(fleet):
    fleet.say("model.deleted", model="first")


forget_two = functools.partial(forget, number=2)


def upload(number, model="digits"):
    return functools.partial(_upload, version=f"acme/{model}/{number}")


def _upload(fleet, version):
    fleet.upload_now(version)


def bad(fleet, model="digits"):
    fleet.upload_now(f"acme/{model}/1", files={**FILES, "saved_model.pb": b"bad graph"})


def one_file_missing(fleet):
    fleet.upload_now(f"{DIGITS}/1", files={n: d for n, d in FILES.items() if n != SHARD_FILE})


def the_missing_file(fleet):
    fleet.upload_now(f"{DIGITS}/1", files={SHARD_FILE: FILES[SHARD_FILE]})


def keep_two(fleet):
    fleet.put(f"{DIGITS}/serving.yaml", b"keep: 2\n")


def pin_one(fleet):
    fleet.put(f"{DIGITS}/serving.yaml", b"pin: 1\n")


def canary_two(fleet):
    wishes = b"canary: {version: 2, percent: 10}\nlabels: {stable: 1}\n"
    fleet.put(f"{DIGITS}/serving.yaml", wishes)


def two_at_once(fleet):
    fleet.upload_now("acme/first/1")
    fleet.upload_now("acme/second/1")


def a_dead_judge(fleet):
    """Somebody died with a place in his hands: it ends by itself."""
    until = fleet.clock.now() + timedelta(seconds=100)
    lost = Reservation(model="lost", number=1, bytes=1, holder="a dead judge", until=until)
    ledger = Ledger(reservations={"lost/1": lost})
    fleet.control.put("ledgers/acme.json", ledger.encode(), if_generation=None)


def broken_two(fleet):
    fleet.mount.broken[PLACE, 2] = VersionStatus("END", 3, "it does not load here")
    fleet.upload_now(f"{DIGITS}/2")


def killing_two(fleet):
    fleet.servers.killers[PLACE, 2] = Killer(SEGFAULT)
    fleet.upload_now(f"{DIGITS}/2")


def restart_all(fleet):
    fleet.pass_time(120)
    fleet.policy(restart_before=fleet.clock.now().isoformat(timespec="seconds"))
    fleet.send_tick()


def in_a_minute(fleet):
    """What is given up is kept for a minute, closed accounts too."""
    fleet.policy(grace_seconds=60, garbage_seconds=60)


def in_a_week(fleet):
    """What is deleted is kept for a minute, closed accounts for a week."""
    fleet.policy(garbage_seconds=60)


def orphan(fleet):
    """Bytes that no document speaks of."""
    for name, data in FILES.items():
        fleet.models.put(f"acme/lost/7/{name}", data, if_generation=None)


def bloated(fleet):
    for pod in fleet.workloads.pods("shard-0"):
        fleet.workloads.figures.hold(pod.key, 1500 * MIB)


def other(fleet, servable):
    """The shard that a model is not on, of two."""
    return "shard-1" if fleet.model(servable).shard == "shard-0" else "shard-0"


def wanted_elsewhere(fleet):
    """An operator wants a model on the other shard."""
    fleet.policy(moves={"wanted": {"acme.digits": other(fleet, "acme.digits")}})
    fleet.send_tick()


def wanted_where_it_breaks(fleet):
    """A model that serves is wanted on a shard where it does not load any more."""
    fleet.mount.broken[PLACE, 1] = VersionStatus("END", 3, "it does not load here")
    wanted_elsewhere(fleet)


def drain(fleet):
    """The shard of a model is to be freed."""
    shard = fleet.model("acme.digits").shard
    shape = fleet.read(f"shards/{shard}/shard.json", Shard)
    data = shape.model_copy(update={"state": "draining"}).encode()
    fleet.control.put(f"shards/{shard}/shard.json", data, if_generation=None)
    fleet.send_tick()


def fewer_shards(fleet):
    """One shard is enough now."""
    fleet.policy(common={"min_shards": 1})


def with_a_pool(fleet):
    fleet.policy(pools={"gold": {}})
    fleet.pass_time(60)


def into_the_pool(fleet):
    fleet.say("plan_changed", plan="standard", pool="gold")


def a_minute(fleet):
    fleet.pass_time(60)


EMPTY = after()
CUSTOMER = after(sign_up)
SERVING = after(sign_up, upload(1))
FULL = after(sign_up_free, upload(1, "first"), upload(1, "second"))
PAIR = after(sign_up, upload(1), upload(1, "second"), shards=2)
TWO = after(sign_up, upload(1), upload(2))

STORIES = (
    Story("the first tick makes shards", lambda: Fleet(shards=2), (tick,)),
    Story("a sign-up with its starter model", EMPTY, (sign_up,)),
    Story("an upload before its sign-up", EMPTY, (upload(1), sign_up)),
    Story("an upload, served", CUSTOMER, (upload(1),)),
    Story("a second version", SERVING, (upload(2),)),
    Story("a rollback by pin", TWO, (pin_one,)),
    Story("serving.yaml keeps two", TWO, (keep_two,)),
    Story("a canary, and a newer version", TWO, (canary_two, upload(3))),
    Story("a bad upload", CUSTOMER, (bad,)),
    Story("a bad upload, then a good one", CUSTOMER, (bad, upload(1))),
    Story("an incomplete upload, then the rest", CUSTOMER, (one_file_missing, the_missing_file)),
    Story("an upload over the plan", FULL, (upload(1),)),
    Story("a place in the plan is freed", FULL, (forget_first, upload(1))),
    Story("two uploads, judged one at a time", after(sign_up_free), (two_at_once,)),
    Story("an upload that waits for its turn", after(sign_up_free), (a_dead_judge, upload(1))),
    Story("a change of plan", SERVING, (plan_changed,)),
    Story(
        "keys are changed, and taken back",
        SERVING,
        (functools.partial(new_keys, numbers=(1, 2)), upload(2), new_keys),
    ),
    Story("a closed account", SERVING, (close,)),
    Story("closed, and signed up again", SERVING, (close, sign_up)),
    Story("a deleted model", TWO, (forget_model,)),
    Story("a deleted version", TWO, (forget_two,)),
    Story("an upload, and its deletion", CUSTOMER, (upload(1), forget_model)),
    Story("a deleted model comes back", SERVING, (forget_model, upload(2))),
    Story("a wave of restarts", after(sign_up, upload(1), shards=2), (restart_all,)),
    Story(
        "a restart by evidence",
        after(sign_up, upload(1), shards=2),
        (bloated, *[a_minute] * 6),
    ),
    Story(
        "a full shard's model placed anew",
        after(sign_up, max_models=2, max_shards=2),
        (two_at_once,),
        alike=("acme.first", "acme.second"),
    ),
    Story("a slow rollout", after(sign_up, upload(1), load_ticks=450), (upload(2),)),
    Story("a version that does not load", SERVING, (broken_two,)),
    Story("a version that ends its server", SERVING, (killing_two, a_minute, a_minute)),
    Story("a closed account, erased", after(in_a_minute, sign_up, upload(1)), (close,)),
    Story(
        "an account with refused uploads, erased",
        after(in_a_minute, sign_up, functools.partial(bad, model="bad"), one_file_missing),
        (close,),
    ),
    Story(
        "signed up again when all was erased",
        after(in_a_minute, sign_up, upload(1), close),
        (sign_up, upload(2)),
    ),
    Story("signed up again in time", after(in_a_week, sign_up, upload(1)), (close, sign_up)),
    Story(
        "a deleted version, erased",
        after(in_a_minute, sign_up, upload(1), upload(2)),
        (forget_two,),
    ),
    Story("a model moves", PAIR, (wanted_elsewhere, a_minute)),
    Story(
        "a version comes while its model moves",
        PAIR,
        (wanted_elsewhere, upload(2)),
        alike=("acme.digits",),
        in_turn=True,
    ),
    Story(
        "a model is deleted while it moves", PAIR, (wanted_elsewhere, forget_model), in_turn=True
    ),
    Story(
        "an account is closed while its model moves", PAIR, (wanted_elsewhere, close), in_turn=True
    ),
    Story("a move that is given up", PAIR, (wanted_where_it_breaks, a_minute)),
    Story("a shard drains", PAIR, (drain, a_minute, a_minute)),
    Story(
        "a shard is given back",
        after(sign_up, upload(1), shards=2),
        (fewer_shards, *[a_minute] * 4),
    ),
    Story(
        "a customer moves to a pool",
        after(with_a_pool, sign_up, upload(1), max_shards=2),
        (into_the_pool, a_minute, a_minute),
    ),
    Story("bytes of nobody", after(in_a_minute, sign_up), (orphan, upload(1))),
)
BY_NAME = {story.name: story for story in STORIES}
