"""Events as they arrive: spoiled ones and anything else."""

import base64
import json

from hypothesis import strategies as st

_SCALARS = (
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    st.sampled_from(
        [
            *(
                "acme",
                "digits",
                "3",
                "signed_up",
                "customer.signed_up",
                "model.deleted",
                "standard",
            ),
            *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
            *("customer.keys_changed", "0a" * 32, "berth_acme_" + "A" * 43),
            *("customer.closed", "dev.berth.customer.closed", "OBJECT_FINALIZE", "1", "1" * 40),
        ]
    ),
)
_EVENT_KEYS = st.sampled_from(
    [
        *("specversion", "type", "time", "data", "customer", "model", "version", "plan", "shard"),
        *("answer", "reason", "sweep", "id", "source", "keys"),
    ]
)
_JSON = st.recursive(
    st.one_of(*_SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_EVENT_KEYS, inner, max_size=7),
    max_leaves=12,
)
_BODIES = (
    _JSON.map(lambda value: base64.b64encode(json.dumps(value).encode()).decode())
    | st.text(max_size=10)
    | st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode())
    | st.integers(1, 5000).map(lambda n: base64.b64encode(b"[" * n).decode())
    | st.one_of(*_SCALARS)
)
_ATTRIBUTE_KEYS = st.sampled_from(
    [
        *("eventType", "bucketId", "objectId", "objectGeneration", "ce-type", "ce-time"),
        "ce-specversion",
    ]
)
_MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "data": _BODIES,
        "attributes": st.one_of(
            *_SCALARS, st.dictionaries(_ATTRIBUTE_KEYS, st.one_of(*_SCALARS), max_size=6)
        ),
        "messageId": st.one_of(*_SCALARS),
        "publishTime": st.one_of(*_SCALARS),
    },
)


_NOTIFICATION = {
    "eventType": "OBJECT_FINALIZE",
    "bucketId": "uploads",
    "objectId": "acme/digits/1/saved_model.pb",
    "objectGeneration": "7",
}
_TOLD = (
    {"type": "customer.signed_up", "customer": "acme", "plan": "free"},
    {"type": "model.deleted", "customer": "acme", "model": "digits", "version": 3},
    {"type": "customer.keys_changed", "customer": "acme", "keys": ["0a" * 32, "1b" * 32]},
    {"customer": "acme", "model": "digits", "version": 3},
    {"answer": "a/b/c.status.json", "reason": "no"},
    {"shard": "shard-0"},
    {"sweep": True},
)


@st.composite
def _spoiled(draw):
    """A good message with one or two of its fields taken out or replaced."""
    body = dict(draw(st.sampled_from(_TOLD)))
    if draw(st.booleans()):
        data = {key: value for key, value in body.items() if key != "type"}
        body = {"specversion": "1.0", "type": body.get("type"), "time": "2026-01-01T00:00:00Z"}
        body["data"] = data
    attributes = dict(_NOTIFICATION)
    message = {"messageId": "1", "publishTime": "2026-01-01T00:00:00Z"}
    for target in draw(st.lists(st.sampled_from([body, attributes, message]), max_size=2)):
        key = draw(st.sampled_from(sorted(target))) if target else "x"
        if draw(st.booleans()):
            target[key] = draw(_JSON)
        else:
            target.pop(key, None)
    encoded = base64.b64encode(json.dumps(body).encode()).decode()
    return {"message": {"data": encoded, "attributes": attributes, **message}}


def events():
    """The data of an Eventarc event of a Pub/Sub message: spoiled, or anything else."""
    wrapped = st.fixed_dictionaries({"message": _MESSAGES | st.one_of(*_SCALARS)})
    return _spoiled() | _spoiled() | wrapped | _JSON | st.binary(max_size=8)
