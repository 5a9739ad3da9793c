"""Rejected readings: where they are kept, which of them can be used by now, and handing those back to the pipeline.

Handing back is repeatable: a reading is known by station, pollutant and time, so a second copy changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
import sqlalchemy as sa
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from airshed.configuration import Configuration
from airshed.kafka.settings import KafkaSettings
from airshed.local import store
from airshed.source_settings import DirectorySettings
from streams import topics
from streams.batches import ReadingBatch
from streams.clock import utc
from streams.encoding import to_messages
from streams.errors import InputError
from streams.rejects import Reason
from streams.schemas import MEASURED, STATUSES, Rejected
from streams.sources.files import FileReader
from streams.stations import StationRegistry
from streams.transport.partitions import partition_of
from streams.units import base_unit
from streams.wire import concatenate, decode_messages

CURABLE = frozenset({*(reason.value for reason in Reason if reason is not Reason.CLOCK_AHEAD), "wrong-partition"})
"""What a better registry or a newer version may be able to read. What screening or time has refused would only be
refused again; ``--reason`` asks for it all the same, after limits have been changed."""

_TIDY_HEADERS = (
    b"time,station_id,pollutant,value,unit",
    b"time,station_id,pollutant,value,unit,period",
    b"time,station_id,pollutant,value,unit,period,status",
)
_LINE = re.compile(r"^(?P<path>.*?)(:\d+|@\d+.*)?$")


@dataclass(frozen=True)
class Kept:
    """A rejected item under the number by which people name it: ``17``, or ``partition:offset`` on Kafka."""

    number: str
    item: Rejected


@dataclass(frozen=True)
class Revived:
    """What became usable: the items, and their readings together."""

    items: list[Kept]
    batch: ReadingBatch


def revive(kept: Iterable[Kept], registry: StationRegistry, reasons: Sequence[str] = ()) -> Revived:
    """The items all of whose readings can be used now.

    Args:
        reasons: look at these only; by default at all that are ``CURABLE``.
    """
    reader = FileReader(registry=registry, source="replayed")
    wanted = frozenset(reasons) or CURABLE
    items: list[Kept] = []
    batches: list[ReadingBatch] = []
    for one in kept:
        batch = _readable(one.item, reader) if one.item.reason in wanted else None
        if batch is not None:
            items.append(one)
            batches.append(batch)
    return Revived(items, concatenate(batches))


def _readable(item: Rejected, reader: FileReader) -> ReadingBatch | None:
    """The readings of an item, ``None`` unless it has some and none is refused."""
    if item.raw.lstrip()[:1] in (b"{", b"["):
        decoded = decode_messages([item.raw], [item.place], reader.registry)
        return decoded.batch if len(decoded.batch) and not decoded.rejected else None
    match = _LINE.match(item.place)
    path = PurePosixPath(match["path"] if match else item.place)
    for data in (item.raw, *(header + b"\n" + item.raw for header in _headers_for(item.raw))):
        loaded = reader.load(data, path)
        if len(loaded.batch) and not loaded.rejected:
            return loaded.batch
    return None


def _headers_for(line: bytes) -> Iterator[bytes]:
    """A line of a tidy file comes without the names of its columns; those with as many columns are tried."""
    fields = line.count(b",")
    return (header for header in _TIDY_HEADERS if fields and header.count(b",") == fields)


# -- in the installation's database ----------------------------------------------------------------------------------


def kept_locally(engine: sa.Engine, newest: int = -1) -> list[Kept]:
    """The newest rejected items, newest first; all of them by default."""
    store.metadata.create_all(engine)
    with engine.connect() as connection:
        return [Kept(str(number), item) for number, item in store.rejected_items(connection, newest)]


def replay_locally(
    engine: sa.Engine, settings: Configuration, registry: StationRegistry, reasons: Sequence[str] = ()
) -> tuple[Revived, Path | None]:
    """Put what can be used now into the first watched folder, from which the running service takes it as any file.

    The file first, the note that it was done after: after a crash in between, the same file is written again.

    Raises:
        InputError: when no folder is watched.
    """
    store.metadata.create_all(engine)
    with engine.connect() as connection:
        done = store.replayed_numbers(connection)
    kept = [one for one in reversed(kept_locally(engine)) if int(one.number) not in done]
    revived = revive(kept, registry, reasons)
    if not revived.items:
        return revived, None
    path = write_tidy(_watched_folder(settings), revived.batch, registry)
    with engine.begin() as connection:
        store.note_replayed(connection, [int(one.number) for one in revived.items])
    return revived, path


def _watched_folder(settings: Configuration) -> Path:
    for source in settings.sources:
        if isinstance(source, DirectorySettings):
            return Path(source.path)
    raise InputError(
        "no folder is watched, so there is no way back in",
        field="sources",
        remedy='add a source of kind "directory", or use --kafka where readings travel through Kafka',
    )


def write_tidy(folder: Path, batch: ReadingBatch, registry: StationRegistry) -> Path:
    """A tidy file that watched folders read; named by its content, and complete when it has its name."""
    text = "time,station_id,pollutant,value,unit,period,status\n" + "".join(_lines(batch, registry))
    path = folder / f"replayed-{hashlib.sha256(text.encode()).hexdigest()[:16]}.csv"
    unfinished = path.with_suffix(".csv.part")
    unfinished.write_text(text, encoding="utf-8")
    return unfinished.rename(path)


def _lines(batch: ReadingBatch, registry: StationRegistry) -> Iterator[str]:
    columns = (batch.station, batch.pollutant, batch.time_s, batch.value, batch.period_s, batch.status)
    for row, pollutant, time_s, value, period_s, status in zip(*(c.tolist() for c in columns), strict=True):
        shown = "" if np.isnan(value) else repr(value)
        code, moment = registry.stations[row].code, utc(time_s).isoformat()
        name, unit = MEASURED[pollutant], base_unit(MEASURED[pollutant])
        yield f"{moment},{code},{name},{shown},{unit},{period_s},{STATUSES[status]}\n"


# -- on Kafka --------------------------------------------------------------------------------------------------------


def kept_on_kafka(settings: KafkaSettings) -> list[Kept]:
    """Everything in the topic of rejected readings, by partition and offset."""
    consumer = KafkaConsumer(auto_offset_reset="earliest", enable_auto_commit=False, **settings.admin())
    try:
        numbers = sorted(consumer.partitions_for_topic(topics.REJECTED) or ())
        return [kept for number in numbers for kept in _partition(consumer, TopicPartition(topics.REJECTED, number))]
    finally:
        consumer.close()


def _partition(consumer: KafkaConsumer, part: TopicPartition) -> Iterator[Kept]:
    consumer.assign([part])
    consumer.seek_to_beginning(part)
    end = consumer.end_offsets([part])[part]
    while consumer.position(part) < end:
        for record in consumer.poll(timeout_ms=500).get(part, ()):
            if record.value is not None:
                item = msgspec.json.decode(record.value, type=Rejected)
                yield Kept(f"{part.partition}:{record.offset}", item)


def replay_on_kafka(settings: KafkaSettings, registry: StationRegistry, reasons: Sequence[str] = ()) -> Revived:
    """Send what can be used now to the topic of readings, each to its station's partition; returns when stored."""
    revived = revive(kept_on_kafka(settings), registry, reasons)
    if not revived.items:
        return revived
    producer = KafkaProducer(acks="all", **settings.admin())
    try:
        sent = [
            producer.send(
                topics.READINGS, key=key, value=value, partition=partition_of(key.decode(), settings.partitions)
            )
            for key, value in to_messages(revived.batch, registry)
        ]
        for one in sent:
            one.get(timeout=60)
    finally:
        producer.close()
    return revived
