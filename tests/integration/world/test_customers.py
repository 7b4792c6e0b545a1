"""A customer never can write, retire or read another's model: each verb, tried over the twins.

A customer can do two things: put objects under `<customer>/` of the inbox, and have the sign-up service
speak of the own account. The neighbours' names are chosen to be taken for each other.
"""

import json

import pytest

from berth.domain import serving_config
from tests.support.world import FILES, World
from tests.unit.berth.app import worlds

VICTIM = "acme"
ATTACKERS = ("acme-2", "acm", "a", "acme-digits", "digits")
SECRET = b"weights of acme alone"
# Behind `<attacker>/`: to be taken for acme's folder, or for a number that serves.
TRICKS = (
    *("../acme/digits/2", "../../acme/digits/2", "digits/2/../../../acme/digits/2", "./../acme/digits/2"),
    *("/acme/digits/2", "//acme/digits/2", "acme/digits/2", "digits/1/acme/digits/2", "..%2facme/digits/2"),
    *("..\\acme\\digits\\2", "acme.digits/2", "digits\x00/2", "digits/2\x00"),
    *("digits/007", "digits/1e3", "digits/\u0663", "digits/\uff12", "digits/ 1", "digits/1 ", "digits/+1"),
    *("digits/-1", "digits/0", "digits/0x1", "digits/1_0", "digits/2.0", "digits/\u00b2"),
    *(f"digits/{10**15 + 1}", f"digits/{10**15}", "digits/9" + "9" * 400, "DIGITS/2", "Digits/2"),
    *("dig\u0456ts/2", "digits\u200b/2", "\u202estigid/2", "digits./2", ".digits/2", "-digits/2", "digits-/2"),
    *("x" * 41 + "/2", "x" * 900 + "/2", "digits", "digits/", "digits/2", "digits/1", "starter/1", "starter/2"),
    *("templates/1", "templates/starter/1", "digits/2.status.json", "../acme/digits/1.status.json"),
)  # fmt: skip
WISHES = (
    *(b"pin: 1\n", b"pin: 2\n", b"keep: 0\n", b"keep: 1\nlabels: {stable: 1}\n", b"model: acme.digits\n"),
    *(b"pin: 01\n", b"pin: 1e3\n", b"pin: \xd9\xa3\n", b"keep: .nan\n", b"keep: .inf\n", b"keep: true\n"),
    *(b"a: &a [1]\nb: *a\n", b"!!python/object/apply:os.system [id]\n", b"pin: 1\npin: 2\n", b"\xff\xfe"),
    *(b"{" * 9000, b"keep: " + b"9" * 9000, b"---\nkeep: 1\n---\nkeep: 2\n", b"\x00", b"keep: [[1]]\n"),
)  # fmt: skip


def _theirs(bucket: str, name: str) -> bool:
    """Whether an object is acme's."""
    own = "/acme." in name or name == "customers/acme.json"
    return own if bucket == "control" else name.startswith("acme/")


def _seen(world: World) -> dict[tuple[str, str], bytes]:
    """All that is stored of acme: bytes and metadata."""
    return {
        (bucket, name): stored.data + json.dumps(stored.stat.metadata, default=str).encode()
        for bucket, objects in world.buckets.objects.items()
        for name, stored in objects.items()
        if _theirs(bucket, name)
    }


def _changed(world: World, before: dict[tuple[str, str], bytes]) -> list[tuple[str, str]]:
    now = _seen(world)
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


def _served(world: World) -> bool:
    return world.loaded("shard-0", "acme.digits") == {1}


def _neighbours() -> World:
    world = worlds.fresh(memory=8192 * 1024**2)
    for number, name in enumerate((VICTIM, *ATTACKERS)):
        world.sign_up(name, at=number)
    world.upload(f"{VICTIM}/digits/1", {**FILES, "variables/variables.data-00000-of-00001": SECRET})
    return world.settle()


@pytest.fixture(scope="module")
def made():
    return _neighbours()


@pytest.fixture
def world(made):
    world = made.copy()
    assert _served(world)
    assert len(_seen(world)) > 8
    return world


def _after(world: World) -> World:
    world.run()
    world.fleet_tick(sweep=True)
    return world.settle()


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_no_object_name_writes_what_is_anothers(world, attacker):
    before, began = _seen(world), len(world.uploads.writes)
    for trick in TRICKS:
        for file in FILES:
            world.put(f"{attacker}/{trick}/{file}", FILES[file])
        world.put(f"{attacker}/{trick}", b"an object where a folder could be")
    _after(world)
    assert _changed(world, before) == []
    assert _served(world)
    assert {name.split("/")[0] for name, _ in world.uploads.writes[began:]} == {attacker}
    own = {f"{attacker}/digits/1/saved_model.pb", f"{attacker}/digits/2/saved_model.pb"}
    promoted = {n for n in world.buckets.objects["models"] if n.startswith(f"{attacker}/")}
    assert own <= promoted  # the tricks that are no tricks are served, under the attacker's name
    assert all(name.split("/")[2].isascii() for name in promoted)


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_no_wish_of_a_neighbour_moves_what_serves(world, attacker):
    before = _seen(world)
    for wish in WISHES:
        for folder in (
            "digits",
            "starter",
            "acme",
            "acme.digits",
            "../acme/digits",
            "/acme/digits",
        ):
            world.put(f"{attacker}/{folder}/serving.yaml", wish)
        world.run()
    _after(world)
    assert _changed(world, before) == []
    assert _served(world)


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_no_goodbye_of_a_neighbour_retires_what_is_anothers(world, attacker):
    before = _seen(world)
    world.upload(f"{attacker}/digits/1")
    world.run()
    for number, model in enumerate(
        ("digits", "acme.digits", "../acme/digits", "acme/digits", "*", "")
    ):
        for fields in ({"model": model}, {"model": model, "version": 1}):
            world.customer("deleted", attacker, 20 + number, **fields)
    world.customer("closed", attacker, at=40)
    _after(world)
    assert _changed(world, before) == []
    assert _served(world)
    assert world.loaded("shard-0", f"{attacker}.digits") == set()


@pytest.mark.parametrize(
    "name", ["acme.", "acme/", "acme/digits", "acme.digits", "*", "", "ACME", "acme\n"]
)
def test_no_name_of_a_customer_stands_for_others(world, name):
    before = _seen(world)
    for kind in ("signed_up", "closed", "plan_changed"):
        world.customer(kind, name, at=30, plan="free")
    world.customer("deleted", name, at=31, model="digits")
    refused = len(world.refused)
    _after(world)
    assert len(world.refused) == refused + 4
    assert _changed(world, before) == []
    assert _served(world)


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_what_is_read_for_a_customer_is_the_customers_own(world, attacker):
    asked = len(world.probe.requests)
    for trick in TRICKS:
        world.upload(f"{attacker}/{trick}")
    _after(world)
    requests = world.probe.requests[asked:]
    assert requests
    for request in requests:
        assert request.prefix.startswith(f"{attacker}/")
        assert ".." not in request.prefix
    config = serving_config.parse(world.boot("shard-0"))
    for servable, entry in config.items():
        owner = servable.split(".")[0]
        assert entry.base_path.split("/")[2] in (owner, "templates")
    holders = {
        (bucket, name)
        for bucket in ("uploads", "models")
        for name, stored in world.buckets.objects[bucket].items()
        if stored.data == SECRET
    }
    assert len(holders) == 2
    assert all(_theirs(*holder) for holder in holders)
