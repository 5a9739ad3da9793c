"""Whole fetches against aiokafka's own way of unpacking them: the same messages, positions and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from streams.transport.fetching import hand_over_whole_fetches

PARTITION = TopicPartition("readings", 3)


def batch_of(base_offset: int, values: Sequence[bytes | None]) -> bytearray:
    """A record batch as a broker stores it."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for number, value in enumerate(values):
        builder.append(number, timestamp=1_700_000_000_000 + number, key=b"k%d" % number, value=value, headers=[])
    raw = bytearray(builder.build())
    raw[:8] = base_offset.to_bytes(8, "big")  # not covered by the checksum
    return raw


class Taken:
    """A fetch at a position, taken by one of the two ways."""

    def __init__(self, raw: bytes, position: int, *, whole: bool, isolation: int = READ_UNCOMMITTED) -> None:
        self.state = SimpleNamespace(paused=False, position=position)
        self.state.consumed_to = lambda offset: setattr(self.state, "position", offset)
        assignment = SimpleNamespace(active=True, state_value=lambda _: self.state)
        records = PartitionRecords(PARTITION, MemoryRecords(raw), [], position, None, None, True, isolation)
        self.result = FetchResult(PARTITION, assignment=assignment, partition_records=records, backoff=0)
        fetcher = Fetcher.__new__(Fetcher)
        fetcher._records, fetcher._closed = {}, True
        if whole:
            hand_over_whole_fetches(SimpleNamespace(_fetcher=fetcher))
        fetcher._records[PARTITION] = self.result

    def messages(self, most: int | None = None) -> list[tuple[int, bytes | None, bytes | None]]:
        return [(record.offset, record.key, record.value) for record in self.result.getall(most)]


RAW = bytes(batch_of(100, [b"a", None, b"c"]) + batch_of(103, [b"d"]) + batch_of(110, [b"e", b"f"]))
"""With a hole between the batches, as compaction leaves it."""


@pytest.mark.parametrize("position", [100, 101, 103, 105, 111, 112])
@pytest.mark.parametrize("isolation", [READ_UNCOMMITTED, READ_COMMITTED])
def test_same_messages_and_position(position: int, isolation: int) -> None:
    theirs = Taken(RAW, position, whole=False, isolation=isolation)
    ours = Taken(RAW, position, whole=True, isolation=isolation)
    assert ours.messages() == theirs.messages()
    assert ours.state.position == theirs.state.position == 112
    assert not ours.result.has_more()


def test_the_last_message_says_where_it_is_from() -> None:
    last = Taken(RAW, 100, whole=True).result.getall()[-1]
    assert (last.topic, last.partition, last.timestamp) == ("readings", 3, 1_700_000_000_001)


def test_a_number_of_messages_is_left_to_aiokafka() -> None:
    ours = Taken(RAW, 100, whole=True)
    assert [offset for offset, _, _ in ours.messages(most=2)] == [100, 101]
    assert ours.state.position == 102
    assert [offset for offset, _, _ in ours.messages()] == [102, 103, 110, 111]


def test_a_damaged_batch_is_fetched_again() -> None:
    damaged = bytearray(RAW)
    damaged[-1] ^= 1
    ours = Taken(bytes(damaged), 100, whole=True)
    with pytest.raises(CorruptRecordException):
        ours.result.getall()
    assert ours.state.position == 100, "nothing of the fetch was handed over: all of it must come again"
    assert not ours.result.has_more()


def test_a_partition_that_was_moved_on_gives_nothing() -> None:
    ours = Taken(RAW, 100, whole=True)
    ours.state.position = 50  # a seek, while the fetch lay waiting
    assert ours.messages() == []
    assert not ours.result.has_more()


def test_is_in_force_once() -> None:
    fetcher: Any = SimpleNamespace(_records={})
    consumer: Any = SimpleNamespace(_fetcher=fetcher)
    hand_over_whole_fetches(consumer)
    prepared = fetcher._records
    hand_over_whole_fetches(consumer)
    assert fetcher._records is prepared
