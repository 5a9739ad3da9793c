"""The long-running services: ``up`` for one process, and the four of the Kafka runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from airshed import logs
from airshed.configuration import Configuration, load
from airshed.kafka import services
from airshed.local.live import Live
from airshed.service import stop_on_signals

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Port = Annotated[int | None, typer.Option(help="Port of pages and /metrics, instead of web.port; 0 = any free one.")]

_DEFAULT = Path("airshed.toml")


def up(config: Config = _DEFAULT) -> None:
    """Everything in one process on one SQLite file: sources, stages, notifiers, pages. Until Ctrl-C or SIGTERM.

    Example: `airshed up --config airshed.toml`
    """
    settings = settings_of(config)
    serve(lambda stop: Live(settings).run(stop))


def ingest(
    config: Config = _DEFAULT,
    readings: Annotated[
        Path | None, typer.Option(help="Hand over these recorded readings on event time, then end.")
    ] = None,
    port: Port = None,
) -> None:
    """The gateway of the Kafka runtime: from the configured sources to the topic `readings`.

    Example: `airshed ingest --config airshed.toml`
    """
    settings = settings_of(config)

    async def run(stop: asyncio.Event) -> None:
        if readings is None:
            await services.ingest(settings, stop, port=port)
            return
        done = await services.ingest_recorded(settings, readings, stop)
        typer.echo(f"{done.readings:,} readings in {done.messages:,} messages, {done.rejected:,} rejected")

    serve(run)


def worker(
    config: Config = _DEFAULT,
    name: Annotated[str | None, typer.Option(help="Stable name within the group; default: the host's.")] = None,
    port: Port = None,
) -> None:
    """The stages of the Kafka runtime: index, provinces, episodes, rules. Start as many as there are partitions.

    Example: `airshed worker --config airshed.toml --name worker-1 --port 8601`
    """
    settings = settings_of(config)
    serve(lambda stop: services.worker(settings, stop, name=name, port=port))


def console(config: Config = _DEFAULT, port: Port = None) -> None:
    """Acknowledgement pages and provider webhooks of the Kafka runtime.

    Example: `airshed console --config airshed.toml`
    """
    settings = settings_of(config)
    serve(lambda stop: services.console(settings, stop, port=port))


def settings_of(config: Path) -> Configuration:
    """The configuration of a service, with its log set up."""
    settings = load(config)
    logs.configure(settings.log_level)
    return settings


def serve(run: Callable[[asyncio.Event], Awaitable[object]]) -> None:
    """Run a service until it ends or a signal asks it to; the first signal lets it finish what it holds."""

    async def main() -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        await run(stop)

    uvloop.run(main())
