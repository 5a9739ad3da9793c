"""Readings and marks as they come in JSON messages: decoding a fetched list of them at once.

A message value is a reading, a list of readings, or a mark. What cannot be used is rejected alone: a broken message
leaves the others, a bad item of a list leaves its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.columns import PROBLEMS, STATUS_CODES, CodedColumns, Fields, Tables, problem_of, tables
from streams.errors import ReadingError
from streams.rejects import Reason, rejected
from streams.schemas import Mark, Reading, Rejected
from streams.stations import StationRegistry

Places = Sequence[str] | Callable[[int], str]
"""Where the i-th message came from; a function spares making a text for every message that is fine."""

_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)
"""TypeError: a message without a value, which Kafka hands over as ``None``."""
_AS_OBJECT = "send one JSON object, or a list of them, with station, pollutant, value, unit, time"


class WireReading(msgspec.Struct, gc=False, omit_defaults=True):
    """A reading as it lies on the wire: texts are looked up, never converted one by one."""

    station: str
    pollutant: str
    value: float | None
    unit: str
    time: str
    period: int = 3600
    status: str = "measuring"


_items = msgspec.json.Decoder(WireReading)
_lists = msgspec.json.Decoder(list[msgspec.Raw])
_marks = msgspec.json.Decoder(Mark)
_readings = msgspec.json.Decoder(Reading)
_encode = msgspec.json.Encoder().encode


@dataclass
class Decoded:
    """What a list of messages held. Every reading is in a segment, in ``rejected`` or in ``unused``.

    Attributes:
        segments: batches and marks in the order of the messages; a batch is never empty.
        origins: for each segment, ``(n,) int32`` message number of each of its rows (of the mark: length 1).
        unused: readings of pollutants that no stage needs.
    """

    segments: list[ReadingBatch | Mark] = field(default_factory=list)
    origins: list[NDArray[np.int32]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    unused: int = 0

    @property
    def batch(self) -> ReadingBatch:
        """The readings of all segments as one batch."""
        return concatenate([segment for segment in self.segments if isinstance(segment, ReadingBatch)])

    @property
    def batch_origins(self) -> NDArray[np.int32]:
        """``(n,) int32``: message number of each row of ``batch``."""
        pairs = zip(self.segments, self.origins, strict=True)
        of_batches = [origins for segment, origins in pairs if isinstance(segment, ReadingBatch)]
        return np.concatenate(of_batches) if of_batches else np.empty(0, np.int32)


def concatenate(batches: Sequence[ReadingBatch]) -> ReadingBatch:
    """The batches one after the other, as one."""
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return ReadingBatch.empty()
    return ReadingBatch(
        np.concatenate([batch.station for batch in batches]),
        np.concatenate([batch.pollutant for batch in batches]),
        np.concatenate([batch.time_s for batch in batches]),
        np.concatenate([batch.period_s for batch in batches]),
        np.concatenate([batch.value for batch in batches]),
        np.concatenate([batch.status for batch in batches]),
    )


def decode_messages(payloads: Sequence[bytes], places: Places, registry: StationRegistry, source: str = "") -> Decoded:
    """Decode message values of a ``readings`` partition, in order. Never raises for what is in them.

    Args:
        places: by message, what a person needs to find it (``readings/3@1042``).
        source: name of the feed, kept with what is rejected.
    """
    return _Run(payloads, places, tables(registry), source).decode()


class _Run:
    """One call of ``decode_messages``: collects items until a mark comes, then makes a batch of them."""

    def __init__(self, payloads: Sequence[bytes], places: Places, look_up: Tables, source: str) -> None:
        self._payloads = payloads
        self._place = places if callable(places) else places.__getitem__
        self._tables = look_up
        self._source = source
        self._items: list[WireReading] = []
        self._origins: list[int] = []
        self._out = Decoded()

    def decode(self) -> Decoded:
        decode, keep, origin = _items.decode, self._items.append, self._origins.append
        for number, payload in enumerate(self._payloads):
            try:
                keep(decode(payload))
            except _BROKEN as error:
                self._take_other(number, payload or b"", error)
            else:
                origin(number)
        self._close_segment()
        return self._out

    def _take_other(self, number: int, payload: bytes, error: Exception) -> None:
        """A message that is not a single good reading: a mark, a list, or nothing that can be used."""
        mark = _as_mark(payload)
        if mark is not None:
            self._close_segment()
            self._out.segments.append(mark)
            self._out.origins.append(np.array([number], np.int32))
        elif payload.lstrip()[:1] == b"[":
            self._take_list(number, payload)
        else:
            self._reject(error, payload, self._place(number))

    def _take_list(self, number: int, payload: bytes) -> None:
        try:
            raws = _lists.decode(payload)
        except _BROKEN as error:
            self._reject(error, payload, self._place(number))
            return
        for position, raw in enumerate(raws):
            try:
                self._items.append(_items.decode(raw))
            except _BROKEN as error:
                self._reject(error, bytes(raw), f"{self._place(number)}[{position}]")
            else:
                self._origins.append(number)

    def _reject(self, error: Exception, raw: bytes, place: str) -> None:
        reason, problem = _broken(error, place)
        self._out.rejected.append(rejected(reason, problem, raw, self._source))

    def _close_segment(self) -> None:
        if not self._items:
            return
        columns = _coded(self._items, self._tables)
        problems = columns.problems()
        unused = columns.unused()
        origins = np.array(self._origins, np.int32)
        for row in np.flatnonzero(problems):
            self._reject_row(PROBLEMS[problems[row]], self._items[row], int(origins[row]))
        usable = (problems == 0) & ~unused
        if usable.any():
            self._out.segments.append(columns.batch(usable, self._tables.combinations))
            self._out.origins.append(origins[usable])
        self._out.unused += int(unused.sum())
        self._items.clear()
        self._origins.clear()

    def _reject_row(self, reason: Reason | None, item: WireReading, number: int) -> None:
        assert reason is not None
        problem = problem_of(reason, _fields(item), self._place(number))
        payload = self._payloads[number]
        raw = _encode(item) if payload.lstrip()[:1] == b"[" else payload
        self._out.rejected.append(rejected(reason, problem, raw, self._source))


def _as_mark(payload: bytes) -> Mark | None:
    if b'"mark"' not in payload:
        return None
    try:
        mark = _marks.decode(payload)
    except _BROKEN:
        return None
    return mark if mark.time.tzinfo is not None else None


def _broken(error: Exception, place: str) -> tuple[Reason, ReadingError]:
    if isinstance(error, msgspec.ValidationError):
        return Reason.BAD_READING, ReadingError(str(error), place=place, remedy=_AS_OBJECT)
    return Reason.BAD_JSON, ReadingError(f"cannot be read as JSON: {error}", place=place, remedy=_AS_OBJECT)


def _coded(items: Sequence[WireReading], look_up: Tables) -> CodedColumns:
    size = len(items)
    pairs = zip([item.pollutant for item in items], [item.unit for item in items], strict=True)
    return CodedColumns(
        station=np.fromiter(map(look_up.stations.__getitem__, [i.station for i in items]), np.int64, size),
        combination=np.fromiter(map(look_up.combinations.codes.__getitem__, pairs), np.int64, size),
        time_s=np.fromiter(map(look_up.times.__getitem__, [item.time for item in items]), np.int64, size),
        period_s=_whole([item.period for item in items]),
        value=np.array([item.value for item in items], np.float64),
        status=np.fromiter(map(STATUS_CODES.__getitem__, [item.status for item in items]), np.int64, size),
    )


def _whole(numbers: list[int]) -> NDArray[np.int64]:
    try:
        return np.array(numbers, np.int64)
    except OverflowError:  # JSON knows no largest integer; -1 is refused as a period like any other impossible one
        return np.array([number if abs(number) < 1 << 62 else -1 for number in numbers], np.int64)


def _fields(item: WireReading) -> Fields:
    return Fields(item.station, item.pollutant, str(item.value), item.unit, item.time, str(item.period), item.status)


def decode(payload: bytes, place: str, source: str = "") -> tuple[list[Reading], list[Rejected]]:
    """One message value, a reading or a list of them, as objects. For edges that look at single readings."""
    if payload.lstrip()[:1] != b"[":
        return _one(payload, place, source)
    try:
        raws = _lists.decode(payload)
    except _BROKEN as error:
        return [], [rejected(*_broken(error, place), payload, source)]
    good: list[Reading] = []
    bad: list[Rejected] = []
    for position, raw in enumerate(raws):
        readings, refused = _one(bytes(raw), f"{place}[{position}]", source)
        good += readings
        bad += refused
    return good, bad


def _one(payload: bytes, place: str, source: str) -> tuple[list[Reading], list[Rejected]]:
    try:
        return [_readings.decode(payload)], []
    except _BROKEN as error:
        return [], [rejected(*_broken(error, place), payload, source)]


@dataclass(frozen=True)
class Coded:
    """Readings as a batch. ``origin`` is ``(n,) int32``: which reading each row was."""

    batch: ReadingBatch
    origin: NDArray[np.int32]
    rejected: list[Rejected]
    unused: int


def to_batch(readings: Sequence[Reading], registry: StationRegistry, place: Places = lambda _: "") -> Coded:
    """Readings as columns in µg/m³, those that cannot be used with the reason and their JSON."""
    items = [_item(reading) for reading in readings]
    look_up = tables(registry)
    columns = _coded(items, look_up)
    problems, unused = columns.problems(), columns.unused()
    place_of = place if callable(place) else place.__getitem__
    refused = [
        rejected(
            reason,
            problem_of(reason, _fields(items[row]), place_of(row)),
            _encode(readings[row]),
            readings[row].source,
        )
        for row in np.flatnonzero(problems).tolist()
        if (reason := PROBLEMS[problems[row]])
    ]
    usable = (problems == 0) & ~unused
    origin = np.flatnonzero(usable).astype(np.int32)
    return Coded(columns.batch(usable, look_up.combinations), origin, refused, int(unused.sum()))


def _item(reading: Reading) -> WireReading:
    value = float("inf") if reading.value != reading.value else reading.value  # NaN is no value a feed may give
    return WireReading(
        reading.station,
        reading.pollutant,
        value,
        reading.unit,
        reading.time.isoformat(),
        reading.period,
        reading.status,
    )
