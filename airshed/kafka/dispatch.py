"""From the topic ``notices`` to the ledger, and from the ledger to the topic ``deliveries``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from airshed.kafka.ingest import producer_of
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import encode, mark_in
from notifiers import standings
from notifiers.database import load_progress, reading, save_progress
from notifiers.deliveries import Delivery
from notifiers.planner import Progress, fan_out
from notifiers.told import DEFAULT_CAPS, Caps
from rules.notices import ActualNotice, ExerciseNotice, Notice, decoded
from streams import metrics
from streams.schemas import EpisodeEvent, Rejected
from streams.topics import DELIVERIES, EPISODES, NOTICES, REJECTED
from streams.transport.batches import Partition
from streams.transport.driver import Outgoing, send_all
from streams.transport.partitions import partition_of

log = structlog.get_logger()

CONSUMER = "dispatch"
"""Name under which progress is kept. One dispatch service plans at a time; a second one finds every notice planned."""

RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Waits between tries while the database is away; the last one again and again. Notices wait in Kafka meanwhile."""

_events: msgspec.json.Decoder[EpisodeEvent] = msgspec.json.Decoder(EpisodeEvent)


class NoticePlanner:
    """Reads ``notices`` and plans each, slice by slice; the offset behind it is kept with the last slice.

    It resumes from that offset and from nothing else: Kafka is told no offsets, so there is no second truth.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        engine: Engine,
        planned: Callable[[Notice], Awaitable[None]] | None = None,
        caps: Caps = DEFAULT_CAPS,
        coming: Callable[[Notice], Awaitable[None]] | None = None,
    ) -> None:
        """``coming`` is awaited before each notice is planned, ``planned`` after it and before the next one comes."""
        self._caps = caps
        self._settings = settings
        self._engine = engine
        self._then, self._first = planned, coming
        self._consumer: Any = None
        self._producer = producer_of(settings, "dispatch")

    async def run(self, stop: asyncio.Event) -> None:
        """Plan notices as they come until ``stop`` is set. Survives a database or a cluster that is away."""
        async with self._connected():
            await self._resume(EPISODES, NOTICES)
            while not stop.is_set():
                await self._turn(stop)

    async def catch_up(self) -> None:
        """Plan every notice that is in the topic now, then return. How the episodes stand at any time is read first."""
        async with self._connected():
            for topic in (EPISODES, NOTICES):
                await self._resume(topic)
                await self._read_to_the_end()

    async def _read_to_the_end(self) -> None:
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        never = asyncio.Event()
        while any([await self._consumer.position(part) < end for part, end in ends.items()]):
            await self._turn(never)

    @contextlib.asynccontextmanager
    async def _connected(self) -> Any:
        self._consumer = AIOKafkaConsumer(
            client_id=f"{self._settings.group}-dispatch", enable_auto_commit=False, **self._settings.client()
        )
        await self._consumer.start()
        await self._producer.start()
        try:
            yield
        finally:
            await self._consumer.stop()
            await self._producer.stop()

    async def _resume(self, *topics: str) -> None:
        numbers = range(self._settings.airshed_partitions)
        partitions = [TopicPartition(topic, number) for topic in topics for number in numbers]
        self._consumer.assign(partitions)
        known = await asyncio.to_thread(self._progress)
        for part in partitions:
            self._consumer.seek(part, known.get((part.topic, part.partition), 0))

    def _progress(self) -> dict[tuple[str, int], int]:
        with reading(self._engine) as connection:
            return load_progress(connection, CONSUMER)

    async def _turn(self, stop: asyncio.Event) -> None:
        fetched = await self._consumer.getmany(timeout_ms=500, max_records=100)
        for part, records in sorted(fetched.items()):
            for record in records:
                if not await self._planned(Partition(part.topic, part.partition), record, stop):
                    return  # stopped while the database was away; the rest comes again

    async def _planned(self, partition: Partition, record: Any, stop: asyncio.Event) -> bool:
        progress = Progress(CONSUMER, partition.topic, partition.number, record.offset + 1)
        item = await self._item(partition, record)
        notice = None if isinstance(item, EpisodeEvent) else item
        if self._first is not None and notice is not None:
            await self._first(notice)
        tries = 0
        while not stop.is_set():
            try:
                await asyncio.to_thread(self._plan, item, progress)
            except SQLAlchemyError as error:
                log.warning("notice not planned yet", error=type(error).__name__, remedy="check the database")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1
            else:
                if self._then is not None and notice is not None:
                    await self._then(notice)
                return True
        return False

    async def _item(self, partition: Partition, record: Any) -> Notice | EpisodeEvent | None:
        """What is in a message; ``None`` for a mark, and for what cannot be read, which goes to the rejected."""
        if record.value is None or mark_in(record.value) is not None:
            return None
        about_episodes = partition.topic == EPISODES
        try:
            return _events.decode(record.value) if about_episodes else decoded(record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            place = partition.place(record.offset)
            expected, reason = ("an episode event", "bad-event") if about_episodes else ("a notice", "bad-notice")
            message = f"{place}: expected {expected}: {error} (who writes to this topic besides the stages?)"
            rejected = Rejected(reason=reason, message=message, place=place, raw=record.value, source=partition.topic)
            await send_all(self._producer, [Outgoing(REJECTED, 0, None, encode(rejected))])
            metrics.REJECTED.labels(reason).inc()
            log.warning(f"{expected.split()[-1]} cannot be read", place=place)
            return None

    def _plan(self, item: Notice | EpisodeEvent | None, progress: Progress) -> None:
        if isinstance(item, ActualNotice | ExerciseNotice):
            fan_out(self._engine, item, progress=progress, caps=self._caps)
            return
        with self._engine.begin() as connection:
            if item is not None:
                standings.note(connection, item)
            save_progress(connection, progress.consumer, progress.topic, progress.partition, progress.next_offset)


class DeliveryPublisher:
    """Tells the topic ``deliveries`` what became of messages; ``publish`` is the dispatcher's ``on_change``."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._partitions = settings.airshed_partitions
        self._producer = producer_of(settings, "deliveries")

    async def __aenter__(self) -> DeliveryPublisher:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def publish(self, deliveries: Sequence[Delivery]) -> None:
        """Returns when the cluster has them; until then the ledger does not count them as published."""
        await send_all(
            self._producer,
            [
                Outgoing(DELIVERIES, partition_of(item.id, self._partitions), item.id.encode(), encode(item))
                for item in deliveries
            ],
        )


async def run_dispatch(
    settings: KafkaSettings,
    engine: Engine,
    stop: asyncio.Event,
    send: Callable[[asyncio.Event], Awaitable[None]],
    caps: Caps = DEFAULT_CAPS,
) -> None:
    """The dispatch service: plans notices while ``send`` (the dispatchers' ``run``) sends what is planned."""
    async with asyncio.TaskGroup() as group:
        group.create_task(NoticePlanner(settings, engine, caps=caps).run(stop))
        group.create_task(_as_coroutine(send(stop)))


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work
