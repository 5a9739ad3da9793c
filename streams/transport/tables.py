"""A stage's state as a Faust table: one dictionary per partition, written to its changelog before it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from faust import App, Schema
from faust.stores.memory import Store
from faust.tables.table import Table
from faust.types import TP

from streams.transport.batches import Partition
from streams.transport.driver import BatchProducer

Write = tuple[str, bytes | None]
"""One change of state: key and new value, ``None`` = deleted."""


class PartitionedStore(Store[bytes, bytes]):
    """State of the partitions this worker holds, in memory; whatever it loses it recovers from the changelog."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.slices: dict[int, dict[str, bytes]] = {}
        self._offsets: dict[int, int] = {}

    def slice(self, partition: int) -> dict[str, bytes]:
        """The state of one partition."""
        return self.slices.setdefault(partition, {})

    def apply(self, partition: int, writes: Iterable[Write], last_offset: int) -> None:
        """Take over writes that the changelog already holds, the last of them at ``last_offset``."""
        own = self.slice(partition)
        for key, value in writes:
            if value is None:
                own.pop(key, None)
            else:
                own[key] = value
        self._offsets[partition] = last_offset

    def apply_records(self, partition: int, records: Sequence[Any]) -> None:
        """Take records of the changelog in, in offset order; those already taken are left out."""
        applied = self._offsets.get(partition, -1)
        fresh = [record for record in records if record.offset > applied]
        if fresh:
            self.apply(partition, [(record.key.decode(), record.value) for record in fresh], fresh[-1].offset)

    def applied(self, partition: int) -> int | None:
        """Offset of the latest record taken in, ``None`` before the first."""
        return self._offsets.get(partition)

    def apply_changelog_batch(
        self, batch: Iterable[Any], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Called by Faust's recovery, with records that the consumer has handed over already."""

    def persisted_offset(self, tp: TP) -> int | None:
        """Where recovery may go on: nothing before it is read again while this worker keeps the partition."""
        return self._offsets.get(tp.partition)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget partitions that went elsewhere: their state changes there."""
        topic = self.table.changelog_topic.get_topic_name()
        self.keep_only({tp.partition for tp in assigned if tp.topic == topic})

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Nothing to do: slices are kept by partition."""

    def keep_only(self, partitions: set[int]) -> None:
        """Drop the state of every other partition."""
        for partition in self.slices.keys() - partitions:
            del self.slices[partition]
            self._offsets.pop(partition, None)


class StateTable(Table[bytes, bytes]):
    """The table of one stage. Keys are the stage's own; the partition they belong to is the changelog's."""

    def __init__(self, app: App, name: str, partitions: int) -> None:
        raw: Schema[bytes, bytes] = Schema(
            key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", allow_empty=True
        )
        super().__init__(app, name=name, partitions=partitions, schema=raw, key_type=bytes, value_type=bytes)

    def _new_store(self) -> PartitionedStore:
        return PartitionedStore("memory://", self.app, self, table_name=self.name, loop=self.loop)

    @property
    def store(self) -> PartitionedStore:
        return cast(PartitionedStore, self.data)

    async def write(self, partition: int, writes: Sequence[Write]) -> None:
        """Make writes durable, in their order, and then let them count.

        Raises:
            aiokafka.errors.KafkaError: some first part of them may be in the changelog; memory is unchanged. The
                worker must stop, and the next one repeats the work.
        """
        if not writes:
            return
        line = ((key.encode(), value) for key, value in writes)
        changelog = Partition(self.changelog_topic_name, partition)
        last_offset = await cast(BatchProducer, self.app.producer).send_line(changelog, line)
        self.store.apply(partition, writes, last_offset)
