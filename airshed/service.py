"""What every long-running service shows of itself: metrics, liveness and readiness; and how it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from litestar import Litestar, MediaType, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


@dataclass
class Health:
    """State behind ``/livez`` and ``/readyz``.

    ``checks`` are called at every request of ``/readyz``; each returns an empty string when fine, else what is wrong.
    """

    checks: dict[str, Callable[[], str]] = field(default_factory=dict)

    def problems(self) -> dict[str, str]:
        return {name: problem for name, check in self.checks.items() if (problem := check())}


def health_routes(health: Health) -> list[Any]:
    """``/metrics``, ``/livez`` (the loop turns) and ``/readyz`` (everything it needs is there)."""

    @get("/metrics", sync_to_thread=False)
    def metrics() -> Response[bytes]:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @get("/livez", media_type=MediaType.TEXT, sync_to_thread=False)
    def livez() -> str:
        return "alive\n"

    @get("/readyz", sync_to_thread=False)
    def readyz() -> Response[dict[str, Any]]:
        problems = health.problems()
        body = {"ready": not problems, "problems": problems}
        return Response(body, status_code=503 if problems else 200)

    return [metrics, livez, readyz]


def health_app(health: Health) -> Litestar:
    """An application with nothing but the health routes, for services without pages."""
    return Litestar(route_handlers=health_routes(health), openapi_config=None)


class _QuietServer(uvicorn.Server):
    """A server that leaves signals to the service around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def serving(app: Any, host: str, port: int) -> AsyncIterator[int]:
    """Serve an application while the block runs; yields the port really used (``port`` 0 = any free one).

    Raises:
        OSError: if the port cannot be bound.
    """
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, lifespan="off")
    socket = config.bind_socket()
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[socket]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield int(socket.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        socket.close()


def stop_on_signals(stop: asyncio.Event, signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> None:
    """Set ``stop`` on the first SIGTERM or SIGINT, so that the service can finish what it holds."""
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, stop.set)
