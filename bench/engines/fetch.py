"""Limit 1: aiokafka's ``getmany``, messages counted and dropped."""

from __future__ import annotations

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from airshed.kafka.settings import KafkaSettings
from bench.stopwatch import Run, Stopwatch
from streams.topics import READINGS


async def _fetch(run: Run) -> None:
    size = KafkaSettings(bootstrap=[run.bootstrap]).fetch_bytes
    partition = TopicPartition(READINGS, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=run.bootstrap, max_partition_fetch_bytes=size)
    await consumer.start()
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    watch = Stopwatch(run.readings)
    done = 0
    while not watch.passed(done):
        for records in (await consumer.getmany(timeout_ms=100)).values():
            watch.first()
            done += len(records)
    watch.report()
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(_fetch(Run.from_command_line()))
