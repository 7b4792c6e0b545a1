"""Delivers a subscription's messages to a function; its HTTP status decides what becomes of them.

The relay pulls: a refused message is then put off by exactly its back-off and nobody waits behind it.
The emulator's own push ignores the retry policy and, when answers are held back instead, delivers
next to nothing else (five messages held for 5 s stopped their subscription for half a minute).
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from infra.local import cloudevent, gate
from infra.local.route import Route

# Short, and renewed while the function works: what a killed relay had in hand comes back soon.
ACK_DEADLINE = 10
_RENEWAL = 4.0
_RETRY = 1.0
_MOST = 100


class Target:
    """One function: its instances and how they are called."""

    def __init__(self, route: Route, session: aiohttp.ClientSession) -> None:
        """`session` keeps the connections to the instances."""
        self.route = route
        self.gate = gate.Gate(route.addresses, route.concurrency)
        self._session = session

    async def call(
        self, address: str, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any, bytes]:
        """Status, headers and body of the answer; a status of the relay's own where there is none."""
        try:
            async with (
                asyncio.timeout(self.route.timeout),
                self._session.request(
                    method,
                    URL(address + path, encoded=True),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                ) as answer,
            ):
                return answer.status, answer.headers, await answer.read()
        except TimeoutError:
            text = f"{self.route.name}: no answer in {self.route.timeout:g} s\n"
            return 504, {}, text.encode()
        except aiohttp.ClientError as error:
            return 503, {}, f"{self.route.name}: {error}\n".encode()


class Pump:
    """Pulls the messages of one function's subscription, as many as it has room for."""

    def __init__(self, target: Target, session: aiohttp.ClientSession, pubsub: str) -> None:
        """`pubsub` is the emulator's "host:port"."""
        self._target, self._session = target, session
        self._url = f"http://{pubsub}/v1/{target.route.subscription}"
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Deliver until cancelled; then what is in hand is let go, and comes again at its deadline."""
        try:
            await self._pump()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            room = await self._target.gate.reserve()
            try:
                messages = await self._pull(min(room, _MOST))
            except (aiohttp.ClientError, TimeoutError) as error:
                self._say(f"no messages: {error}")
                messages = []
                await asyncio.sleep(_RETRY)
            self._target.gate.release(room - len(messages))
            for message in messages:
                task = asyncio.create_task(self._handle(message))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _pull(self, most: int) -> list[dict[str, Any]]:
        answer = await self._ask("pull", {"maxMessages": most})
        return list(answer.get("receivedMessages", []))

    async def _handle(self, received: dict[str, Any]) -> None:
        begun = time.monotonic()
        try:
            async with self._renewed(received["ackId"]):
                status, text = await self._deliver(received["message"])
        finally:
            self._target.gate.release(1)
        message = received["message"]["messageId"]
        if status < 300:
            await self._settle("acknowledge", {"ackIds": [received["ackId"]]})
            return
        attempt, route = int(received.get("deliveryAttempt", 1)), self._target.route
        pause = gate.backoff(route.minimum_backoff, route.maximum_backoff, attempt)
        took = time.monotonic() - begun
        self._say(
            f"message {message}, attempt {attempt}: {status} after {took:.2f} s,"
            f" again in {pause} s; {text}"
        )
        again = {"ackIds": [received["ackId"]], "ackDeadlineSeconds": pause}
        await self._settle("modifyAckDeadline", again)

    async def _deliver(self, message: dict[str, Any]) -> tuple[int, str]:
        route = self._target.route
        event = cloudevent.published(message, route.topic, route.subscription)
        with self._target.gate.instance() as address:
            status, _, body = await self._target.call(
                address, "POST", "/", dict(event.headers), event.body
            )
        return status, body[:200].decode(errors="replace").strip()

    @asynccontextmanager
    async def _renewed(self, ack: str) -> AsyncIterator[None]:
        task = asyncio.create_task(self._renew(ack))
        try:
            yield
        finally:
            task.cancel()

    async def _renew(self, ack: str) -> None:
        while True:
            await asyncio.sleep(_RENEWAL)
            body = {"ackIds": [ack], "ackDeadlineSeconds": ACK_DEADLINE}
            await self._settle("modifyAckDeadline", body)

    async def _settle(self, verb: str, body: dict[str, Any]) -> None:
        """Tell the emulator; if it does not hear, the message comes again at its deadline."""
        try:
            await self._ask(verb, body)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._say(f"{verb} failed: {error}")

    async def _ask(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(f"{self._url}:{verb}", json=body) as answer:
            answer.raise_for_status()
            return dict(json.loads(await answer.read()))

    def _say(self, text: str) -> None:
        print(f"{self._target.route.name}: {text}", flush=True)
