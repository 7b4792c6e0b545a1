"""What tests of goodbyes say and ask of a World."""

import json
from datetime import timedelta

from tests.support.world import Crash

DAY = 86_400
WEEK = 7 * DAY


def now(world, ago=0.0):
    """The world's time, or so many seconds before it."""
    return (world.clock.now() - timedelta(seconds=ago)).isoformat()


def say(world, kind, customer="acme", ago=0.0, **payload):
    """Publish a customer event that happens now, or happened some seconds ago."""
    world.clock.advance(1)
    say_of(world, kind, now(world, ago), customer, **payload)


def say_of(world, kind, time, customer="acme", **payload):
    tell(world, kind, time, customer, **payload)
    world.run()


def tell(world, kind, time, customer="acme", **payload):
    """Publish a customer event; it is on its way."""
    body = {"specversion": "1.0", "type": kind, "time": time}
    body["data"] = {"customer": customer, **payload}
    world.send("customers", json.dumps(body).encode())


def close(world, ago=0.0):
    say(world, "customer.closed", ago=ago)


def sign_up(world):
    say(world, "customer.signed_up", plan="standard")


def sweep(world, after=0.0):
    """The hourly sweep, and what the ticks after it do."""
    world.clock.advance(after)
    world.settle()
    world.fleet_tick(sweep=True)
    world.settle()


def sweep_alone(world):
    """The sweep, and nothing of what it asks for."""
    world.send("ticks", b'{"sweep": true}')
    world.deliver(world.queue.popleft())


def stored(world, prefix, bucket="control"):
    return sorted(name for name in world.buckets.objects[bucket] if name.startswith(prefix))


def kept(world, prefix="acme/"):
    return stored(world, prefix, "models")


def admission_dies(world, version, at):
    """Judge an upload until a call of this kind and name; then the inbox is cleaned."""
    world.upload(version)
    delivery = world.run_until("admissions")

    def die(kind, name):
        if kind == at[0] and name.endswith(at[1]):
            raise Crash(name)

    world.fail(die)
    parse, handler = world.functions["admissions"]
    try:
        handler.handle(parse(world.event(delivery)))
    except Crash:
        world.revive()
    else:
        raise AssertionError(f"{version} was judged without {at}")
    for name in stored(world, f"{version}/", "uploads"):
        del world.buckets.objects["uploads"][name]
