"""One real broker, the topic of readings on it, and what the engines have written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaAdminClient

from airshed.kafka.admin import apply_topics
from airshed.kafka.broker import Broker
from airshed.kafka.ingest import producer_of
from airshed.kafka.settings import KafkaSettings
from bench.machine import Cores, pinned
from bench.workload import Workload
from streams.topics import READINGS
from streams.transport.driver import Outgoing, send_all

_AT_ONCE = 20_000
"""Messages handed to the producer together."""


@contextmanager
def running_broker(folder: Path, cores: Cores) -> Iterator[Broker]:
    """A broker on the cores that the engines leave."""
    with pinned(cores.others):
        broker = Broker(folder, heap_mb=1024)
        broker.start()
    try:
        yield broker
    finally:
        broker.stop()


async def fill(settings: KafkaSettings, workload: Workload) -> None:
    """Write the readings, one JSON object per message, in order, all into partition 0."""
    apply_topics(settings)
    producer = producer_of(settings, "fill")
    await producer.start()
    outgoing: list[Outgoing] = []
    for key, value in workload.payloads():
        outgoing.append(Outgoing(READINGS, 0, key, value))
        if len(outgoing) == _AT_ONCE:
            await send_all(producer, outgoing)
            outgoing.clear()
    await send_all(producer, outgoing)
    await producer.stop()


class Reader:
    """Reads what a topic holds, from an offset to its end at the time of asking."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def end(self, topic: str) -> int:
        """Offset after the last message of partition 0; 0 for a topic that is not there."""
        await self._consumer._client.force_metadata_update()
        if topic not in await self._consumer.topics():
            return 0
        partition = TopicPartition(topic, 0)
        return int((await self._consumer.end_offsets([partition]))[partition])

    async def values(self, topic: str, start: int = 0) -> list[tuple[bytes, bytes]]:
        """(key, value) of the messages of partition 0."""
        end = await self.end(topic)
        partition = TopicPartition(topic, 0)
        self._consumer.assign([partition])
        self._consumer.seek(partition, start)
        found: list[tuple[bytes, bytes]] = []
        # Markers of transactions take offsets without being messages: ask for the position, not for a count.
        while await self._consumer.position(partition) < end:
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                found += [(record.key, record.value) for record in records if record.value is not None]
        return found


@asynccontextmanager
async def reader(bootstrap: str) -> AsyncIterator[Reader]:
    """A reader while the block runs."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, max_partition_fetch_bytes=4 << 20)
    await consumer.start()
    try:
        yield Reader(consumer)
    finally:
        await consumer.stop()


def delete(settings: KafkaSettings, names: list[str]) -> None:
    """Delete these topics, as far as they are there, and wait until they are gone."""
    admin = KafkaAdminClient(**settings.admin())
    there = sorted(set(admin.list_topics()) & set(names))
    if there:
        admin.delete_topics(there)
    admin.close()


def filled(settings: KafkaSettings, workload: Workload) -> None:
    """As ``fill``, from code that is not asynchronous."""
    asyncio.run(fill(settings, workload))
