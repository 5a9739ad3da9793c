"""From a gateway to the topic ``readings``: keyed by station, marks to every partition behind what they promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import MARK_KEY, NOTHING_YET, encode
from streams import metrics
from streams.batches import ReadingBatch
from streams.clock import epoch_s
from streams.encoding import encode_mark, to_messages
from streams.schemas import Mark, Rejected
from streams.stations import StationRegistry
from streams.topics import READINGS, REJECTED
from streams.transport.driver import Outgoing, send_all
from streams.transport.partitions import partition_of

Fed = ReadingBatch | Mark | Rejected
"""What a gateway hands over."""


@dataclass
class Ingested:
    """What went out."""

    readings: int = 0
    messages: int = 0
    marks: int = 0
    rejected: int = 0


class Ingest:
    """Writes a gateway's sequence to Kafka.

    What is not acknowledged by the cluster is not handed over: ``put`` returns when it is. Sending the same sequence
    again, from its start or from anywhere before the point of a crash, changes no result: readings are told apart
    by station, pollutant and time, and a mark that promises less than an earlier one promises nothing new.
    """

    def __init__(self, settings: KafkaSettings, registry: StationRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._producer: Any = None
        self.done = Ingested()

    async def __aenter__(self) -> Ingest:
        self._producer = producer_of(self._settings, "ingest")
        await self._producer.start()
        await send_all(self._producer, self._mark(Mark(NOTHING_YET, "announcement")))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def put(self, items: Iterable[Fed]) -> None:
        """Hand over, in order. A mark goes out only when everything before it is stored for good."""
        outgoing: list[Outgoing] = []
        for item in items:
            if isinstance(item, Mark):
                await send_all(self._producer, outgoing)
                outgoing = self._mark(item)
                self.done.marks += 1
                metrics.EVENT_TIME.labels("gateway").set(epoch_s(item.time))
            elif isinstance(item, ReadingBatch):
                outgoing += self._readings(item)
            else:
                outgoing.append(self._rejected(item))
        await send_all(self._producer, outgoing)

    def _readings(self, batch: ReadingBatch) -> list[Outgoing]:
        self.done.readings += len(batch)
        partitions = self._settings.partitions
        messages = [
            Outgoing(READINGS, partition_of(key.decode(), partitions), key, value)
            for key, value in to_messages(batch, self._registry)
        ]
        self.done.messages += len(messages)
        return messages

    def _mark(self, mark: Mark) -> list[Outgoing]:
        payload = encode_mark(mark)
        return [Outgoing(READINGS, number, MARK_KEY, payload) for number in range(self._settings.partitions)]

    def _rejected(self, item: Rejected) -> Outgoing:
        self.done.rejected += 1
        metrics.REJECTED.labels(item.reason).inc()
        metrics.READINGS.labels("rejected").inc()
        return Outgoing(REJECTED, 0, None, encode(item))


async def run_ingest(
    settings: KafkaSettings,
    registry: StationRegistry,
    feed: AsyncIterable[Fed] | Iterable[Fed],
    stop: asyncio.Event | None = None,
) -> Ingested:
    """Hand a whole feed over; returns at its end, or when ``stop`` is set."""
    async with Ingest(settings, registry) as ingest:
        async for item in _each(feed):
            if stop is not None and stop.is_set():
                break
            await ingest.put([item])
        return ingest.done


async def _each(feed: AsyncIterable[Fed] | Iterable[Fed]) -> AsyncIterator[Fed]:
    if isinstance(feed, AsyncIterable):
        async for item in feed:
            yield item
    else:
        for item in feed:
            yield item


def producer_of(settings: KafkaSettings, role: str) -> AIOKafkaProducer:
    """A producer that never loses or doubles what it says it has sent. Not started yet."""
    return AIOKafkaProducer(
        client_id=f"{settings.group}-{role}-{settings.worker}",
        acks="all",
        enable_idempotence=True,
        max_batch_size=262_144,
        **settings.client(),
    )
