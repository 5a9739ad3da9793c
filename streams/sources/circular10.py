"""The station files of Circular 10/2021/TT-BTNMT, Annex 15, as loggers in Viet Nam send them.

Plain text, one line per parameter, five fields separated by TAB: symbol, value, unit, local time as 14 digits,
device status. What is accepted beyond that is what working loggers send; see ``docs/sources.md``. The annex itself
was not at hand: whether the time marks the start or the end of the cycle is therefore a setting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from streams.columns import EARLIEST_YEAR, LATEST_YEAR
from streams.errors import ReadingError
from streams.pollutants import UNUSED, canonical_pollutant
from streams.rejects import Reason, rejected
from streams.schemas import Reading, Rejected, Status
from streams.units import to_base

CYCLE_S = 300
"""Files are sent every five minutes, each with the means of that cycle."""

LARGEST_FILE_BYTES = 16 * 1024 * 1024
"""A cycle of twenty parameters is about 1 kB; sixty days of them (what a logger must keep) about 13 MB."""

STATUSES: dict[str, Status] = {"00": "measuring", "01": "calibrating", "02": "fault"}

_NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{0,15})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
"""One decimal point or comma; with a thousands separator beside it a number is ambiguous and refused."""
_NO_VALUE = frozenset(("", "-", "--", "---", "nan", "na", "n/a", "null"))
_TIME = re.compile(r"\d{14}", re.ASCII)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

Stamp = Literal["start", "end"]


@dataclass(frozen=True)
class StationFile:
    """What a station file held: every non-empty line is a reading, a rejection or unused.

    ``notes`` are doubts about lines that were used all the same.
    """

    readings: list[Reading]
    rejected: list[Rejected]
    unused: int
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the content of a file cannot say about itself.

    Attributes:
        station: code in the registry.
        zone: zone of the times in the file; Viet Nam has one, UTC+7 without daylight saving.
        period_s: averaging period of the values, seconds.
        stamp: whether the time of a line is the start or the end of that period.
        place: name of the file, for messages.
        source: name of the feed.
    """

    station: str
    zone: ZoneInfo
    period_s: int = CYCLE_S
    stamp: Stamp = "end"
    place: str = ""
    source: str = "circular10"


def parse(data: bytes, layout: Layout, name_time: datetime | None = None) -> StationFile:
    """Read a station file. Never raises for what is in it; each bad line is rejected alone.

    Args:
        name_time: the time in the file's name, to compare the lines with.
    """
    refusal = _whole_file_problem(data, layout)
    if refusal is not None:
        return StationFile([], [refusal], 0, [])
    file = StationFile([], [], 0, [])
    unused = 0
    for number, line in enumerate(_lines(data), start=1):
        if not line.strip():
            continue
        try:
            reading = _reading(line, layout)
        except _LineError as error:
            error.problem.place = f"{layout.place}:{number}"
            file.rejected.append(rejected(error.reason, error.problem, line, layout.source))
            continue
        if reading is None:
            unused += 1
        else:
            file.readings.append(reading)
    notes = _doubts(file.readings, name_time, layout)
    return StationFile(file.readings, file.rejected, unused, notes)


