"""The four services of the Kafka runtime, each with its metrics, liveness and readiness, each stopped gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from airshed.configuration import Configuration
from airshed.kafka.dispatch import DeliveryPublisher, NoticePlanner, run_dispatch
from airshed.kafka.ingest import Fed, Ingest, Ingested
from airshed.kafka.pipeline import stage_specs
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.worker import Worker
from airshed.local import store
from airshed.local.live import database_of, database_problem, until
from airshed.messaging import (
    cap_publication,
    console_settings,
    import_registries,
    keys_of,
    log_imports,
    messaging,
    sign_up_routes,
)
from airshed.operator_channels import operators_told
from airshed.packs import base_of, outlines_of, shelf_of
from airshed.recordings import load_readings
from airshed.reloading import Reloading
from airshed.service import Health, health_app, health_routes, listening_socket, serving
from airshed.sources import Feeds, memory_of
from airshed.watching import caps_of, watch
from console.app import create_app
from console.cap import cap_routes
from notifiers.database import reading
from notifiers.holding import next_end_s
from notifiers.tables import notices
from rules.loading import load_pack
from rules.model import Pack
from rules.notices import Notice
from streams.clock import ManualClock, SystemClock, epoch_s
from streams.gateway import live, replay
from streams.schemas import Mark
from streams.sources.arrivals import Arrival
from streams.stations import StationRegistry, read_stations

_log = structlog.get_logger()


def kafka_settings(settings: Configuration, worker: str | None = None) -> KafkaSettings:
    """The Kafka section as the runtime takes it. ``worker``: stable name of this worker, default the host's."""
    section = settings.kafka
    plain = KafkaSettings(
        bootstrap=section.bootstrap,
        partitions=section.partitions,
        airshed_partitions=section.airshed_partitions,
        replication=section.replication,
        group=section.group,
        grace_s=section.grace_s,
    )
    return replace(plain, worker=worker) if worker else plain


@contextlib.asynccontextmanager
async def _healthy(
    settings: Configuration, port: int | None, health: Health, routes: Sequence[Any] = ()
) -> AsyncIterator[None]:
    """Serve the health routes (and others) while the block runs; every service of a machine needs its own port."""
    web = settings.web
    async with serving(health_app(health, routes), listening_socket(web.host, web.port if port is None else port)):
        yield


@contextlib.asynccontextmanager
async def _telling(settings: Configuration) -> AsyncIterator[None]:
    """Operators are told, while the block runs."""
    with operators_told(settings):
        yield


async def ingest(settings: Configuration, stop: asyncio.Event, *, port: int | None = None) -> Ingested:
    """The gateway: hands the configured sources over to Kafka until told to stop."""
    clock, registry = SystemClock(), _registry(settings, base_of(settings))
    engine = database_of(settings)
    store.metadata.create_all(engine)
    with engine.connect() as connection:
        memory = {memory_of(s): store.StageState(memory_of(s), connection) for s in settings.sources}
    feeds = Feeds(settings.sources, registry, memory, clock)
    gateway = settings.gateway
    feed = live(feeds.sources, registry, clock, mark_every_s=gateway.mark_every_s, name=gateway.name, of=gateway.of)
    health = Health({"database": lambda: database_problem(engine)})
    async with (
        _telling(settings),
        _healthy(settings, port, health, feeds.routes),
        Ingest(kafka_settings(settings), registry) as out,
        contextlib.aclosing(feed),
    ):
        async for item in until(feed, stop):
            await out.put(_fed(item))
            if isinstance(item, Arrival):
                item.acknowledge()
                with engine.begin() as connection:
                    for state in memory.values():
                        state.flush(connection)
                item.durable()
        return out.done


def _fed(item: Arrival | Mark) -> Sequence[Fed]:
    if isinstance(item, Mark):
        return [item]
    return [item.loaded.batch, *item.loaded.rejected]


async def ingest_recorded(settings: Configuration, readings: Path, stop: asyncio.Event) -> Ingested:
    """Hand recorded readings over on event time, then return. Started again after a crash it may simply start over."""
    pack = base_of(settings)
    registry = _registry(settings, pack)
    loaded = load_readings(readings, registry)
    detection, gateway = pack.airshed.detection, settings.gateway
    async with Ingest(kafka_settings(settings), registry) as out:
        await out.put(loaded.rejected)
        sequence = replay(
            loaded.batch,
            step_s=detection.step_s,
            lateness_s=detection.lateness_s,
            name=gateway.name,
            of=gateway.of,
        )
        for item in sequence:
            if stop.is_set():
                break
            await out.put([item])
        return out.done


