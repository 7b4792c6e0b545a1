"""Canonical bytes: one value, one spelling, in every process."""

import subprocess
import sys

import pytest

from berth.domain import canonical, documents, keys, quotas
from berth.domain.documents import Shard
from berth.domain.errors import Damaged
from infra.functions import ROOT

SCRIPT = """
from berth.domain import canonical, serving_config
from berth.domain.documents import Projection, Footprint
from berth.domain.serving_config import Entry
names = {f"c{n}.m{n}" for n in range(50)}
footprint = Footprint(resident_bytes=1, peak_bytes=2, load_seconds=0.1)
numbers = {str(n): n for n in {3, 1, 2, 10**15}}
projection = Projection(base_path="b", keep=1, pin=None, retired=False,
                        versions={n: footprint for n in set(numbers.values())})
text = serving_config.render({name: Entry("/m", (1,)) for name in names})
print(canonical.digest(projection.encode()), canonical.digest(text), canonical.digest(canonical.encode(numbers)))
"""


def test_the_same_bytes_whatever_the_hash_seed():
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "shared")},
            stdout=subprocess.PIPE,
        )
        for seed in ("0", "1", "4242")
    ]
    digests = {process.communicate(timeout=60)[0] for process in running}
    assert len(digests) == 1
    assert len(digests.pop().split()) == 3


def test_a_document_survives_the_round_trip():
    shard = Shard(shard="shard-0", memory_bytes=1)
    assert Shard.decode(shard.encode()) == shard
    assert shard.encode().endswith(b"}\n")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b"null", b'{"shard":"s","memory_bytes":1,"unknown":1}']
)
def test_bytes_that_are_no_document_are_damaged_never_absent(data):
    with pytest.raises(Damaged, match="not a Shard document"):
        Shard.decode(data)


def test_texts_are_written_as_they_are():
    assert canonical.encode({"b": "é", "a": 1}) == '{"a":1,"b":"é"}\n'.encode()


def test_a_projection_survives_as_metadata():
    footprint = documents.Footprint(resident_bytes=1, peak_bytes=2, load_seconds=0.5)
    made = documents.Projection(
        base_path="acme/digits", keep=2, pin=1, retired=False, versions={1: footprint}, document=77
    )
    assert documents.Projection.from_metadata(made.metadata()) == made
    assert documents.Projection.from_metadata(made.metadata(), document=99).document == 99


def test_a_projection_of_the_largest_model_fits_into_metadata():
    admitted = documents.AdmittedVersion(
        digest="d" * 64,
        footprint=documents.Footprint(
            resident_bytes=2**40, peak_bytes=2**40, load_seconds=123.45678901234567
        ),
        admitted_at="2026-11-20T00:00:00.000+00:00",
    )
    model = documents.Model(
        customer="c" * 40,
        model="m" * 40,
        base_path=f"{'c' * 40}/{'m' * 40}",
        shard="shard-0",
        versions={10**15 - n: admitted for n in range(1000)},
        wants=documents.Wants(
            pin=10**15 - 999,
            keep=8,
            canary={10**15 - 998: 100},
            labels={f"{n}" * 32: 10**15 - 990 - n for n in range(8)},
            plan=max(quotas.PLANS, key=len),
            keys=tuple(f"{n}" * 64 for n in range(keys.MAX_KEYS)),
        ),
    )
    seen = documents.project(model, generation=2**63).seen_by("shard-1", home="shard-0")
    metadata = seen.metadata()
    assert max(len(v.encode()) for v in metadata.values()) < 4096
    assert {10**15 - n for n in (0, 990, 997, 998, 999)} <= set(seen.versions)
    assert len(seen.versions) == 16
