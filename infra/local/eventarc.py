"""The relay, Eventarc's and Cloud Run's front end in the local stack: it keeps nothing on disk.

Messages of the functions' subscriptions become binary CloudEvents; a call below /http/<function>/
reaches that function as it is. `python -m infra.local.eventarc CONFIGURATION`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp
from aiohttp import web

from infra.local import gate, route
from infra.local.delivery import Pump, Target
from infra.local.route import Configuration

_LARGEST = 32 * 1024 * 1024
# gunicorn closes a connection that was idle for 2 s: ours must be given up before.
_IDLE = 1.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length"}
_TARGETS = web.AppKey("targets", dict[str, Target])


def application(configuration: Configuration) -> web.Application:
    """The relay's server; its pumps run as long as it does."""
    app = web.Application(client_max_size=_LARGEST)
    app[_TARGETS] = {}

    async def pumps(served: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE)
        # Bodies pass through as they are: whoever asked for compression gets it untouched.
        session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        )
        targets = {one.name: Target(one, session) for one in configuration.routes}
        served[_TARGETS].update(targets)
        tasks = [
            asyncio.create_task(Pump(one, session, configuration.pubsub).run())
            for one in targets.values()
            if one.route.subscription
        ]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await session.close()

    app.cleanup_ctx.append(pumps)
    app.router.add_get("/healthz", _healthy)
    app.router.add_route("*", "/http/{function}", _forward)
    app.router.add_route("*", "/http/{function}/{path:.*}", _forward)
    return app


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _forward(request: web.Request) -> web.Response:
    """Pass a call through as Cloud Run does: it waits for its turn, but not for ever."""
    target = request.app[_TARGETS].get(request.match_info["function"])
    if target is None:
        return web.Response(status=404, text="no such function\n")
    path = request.rel_url.raw_path.removeprefix(f"/http/{target.route.name}") or "/"
    url = f"{path}?{request.rel_url.raw_query_string}".rstrip("?")
    body = await request.read()
    try:
        async with target.gate.enter(target.route.timeout) as address:
            status, headers, content = await target.call(
                address, request.method, url, _end_to_end(request.headers), body
            )
    except gate.Crowded:
        return web.Response(status=429, text=f"{target.route.name}: no instance was free\n")
    return web.Response(status=status, headers=_end_to_end(headers), body=content)


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


def main() -> None:
    """Serve the configuration file named on the command line until SIGTERM."""
    configuration = route.read(Path(sys.argv[1]))
    web.run_app(
        application(configuration),
        host="127.0.0.1",
        port=configuration.port,
        access_log=None,
        print=None,
        shutdown_timeout=1.0,
    )


if __name__ == "__main__":
    main()
