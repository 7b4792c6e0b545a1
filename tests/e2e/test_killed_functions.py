"""A function's process dies in the middle of its work: no event is lost, and everything converges."""

from tests.support import e2e
from tests.support.e2e import until

LEASES = 150.0  # the longest lease a dead holder leaves behind, and what follows it


def test_admit_model_died_while_it_probed(berth, orphan):
    berth.serves(orphan, 1, seconds=LEASES)
    berth.mail.said_once(orphan, "model.admitted")
    berth.mail.said_once(orphan, "model.serving")


def test_reconcile_shard_dies_while_a_model_loads(berth, customer, slow):
    berth.fleet.upload(e2e.HALF_PLUS_TWO, f"{customer}/own/1")
    berth.serves(f"{customer}.own", 1, e2e.TWO)
    with berth.load(f"{customer}.own", (e2e.TWO,), rate=20.0):
        servable = f"{customer}.slow"
        berth.fleet.upload(slow, f"{customer}/slow/1")
        until(
            "a replica loads it",
            lambda: any(
                berth.versions(replica, servable, "LOADING")
                for replica in berth.fleet.replicas.ready()
            ),
        )
        shard = berth.fleet.model(servable)["shard"]
        assert berth.holder(f"shards/{shard}/lease.json")
        berth.kill("reconcile_shard")
        berth.serves(servable, 1, seconds=LEASES)
    berth.loaded_everywhere(servable, 1)
    until("it is announced", lambda: berth.mail.ids(servable, "model.serving"))
    berth.mail.said_once(servable, "model.serving")


def test_on_customer_event_dies_among_many_sign_ups(berth, stranger):
    names = [f"{stranger}-{number}" for number in range(12)]
    for name in names:
        berth.fleet.sign_up(name)
    until("the first is known", lambda: any(map(berth.account, names)), every=0.01)
    berth.kill("on_customer_event")
    for name in names:
        berth.serves(f"{name}.starter", 1)
        berth.mail.said_once(f"{name}.starter", "training.requested")
