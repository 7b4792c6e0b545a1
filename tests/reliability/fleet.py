"""A World under a platform with time: back-off, redelivery, a tick every minute, events that overtake."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from berth.domain.errors import Retryable, Terminal
from tests.reliability import speed
from tests.reliability.routers import Routers
from tests.support.world import Crash, World
from tests.support.world_parts import Delivery

# functions.yaml: seconds between two deliveries of one message, the first and the longest.
BACK_OFF = {"uploaded": 60, "customers": 60, "admissions": 10, "shards": 10, "ticks": 60}
MINUTE = 60
# Between two rounds at the end: longer than any patience of a plan for what a replica says.
SETTLE_SECONDS = 150
NEVER = datetime.min.replace(tzinfo=UTC)
STEP_SECONDS = 10
MAX_ROUNDS = 90
MAX_ATTEMPTS = 100


@dataclass(frozen=True)
class Story:
    """What the outside does, one step after another, beginning with a settled fleet.

    `alike` names models that may change places: which of them is where may depend on the order. Where
    `in_turn`, what comes of it depends on the order of its steps: none overtakes messages that come again.
    """

    name: str
    start: Callable[[], "Fleet"]
    steps: tuple[Callable[["Fleet"], None], ...]
    alike: tuple[str, ...] = ()
    in_turn: bool = False


@dataclass
class Late:
    """A message that waits for its next delivery."""

    due: datetime
    delivery: Delivery


@dataclass
class Progress:
    """How far a story has been told; a copy of a fleet goes on from here."""

    step: int = 0
    rounds: int = 0
    outcomes: int = 0
    mutations: int = 0
    late: list[Late] = field(default_factory=list)
    ticked: datetime = NEVER


class Fleet(World):
    """A World that is driven one delivery at a time."""

    def __init__(self, **shape) -> None:
        self.routers = Routers()
        super().__init__(**shape)
        self.told = Progress(ticked=self.clock.now())

    def copy(self) -> "Fleet":
        """A fleet of its own in the same state."""
        return speed.copied(self)

    def tick(self, times: int = 1) -> None:
        """Let the cluster and the servers move, and see what routers would send them."""
        for _ in range(times):
            super().tick()
            self.routers.look(self)

    def begin(self) -> None:
        """Forget what was told before: a new story begins."""
        self.told = Progress(ticked=self.clock.now())

    # The outside

    def say(self, kind: str, customer: str = "acme", **payload) -> None:
        """Publish a customer event that happens now."""
        self.clock.advance(1)
        name = kind if kind == "model.deleted" else f"customer.{kind}"
        body = {"specversion": "1.0", "type": name, "time": self.clock.now().isoformat()}
        body["data"] = {"customer": customer, **payload}
        self.send("customers", json.dumps(body).encode())
        self.clock.advance(1)

    def upload_now(self, version: str, **changes) -> None:
        self.clock.advance(1)
        self.upload(version, **changes)
        self.clock.advance(1)

    # The platform

    def deliver(self, delivery: Delivery) -> None:
        """Deliver once; what was not acknowledged waits for its next delivery."""
        parse, handler = self.functions[delivery.topic]
        self.handled[delivery.topic] += 1
        try:
            outcome = handler.handle(parse(self.event(delivery)))
        except Terminal as error:
            self.refused.append((delivery.topic, error))
        except (Retryable, Crash) as error:
            delivery.attempts += 1
            if delivery.attempts > MAX_ATTEMPTS:
                raise AssertionError(f"a dead letter: {delivery} {error!r}") from error
            pause = min(BACK_OFF[delivery.topic], 2 ** (delivery.attempts - 1))
            due = self.clock.now() + timedelta(seconds=pause)
            self.told.late.append(Late(due, delivery))
        else:
            self.outcomes.append((delivery.topic, outcome))

    def due(self) -> Delivery | None:
        """Take the next message that is due now off the queue."""
        self._collect()
        now = self.clock.now()
        for late in [late for late in self.told.late if late.due <= now]:
            self.told.late.remove(late)
            self.queue.append(late.delivery)
        return self.queue.popleft() if self.queue else None

    def pass_time(self, seconds: float, *, ticks: bool = True) -> None:
        """Let the clock, the cluster and the servers go on, and the minute's tick come."""
        left = seconds
        while left > 0:
            self.clock.advance(min(left, STEP_SECONDS))
            self.tick()
            left -= STEP_SECONDS
        if ticks and self.clock.now() - self.told.ticked >= timedelta(seconds=MINUTE):
            self.send_tick()

    def send_tick(self, *, sweep: bool = False) -> None:
        self.told.ticked = self.clock.now()
        self.send("ticks", b'{"sweep": true}' if sweep else b'{"sweep": false}')

    def wait(self) -> None:
        """Wait for the next message that is due, at most a minute."""
        first = min(late.due for late in self.told.late)
        left = (first - self.clock.now()).total_seconds()
        self.pass_time(min(MINUTE, max(0.0, left)))

    def next(self, story: Story, *, overtake: bool = False) -> Delivery | None:
        """Bring about the next delivery; None at the end of the story.

        With `overtake` the next step of the story does not wait for messages that come again.
        """
        told = self.told
        while True:
            found = self.due()
            if found is not None:
                return found
            if told.step < len(story.steps) and (not told.late or (overtake and not story.in_turn)):
                told.step += 1
                story.steps[told.step - 1](self)
            elif told.late:
                self.wait()
            elif not self._round():
                return None

    def _round(self) -> bool:
        """One more tick, unless the last one changed nothing."""
        told = self.told
        words = {
            outcome.word for _, outcome in self.outcomes[told.outcomes :] if not _rests(outcome)
        }
        same = told.mutations == self.mutations
        if told.rounds and same and words <= {"converged"} and not self._on_probation():
            return False
        told.rounds += 1
        if told.rounds > MAX_ROUNDS:
            raise AssertionError(f"not settled: {self.outcomes[-6:]}")
        told.outcomes, told.mutations = len(self.outcomes), self.mutations
        self.pass_time(SETTLE_SECONDS, ticks=False)
        self.tick(3)
        self.send_tick(sweep=True)
        return True

    def _on_probation(self) -> bool:
        """Whether what a version that serves did before is still held against it."""
        return any(
            not held.active
            for shard in self.workloads._shards()
            for record in self.shard_status(shard).models.values()
            for held in record.quarantined.values()
        )

    def tell(self, story: Story, *, overtake: bool = False) -> "Fleet":
        """Tell the rest of a story."""
        while (delivery := self.next(story, overtake=overtake)) is not None:
            self.deliver(delivery)
        return self


def _rests(outcome) -> bool:
    """Whether it tells of an upload that waits for its owner: every sweep asks for it, nothing comes of it."""
    return outcome.word == "deferred" and outcome.reason.startswith("the account is closed")
