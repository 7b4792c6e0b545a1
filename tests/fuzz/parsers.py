"""Each parser of untrusted bytes: what it is fed, what it may raise; anything else is a fault."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from cloudevents.http import CloudEvent
from hypothesis import HealthCheck, given, settings

from berth import events
from berth.app.probe_model import ProbeModel
from berth.domain import (
    manifest,
    names,
    op_policy,
    probing,
    savedmodel,
    serving_yaml,
    tensor_bundle,
    wire,
)
from berth.domain.errors import InvalidEvent, InvalidModel, NotFound
from berth.protos import tensorflow_pb2 as tf
from tests.fuzz import graphs, inputs, messages

MAX_SECONDS = 5.0
"""What one small input may take at most, on a busy machine."""


@dataclass(frozen=True)
class Parser:
    """One parser. `raises` are the errors it declares."""

    name: str
    inputs: Callable[[], Any]
    run: Callable[[Any], object]
    raises: tuple[type[Exception], ...]


@dataclass
class Found:
    """What fuzzing one parser came to."""

    parser: Parser
    executions: int = 0
    refused: int = 0
    slowest: float = 0.0
    seconds: float = field(default=0.0)


def _each(*parsers: Callable[[Any], object]) -> Callable[[Any], object]:
    """Run all, whatever the others refuse; raise when all refuse."""

    def run(value):
        refusals = []
        for parser in parsers:
            try:
                parser(value)
            except InvalidEvent as error:
                refusals.append(error)
        if len(refusals) == len(parsers):
            raise refusals[0]

    return run


def _event(parse):
    attributes = {"type": "t", "source": "s", "id": "1"}
    return lambda data: parse(CloudEvent(attributes, data))


def _graph(meta):
    op_policy.judge(meta)
    savedmodel.check_constants(meta, max_bytes=1 << 30)
    savedmodel.signatures(meta)
    savedmodel.needs(meta)


def _saved_model(data):
    wire.bound(data, tf.SavedModel.DESCRIPTOR, limit=100_000)
    _graph(savedmodel.parse(data, max_bytes=1 << 20))


def _listing(files):
    made = manifest.Manifest(files=tuple(files))
    kept = manifest.promoted(made)
    if kept.files:
        assert len(manifest.digest(kept)) == 64
    manifest.check(made, manifest.Limits())
    for file in made.files:
        assert not file.name.startswith("/")
        assert ".." not in file.name.split("/")


class _Gone:
    def fetch(self, request, file, into):
        raise NotFound(file.name)


class _Unreached:
    def load(self, folder, limits):
        raise AssertionError("loaded")


def _request(files):
    """A request whose list is hostile: nothing may be written outside the private folder."""
    request = probing.ProbeRequest(
        bucket="b", prefix="p/", manifest=manifest.Manifest(files=tuple(files))
    )
    report = ProbeModel(_Gone(), _Unreached()).ask(json.dumps(request.model_dump()).encode())
    assert report["state"] in ("INCOMPLETE", "REJECTED")


def _upload(name):
    subject = names.parse_upload(name)
    if isinstance(subject, names.BadName):
        assert names.parse_upload(subject.answer) is None
        if not names.answerable(subject.answer):
            raise InvalidEvent("no answer may go there")


_NAMES = _each(_upload, names.customer, names.version, names.servable)
PARSERS = (
    Parser("object names", inputs.names, _NAMES, (InvalidEvent,)),
    Parser("serving.yaml", inputs.yamls, serving_yaml.parse, (InvalidModel,)),
    Parser("uploaded", messages.events, _event(events.uploaded), (InvalidEvent,)),
    Parser("customer_event", messages.events, _event(events.customer_event), (InvalidEvent,)),
    Parser("admission_request", messages.events, _event(events.admission_request), (InvalidEvent,)),
    Parser("shard_request", messages.events, _event(events.shard_request), (InvalidEvent,)),
    Parser("fleet_tick", messages.events, _event(events.fleet_tick), (InvalidEvent,)),
    Parser(
        *(
            "saved_model.pb",
            lambda: inputs.changed("saved_model.pb"),
            _saved_model,
            (InvalidModel,),
        ),
    ),
    Parser("graphs (op policy)", graphs.graphs, _graph, (InvalidModel,)),
    Parser("variables.index", inputs.tables, tensor_bundle.parse, (InvalidModel,)),
    Parser("listings", inputs.listings, _listing, (InvalidModel,)),
    Parser("probe requests", inputs.listings, _request, (InvalidEvent,)),
)


def fuzz(parser: Parser, *, examples: int, seed: int, found: Found | None = None) -> Found:
    """Feed one parser so many inputs, the same ones for the same seed. Raises whatever it should not."""
    result = found or Found(parser)
    begun = time.monotonic()

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(parser.inputs())
    def one(value):
        start = time.monotonic()
        result.executions += 1
        try:
            parser.run(value)
        except parser.raises:
            result.refused += 1
        took = time.monotonic() - start
        result.slowest = max(result.slowest, took)
        assert took < MAX_SECONDS

    one()
    result.seconds += time.monotonic() - begun
    return result
