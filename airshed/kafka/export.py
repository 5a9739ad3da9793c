"""What the topics say, as the files a replay writes: repetitions removed, and proved to be mere repetitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from kafka import KafkaConsumer, TopicPartition

from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import encode, mark_in
from airshed.result_rows import write_index, write_lines, write_provinces
from notifiers.deliveries import Delivery
from rules.notices import ActualNotice, ExerciseNotice
from streams import topics
from streams.errors import AirshedError
from streams.provinces import Statement
from streams.schemas import EpisodeEvent, ProvinceDay, ProvinceState, ProvinceWind, StationIndex, StationWind

Item = TypeVar("Item")


class ContradictionError(AirshedError):
    """A stage has said one thing in two versions: it is not deterministic, and its output cannot be trusted."""


def export_events(settings: KafkaSettings, out: Path) -> dict[str, int]:
    """Write the files of a replay: index, provinces, episodes, notices and deliveries.

    Returns:
        Rows by file name.

    Raises:
        ContradictionError: naming topic and identity, with both bodies.
    """
    out.mkdir(parents=True, exist_ok=True)
    records = said(settings, topics.STATIONS, StationIndex | StationWind, _index_identity)
    stations = sorted((item for item in records if isinstance(item, StationIndex)), key=_in_time)
    notices = list(said(settings, topics.NOTICES, ActualNotice | ExerciseNotice, lambda notice: notice.id))
    statements = list(_statements(settings))
    provinces = [encode(state) for state in statements if isinstance(state, ProvinceState)]
    days = (encode(day) for day in statements if isinstance(day, ProvinceDay))
    return {
        "index.csv": write_index((encode(item) for item in stations if item.final), out / "index.csv"),
        "provinces.csv": write_provinces(iter(provinces), out / "provinces.csv"),
        "provinces.jsonl": write_lines(iter(provinces), out / "provinces.jsonl"),
        "days.jsonl": write_lines(days, out / "days.jsonl"),
        "episodes.jsonl": write_lines(_episodes(settings), out / "episodes.jsonl"),
        "notices.jsonl": write_lines(map(encode, notices), out / "notices.jsonl"),
        "deliveries.jsonl": write_lines(map(encode, _deliveries(settings, notices)), out / "deliveries.jsonl"),
    }


def said(settings: KafkaSettings, topic: str, kind: Any, identity: Callable[[Any], Any]) -> Iterator[Any]:
    """Items of a topic without marks and repetitions, by partition and in the order in which they were first said.

    ``identity`` returns ``None`` for items that may be said in any version.

    Raises:
        ContradictionError: two items of one identity differ by a single byte.
    """
    decode = msgspec.json.Decoder(kind).decode
    bodies: dict[Any, bytes] = {}
    for value in read_topic(settings, topic):
        if mark_in(value) is not None:
            continue
        item = decode(value)
        name = identity(item)
        if name is not None and name in bodies:
            if bodies[name] != value:
                raise ContradictionError(f"{topic}: {name} was said twice:\n{bodies[name]!r}\n{value!r}")
            continue
        if name is not None:
            bodies[name] = value
        yield item


def read_topic(settings: KafkaSettings, topic: str) -> Iterator[bytes]:
    """Every message of a topic up to its present end, partition after partition."""
    consumer = KafkaConsumer(auto_offset_reset="earliest", enable_auto_commit=False, **settings.admin())
    try:
        for number in sorted(consumer.partitions_for_topic(topic) or ()):
            yield from _read_partition(consumer, TopicPartition(topic, number))
    finally:
        consumer.close()


def _read_partition(consumer: KafkaConsumer, part: TopicPartition) -> Iterator[bytes]:
    consumer.assign([part])
    consumer.seek_to_beginning(part)
    end = consumer.end_offsets([part])[part]
    while consumer.position(part) < end:
        for record in consumer.poll(timeout_ms=500).get(part, ()):
            if record.offset < end and record.value is not None:
                yield record.value


def _statements(settings: KafkaSettings) -> Iterable[Statement]:
    def identity(state: Statement) -> Any:
        revision = 0 if isinstance(state, ProvinceWind) else state.revision
        return type(state).__name__, state.airshed, state.province, state.time, revision

    return said(settings, topics.PROVINCES, Statement, identity)


def _episodes(settings: KafkaSettings) -> Iterable[bytes]:
    def identity(event: EpisodeEvent) -> Any:
        return event.episode, event.transition

    return map(encode, said(settings, topics.EPISODES, EpisodeEvent, identity))


def _index_identity(item: StationIndex | StationWind) -> Any:
    if isinstance(item, StationWind):
        return item.station, item.time, "wind", 0
    # Values of an open hour may differ between runs and batches; final ones may not.
    return (item.station, item.time, item.product, item.revision) if item.final else None


def _in_time(item: StationIndex) -> Any:
    return item.time, item.product == "day", item.airshed, item.station, item.revision


def _deliveries(settings: KafkaSettings, notices: Iterable[Any]) -> list[Delivery]:
    """The latest state of every delivery, in the order of the ledger's own export."""
    times = {notice.id: notice.time for notice in notices}
    latest: dict[str, Delivery] = {}
    decode = msgspec.json.Decoder(Delivery).decode
    for value in read_topic(settings, topics.DELIVERIES):
        delivery = decode(value)
        latest[delivery.id] = delivery
    return sorted(latest.values(), key=lambda item: (times[item.notice], item.notice, item.recipient, item.channel))
