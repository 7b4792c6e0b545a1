"""An outside client of a stack that is up, for the end-to-end tests: what customers and operators see."""

import hashlib
import json
import math
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import jsonschema
import psutil
from google.api_core import exceptions
from google.cloud import pubsub_v1

from infra.demo import fleet
from infra.demo.fleet import Fleet
from infra.demo.load import Load
from tests.support import json_log, models

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
HALF_PLUS_TWO = models.model("half_plus_two") / "1"
HALF_PLUS_THREE = models.model("half_plus_three") / "1"
QUESTION = {"instances": [2.0]}
TWO, THREE = 3.0, 4.0  # what the two models answer to it

# Less often than the demo: asking costs the processors that the answer waits for.
until = partial(fleet.until, every=0.15)


def validate(schema, document):
    """Raises jsonschema.ValidationError where a document is not as published."""
    jsonschema.validate(document, json.loads((SCHEMAS / f"{schema}.json").read_text()))


class Mail:
    """Every event of the topic model-events since the start, read by the pull subscription."""

    def __init__(self, project):
        self._client = pubsub_v1.SubscriberClient()
        self._path = self._client.subscription_path(project, "model-events-local")
        self._events = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def of(self, servable, kind, version=None):
        """The events of one kind about one model, each as often as it was published."""
        return [
            event
            for event in list(self._events)
            if event["subject"] == servable
            and event["type"].removeprefix("dev.berth.") == kind
            and (version is None or event["data"]["version"] == version)
        ]

    def ids(self, servable, kind, version=None):
        """The distinct ids of such events; each event must be as the published schema says."""
        found = self.of(servable, kind, version)
        for event in found:
            validate("model-event", event)
        return {event["id"] for event in found}

    def said_once(self, servable, kind, version=None):
        """Wait for such an event; however often it was delivered, it must have one id."""
        until(f"{kind} of {servable}", lambda: self.ids(servable, kind, version))
        assert len(self.ids(servable, kind, version)) == 1

    def close(self):
        self._stopping.set()
        self._thread.join(10)
        self._client.close()

    def _read(self):
        while not self._stopping.is_set():
            for message in pull(self._client, self._path, seconds=1.0):
                self._events.append(json.loads(message.data))


def pull(client, path, *, seconds=1.0):
    """What a subscription has to say now, acknowledged."""
    try:
        answer = client.pull(subscription=path, max_messages=1000, timeout=seconds, retry=None)
    except exceptions.DeadlineExceeded:
        return []
    if acks := [one.ack_id for one in answer.received_messages]:
        client.acknowledge(subscription=path, ack_ids=acks)
    return [one.message for one in answer.received_messages]


