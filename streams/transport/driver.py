"""The Faust transport ``airshed://``: aiokafka underneath, one event per fetched batch of a partition.

Registered through the entry point ``faust.transports``. What it changes in Faust's own driver:

* the consumer wraps the messages of one fetch of one partition into one :class:`FetchedBatch`, so that Faust's cost
  per event is paid once per thousands of messages;
* consumption resumes where the recovered state ends: the application has a ``resume_from(partition) -> offset``;
* offsets are committed from :class:`FinishedOffsets` only; Faust's acknowledgements count for nothing;
* the producer is idempotent and waits for all in-sync replicas, and takes whole batches of messages.

The records of changelog topics go straight into the state they belong to; Faust's recovery sees the last of each
fetch and so knows how far it has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from streams.transport.batches import FetchedBatch, FinishedOffsets, Partition, Turn
from streams.transport.fetching import hand_over_whole_fetches

FETCH_WAIT_S = 0.05
"""Longest wait for messages before the fetcher looks again at which partitions it may read from. Faust waits a second,
and a partition that is resumed meanwhile (recovery has ended, a queue has drained) stands still for as long."""


LONG_POLL_MS = 50
"""How long a broker holds a fetch for which it has no messages. aiokafka has one fetch per broker under way, and one
that waits for quiet partitions keeps busy ones waiting: with Faust's fixed 1 500 ms a partition gets a batch every
1.5 s while its neighbours are idle. A shorter wait costs a few requests a second while nothing happens."""


class Outgoing(NamedTuple):
    """A message to be produced, its partition already chosen."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class _Fetched(NamedTuple):
    """Stands for a fetch's messages in the places where Faust expects one message."""

    records: Sequence[Any]
    turn: Turn


class RecoveredState(Protocol):
    """A store that takes the records of its changelog as they are fetched."""

    def apply_records(self, partition: int, records: Sequence[Any]) -> None:
        """Take records in, in offset order; those already taken are left out."""
        ...

    def applied(self, partition: int) -> int | None:
        """Offset of the latest record taken in, ``None`` before the first."""
        ...


