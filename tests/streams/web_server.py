"""A local web server whose answers a test writes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """A running server. ``asked``: path and query of each request, in order."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def site(handler: Handler) -> AsyncIterator[Site]:
    served = Site("")

    async def counted(request: web.Request) -> web.StreamResponse:
        served.asked.append(request.path_qs)
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", counted)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()
