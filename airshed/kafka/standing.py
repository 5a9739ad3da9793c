"""How an airshed stands on the Kafka runtime: read from what the tracker's state left in its changelog."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition

from airshed.kafka.settings import KafkaSettings
from streams import topics
from streams.episodes import Standing, standing
from streams.transport.partitions import partition_of

NEWEST = 2_000
"""Records at the end of the changelog that are looked at first. Every decided hour writes what was decided anew, among
some ten records; older ones may not have been compacted for days."""


def read_standing(settings: KafkaSettings, code: str) -> Standing | None:
    """How an airshed stands; ``None`` before its first decision.

    Raises:
        KafkaError: the cluster does not answer.
    """
    number = partition_of(code, settings.airshed_partitions)
    part = TopicPartition(topics.changelog(settings.group, "episodes"), number)
    consumer = KafkaConsumer(enable_auto_commit=False, **settings.admin())
    try:
        if number not in (consumer.partitions_for_topic(part.topic) or ()):
            return None
        consumer.assign([part])
        begin, end = consumer.beginning_offsets([part])[part], consumer.end_offsets([part])[part]
        found = _read(consumer, part, max(begin, end - NEWEST), end, code)
        return found or _read(consumer, part, begin, end - NEWEST, code)
    finally:
        consumer.close()


def _read(consumer: KafkaConsumer, part: TopicPartition, begin: int, end: int, code: str) -> Standing | None:
    """The newest that lies between two offsets."""
    found: Standing | None = None
    consumer.seek(part, max(begin, 0))
    while begin < end and consumer.position(part) < end:
        for record in consumer.poll(timeout_ms=500).get(part, ()):
            key = (record.key or b"").decode()
            if record.value is not None:
                found = standing(code, {key[1:]: record.value}) or found  # the first letter says whose key it is
    return found
