"""What customers do during a round, and what must have come of it in the end."""

import base64
import json
import random
import time
from datetime import UTC, datetime

import requests
from cloudevents.http import CloudEvent
from google.api_core import exceptions

from berth import events
from infra.demo import damage
from tests.chaos import versions

CLOSED, HOSTILE, TAKER_BACK, WITH_TWO = 6, 7, 2, 3
SETTLED = (0, 1, TAKER_BACK, WITH_TWO, CLOSED, HOSTILE)
LATER = (4, 5)
AWAY = (exceptions.GoogleAPICallError, exceptions.RetryError, requests.RequestException)


def name(customer):
    return f"chaos-{customer}"


class Outside:
    """Customers who repeat what was not acknowledged, and remember what they told Pub/Sub."""

    def __init__(self, fleet, scratch):
        self.fleet, self._scratch = fleet, scratch
        self._versions = versions.folder()
        self._url = f"http://{fleet.environment['PUBSUB_EMULATOR_HOST']}/v1/"
        self._session = requests.Session()
        self._told = []
        self.uploads = 0

    def close(self):
        self._session.close()

    def settle(self):
        """The customers and versions that are there before anything is killed."""
        for customer in SETTLED:
            self.tell("customer.signed_up", customer, plan="standard")
        for customer in (0, 1, TAKER_BACK, WITH_TWO, CLOSED):
            self.upload(customer, "own", 1)
        self.upload(WITH_TWO, "gone", 1)

    def steps(self, seed):
        """What happens during the round, in an order drawn from the seed."""
        steps = [
            lambda: self.upload(0, "own", 2),
            lambda: self.upload(1, "own", 2),
            self._take_back,
            self._join,
            self._come_early,
            self._bad,
            self._incomplete,
            lambda: self.tell("customer.closed", CLOSED),
            lambda: self.tell("model.deleted", WITH_TWO, model="gone"),
        ]
        random.Random(seed).shuffle(steps)
        return steps

    def wanted(self):
        """The version of each model that must serve in the end; None: none may."""
        own = {0: 2, 1: 2, TAKER_BACK: 1, WITH_TWO: 1, 4: 1, 5: 1, CLOSED: None}
        found = {f"{name(c)}.own": version for c, version in own.items()}
        found[f"{name(WITH_TWO)}.gone"] = None
        for customer in (*SETTLED, *LATER):
            found[f"{name(customer)}.starter"] = None if customer == CLOSED else 1
        return found

    def verdicts(self):
        """The answer that must be beside each upload in the end; INCOMPLETE is not final."""
        good = [(c, "own", 1) for c in (0, 1, TAKER_BACK, WITH_TWO, CLOSED, *LATER)]
        good += [(c, "own", 2) for c in (0, 1, TAKER_BACK)] + [(WITH_TWO, "gone", 1)]
        found = {f"{name(c)}/{model}/{number}": "ADMITTED" for c, model, number in good}
        found[f"{name(HOSTILE)}/bad/1"] = "REJECTED"
        found[f"{name(HOSTILE)}/half/1"] = "INCOMPLETE"
        return found

    def tell(self, kind, customer, **fields):
        """Publish a customer event of now, until Pub/Sub has taken it."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = {
            "specversion": "1.0",
            "id": f"{name(customer)}-{at}",
            "source": "//example.com/accounts",
            "type": kind,
            "time": at,
            "data": {"customer": name(customer), **fields},
        }
        self._told.append(event)
        self.publish("BERTH_CUSTOMER_TOPIC", event)

    def told(self):
        """The events that were told, as Berth reads them."""
        for event in self._told:
            data = base64.b64encode(json.dumps(event).encode()).decode()
            message = {"message": {"data": data, "messageId": event["id"]}}
            yield events.customer_event(CloudEvent({"type": "told", "source": "here"}, message))

    def tell_again(self):
        """What an emulator that was killed forgot: nobody knows what, so all of it."""
        for event in self._told:
            self.publish("BERTH_CUSTOMER_TOPIC", event)

    def publish(self, topic, event):
        data = base64.b64encode(json.dumps(event).encode()).decode()
        url = f"{self._url}{self.fleet.environment[topic]}:publish"
        body = {"messages": [{"data": data}]}
        self._until_taken(lambda: self._session.post(url, json=body, timeout=5).raise_for_status())

    def upload(self, customer, model, version, *, source=None, only=None):
        """Upload a version until every file is stored."""
        source = source or self._versions / str(customer) / str(version)
        prefix = f"{name(customer)}/{model}/{version}"
        self._until_taken(lambda: self.fleet.upload(source, prefix, only=only))
        self.uploads += 1

    def _take_back(self):
        """Upload version 2 and pin version 1."""
        self.upload(TAKER_BACK, "own", 2)
        wish = f"{name(TAKER_BACK)}/own/serving.yaml"
        self._until_taken(lambda: self.fleet.write(wish, "pin: 1\n"))

    def _join(self):
        self.tell("customer.signed_up", 4, plan="standard")
        self.upload(4, "own", 1)

    def _come_early(self):
        self.upload(5, "own", 1)
        self.tell("customer.signed_up", 5, plan="standard")

    def _bad(self):
        source = self._versions / str(HOSTILE) / "1"
        bad = damage.edited(source, self._scratch / "bad", damage.reads_a_file)
        self.upload(HOSTILE, "bad", 1, source=bad)

    def _incomplete(self):
        self.upload(HOSTILE, "half", 1, only=lambda file: "variables.data" not in file)

    def _until_taken(self, send):
        end = time.monotonic() + 120
        while True:
            try:
                send()
            except AWAY:
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)  # as a client backs off
            else:
                return
