"""The stages as the Kafka worker drives them, over topics in memory: runners, fetched batches, partitions, restarts.

What the broker adds (fetching, commits, rebalances) is left out; ``tests/kafka`` has it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from airshed.kafka.pipeline import stage_specs
from airshed.kafka.runner import StageRunner
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import MARK_KEY, NOTHING_YET, StageSpec, encode, mark_in
from rules.model import Pack
from streams.batches import ReadingBatch
from streams.encoding import to_messages
from streams.schemas import Mark
from streams.screening import Limits
from streams.stations import StationRegistry
from streams.topics import NOTICES, READINGS
from streams.transport.driver import Outgoing
from streams.transport.partitions import partition_of

SETTINGS = KafkaSettings(bootstrap=["nowhere:1"], partitions=3, airshed_partitions=2)
LARGEST_BATCH = 2_000  # messages; a fetch of a quiet partition has a handful, of a busy one thousands
RESTARTS = 0.04  # share of batches before which the worker is another one
CRASHES = 0.05  # share of batches after whose output, and before whose state, it ends


@dataclass(frozen=True)
class Message:
    """A record as the consumer sees it."""

    offset: int
    value: bytes
    key: bytes | None


@dataclass
class Topics:
    """Messages by topic and partition."""

    held: dict[tuple[str, int], list[Message]] = field(default_factory=lambda: defaultdict(list))

    def put(self, outgoing: Iterable[Outgoing]) -> None:
        for one in outgoing:
            partition = self.held[one.topic, one.partition]
            partition.append(Message(len(partition), one.value, one.key))

    def values(self, topic: str) -> list[bytes]:
        """What was said, repetitions and marks left out, by partition."""
        places = sorted(place for place in self.held if place[0] == topic)
        said = (message.value for place in places for message in self.held[place])
        return list(dict.fromkeys(value for value in said if mark_in(value) is None))


def through_agents(
    pack: Pack, registry: StationRegistry, sequence: Iterable[ReadingBatch | Mark], limits: Limits, seed: int
) -> list[bytes]:
    """The notices, as they lie in their topic. ``seed`` draws batch sizes, interleaving, restarts and crashes."""
    chance, topics = random.Random(seed), Topics()
    topics.put(_ingested(registry, sequence))
    specs = stage_specs(SETTINGS, pack, registry, mode="exercise", provisional=False, limits=limits)
    for spec in specs:
        _work(spec, topics, chance)
    return topics.values(NOTICES)


def _ingested(registry: StationRegistry, sequence: Iterable[ReadingBatch | Mark]) -> Iterable[Outgoing]:
    """As ``airshed ingest`` writes them: keyed by station, marks to every partition."""
    yield from _marks(Mark(NOTHING_YET, "announcement"))
    for item in sequence:
        if isinstance(item, Mark):
            yield from _marks(item)
            continue
        for key, value in to_messages(item, registry):
            yield Outgoing(READINGS, partition_of(key.decode(), SETTINGS.partitions), key, value)


def _marks(mark: Mark) -> Iterable[Outgoing]:
    return (Outgoing(READINGS, number, MARK_KEY, encode(mark)) for number in range(SETTINGS.partitions))


def _work(spec: StageSpec, topics: Topics, chance: random.Random) -> None:
    """One agent over all partitions of its source, a batch of one and then of another."""
    durable: dict[int, dict[str, bytes]] = {number: {} for number in range(spec.source_partitions)}
    runners: dict[int, StageRunner] = {}
    todo = [number for number in durable if topics.held[spec.source, number]]
    while todo:
        number = chance.choice(todo)
        if number not in runners or chance.random() < RESTARTS:
            runners[number] = StageRunner(spec, number, durable[number])
        runner, waiting = runners[number], topics.held[spec.source, number]
        start = runner.next_offset
        batch = waiting[start : start + chance.randint(1, LARGEST_BATCH)]
        work = runner.take(batch)
        assert work.unusable == 0, work.rejected
        topics.put(work.outgoing)
        if chance.random() < CRASHES:
            del runners[number]  # the state of this batch is lost: it comes again
            continue
        apply_writes(durable[number], work.writes)
        runner.settle()
        if runner.next_offset == len(waiting):
            todo.remove(number)


def apply_writes(durable: dict[str, bytes], writes: Sequence[tuple[str, bytes | None]]) -> None:
    """What the changelog of a table does with the writes of a batch."""
    for key, value in writes:
        if value is None:
            durable.pop(key, None)
        else:
            durable[key] = value
