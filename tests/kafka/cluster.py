"""What the tests on a real broker do: fill topics, read them whole, start workers, kill them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError

from airshed.kafka.admin import apply_topics
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import MARK_KEY, encode
from streams.schemas import Mark
from streams.topics import READINGS
from streams.transport.partitions import partition_of
from tests.kafka.counting import Item, moment

WAIT_S = 45.0


class Process:
    """A worker process."""

    def __init__(self, settings: KafkaSettings, name: str, folder: Path, module: str) -> None:
        options = {field: getattr(settings, field) for field in settings.__dataclass_fields__ if field != "security"}
        self._log = folder / f"{name}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, json.dumps({**options, "worker": name})], stdout=log, stderr=log
            )

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_until_ready(self) -> float:
        """Seconds until the worker said that it was ready."""
        started = time.monotonic()
        while "ready\n" not in self.output:
            assert self._process.poll() is None, self.output
            assert time.monotonic() - started < WAIT_S, self.output
            time.sleep(0.02)
        return time.monotonic() - started

    def kill(self) -> None:
        """As a power cut: nothing is flushed, committed or said."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """As an operator does; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Exit code, once it has ended by itself."""
        return self._process.wait(WAIT_S)

    @property
    def running(self) -> bool:
        return self._process.poll() is None


class Installation:
    """Topics of a test and the workers over them."""

    def __init__(self, settings: KafkaSettings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder
        self.processes: list[Process] = []

    def __enter__(self) -> Installation:
        apply_topics(self.settings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.running:
                process.kill()

    def worker(self, name: str = "one", module: str = "tests.kafka.counting") -> Process:
        """Start a worker."""
        process = Process(self.settings, name, self._folder, module)
        self.processes.append(process)
        return process

    def fill(self, steps: Iterable[int], *, stations: int, per_step: int) -> None:
        """Items of every station in order, ``per_step`` of each before every mark; marks to every partition."""
        producer = KafkaProducer(bootstrap_servers=self.settings.bootstrap, linger_ms=5, acks="all")
        for step in steps:
            for number in range(step * per_step, (step + 1) * per_step):
                for station in range(stations):
                    self._send(producer, Item(f"s{station}", number))
            self.mark(step, producer)
        producer.flush()
        producer.close()

    def mark(self, step: int, producer: Any) -> None:
        """A gateway's mark in every partition of ``readings``."""
        for partition in range(self.settings.partitions):
            producer.send(READINGS, key=MARK_KEY, value=encode(Mark(moment(step), "gateway", 1)), partition=partition)

    def send(self, station: str, number: int) -> None:
        """One item."""
        producer = KafkaProducer(bootstrap_servers=self.settings.bootstrap, acks="all")
        self._send(producer, Item(station, number))
        producer.flush()
        producer.close()

    def partition_of(self, station: str) -> int:
        """Partition of ``readings`` in which a station's items lie."""
        return partition_of(station, self.settings.partitions)

    def _send(self, producer: Any, item: Item) -> None:
        partition = self.partition_of(item.station)
        producer.send(READINGS, key=item.station.encode(), value=encode(item), partition=partition)

    def raw(self, topic: str) -> list[bytes]:
        """Every message of a topic, by partition and offset."""
        return [value for _, _, value in self.messages(topic)]

    def messages(self, topic: str) -> list[tuple[int, int, bytes]]:
        """Partition, offset and value of every message of a topic."""
        consumer = KafkaConsumer(bootstrap_servers=self.settings.bootstrap, auto_offset_reset="earliest")
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        found = [part for part in partitions if ends[part] > 0]
        read: list[tuple[int, int, bytes]] = []
        while any(consumer.position(part) < ends[part] for part in found):
            for part, records in consumer.poll(timeout_ms=500).items():
                read += [(part.partition, record.offset, record.value) for record in records]
        consumer.close()
        return sorted(read, key=lambda entry: entry[:2])

    def wait_for(self, topic: str, wanted: Any, kind: Any) -> list[Any]:
        """Decoded messages (marks left out) once ``wanted(messages)`` holds."""
        deadline = time.monotonic() + WAIT_S
        while True:
            items = decoded(self.raw(topic), kind)
            if wanted(items):
                return items
            newest = self.processes[-1]
            assert newest.running or "failed" not in newest.output, newest.output
            assert time.monotonic() < deadline, f"{len(items)} messages, the last {items[-2:]}; {newest.output}"
            time.sleep(0.1)

    def ends(self, topic: str) -> dict[int, int]:
        """Offsets after the last message."""
        consumer = KafkaConsumer(bootstrap_servers=self.settings.bootstrap)
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends = consumer.end_offsets(partitions)
        consumer.close()
        return {part.partition: end for part, end in ends.items() if end}

    def committed(self, topic: str) -> dict[int, int]:
        """Offsets the group has committed."""
        admin = KafkaAdminClient(bootstrap_servers=self.settings.bootstrap)
        try:
            offsets = admin.list_group_offsets([self.settings.group])[self.settings.group]
        except CoordinatorNotAvailableError:
            return {}  # the first group of a new broker: its topic of offsets is only now being made
        finally:
            admin.close()
        return {part.partition: entry.offset for part, entry in offsets.items() if part.topic == topic}


def decoded(payloads: Sequence[bytes], kind: Any) -> list[Any]:
    """Items of a topic without its marks."""
    return [msgspec.json.decode(value, type=kind) for value in payloads if b'"type":"mark"' not in value]


def distinct(items: Iterable[Any]) -> list[Any]:
    """Items without repetitions, in order of their first appearance."""
    return list(dict.fromkeys(items))


def delete_topics(settings: KafkaSettings) -> None:
    """Remove what another test left under the names that all installations share."""
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    there = set(admin.list_topics()) & {topic.name for topic in settings.topics()}
    if there:
        admin.delete_topics(list(there))
    while set(admin.list_topics()) & there:
        time.sleep(0.05)
    admin.close()
