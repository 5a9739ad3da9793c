"""What every long-running service shows of itself: metrics, liveness and readiness; and how it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from litestar import Litestar, MediaType, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.errors import ConfigurationError, Problem


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


def health_app(health: Health, routes: Sequence[Any] = ()) -> Litestar:
    """An application with the health routes and little else, for services without pages."""
    return Litestar(route_handlers=[*health_routes(health), *routes], openapi_config=None, logging_config=None)


class _QuietServer(uvicorn.Server):
    """A server that leaves signals to the service around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes any free one.

    Raises:
        ConfigurationError: when the address cannot be had, with what to do.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        remedy = "stop what listens there, or set another web.port"
        raise ConfigurationError([Problem(f"{host}:{port}: {error.strerror}", field="web", remedy=remedy)]) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Address of a bound socket, for links on this machine."""
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def serving(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a bound socket while the block runs."""
    server = _QuietServer(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


def stop_on_signals(stop: asyncio.Event, signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> None:
    """Set ``stop`` on the first SIGTERM or SIGINT, so that the service can finish what it holds."""
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, stop.set)
