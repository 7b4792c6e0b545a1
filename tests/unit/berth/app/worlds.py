"""Worlds that many tests begin with, made once and copied."""

import functools
from datetime import timedelta

from berth.domain.ledger import Ledger
from tests.support.world import World


def fresh(**shape):
    """A settled fleet without customers."""
    return _fresh(tuple(sorted(shape.items()))).copy()


def signed_up(**shape):
    """A settled fleet with the customer acme."""
    return _signed_up(tuple(sorted(shape.items()))).copy()


def serving():
    """acme.digits/1 serves."""
    return _serving().copy()


@functools.cache
def _fresh(shape):
    return World(**dict(shape)).settle()


@functools.cache
def _signed_up(shape):
    world = fresh(**dict(shape))
    world.sign_up()
    return world.settle()


@functools.cache
def _serving():
    world = signed_up()
    world.upload("acme/digits/1")
    return world.settle()


def later(world, seconds):
    """A time after the world's."""
    return world.clock.now() + timedelta(seconds=seconds)


def reservations(world):
    """The places in acme's plan that are held."""
    known = world.read("ledgers/acme.json", Ledger)
    return set(known.reservations) if known else set()


def state(world, version="digits/1"):
    """What was answered beside one of acme's versions."""
    return world.answer(f"acme/{version}.status.json")["state"]