class Outside:
    """What the tests do to a stack, and ask of it."""

    def __init__(self, running):
        self.stack = running
        self.fleet = Fleet(running.environment)
        self.project = running.environment["GOOGLE_CLOUD_PROJECT"]
        self.mail = Mail(self.project)

    def close(self):
        self.mail.close()
        self.fleet.close()

    def publish(self, topic, data, **attributes):
        """Publish bytes or JSON to a topic by its short name; return the message id."""
        path = self.fleet.publisher.topic_path(self.project, topic)
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        return self.fleet.publisher.publish(path, body, **attributes).result(timeout=30)

    def customer_event(self, kind, customer, **fields):
        """Publish plain JSON to the customers' topic."""
        return self.publish("customer-events", {"type": kind, "customer": customer, **fields})

    def cloud_event(self, kind, customer, time, **fields):
        """Publish a structured CloudEvent to the customers' topic."""
        event = {
            "specversion": "1.0",
            "id": f"{customer}-{time}",
            "source": "//example.com/accounts",
            "type": kind,
            "time": time,
            "data": {"customer": customer, **fields},
        }
        return self.publish("customer-events", event)

    def join(self, customer, plan="standard"):
        """Sign a customer up and wait until Berth knows them."""
        self.fleet.sign_up(customer, plan)
        until(f"{customer} has an account", lambda: self.account(customer) is not None)
        return customer

    def key(self, customer):
        """Give a customer a key for the router; return the header that callers send."""
        key = f"berth_{customer}_{secrets.token_urlsafe(32)}"
        known = [hashlib.sha256(key.encode()).hexdigest()]
        self.customer_event("customer.keys_changed", customer, keys=known)
        return {"Authorization": f"Bearer {key}"}

    def account(self, customer):
        blob = self.fleet.control.get_blob(f"customers/{customer}.json")
        return json.loads(blob.download_as_bytes()) if blob is not None else None

    def holder(self, name, key=None):
        """The message id of whoever holds a lease now, "" where nobody does."""
        blob = self.fleet.control.get_blob(name)
        document = json.loads(blob.download_as_bytes()) if blob is not None else {}
        lease = document.get(key, {}) if key else document
        expires = datetime.fromisoformat(lease.get("expires", "1970-01-01T00:00:00+00:00"))
        return lease.get("holder", "") if expires > datetime.now(UTC) else ""

    def entries(self, part, **wanted):
        """A function's log lines with these fields."""
        found = json_log.entries(self.stack.log(part))
        return [one for one in found if wanted.items() <= one.items()]

    def handled(self, part, message, seconds=60.0):
        """Wait until a function has answered a message for good; return its log line."""
        final: list = []

        def ended():
            lines = self.entries(part, event_id=message)
            final[:] = [one for one in lines if one.get("outcome") != "redelivered"]
            return final

        until(f"{part} handles message {message}", ended, seconds=seconds)
        return final[0]

    def serves(self, servable, version, answer=None, seconds=60.0):
        """Wait until a version, and it alone, is SERVING; then ask every ready replica."""
        until(
            f"{servable} {version} serves",
            lambda: self.fleet.serving(servable, version),
            seconds=seconds,
        )
        if answer is not None:
            for replica in self.fleet.ready(servable):
                assert math.isclose(self.predict(replica.url, servable), answer)

    def predict(self, url, servable):
        response = self.fleet.http.post(
            f"{url}/v1/models/{servable}:predict", json=QUESTION, timeout=30
        )
        assert response.status_code == 200, response.text
        return response.json()["predictions"][0]

    def loaded(self, servable, replicas=None):
        """The AVAILABLE versions of a model on each ready replica of its shard."""
        asked = replicas or self.fleet.ready(servable)
        return [self.versions(replica, servable, "AVAILABLE") for replica in asked]

    def versions(self, replica, servable, state):
        """The versions of a model that a replica says are in a state."""
        body = self.fleet.http.get(f"{replica.url}/v1/models/{servable}", timeout=10).json()
        rows = body.get("model_version_status", ())
        return {int(row["version"]) for row in rows if row["state"] == state}

    def loaded_everywhere(self, servable, *versions, seconds=60.0):
        """Wait until every replica has exactly these versions AVAILABLE."""

        def so():
            found = self.loaded(servable)
            return len(found) >= 2 and all(one == set(versions) for one in found)

        until(f"{servable} has {versions} loaded everywhere", so, seconds=seconds)

    def verdict(self, name, state, seconds=60.0):
        """Wait for a verdict beside an upload; return it. It must be as the published schema says."""
        until(
            f"{state} beside {name}",
            lambda: (self.fleet.verdict(name) or {}).get("state") == state,
            seconds=seconds,
        )
        verdict = self.fleet.verdict(name)
        validate("verdict", verdict)
        return verdict

    @contextmanager
    def load(self, servable, answers, rate=63.0, targets=None, headers=None) -> Iterator[Load]:
        """Predict steadily before, during and after the block; not one may fail, retrying nothing.

        `targets` gives the replicas to ask, those of the model's shard of now if it is not given.
        """
        shard = self.fleet.model(servable)["shard"]

        def right(body):
            return any(math.isclose(body["predictions"][0], one) for one in answers)

        def there():
            return self.fleet.replicas.ready(shard)

        body = json.dumps(QUESTION).encode()
        asked = targets or there
        with Load(servable, body, asked, right, headers or {}, rate=rate) as load:
            until("the load runs", lambda: load.sent > rate)
            yield load
            sent = load.sent
            until("the load ran on", lambda: load.sent > sent + rate)
        assert load.failures[:5] == []
        assert load.per_second >= 0.8 * rate

    def kill(self, part):
        """End a function's process; wait until it is named and another one runs."""
        pid = self.stack.parts[part]
        psutil.Process(pid).kill()
        until(f"{part} runs again", lambda: self.stack.parts.get(part, pid) != pid)
        assert any(
            note.startswith(f"{part} (pid {pid}) ended: SIGKILL") for note in self.stack.notes
        )

    def dead_letters(self):
        """What the functions' dead-letter topics have."""
        found = []
        with pubsub_v1.SubscriberClient() as client:
            for topic in (
                "uploads-finalized",
                *("customer-events", "admission-requests", "shard-requests", "fleet-ticks"),
            ):
                path = client.subscription_path(self.project, f"{topic}-dead")
                found += pull(client, path, seconds=0.5)
        return found
