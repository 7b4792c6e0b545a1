"""Many worlds in little time: what never changes is shared between copies, and the same text is parsed once."""

import copy
import functools
from contextlib import contextmanager

import pytest

from berth.adapters import memory_servers
from berth.domain import serving_config
from tests.support.in_order import calls_in_order, no_log


@contextmanager
def fast():
    """Calls in order, no log, and no text parsed twice."""
    with calls_in_order(), no_log(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving_config, "parse", functools.lru_cache(4096)(serving_config.parse))
        patch.setattr(memory_servers, "_parse", functools.lru_cache(4096)(memory_servers._parse))
        yield


def copied(fleet):
    """Return a copy that shares what is frozen: objects, messages, outcomes, manifests as applied."""
    shared = [stored for bucket in fleet.buckets.objects.values() for stored in bucket.values()]
    shared += [message for topic in fleet.publisher.messages.values() for message in topic]
    shared += [*fleet.outcomes, *fleet.refused, *fleet.probe.requests, *fleet.servers.reloads]
    shared += [live.pod for live in fleet.workloads._pods.values()]
    shared += fleet.workloads._applied.values()  # replaced as a whole, never edited
    shared += [m for s in fleet.servers._servers.values() for m in _configs(s)]
    shared += [
        written for port in (fleet.uploads, fleet.models, fleet.control) for written in port.writes
    ]
    shared += fixed(fleet)
    return copy.deepcopy(fleet, {id(one): one for one in shared})


def _configs(server):
    return [*server._models.values(), *(reload.config for reload in server._reloads)]


def fixed(fleet):
    """What wiring made and nothing changes."""
    rates = fleet.status.foretelling.rates
    return [fleet.reconcile_shard.manifests, fleet.first, fleet.measured, rates]
