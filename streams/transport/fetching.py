"""A fetch's messages all at once.

aiokafka makes of each message an object of eleven fields, one Python generator step at a time: 1.3 µs, a fifth of all
that a reading costs, and of the eleven fields we read three. Here the records that its parser (in C) yields are handed
over as they are. They have ``offset``, ``key`` and ``value``; the last one of a fetch is a full ``ConsumerRecord``.

This reaches into ``aiokafka.consumer.fetcher`` as of 0.14; a test compares with what that does itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from inspect import GEN_CREATED, getgeneratorstate
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException


def hand_over_whole_fetches(consumer: AIOKafkaConsumer) -> None:
    """Let a started consumer's ``getmany`` take whole fetches. May be called any number of times."""
    fetcher = consumer._fetcher
    if not isinstance(fetcher._records, _Fetches):
        fetcher._records = _Fetches(fetcher._records)


class _Fetches(OrderedDict[Any, Any]):
    """Fetches that wait to be taken, by partition: what the fetcher puts in is prepared on its way."""

    def __setitem__(self, partition: Any, result: Any) -> None:
        if type(result) is FetchResult:
            # On the instance: the fetcher asks for this very type.
            result.getall = _taking_whole(result)
        super().__setitem__(partition, result)


def _taking_whole(result: FetchResult) -> Callable[[int | None], list[Any]]:
    one_by_one = result.getall

    def getall(max_records: int | None = None) -> list[Any]:
        records = result._partition_records
        if records is None or max_records is not None or not _whole(records):
            found: list[Any] = one_by_one(max_records)
            return found
        if not result.check_assignment(result._topic_partition):
            return []
        try:
            found = _unpacked(records)
            result._update_position()
        finally:
            # After a damaged batch the position stays, and the fetch is made again. The iterator refers back to the
            # records and through them to a megabyte, which would wait for the cycle collector.
            result._partition_records = records._records_iterator = None
        if found:
            found[-1] = records._consumer_record(records._tp, found[-1])
        return found

    return getall


def _whole(records: Any) -> bool:
    """Nothing has been taken yet, and no transaction may have to be left out."""
    begun = getgeneratorstate(records._records_iterator) != GEN_CREATED
    return not begun and records._isolation_level != READ_COMMITTED


def _unpacked(records: Any) -> list[Any]:
    """The records at and after the position; leaves it behind the last batch, as aiokafka does."""
    found: list[Any] = []
    while records._records.has_next():
        batch = records._records.next_batch()
        if records._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"a damaged batch in {records._tp}")
        if not batch.is_control_batch:
            start = records.next_fetch_offset
            found += [record for record in batch if record.offset >= start]
        # Also where compaction has removed the last records: the next fetch must not begin in this batch again.
        records.next_fetch_offset = batch.next_offset
    return found
