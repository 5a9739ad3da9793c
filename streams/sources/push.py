"""Readings that an agency sends to us: what a request holds, and the source that takes it in.

The sender is answered item by item, and only when what was accepted is durable. A request sent again changes nothing:
readings have an identity.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from streams.batches import ReadingBatch
from streams.clock import Clock, utc
from streams.columns import parse_time_s
from streams.errors import InputError, ReadingError
from streams.gateway import AHEAD_S
from streams.rejects import Reason, rejected
from streams.schemas import Rejected
from streams.sources.arrivals import Arrival, Loaded
from streams.sources.lines import GZIP_MAGIC
from streams.sources.rows import Judged, Row, judge
from streams.stations import StationRegistry
from streams.wire import WireReading

MOST_BYTES = 4 * 1024 * 1024
"""Unpacked. A reading has about 130 bytes: a month of five-minute values of one pollutant fits in 1 MB."""
MOST_ITEMS = 20_000
MOST_WAITING = 64
"""Requests that wait to be taken in; more are told to come again, so that memory stays bounded."""
WAIT_S = 20.0
"""How long a sender waits for the answer before it is told that nothing is certain."""

_items = msgspec.json.Decoder(WireReading)
_lists = msgspec.json.Decoder(list[msgspec.Raw])
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class PushError(InputError):
    """A request of which nothing was taken. ``reason`` is a short machine-readable code."""

    def __init__(self, reason: str, message: str, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one item of a request. ``field``, ``message`` and ``remedy`` belong to a refusal."""

    item: int
    outcome: Literal["accepted", "refused", "unused"]
    reason: str = ""
    field: str = ""
    message: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Request:
    """A request, judged: what goes on, and what the sender hears."""

    loaded: Loaded
    verdicts: list[Verdict]


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who sends, and when. ``agency`` is the column of that name in the registry."""

    agency: str
    now_s: float
    source: str = "push"


def parse(data: bytes, registry: StationRegistry, sender: Sender) -> Request:
    """Judge the body of a request: a reading, or a list of them, plain or as gzip.

    Raises:
        PushError: when it cannot be read as such, or is too large; then nothing of it is taken.
    """
    raws = _raw_items(_unpacked(data))
    rows: list[Row] = []
    numbers: list[int] = []
    refused: dict[int, tuple[Reason, ReadingError]] = {}
    for item, raw in enumerate(raws):
        try:
            reading = _items.decode(raw)
        except _BROKEN as error:
            refused[item] = (Reason.BAD_READING, ReadingError(str(error), remedy=_AS_OBJECT))
            continue
        problem = _not_theirs(reading.station, registry, sender.agency)
        if problem is not None:
            refused[item] = (Reason.NOT_YOUR_STATION, problem)
            continue
        rows.append(_row(reading, item, raw))
        numbers.append(item)
    judged = judge(rows, registry)
    refused.update({numbers[row]: found for row, found in judged.refused.items()})
    batch, ahead = _timely(judged, sender.now_s)
    refused.update({numbers[row]: (Reason.CLOCK_AHEAD, _ahead_problem(rows[row], sender)) for row in ahead})
    unused = {numbers[row] for row in judged.unused}
    kept = [_rejected(item, raws[item], *refused[item], sender) for item in sorted(refused)]
    verdicts = [_verdict(item, refused.get(item), item in unused) for item in range(len(raws))]
    return Request(Loaded(batch, kept, len(unused)), verdicts)


_AS_OBJECT = (
    "send station, pollutant, value, unit, time (ISO 8601 with an offset) and, if not hourly, period in seconds"
)


def _unpacked(data: bytes) -> bytes:
    if data.startswith(GZIP_MAGIC):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            text = unpacker.decompress(data, MOST_BYTES + 1)
        except zlib.error as error:
            raise PushError("bad-gzip", f"damaged gzip: {error}", "send it again") from None
        if len(text) <= MOST_BYTES and (not unpacker.eof or unpacker.unused_data):
            raise PushError("bad-gzip", "not exactly one whole gzip stream", "send it again, whole")
        data = text
    if len(data) > MOST_BYTES:
        raise PushError("too-large", f"more than {MOST_BYTES} bytes", "send fewer readings at once")
    return data


def _raw_items(data: bytes) -> list[bytes]:
    try:
        raws = [bytes(raw) for raw in _lists.decode(data)] if data.lstrip()[:1] == b"[" else [_whole(data)]
    except _BROKEN as error:
        raise PushError("bad-json", f"cannot be read as JSON: {error}", "send one object or a list of them") from None
    if len(raws) > MOST_ITEMS:
        raise PushError("too-large", f"{len(raws)} readings", f"send at most {MOST_ITEMS} at once")
    return raws


def _whole(data: bytes) -> bytes:
    return bytes(msgspec.json.decode(data, type=msgspec.Raw))


def _not_theirs(station: str, registry: StationRegistry, agency: str) -> ReadingError | None:
    """An unknown station is refused as unknown, not as somebody else's."""
    row = registry.row(station)
    if row < 0 or registry.stations[row].agency == agency:
        return None
    return ReadingError(
        f"station {station[:80]!r} does not belong to {agency}",
        field="station",
        remedy="use the key of the agency that runs it, or have the registry's column agency corrected",
    )


