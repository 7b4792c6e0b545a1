"""What Berth relies on in Cloud Storage, on the memory twin and on fake-gcs-server."""

import base64
import itertools
import threading
from datetime import UTC, datetime, timedelta

import google_crc32c
import pytest

from berth.adapters import gcs
from berth.adapters.clock import SystemClock
from berth.adapters.memory_objects import MemoryBuckets
from berth.domain.errors import Conflict, NotFound, Retryable

_numbers = itertools.count(1)


class Pair:
    """Two empty buckets."""

    def __init__(self, store, other, other_name):
        self.store, self.other, self.other_name = store, other, other_name


@pytest.fixture(params=["twin", "emulator"])
def pair(request):
    first, second = (f"bucket-{next(_numbers)}" for _ in range(2))
    if request.param == "twin":
        buckets = MemoryBuckets(SystemClock())
        return Pair(buckets.store(first), buckets.store(second), second)
    client = request.getfixturevalue("storage_client")
    for name in (first, second):
        client.create_bucket(name)
    return Pair(gcs.GcsObjectStore(client, first), gcs.GcsObjectStore(client, second), second)


@pytest.fixture
def store(pair):
    return pair.store


def deviates(request, reason):
    """Mark the emulator's run as one that must fail, for the given line of docs/surprises.md."""
    if request.node.callspec.params["pair"] == "emulator":
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True, raises=Exception))


def test_what_is_not_there_is_none(store):
    assert store.get("a") is None
    assert store.stat("a") is None
    assert store.list("") == ()
    assert store.folders("") == ()
    store.delete("a")


def test_bytes_and_facts_come_back_together(store):
    generation = store.put("a/b.json", b'{"a":1}', if_generation=0, metadata={"key": "v 1"})
    found = store.get("a/b.json")
    assert found.data == b'{"a":1}'
    assert found.stat.generation == generation > 0
    assert found.stat.metadata == {"key": "v 1"}
    assert found.stat.size == 7
    checksum = google_crc32c.value(b'{"a":1}').to_bytes(4, "big")
    assert found.stat.crc32c == base64.b64encode(checksum).decode()
    assert abs(datetime.now(UTC) - found.stat.updated) < timedelta(minutes=1)


def test_stat_and_list_agree_with_get(store):
    store.put("a", b"1234", if_generation=0, metadata={"k": "v"})
    got, stat = store.get("a").stat, store.stat("a")
    assert store.list("") == (stat,)
    assert (got.name, got.generation, got.size, got.crc32c, got.metadata) == (
        stat.name,
        stat.generation,
        stat.size,
        stat.crc32c,
        stat.metadata,
    )


