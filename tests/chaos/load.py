"""A steady load over many customers' models: who was asked, when, and what came of it."""

import http.client
import itertools
import json
import time
from dataclasses import dataclass, field

from infra.demo.pace import Paced

BODY = json.dumps({"instances": [2.0]})


@dataclass(frozen=True, slots=True)
class Failure:
    """A prediction that was sent and not answered as it should be; times by time.monotonic()."""

    servable: str
    pod: str
    uid: str
    start: float
    end: float
    why: str


@dataclass
class Load(Paced):
    """Predictions at a fixed rate; `answers` maps each servable to what it may answer.

    A connection that is refused goes on to the next replica, as a proxy's does: nothing was sent.
    What was sent is never repeated.
    """

    replicas: object
    places: dict[str, str]
    answers: dict[str, set[float]]
    refused: int = 0
    failures: list[Failure] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    _turn: itertools.count = field(default_factory=itertools.count)

    def _send(self, times):
        for _ in times:
            self._one(next(self._turn))

    def _one(self, turn):
        servable = sorted(self.places)[turn % len(self.places)]
        targets = self.replicas.ready(self.places[servable])
        with self._lock:
            self.sent += 1
        for step in range(len(targets)):
            target = targets[(turn // len(self.places) + step) % len(targets)]
            # Before the connection: a server may die between the handshake and the next line.
            start = time.monotonic()
            connection = http.client.HTTPConnection(target.address, 8501, timeout=30)
            try:
                connection.connect()
            except ConnectionRefusedError:
                with self._lock:
                    self.refused += 1
                continue
            self._ask(connection, servable, target, start)
            return
        self._fail(Failure(servable, "", "", time.monotonic(), time.monotonic(), "nobody to ask"))

    def _ask(self, connection, servable, target, start):
        try:
            connection.request("POST", f"/v1/models/{servable}:predict", BODY)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            status, text = 0, repr(error).encode()
        finally:
            connection.close()
        if status != 200:
            why = f"{status} {text[:200].decode(errors='replace')}"
            self._fail(Failure(servable, target.name, target.uid, start, time.monotonic(), why))
            return
        said = json.loads(text)["predictions"][0]
        if said not in self.answers[servable]:
            with self._lock:
                self.foreign.append(f"{servable} on {target.name} answered {said}")

    def _fail(self, failure):
        with self._lock:
            self.failures.append(failure)