def _row(reading: WireReading, item: int, raw: bytes) -> Row:
    return Row(
        place=f"item {item}",
        raw=raw,
        station=reading.station,
        pollutant=reading.pollutant,
        value=reading.value,
        unit=reading.unit,
        time_s=parse_time_s(reading.time),
        period_s=reading.period if abs(reading.period) < 1 << 31 else -1,
        status=reading.status,
        time=reading.time,
    )


def _timely(judged: Judged, now_s: float) -> tuple[ReadingBatch, list[int]]:
    """The batch without readings from the future, and the numbers of their rows."""
    ahead = judged.batch.time_s > now_s + AHEAD_S
    return judged.batch.take(np.logical_not(ahead)), [judged.rows[at] for at in np.flatnonzero(ahead).tolist()]


def _ahead_problem(row: Row, sender: Sender) -> ReadingError:
    return ReadingError(
        f"{row.time!r} is later than now, {utc(int(sender.now_s)).isoformat()}",
        field="time",
        remedy="set the clock of the logger; is local time sent as UTC, or the other way round?",
    )


def _rejected(item: int, raw: bytes, reason: Reason, problem: ReadingError, sender: Sender) -> Rejected:
    problem.place = f"{sender.agency}: item {item}"
    return rejected(reason, problem, raw, sender.source)


def _verdict(item: int, refused: tuple[Reason, ReadingError] | None, unused: bool) -> Verdict:
    if refused is None:
        return Verdict(item, "unused" if unused else "accepted")
    reason, problem = refused
    return Verdict(item, "refused", reason.value, problem.field, problem.message, problem.remedy)


class BusyError(Exception):
    """The request could not be taken in time; whether it was is not certain, and sending it again is safe."""


class PushSource:
    """The requests of all agencies as a live source."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._queue: asyncio.Queue[Arrival] = asyncio.Queue(MOST_WAITING)
        self._waiting_since_s: dict[asyncio.Future[None], float] = {}

    @property
    def name(self) -> str:
        return self._name

    def progress_s(self) -> float:
        """What is being taken in holds progress back; nothing else can have come in."""
        return min(self._waiting_since_s.values(), default=self._clock.now_s())

    async def arrivals(self) -> AsyncIterator[Arrival]:
        while True:
            yield await self._queue.get()

    async def hand_over(self, loaded: Loaded, place: str, wait_s: float = WAIT_S) -> None:
        """Returns when it is durable.

        Raises:
            BusyError: too many requests are waiting, or it took too long.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def durable() -> None:
            if not done.done():
                done.set_result(None)

        try:
            self._queue.put_nowait(Arrival(self._name, place, loaded, durable=durable))
        except asyncio.QueueFull:
            raise BusyError("too many requests are waiting") from None
        self._waiting_since_s[done] = self._clock.now_s()
        try:
            async with asyncio.timeout(wait_s):
                await done
        except TimeoutError:
            raise BusyError(f"not taken in within {wait_s:g} s") from None
        finally:
            self._waiting_since_s.pop(done, None)