def test_an_empty_object_is_an_object(store, tmp_path):
    generation = store.put("a", b"", if_generation=0)
    assert store.get("a").data == b""
    store.download("a", generation=generation, into=tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b""


@pytest.mark.parametrize("offset", [-1, 1])
def test_a_write_with_another_generation_is_refused(store, offset):
    generation = store.put("a", b"1", if_generation=0)
    with pytest.raises(Conflict):
        store.put("a", b"2", if_generation=generation + offset)
    assert store.get("a").data == b"1"


def test_a_create_is_refused_where_something_is(store):
    store.put("a", b"1", if_generation=0)
    with pytest.raises(Conflict):
        store.put("a", b"2", if_generation=0)


def test_generations_grow_with_each_write_and_over_a_delete(store):
    first = store.put("a", b"1", if_generation=0)
    second = store.put("a", b"2", if_generation=first)
    third = store.put("a", b"3", if_generation=None)
    store.delete("a")
    fourth = store.put("a", b"4", if_generation=0)
    assert first < second < third < fourth


def test_a_write_over_what_was_deleted_is_refused(store):
    generation = store.put("a", b"1", if_generation=0)
    store.delete("a")
    with pytest.raises(Conflict):
        store.put("a", b"2", if_generation=generation)
    assert store.get("a") is None


def test_metadata_is_replaced_with_the_bytes(store):
    generation = store.put("a", b"1", if_generation=0, metadata={"k": "v", "l": "w"})
    store.put("a", b"2", if_generation=generation, metadata={"m": "x"})
    assert store.stat("a").metadata == {"m": "x"}


def test_one_of_many_racing_writers_wins(store):
    generation = store.put("a", b"", if_generation=0)
    outcomes = []
    start = threading.Barrier(16)

    def write(number):
        start.wait()
        try:
            store.put("a", str(number).encode(), if_generation=generation)
            outcomes.append(number)
        except Conflict:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [number for number in outcomes if number is not None]
    assert len(outcomes) == 16
    assert store.get("a").data == str(winner).encode()


def test_a_list_begins_at_a_name_and_ends_at_its_limit(store):
    for name in ("l/a", "l/b-", "l/b/1", "l/b/2", "l/b0", "l/ü"):
        store.put(name, b"", if_generation=0)
    assert [s.name for s in store.list("l/", start="l/b/1")] == ["l/b/1", "l/b/2", "l/b0", "l/ü"]
    assert [s.name for s in store.list("l/", start="l/b/1", limit=2)] == ["l/b/1", "l/b/2"]
    assert [s.name for s in store.list("l/", start="l/b/1x")] == ["l/b/2", "l/b0", "l/ü"]
    assert [s.name for s in store.list("l/b/", start="l/a")] == ["l/b/1", "l/b/2"]
    assert store.list("l/b/", start="l/b0") == ()


def test_a_list_is_whole_and_ordered(store, monkeypatch):
    monkeypatch.setattr(gcs, "PAGE", 2)
    names = [f"m/{number:02}" for number in range(7)]
    for name in [*reversed(names), "n/1"]:
        store.put(name, b"1", if_generation=0, metadata={"name": name})
    listed = store.list("m/")
    assert [item.name for item in listed] == names
    assert [item.metadata["name"] for item in listed] == names
    assert [item.name for item in store.list("m/", limit=3)] == names[:3]
    assert [item.name for item in store.list("m/0")] == names


def test_folders_are_those_directly_below(store, monkeypatch):
    monkeypatch.setattr(gcs, "PAGE", 2)
    for name in ("a/b/1", "a/b/2", "a/c/d/3", "a/4", "e/5", "f"):
        store.put(name, b"", if_generation=0)
    assert store.folders("") == ("a", "e")
    assert store.folders("a/") == ("b", "c")
    assert store.folders("a/c/") == ("d",)
    assert store.folders("x/") == ()


def test_a_pinned_generation_is_copied(pair):
    generation = pair.other.put("a", b"12345", if_generation=0)
    copy = pair.store.copy_from(pair.other_name, "a", generation=generation, name="b/c")
    assert copy == pair.store.stat("b/c")
    assert (copy.size, copy.crc32c) == (5, pair.other.stat("a").crc32c)
    assert pair.store.get("b/c").data == b"12345"


def test_a_copy_of_what_was_overwritten_is_refused(pair):
    generation = pair.other.put("a", b"1", if_generation=0)
    pair.other.put("a", b"2", if_generation=generation)
    with pytest.raises(NotFound):
        pair.store.copy_from(pair.other_name, "a", generation=generation, name="a")
    assert pair.store.get("a") is None


def test_a_pinned_generation_is_downloaded(store, tmp_path):
    generation = store.put("a", b"1" * 100_000, if_generation=0)
    store.download("a", generation=generation, into=tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"1" * 100_000


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_download_of_what_is_gone_is_refused(store, tmp_path, overwrite):
    generation = store.put("a", b"1", if_generation=0)
    if overwrite:
        store.put("a", b"2", if_generation=generation)
    else:
        store.delete("a")
    with pytest.raises(NotFound):
        store.download("a", generation=generation, into=tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "name", ["a b", "a+b", "a%2Fb", "a#b?c=d&e", "ä/β/模", "a//b", "a:b@c!$'()*,;="]
)
def test_names_are_taken_literally(request, store, name):
    if name == "a//b":
        deviates(request, "fake-gcs-server's file system joins a//b to a/b")
    generation = store.put(name, b"1", if_generation=0)
    assert store.get(name).stat.generation == generation
    assert [item.name for item in store.list("")] == [name]
    store.delete(name)
    assert store.list("") == ()


def test_an_object_may_lie_where_others_have_a_folder(request, store):
    deviates(request, "fake-gcs-server's file system has no file beside a folder of the same name")
    # Unconditional writes: those are not repeated, so the emulator's refusal is seen at once.
    store.put("a", b"1", if_generation=None)
    store.put("a/b", b"2", if_generation=None)
    assert [item.name for item in store.list("")] == ["a", "a/b"]


def test_metadata_is_bounded(store):
    with pytest.raises(Retryable):
        store.put("a", b"", if_generation=None, metadata={"k": "v" * 9000})
