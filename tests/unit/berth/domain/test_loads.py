"""Seconds of loading: a tick for each load, the longest one, all of them over the threads."""

import math

import pytest
import yaml

from berth.domain import loads
from berth.domain.documents import Footprint
from infra.functions import ROOT


def footprints(*seconds):
    return [Footprint(resident_bytes=10, peak_bytes=12, load_seconds=one) for one in seconds]


@pytest.mark.parametrize(
    ("seconds", "live", "boot"),
    [
        ((), 0.0, 0.0),
        ((0.01,), 0.1, 0.1),  # no less than a tick of the manager
        ((0.01,) * 20, 2.0, 2.0),  # one load begins in each tick
        ((3.0, 0.1), 3.0, 3.0),  # the longest one
        ((2.0,) * 8, 4.0, 2.0),  # four threads, eight at a start
    ],
)
def test_seconds_of_loading(seconds, live, boot):
    assert math.isclose(loads.live_seconds(footprints(*seconds)), live)
    assert math.isclose(loads.boot_seconds(footprints(*seconds)), boot)


def test_bytes_are_resident_ones():
    assert loads.resident_bytes(footprints(1.0, 2.0)) == 20


def test_the_threads_are_those_of_the_manifest():
    deployment = yaml.safe_load((ROOT / "k8s/shard/deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert f"--num_load_threads={loads.LOAD_THREADS}" in container["args"]