async def worker(
    settings: Configuration, stop: asyncio.Event, *, name: str | None = None, port: int | None = None
) -> None:
    """The stages. Raises whatever made it stop by itself; the process should end with code 1 then."""
    shelf = shelf_of(settings)
    pack = shelf.base if shelf else load_pack(settings.pack)
    registry = _registry(settings, pack)
    kafka = kafka_settings(settings, name)
    specs = stage_specs(kafka, pack, registry, mode=settings.mode, limits=settings.screening, shelf=shelf)
    running = Worker(kafka, specs)
    health = Health({"partitions": lambda: "" if running.ready.is_set() else "no partitions yet, or recovering"})
    watching = asyncio.create_task(Reloading(shelf).run(stop)) if shelf else None
    try:
        async with _telling(settings), _healthy(settings, port, health):
            await running.run(stop)
    finally:
        if watching is not None:
            watching.cancel()


async def dispatch(
    settings: Configuration,
    stop: asyncio.Event,
    *,
    name: str | None = None,
    port: int | None = None,
    once: bool = False,
) -> None:
    """Notices into the ledger, and from there to people. ``name``: of this dispatcher; the host's if not given.

    ``once``: for recorded readings. Every notice in the topic is planned and sent before the next one, on the time
    of the notices instead of the clock; returns at the end of the topic.
    """
    engine, kafka = database_of(settings), kafka_settings(settings)
    clock = ManualClock(_latest_notice_s(engine)) if once else SystemClock()
    web = settings.web
    health = Health({"database": lambda: database_problem(engine)})
    async with (
        DeliveryPublisher(kafka) as publisher,
        messaging(
            engine,
            settings,
            clock,
            public_url=web.public_url,
            worker=name or f"dispatch-{socket.gethostname()}",
            on_change=publisher.publish,
            extra_routes=health_routes(health),
            recorded=once,
        ) as notifying,
        serving(notifying.app, listening_socket(web.host, web.port if port is None else port)),
    ):
        _import(engine, settings, notifying.keys)
        if isinstance(clock, ManualClock):
            await _dispatch_once(kafka, engine, clock, notifying.dispatcher)
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(watch(engine, settings, notifying.dispatcher, stop))
                group.create_task(run_dispatch(kafka, engine, stop, notifying.dispatcher.run, caps=caps_of(settings)))


async def _dispatch_once(kafka: KafkaSettings, engine: sa.Engine, clock: ManualClock, dispatcher: Any) -> None:
    async def send(notice: Notice) -> None:
        clock.set(max(clock.now_s(), epoch_s(notice.time)))
        await dispatcher.drain()

    async def send_what_waited(until_s: float) -> None:
        """What quiet hours held goes out when they end, before the next notice is planned."""
        while clock.now_s() < (end_s := await asyncio.to_thread(_next_end, engine)) < until_s:
            clock.set(end_s)
            await dispatcher.drain()

    async def coming(notice: Notice) -> None:
        await send_what_waited(epoch_s(notice.time))

    await dispatcher.drain()  # what an interrupted run has planned and not sent
    await NoticePlanner(kafka, engine, planned=send, coming=coming).catch_up()
    await dispatcher.drain()
    await send_what_waited(math.inf)


def _next_end(engine: sa.Engine) -> float:
    with reading(engine) as connection:
        return next_end_s(connection)


def _latest_notice_s(engine: sa.Engine) -> float:
    with reading(engine) as connection:
        return float(connection.execute(sa.select(sa.func.max(notices.c.time_s))).scalar() or 0.0)


async def console(settings: Configuration, stop: asyncio.Event, *, port: int | None = None) -> None:
    """Acknowledgement pages and webhooks, apart from the dispatcher."""
    engine, web = database_of(settings), settings.web
    keys = keys_of(settings, Path(settings.data_dir), web.public_url)
    health = Health({"database": lambda: database_problem(engine)})
    pages = console_settings(engine, settings, keys, SystemClock())
    publication = cap_publication(engine, settings, web.public_url, SystemClock())
    routes = [*health_routes(health), *(cap_routes(publication) if publication else ())]
    app = create_app(pages, [*routes, *sign_up_routes(settings, engine, keys, SystemClock())])
    async with _telling(settings), serving(app, listening_socket(web.host, web.port if port is None else port)):
        await stop.wait()


def _registry(settings: Configuration, pack: Pack) -> StationRegistry:
    return read_stations(Path(settings.stations), [pack.airshed])


def _import(engine: sa.Engine, settings: Configuration, keys: Any) -> None:
    subscribers, facilities = (Path(v) if v else None for v in (settings.subscribers, settings.facilities))
    pack = base_of(settings)
    outlines = outlines_of(settings, pack)
    log_imports(import_registries(engine, keys, pack, subscribers, facilities, outlines))
