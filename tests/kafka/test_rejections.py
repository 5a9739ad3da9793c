"""Rejected readings in the topic: listed by partition and offset, handed back to the partition of their station."""

from __future__ import annotations

import msgspec
from kafka import KafkaProducer

from airshed.kafka.admin import apply_topics
from airshed.kafka.export import read_topic
from airshed.kafka.settings import KafkaSettings
from airshed.rejections import kept_on_kafka, replay_on_kafka
from streams.schemas import Rejected
from streams.topics import READINGS, REJECTED
from streams.wire import decode_messages
from tests.streams.samples import registry


def reading(station: str, value: float) -> bytes:
    fields = {"station": station, "pollutant": "pm25", "value": value, "unit": "ug/m3", "time": "2026-01-12T01:00:00Z"}
    return msgspec.json.encode(fields)


def test_what_the_registry_knows_by_now_goes_back_to_readings(settings: KafkaSettings) -> None:
    apply_topics(settings)
    items = [
        Rejected(reason="unknown-station", message="m", place="readings/0@1", raw=reading("VN-A", 41.5)),
        Rejected(reason="unknown-station", message="m", place="readings/0@2", raw=reading("VN-Z", 42.5)),
        Rejected(reason="wrong-partition", message="m", place="readings/0@3", raw=reading("VN-B", 43.5)),
        Rejected(reason="late", message="m", place="readings/0@4", raw=reading("VN-C", 44.5)),
    ]
    producer = KafkaProducer(acks="all", **settings.admin())
    for item in items:
        producer.send(REJECTED, value=msgspec.json.encode(item)).get(timeout=30)
    producer.close()

    kept = kept_on_kafka(settings)
    assert sorted(one.item.place for one in kept) == [item.place for item in items]
    assert all(number.isdigit() for one in kept for number in one.number.split(":"))

    stations = registry("VN-A", "VN-B", "VN-C")
    revived = replay_on_kafka(settings, stations)
    assert len(revived.items) == 2
    messages = list(read_topic(settings, READINGS))
    batch = decode_messages(messages, lambda number: str(number), stations).batch
    assert sorted(batch.value.tolist()) == [41.5, 43.5]
