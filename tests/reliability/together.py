"""Deliveries at the same time, one port call of one of them after another, as a schedule says."""

import threading
from collections.abc import Callable

MAX_STEPS = 20_000


class Together:
    """Runs deliveries in threads of which one at a time moves: from one port call to its next.

    `watch` is called with (kind, name) when a call has had its effect.
    """

    def __init__(self, fleet, deliveries, choose: Callable[[int], int], watch=None) -> None:
        self.fleet = fleet
        self.choose = choose
        self.watch = watch
        self.steps = 0
        self.errors: list[BaseException] = []
        self._turns = [threading.Semaphore(0) for _ in deliveries]
        self._back = threading.Semaphore(0)
        self._mine = threading.local()
        self._threads = [
            threading.Thread(target=self._deliver, args=(number, delivery), daemon=True)
            for number, delivery in enumerate(deliveries)
        ]

    def run(self) -> None:
        """Let all come to their end. Raises what a delivery raised that the platform does not know."""
        self.fleet.fail(self._pause, self.watch)
        for thread in self._threads:
            thread.start()
        alive = list(range(len(self._threads)))
        while alive:
            self.steps += 1
            chosen = alive[self.choose(len(alive)) if self.steps < MAX_STEPS else 0]
            self._turns[chosen].release()
            self._back.acquire()
            alive = [number for number in alive if self._turns[number] is not None]
        for thread in self._threads:
            thread.join()
        self.fleet.revive()
        if self.errors:
            raise self.errors[0]

    def _deliver(self, number, delivery) -> None:
        self._mine.number = number
        self._turns[number].acquire()
        try:
            self.fleet.deliver(delivery)
        except BaseException as error:  # noqa: BLE001 - raised again by run
            self.errors.append(error)
        finally:
            self._turns[number] = None
            self._back.release()

    def _pause(self, kind: str, name: str) -> None:
        """Give the turn back before each call."""
        turn = self._turns[self._mine.number]
        self._back.release()
        turn.acquire()
