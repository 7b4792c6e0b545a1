"""The relay, Eventarc's and Cloud Run's front end in the local stack: it keeps nothing on disk.

A push of a subscription becomes a binary CloudEvent, the function's HTTP status is the answer;
a call below /http/<function>/ reaches that function as it is.
`python -m infra.local.eventarc CONFIG`.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from infra.functions import BucketTrigger, Function, TopicTrigger
from infra.local import cloudevent, gate
from infra.local.cloudevent import Delivery

_LARGEST = 32 * 1024 * 1024
# gunicorn closes a connection that was idle for 2 s: ours must be given up before.
_IDLE = 1.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length"}
_MARGIN = 1.0


@dataclass(frozen=True, slots=True)
class Route:
    """What the relay knows of one function; times in seconds, `source` is a topic or "bucket"."""

    name: str
    addresses: list[str]
    concurrency: int
    timeout: float
    ack_deadline: float
    source: str = ""
    minimum_backoff: float = 0
    maximum_backoff: float = 0


def route(function: Function, ports: list[int], project: str) -> Route:
    """The route to a function whose instances listen at `ports`."""
    source = ""
    if isinstance(function.trigger, TopicTrigger):
        source = f"projects/{project}/topics/{function.trigger.topic}"
    elif isinstance(function.trigger, BucketTrigger):
        source = "bucket"
    return Route(
        name=function.name,
        addresses=[f"http://127.0.0.1:{port}" for port in ports],
        concurrency=function.concurrency,
        timeout=function.timeout,
        ack_deadline=function.ack_deadline,
        source=source,
        minimum_backoff=function.retry.minimum_backoff if function.retry else 0,
        maximum_backoff=function.retry.maximum_backoff if function.retry else 0,
    )


def configuration(port: int, routes: list[Route]) -> str:
    """The relay's configuration file."""
    return json.dumps({"port": port, "routes": [asdict(one) for one in routes]}, indent=1)


class Target:
    """One function behind the relay: its gate, its back-off and how it is called."""

    def __init__(self, known: Route, session: aiohttp.ClientSession) -> None:
        """`session` keeps the connections to the functions."""
        self.route = known
        self._session = session
        self._gate = gate.Gate(known.addresses, known.concurrency)
        self._backoff = gate.Backoff(known.minimum_backoff, known.maximum_backoff)

    async def push(self, body: bytes) -> web.Response:
        """Deliver one push; a refusal is held back, but answered before the ack deadline."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.route.ack_deadline - _MARGIN
        try:
            delivery = self._delivery(body)
        except cloudevent.EnvelopeError as error:
            return web.Response(status=400, text=str(error))
        status, text = await self._deliver(delivery)
        if status < 300:
            self._backoff.settled(delivery.message_id)
            return web.Response(status=204)
        print(
            f"{self.route.name}: message {delivery.message_id} refused: {status} {text}", flush=True
        )
        held = min(self._backoff.refused(delivery.message_id), until - loop.time())
        await asyncio.sleep(max(0.0, held))
        return web.Response(status=status)

    async def forward(self, request: web.Request) -> web.Response:
        """Pass a call through as Cloud Run does: it waits for its turn, but not for ever."""
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        path = request.rel_url.raw_path.removeprefix(f"/http/{self.route.name}") or "/"
        url = f"{path}?{request.rel_url.raw_query_string}".rstrip("?")
        try:
            status, received, content = await self._call(
                request.method, url, headers, await request.read(), self.route.timeout
            )
        except gate.Crowded:
            return web.Response(status=429, text=f"{self.route.name}: no instance was free\n")
        except TimeoutError:
            return web.Response(status=504, text=f"{self.route.name}: no answer in time\n")
        except aiohttp.ClientError as error:
            return web.Response(status=503, text=f"{self.route.name}: {error}\n")
        kept = {k: v for k, v in received.items() if k.lower() not in _HOP_BY_HOP}
        return web.Response(status=status, headers=kept, body=content)

    async def _deliver(self, delivery: Delivery) -> tuple[int, str]:
        patience = self.route.ack_deadline - self.route.timeout
        try:
            status, _, content = await self._call(
                "POST", "/", dict(delivery.headers), delivery.body, max(patience, _MARGIN)
            )
        except gate.Crowded:
            return 429, "no instance was free"
        except TimeoutError:
            return 504, f"no answer in {self.route.timeout:g} s"
        except aiohttp.ClientError as error:
            return 503, str(error)
        return status, content[:200].decode(errors="replace").strip()

    async def _call(
        self, method: str, path: str, headers: dict[str, str], body: bytes, patience: float
    ) -> tuple[int, Any, bytes]:
        async with (
            self._gate.enter(patience) as address,
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

    def _delivery(self, body: bytes) -> Delivery:
        if self.route.source == "bucket":
            return cloudevent.from_bucket(body)
        return cloudevent.from_topic(body, self.route.source)


def application(routes: list[Route]) -> web.Application:
    """The relay's server over these routes."""
    targets: dict[str, Target] = {}

    async def start(_: web.Application) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE)
        timeout = aiohttp.ClientTimeout(total=None)
        # Bodies pass through as they are: whoever asked for compression gets it untouched.
        session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        targets.update((one.name, Target(one, session)) for one in routes)
        served["session"] = session

    async def stop(_: web.Application) -> None:
        await served["session"].close()

    async def push(request: web.Request) -> web.Response:
        return await _target(request, targets).push(await request.read())

    async def forward(request: web.Request) -> web.Response:
        return await _target(request, targets).forward(request)

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    served: dict[str, aiohttp.ClientSession] = {}
    app = web.Application(client_max_size=_LARGEST)
    app.on_startup.append(start)
    app.on_cleanup.append(stop)
    app.router.add_get("/healthz", healthy)
    app.router.add_post("/push/{function}", push)
    app.router.add_route("*", "/http/{function}", forward)
    app.router.add_route("*", "/http/{function}/{path:.*}", forward)
    return app


def _target(request: web.Request, targets: dict[str, Target]) -> Target:
    try:
        return targets[request.match_info["function"]]
    except KeyError:
        raise web.HTTPNotFound(text="no such function\n") from None


def main() -> None:
    """Serve the configuration file named on the command line until SIGTERM."""
    config = json.loads(Path(sys.argv[1]).read_text())
    routes = [Route(**one) for one in config["routes"]]
    web.run_app(
        application(routes),
        host="127.0.0.1",
        port=config["port"],
        access_log=None,
        print=None,
        shutdown_timeout=1.0,
    )


if __name__ == "__main__":
    main()
