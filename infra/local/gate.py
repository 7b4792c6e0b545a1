"""How many calls a function gets at a time, who waits, and how long a refusal is held back."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Crowded(Exception):
    """No instance was free before the wait was over."""


class Gate:
    """Gives calls to instances, each at most `concurrency` at a time, in order of arrival."""

    def __init__(self, addresses: list[str], concurrency: int) -> None:
        """`addresses` are the base URLs of the instances."""
        self._busy = dict.fromkeys(addresses, 0)
        self._room = asyncio.Semaphore(len(addresses) * concurrency)
        self._next = 0

    @asynccontextmanager
    async def enter(self, patience: float) -> AsyncIterator[str]:
        """The address of the instance to call. Raises Crowded after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._room.acquire()
        except TimeoutError as error:
            raise Crowded from error
        address = self._least_busy()
        self._busy[address] += 1
        try:
            yield address
        finally:
            self._busy[address] -= 1
            self._room.release()

    def _least_busy(self) -> str:
        """Round robin among the instances with the fewest calls: never above their concurrency."""
        addresses = list(self._busy)
        self._next += 1
        order = [addresses[(self._next + i) % len(addresses)] for i in range(len(addresses))]
        return min(order, key=self._busy.__getitem__)


class Backoff:
    """Seconds to hold back the refusal of a message: minimum * 2^n up to maximum, bounded memory.

    The Pub/Sub emulator redelivers after about a second whatever the subscription's policy says.
    """

    def __init__(self, minimum: float, maximum: float, *, remembered: int = 10_000) -> None:
        """Only the newest `remembered` messages are known; a forgotten one starts anew."""
        self._minimum, self._maximum, self._remembered = minimum, maximum, remembered
        self._refusals: OrderedDict[str, int] = OrderedDict()

    def refused(self, message: str) -> float:
        """Count one more refusal and say how long its answer is held."""
        count = self._refusals.pop(message, 0)
        self._refusals[message] = count + 1
        if len(self._refusals) > self._remembered:
            self._refusals.popitem(last=False)
        return min(self._maximum, self._minimum * 2.0 ** min(count, 30))

    def settled(self, message: str) -> None:
        """Forget a message that was acknowledged."""
        self._refusals.pop(message, None)
