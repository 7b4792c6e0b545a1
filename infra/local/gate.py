"""How many calls a function gets at a time, and how long a refused message stays away."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

_LONGEST = 600


class Crowded(Exception):
    """No instance was free before the wait was over."""


class Gate:
    """Gives calls to instances, each at most `concurrency` at a time, in order of arrival."""

    def __init__(self, addresses: list[str], concurrency: int) -> None:
        """`addresses` are the base URLs of the instances."""
        self._busy = dict.fromkeys(addresses, 0)
        self._room = asyncio.Semaphore(len(addresses) * concurrency)
        self._next = 0

    async def reserve(self) -> int:
        """Wait until there is room, then take all of it; the number of calls that may be made."""
        await self._room.acquire()
        taken = 1
        while not self._room.locked():
            await self._room.acquire()
            taken += 1
        return taken

    def release(self, taken: int) -> None:
        """Give room back."""
        for _ in range(taken):
            self._room.release()

    @asynccontextmanager
    async def enter(self, patience: float) -> AsyncIterator[str]:
        """Room for one call, and the instance for it. Raises Crowded after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._room.acquire()
        except TimeoutError as error:
            raise Crowded from error
        try:
            with self.instance() as address:
                yield address
        finally:
            self._room.release()

    @contextmanager
    def instance(self) -> Iterator[str]:
        """The least busy instance, in turns: none gets more calls than its concurrency."""
        addresses = list(self._busy)
        self._next += 1
        turn = [addresses[(self._next + i) % len(addresses)] for i in range(len(addresses))]
        address = min(turn, key=self._busy.__getitem__)
        self._busy[address] += 1
        try:
            yield address
        finally:
            self._busy[address] -= 1


def backoff(minimum: float, maximum: float, attempt: int) -> int:
    """Whole seconds until the attempt after `attempt` (from 1): minimum * 2^(attempt - 1), bounded."""
    seconds = min(maximum, minimum * 2.0 ** min(attempt - 1, 30))
    return min(_LONGEST, math.ceil(seconds))
