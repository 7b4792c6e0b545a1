"""The memory twins as infra/grants.yaml lets each identity use them: everything else is Denied.

It follows Cloud Storage: writing over an object takes the right to delete it, and to those who may
not list the bucket an absent object is a forbidden one.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from berth.domain.errors import Denied
from infra import grants
from infra.grants import Access

__all__ = ["Access"]

TABLE = grants.read()
GET, LIST, CREATE, DELETE = (
    f"storage.objects.{one}" for one in ("get", "list", "create", "delete")
)
# The topics of a World, and what they are called in the cloud.
TOPICS = {"events": "model-events", "admissions": "admission-requests", "shards": "shard-requests"}
_recordings: list[set[tuple[str, ...]]] = []


@contextmanager
def recording() -> Iterator[set[tuple[str, ...]]]:
    """Which grants are used meanwhile: (identity, bucket, verb, objects, permission) or (identity, kind, name)."""
    used: set[tuple[str, ...]] = set()
    _recordings.append(used)
    try:
        yield used
    finally:
        _recordings.remove(used)


def _note(*grant: str) -> None:
    for used in _recordings:
        used.add(grant)


@functools.cache
def _using(row, permission, name):
    return row.using(permission, name)


class Rights:
    """What one identity may do to the objects of one project."""

    def __init__(self, identity, buckets, access):
        self.identity = identity
        self.objects = buckets.objects
        self.access = access

    def need(self, bucket, permission, name):
        row = self.access.get(bucket)
        using = _using(row, permission, name) if row else ()
        if not using:
            raise Denied(f"{self.identity} has no {permission} on {bucket}/{name}")
        for verb, objects in using:
            _note(self.identity, bucket, verb, objects, permission)

    def read(self, bucket, name):
        self.need(bucket, GET, name)
        if name not in self.objects[bucket]:
            self.need(bucket, LIST, name)

    def write(self, bucket, name):
        self.need(bucket, CREATE, name)
        if name in self.objects[bucket]:
            self.need(bucket, DELETE, name)

    def delete(self, bucket, name):
        self.need(bucket, DELETE, name)
        if name not in self.objects[bucket]:
            self.need(bucket, LIST, name)


class GrantedStore:
    """An ObjectStore as one identity may use it."""

    def __init__(self, store, rights):
        self.store = store
        self.rights = rights

    def get(self, name):
        self.rights.read(self.store.bucket, name)
        return self.store.get(name)

    def stat(self, name):
        self.rights.read(self.store.bucket, name)
        return self.store.stat(name)

    def list(self, prefix, *, limit=None, start=""):
        self.rights.need(self.store.bucket, LIST, prefix)
        return self.store.list(prefix, limit=limit, start=start)

    def folders(self, prefix):
        self.rights.need(self.store.bucket, LIST, prefix)
        return self.store.folders(prefix)

    def put(self, name, data, *, if_generation, metadata=None):
        self.rights.write(self.store.bucket, name)
        return self.store.put(name, data, if_generation=if_generation, metadata=metadata)

    def copy_from(self, source_bucket, source, *, generation, name):
        self.rights.read(source_bucket, source)
        self.rights.write(self.store.bucket, name)
        return self.store.copy_from(source_bucket, source, generation=generation, name=name)

    def delete(self, name):
        self.rights.delete(self.store.bucket, name)
        self.store.delete(name)

    def download(self, name, *, generation, into):
        self.rights.read(self.store.bucket, name)
        self.store.download(name, generation=generation, into=into)


class GrantedPublisher:
    """A Publisher as one identity may use it."""

    def __init__(self, publisher, identity):
        self.publisher = publisher
        self.identity = identity

    def _need(self, topic):
        if TOPICS[topic] not in TABLE.of(self.identity).publish:
            raise Denied(f"{self.identity} may not publish on {TOPICS[topic]}")
        _note(self.identity, "publish", TOPICS[topic])

    def publish(self, topic, data, attributes=None):
        self._need(topic)
        self.publisher.publish(topic, data, attributes)

    def publish_all(self, topic, messages):
        self._need(topic)
        self.publisher.publish_all(topic, messages)


class GrantedProbe:
    """A Probe as one identity may call it."""

    def __init__(self, probe, identity):
        self.inner = probe
        self.identity = identity

    def probe(self, request):
        if "probe_model" not in TABLE.of(self.identity).call:
            raise Denied(f"{self.identity} may not call probe_model")
        _note(self.identity, "call", "probe_model")
        return self.inner.probe(request)


class Identity:
    """The ports of a World as one function's identity has them."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.rights = Rights(name, world.buckets, TABLE.of(name).buckets)

    def store(self, bucket):
        return GrantedStore(getattr(self.world, bucket), self.rights)

    @property
    def publisher(self):
        return GrantedPublisher(self.world.publisher, self.name)

    @property
    def probe(self):
        return GrantedProbe(self.world.probe, self.name)


def serving(buckets):
    """What the serving pods may do."""
    return Rights("serving", buckets, TABLE.serving.buckets)


def wanted():
    """Every grant of the table, as a recording would show it."""
    found = set()
    rows = {name: row.buckets for name, row in TABLE.functions.items()}
    rows["serving"] = TABLE.serving.buckets
    for identity, buckets in rows.items():
        for bucket, access in buckets.items():
            for verb, granted in access.objects().items():
                for objects in granted:
                    for permission in grants.PERMISSIONS[verb]:
                        found.add((identity, bucket, verb, objects, permission))
    for name, row in TABLE.functions.items():
        found |= {(name, "publish", topic) for topic in row.publish}
        found |= {(name, "call", callee) for callee in row.call}
    return found