class _ConsumerThread(stock.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: stock.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = LONG_POLL_MS
        return consumer

    async def _fetch_records(self, consumer: AIOKafkaConsumer, *args: Any, **kwargs: Any) -> Any:
        hand_over_whole_fetches(consumer)
        return await super()._fetch_records(consumer, *args, **kwargs)


class BatchConsumer(stock.Consumer):
    """Faust's consumer, handing over batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.finished = FinishedOffsets()
        self._seeks = 0
        self._seeking = asyncio.Lock()

    def _new_consumer_thread(self) -> stock.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, Any]:  # noqa: ASYNC109
        async with self._seeking:
            # A fetch that began in the middle of a seek would read on from a position that is about to be left.
            seeks = self._seeks
        records = await super()._getmany(active_partitions, min(timeout, FETCH_WAIT_S))
        if seeks != self._seeks:
            # Positions were reset while this fetch was under way, and nobody can say on which side of the reset it
            # lies. Reading it again is harmless; taking it could leave a hole.
            await self.perform_seek()
            await self._read_state_again([tp for tp in records if self._is_changelog_tp(tp)])
            return {}
        return {tp: self._wrapped(tp, messages) for tp, messages in records.items() if messages}

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109
        if self.flow_active and not self._get_active_partitions():
            await asyncio.sleep(FETCH_WAIT_S)  # between recovery and work; Faust would sleep a second here
            return {}, set()
        return await super()._wait_next_records(timeout)

    def _wrapped(self, tp: TP, messages: Sequence[Any]) -> Sequence[Any]:
        if self._is_changelog_tp(tp):
            # Faust would spend 50 µs on each record of the state; its recovery only needs to see how far it has come.
            self._state_of(tp).apply_records(tp.partition, messages)
            return messages[-1:]
        # Opened here, before Faust may drop it on its way to the agent: what is dropped must hold commits back.
        turn = self.finished.open(Partition(tp.topic, tp.partition), messages[-1].offset + 1)
        return [_Fetched(messages, turn)]

    def _to_message(self, tp: TP, record: Any) -> Any:
        if not isinstance(record, _Fetched):
            return super()._to_message(tp, record)
        message = super()._to_message(tp, record.records[-1])
        message.key = None
        partition = Partition(tp.topic, tp.partition)
        batch = FetchedBatch(partition, record.records, self.app.consumer_generation_id, record.turn)
        message.value = cast(Any, batch)  # Faust only passes it on to the agent
        return message

    async def perform_seek(self) -> None:
        """Go to where the recovered state ends; whatever was fetched and not finished will come again.

        The state itself says which messages it holds (``app.resume_from``), so that neither a lost commit nor a lost
        state can make a message count twice or never. Committed offsets are for those who watch the lag. Faust alone
        would leave a partition without one where it is, and by then its first messages may have been fetched and
        dropped during recovery.
        """
        async with self._seeking:
            self._seeks += 1
            await super().perform_seek()
            resume_from: Callable[[Partition], int] = self.app.resume_from  # type: ignore[attr-defined]
            assigned = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
            offsets = {tp: resume_from(Partition(tp.topic, tp.partition)) for tp in assigned}
            await self._thread.seek_wait({tp: offset for tp, offset in offsets.items() if offset})
            fresh = [stock.ensure_aiokafka_TP(tp) for tp, offset in offsets.items() if not offset]
            if fresh:
                await self._thread.seek_to_beginning(*fresh)
                self._read_offset.update({tp: None for tp, offset in offsets.items() if not offset})
            # What the state holds is finished, though a killed worker may not have come to committing it.
            self.finished.reset({Partition(tp.topic, tp.partition): offset for tp, offset in offsets.items() if offset})

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Used by Faust's recovery."""
        async with self._seeking:
            self._seeks += 1
            await super().seek_wait(partitions)

    async def _read_state_again(self, changelogs: Sequence[TP]) -> None:
        for tp in changelogs:
            applied = self._state_of(tp).applied(tp.partition)
            if applied is None:
                await self._thread.seek_to_beginning(stock.ensure_aiokafka_TP(tp))
            else:
                await self._thread.seek_wait({tp: applied + 1})

    def _state_of(self, tp: TP) -> RecoveredState:
        table = self.app.tables._changelogs[tp.topic]  # type: ignore[attr-defined]
        return cast(RecoveredState, table.data)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: a batch covers its offsets, and holes between batches need no bookkeeping."""

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        tps = (TP(*partition) for partition in self.finished.partitions())
        return (tp for tp in tps if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.finished.safe(Partition(tp.topic, tp.partition))


class BatchProducer(stock.Producer):
    """Faust's producer, idempotent, and able to send many messages at the cost of few."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def send_all(self, messages: Iterable[Outgoing]) -> dict[Partition, int]:
        """See :func:`send_all`."""
        return await send_all(self._ensure_producer(), messages)

    async def send_line(self, partition: Partition, line: Iterable[Pair]) -> int:
        """See :func:`send_line`."""
        return await send_line(self._ensure_producer(), partition, line)


Pair = tuple[bytes | None, bytes | None]
"""Key and value of a message whose partition is known."""


async def send_all(producer: AIOKafkaProducer, messages: Iterable[Outgoing]) -> dict[Partition, int]:
    """Produce messages, in order within each partition, and wait until the cluster has them for good.

    Messages go out in batches that are filled here: a future per message would cost more than the message.

    Returns:
        The offset of the last message in each partition written to.

    Raises:
        aiokafka.errors.KafkaError: if any of them could not be stored; some may have been.
    """
    lines: dict[tuple[str, int], list[Pair]] = {}
    for topic, number, key, value in messages:
        lines.setdefault((topic, number), []).append((key, value))
    partitions = [Partition(*place) for place in lines]
    sending = (send_line(producer, part, line) for part, line in zip(partitions, lines.values(), strict=True))
    return dict(zip(partitions, await asyncio.gather(*sending), strict=True))


async def send_line(producer: AIOKafkaProducer, partition: Partition, line: Iterable[Pair]) -> int:
    """As ``send_all``, for at least one message of one partition. Returns the offset of the last one."""
    stored: list[tuple[asyncio.Future[Any], int]] = []
    for builder in _filled(producer, line):
        builder.close()
        future = await producer.send_batch(builder, partition.topic, partition=partition.number)
        stored.append((future, builder.record_count()))
    offsets = [(await future).offset + count - 1 for future, count in stored]
    return int(offsets[-1])


def _filled(producer: AIOKafkaProducer, line: Iterable[Pair]) -> Iterator[Any]:
    builder = producer.create_batch()
    for key, value in line:
        if builder.append(key=key, value=value, timestamp=None) is None:
            yield builder
            builder = producer.create_batch()
            # The first message of a batch is always taken, whatever its size; the broker judges it.
            builder.append(key=key, value=value, timestamp=None)
    yield builder


class Transport(stock.Transport):
    """Faust transport for URLs ``airshed://host:port``."""

    Consumer = BatchConsumer
    Producer = BatchProducer


__all__ = ["BatchConsumer", "BatchProducer", "Outgoing", "Transport", "send_all", "send_line"]
