"""Live operation in one process: sources, stages, ledger, dispatcher and pages on one database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
import structlog

from airshed.configuration import Configuration
from airshed.local.runtime import LocalRuntime
from airshed.messaging import import_registries, log_imports, messaging
from airshed.packs import outlines_of, shelf_of
from airshed.reigns import report_reigns
from airshed.reloading import Reloading
from airshed.service import Health, health_routes, listening_socket, serving, stop_on_signals
from airshed.sources import Feeds, memory_of
from airshed.watching import caps_of, watch
from notifiers import standings
from notifiers.database import connect, reading, upgrade
from notifiers.planner import plan
from rules.loading import load_pack
from rules.model import Pack
from streams.clock import Clock, SystemClock, epoch_s
from streams.gateway import live
from streams.schemas import Mark
from streams.sources.arrivals import Arrival
from streams.stations import read_stations

Item = TypeVar("Item")

_log = structlog.get_logger()
_SILENT_MARKS = 3
"""A gateway that missed this many of its own marks is stuck, not slow."""


class Live:
    """``airshed up``: everything until it is told to stop."""

    def __init__(self, settings: Configuration, clock: Clock | None = None) -> None:
        """Load registries and rules. Raises the errors of what cannot be read; nothing has been started then."""
        self._settings = settings
        self._clock = clock or SystemClock()
        self._shelf = shelf_of(settings)
        self._pack: Pack = self._shelf.base if self._shelf else load_pack(settings.pack)
        self._registry = read_stations(Path(settings.stations), [self._pack.airshed])
        self._latest_mark_s = self._clock.now_s()

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Serve until ``stop`` is set, or until SIGTERM or SIGINT when none is given."""
        if stop is None:
            stop = asyncio.Event()
            stop_on_signals(stop)
        engine = database_of(self._settings)
        web = self._settings.web
        listener = listening_socket(web.host, web.port)
        routes = health_routes(Health({"database": lambda: database_problem(engine), "gateway": self._gateway_problem}))
        runtime, feeds = self._way_in(engine)
        routes += feeds.routes
        async with (
            messaging(
                engine, self._settings, self._clock, public_url=web.public_url, worker="up", extra_routes=routes
            ) as notifying,
            serving(notifying.app, listener),
        ):
            outlines = outlines_of(self._settings, self._pack)
            log_imports(import_registries(engine, notifying.keys, self._pack, *self._recipient_files(), outlines))
            _log.info(
                "up",
                pack=self._pack.reference,
                stations=len(self._registry),
                web=web.public_url,
                sign_up=f"{web.public_url}/signup",
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(notifying.dispatcher.run(stop))
                group.create_task(watch(engine, self._settings, notifying.dispatcher, stop))
                group.create_task(self._feed(runtime, feeds, stop))
                if self._shelf is not None:
                    group.create_task(Reloading(self._shelf).run(stop))
        _log.info("stopped")

    def _recipient_files(self) -> tuple[Path | None, Path | None]:
        given = (self._settings.subscribers, self._settings.facilities)
        subscribers, facilities = (Path(value) if value else None for value in given)
        return subscribers, facilities

    def _way_in(self, engine: sa.Engine) -> tuple[LocalRuntime, Feeds]:
        """The stages, and the sources, which remember in the same database."""
        settings = self._settings
        names = [memory_of(source) for source in settings.sources]
        runtime = LocalRuntime(
            engine,
            self._pack,
            self._registry,
            mode=settings.mode,
            plan=partial(plan, caps=caps_of(settings)),
            heard=standings.note,
            extra_states=names,
            provisional=True,
            limits=settings.screening,
            shelf=self._shelf,
        )
        report_reigns(runtime.pipeline.episodes, self._shelf)
        return runtime, Feeds(settings.sources, self._registry, runtime.states, self._clock)

    async def _feed(self, runtime: LocalRuntime, feeds: Feeds, stop: asyncio.Event) -> None:
        gateway = self._settings.gateway
        feed = live(
            feeds.sources,
            self._registry,
            self._clock,
            mark_every_s=gateway.mark_every_s,
            name=gateway.name,
            of=gateway.of,
        )
        async with contextlib.aclosing(feed):
            async for item in until(feed, stop):
                self._take(runtime, item)

    def _take(self, runtime: LocalRuntime, item: Arrival | Mark) -> None:
        if isinstance(item, Mark):
            outcome = runtime.take(mark=item, now_s=self._clock.now_s())
            self._latest_mark_s = epoch_s(item.time)
            for event in outcome.episodes:
                _log.info("episode", episode=event.episode, kind=event.kind, level=event.level_name)
            for notice in outcome.notices:
                _log.info("notice", notice=notice.id, kind=notice.kind, rule=notice.rule, episode=notice.episode)
            return
        # What the source remembers lies in the same database and is written in the same transaction.
        item.acknowledge()
        runtime.take([item.loaded.batch] if len(item.loaded.batch) else [], rejected=item.loaded.rejected)
        item.durable()
        for note in item.loaded.notes:
            _log.warning("doubt", source=item.source, note=note)
        for refusal in item.loaded.rejected:
            _log.warning("rejected", reason=refusal.reason, place=refusal.place, message=refusal.message)

    def _gateway_problem(self) -> str:
        silent_s = self._clock.now_s() - self._latest_mark_s
        limit_s = _SILENT_MARKS * self._settings.gateway.mark_every_s + 300.0  # a slow source may hold marks that long
        return f"no progress for {silent_s:.0f} s" if silent_s > limit_s else ""


async def until(feed: AsyncIterator[Item], stop: asyncio.Event) -> AsyncIterator[Item]:
    """What the feed yields, until ``stop`` is set; an item that is being handed over is not lost, for the source
    hands it over again when it has not been acknowledged."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        while not stop.is_set():
            coming = asyncio.ensure_future(anext(feed))
            await asyncio.wait((coming, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
                return
            yield coming.result()
    finally:
        stopping.cancel()


def database_of(settings: Configuration) -> sa.Engine:
    """The installation's database, at the newest schema."""
    Path(settings.data_dir).mkdir(parents=True, exist_ok=True)
    engine = connect(settings.database_url)
    upgrade(engine)
    return engine


def database_problem(engine: sa.Engine) -> str:
    """Empty when the database answers; else what is wrong."""
    try:
        with reading(engine) as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError as error:
        return f"database: {type(error).__name__}"
    return ""