class _LineError(Exception):
    def __init__(self, reason: Reason, message: str, field: str, remedy: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.problem = ReadingError(message, field=field, remedy=remedy)


def _whole_file_problem(data: bytes, layout: Layout) -> Rejected | None:
    if len(data) > LARGEST_FILE_BYTES:
        message, remedy = f"{len(data)} bytes are no station file", "send one file per cycle, or tidy CSV for archives"
    elif not data.strip():
        message, remedy = "the file is empty", "send it again; the logger may have run out of space"
    elif b"\t" not in data:
        message, remedy = "no line has fields separated by TAB", "send Circular 10/2021 lines, or tidy CSV"
    else:
        return None
    return rejected(Reason.BAD_FILE, ReadingError(message, place=layout.place, remedy=remedy), data, layout.source)


def _lines(data: bytes) -> list[bytes]:
    """Lines as UTF-8, without their ends; a file in UTF-16 says so by its first two bytes."""
    if data[:2] in _UTF16_MARKS:
        data = data.decode("utf-16", errors="replace").encode()
    return [line.removesuffix(b"\r") for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")]


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")  # older loggers write µ as the single byte B5


def _reading(line: bytes, layout: Layout) -> Reading | None:
    """The reading of one line, ``None`` where nothing needs its parameter. Raises ``_LineError``."""
    fields = [field.strip(" \r") for field in _text(line).split("\t")]
    while len(fields) > 5 and not fields[-1]:
        fields.pop()
    if len(fields) != 5:
        raise _LineError(
            Reason.BAD_LINE,
            f"{len(fields)} fields, expected 5",
            "line",
            "write symbol, value, unit, yyyyMMddHHmmss, status with TAB between; an incomplete line must be sent again",
        )
    symbol, value, unit, time, status = fields
    if status not in STATUSES:
        raise _LineError(
            Reason.BAD_STATUS, f"unknown device status {status[:20]!r}", "status", "write 00, 01 or 02, two digits"
        )
    end = _end(time, layout)
    pollutant = _pollutant(symbol, unit)
    if pollutant == UNUSED:
        return None
    return Reading(
        station=layout.station,
        pollutant=pollutant,
        value=_value(value),
        unit=unit,
        time=end,
        period=layout.period_s,
        status=STATUSES[status],
        source=layout.source,
    )


def _pollutant(symbol: str, unit: str) -> str:
    try:
        pollutant = canonical_pollutant(symbol)
    except ReadingError as error:
        raise _LineError(Reason.UNKNOWN_POLLUTANT, error.message, "symbol", error.remedy) from None
    if pollutant == UNUSED:
        return pollutant
    try:
        to_base(pollutant, unit)
    except ReadingError as error:
        raise _LineError(Reason.UNKNOWN_UNIT, error.message, "unit", error.remedy) from None
    return pollutant


def _value(text: str) -> float | None:
    if text.casefold() in _NO_VALUE:
        return None
    if not _NUMBER.fullmatch(text):
        raise _LineError(
            Reason.BAD_VALUE,
            f"{text[:40]!r} is not a number",
            "value",
            "write digits with one decimal point or comma and no thousands separator",
        )
    return float(text.replace(",", "."))


def _end(text: str, layout: Layout) -> datetime:
    """End of the averaging period as an aware UTC time."""
    local = local_time(text)
    if local is None or not EARLIEST_YEAR <= local.year < LATEST_YEAR:
        raise _LineError(
            Reason.BAD_TIME,
            f"{text[:40]!r} is no possible time",
            "time",
            "write 14 digits yyyyMMddHHmmss, local time; is the clock of the logger set?",
        )
    end = local.replace(tzinfo=layout.zone).astimezone(UTC)
    return end + timedelta(seconds=layout.period_s) if layout.stamp == "start" else end


def local_time(digits: str) -> datetime | None:
    """The naive local time of 14 digits, ``None`` if there is no such time."""
    if not _TIME.fullmatch(digits):
        return None
    try:
        return datetime(  # noqa: DTZ001 - local to the station; the caller adds the zone
            int(digits[:4]),
            int(digits[4:6]),
            int(digits[6:8]),
            int(digits[8:10]),
            int(digits[10:12]),
            int(digits[12:14]),
        )
    except ValueError:
        return None


def _doubts(readings: list[Reading], name_time: datetime | None, layout: Layout) -> list[str]:
    """Files whose name and lines disagree by more than a cycle: one of the two clocks is wrong.

    A file with several times is compared by its latest: the name is given when the file is closed.
    """
    if name_time is None or not readings:
        return []
    latest = max(reading.time for reading in readings)
    named = name_time.replace(tzinfo=layout.zone)
    apart_s = abs((latest - named).total_seconds())
    if apart_s <= layout.period_s:
        return []
    return [
        f"{layout.place}: the name says {named.isoformat()}, the latest line "
        f"{latest.astimezone(layout.zone).isoformat()} ({apart_s:.0f} s apart); "
        f"look at the clock of station {layout.station}"
    ]
