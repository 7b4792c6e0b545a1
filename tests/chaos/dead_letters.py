"""What the functions gave up: the dead-letter topics, looked at before the emulator forgets them."""

import base64

import requests

from infra import functions

CANARY = "looked for, and found"


class DeadLetters:
    """Every dead letter of a round. One is published to each topic first: none means none then."""

    def __init__(self, environment):
        table = functions.read().values()
        self._names = sorted(f"{one.topic}-dead" for one in table if one.topic and one.retry)
        self._url = f"http://{environment['PUBSUB_EMULATOR_HOST']}/v1/projects"
        self._url += f"/{environment['GOOGLE_CLOUD_PROJECT']}"
        self._found = []

    def begin(self):
        """Raises AssertionError where a dead letter would not be seen."""
        for name in self._names:
            data = base64.b64encode(CANARY.encode()).decode()
            self._post(f"topics/{name}:publish", {"messages": [{"data": data}]})
        self.collect()
        assert sorted(self._found) == [f"{name}: {CANARY}" for name in self._names]
        self._found.clear()

    def collect(self):
        """Take what is there."""
        for name in self._names:
            while received := self._pull(name):
                self._found += [f"{name}: {data}" for data in received]

    def found(self):
        """All that was collected, with what is there now."""
        self.collect()
        return tuple(self._found)

    def _pull(self, name):
        answer = self._post(
            f"subscriptions/{name}:pull", {"maxMessages": 100, "returnImmediately": True}
        )
        received = answer.get("receivedMessages", [])
        if received:
            acks = {"ackIds": [one["ackId"] for one in received]}
            self._post(f"subscriptions/{name}:acknowledge", acks)
        return [base64.b64decode(one["message"].get("data", "")).decode() for one in received]

    def _post(self, path, body):
        answer = requests.post(f"{self._url}/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()
