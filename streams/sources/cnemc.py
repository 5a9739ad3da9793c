"""China's national network as published hour by hour: ``china_sites_YYYYMMDD.csv``, one column per station.

Columns ``date`` (yyyyMMdd), ``hour`` (0–23), ``type``, then station codes (``1001A`` …). Local time of Asia/Shanghai
(no daylight saving since 1991). The hour is taken as the END of the averaging hour, so hour 0 is the hour that ends
at midnight as the day begins; ``stamp="start"`` takes it as the beginning. No document of the publisher was at hand:
compare once with what its portal shows. CO is in mg/m³, the others in µg/m³.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from streams.batches import ReadingBatch
from streams.clock import HOUR_S
from streams.columns import EARLIEST_S, LATEST_S
from streams.errors import ReadingError
from streams.rejects import Reason
from streams.schemas import POLLUTANTS
from streams.sources.arrivals import Loaded
from streams.sources.lines import as_utf8, fields_of, split_lines
from streams.sources.rows import MISSING_NUMBERS, Feed, Row, Rows
from streams.sources.tidy import numbers_of
from streams.units import to_ug_m3

MISSING_VALUES = sorted(MISSING_NUMBERS)
PREFIX = "cnemc-"
ZONE = ZoneInfo("Asia/Shanghai")
LEADING_COLUMNS = ("date", "hour", "type")
Stamp = Literal["start", "end"]

_TYPES = {"pm2.5": "pm25", "pm10": "pm10", "so2": "so2", "no2": "no2", "o3": "o3", "co": "co"}
_UNITS = {"co": "mg/m3"}
_NOT_NEEDED = frozenset(f"{name}_24h" for name in _TYPES) | {"aqi", "o3_8h", "o3_8h_24h"}
"""Means over 24 and 8 hours and the published index: computed here from the hours."""


@dataclass(frozen=True)
class _Table:
    """Where everything is. ``stations``: (position, our code, the file's code) of registered stations."""

    leading: tuple[int, int, int]
    stations: list[tuple[int, str, str]]
    width: int
    separator: str


@dataclass(frozen=True)
class _Hour:
    """One usable line: a pollutant and the end of its hour; ``cells`` are the texts of the registered stations."""

    line_number: int
    pollutant: str
    end_s: int
    when: str
    cells: list[str]

    @property
    def unit(self) -> str:
        return _UNITS.get(self.pollutant, "ug/m3")


def parse(data: bytes, feed: Feed, stamp: Stamp = "end") -> Loaded:
    """Read a file.

    Raises:
        ReadingError: when the header does not name date, hour and type.
    """
    lines = split_lines(as_utf8(data))
    rows = Rows(feed)
    table = _table(rows, lines.header, lines.separator)
    plain = lines.plain.split(b"\n")[: len(lines.plain_numbers)]
    numbered = [*zip(lines.plain_numbers.tolist(), plain, strict=True), *lines.odd]
    hours = [hour for at, line in numbered if (hour := _hour(rows, table, at, line.rstrip(b"\r"), stamp))]
    batch = _batch(rows, table, hours)
    return replace(rows.loaded(), batch=batch)


def _batch(rows: Rows, table: _Table, hours: list[_Hour]) -> ReadingBatch:
    """All cells at once. Those that are no number go to ``rows``, to be refused one by one; an empty cell is a
    station that said nothing, not a reading."""
    wide = len(table.stations)
    cells = pl.Series([cell for hour in hours for cell in hour.cells], dtype=pl.String)
    value = numbers_of(cells)
    value[np.isin(value, MISSING_VALUES)] = np.nan
    empty = (cells.str.strip_chars() == "").to_numpy().astype(bool)
    rows.unused += int(empty.sum())
    for cell in np.flatnonzero(np.isinf(value)).tolist():
        rows.kept.append(_row(rows, hours[cell // wide], table.stations[cell % wide], cells[cell]))
    station = np.tile([rows.feed.registry.row(code) for _, code, _ in table.stations], len(hours))
    factor = np.repeat([to_ug_m3(hour.pollutant, hour.unit) for hour in hours], wide)
    usable = ~empty & ~np.isinf(value)
    return ReadingBatch(
        station[usable].astype(np.int32),
        np.repeat([POLLUTANTS.index(hour.pollutant) for hour in hours], wide)[usable].astype(np.int8),
        np.repeat([hour.end_s for hour in hours], wide)[usable].astype(np.int64),
        np.full(int(usable.sum()), HOUR_S, np.int32),
        value[usable] * factor[usable],
        np.zeros(int(usable.sum()), np.int8),
    )


def _row(rows: Rows, hour: _Hour, station: tuple[int, str, str], text: str) -> Row:
    _, code, name = station
    return Row(
        place=f"{rows.place(hour.line_number)} {name}",
        raw=text.encode(),
        station=code,
        pollutant=hour.pollutant,
        value=float("inf"),
        unit=hour.unit,
        time_s=hour.end_s,
        time=hour.when,
        text=text,
    )


def _table(rows: Rows, header: list[str], separator: str) -> _Table:
    names = [name.strip() for name in header]
    plain = [name.casefold() for name in names]
    missing = [name for name in LEADING_COLUMNS if plain.count(name) != 1]
    if missing:
        raise ReadingError(
            f"not exactly one column {', '.join(missing)}",
            place=rows.place(1),
            field="header",
            remedy="the first line must be date,hour,type and the station codes; fetch the file again",
        )
    date, hour, kind = (plain.index(name) for name in LEADING_COLUMNS)
    stations = []
    for position, name in enumerate(names):
        code = rows.code_of(name) if position not in (date, hour, kind) and name else None
        if code is not None and names.count(name) == 1:
            stations.append((position, code, name))
        elif code is not None:
            _refuse(rows, Reason.BAD_LINE, 1, name.encode(), "station", f"column {name!r} appears twice", "drop one")
    return _Table((date, hour, kind), stations, len(names), separator)


def _hour(rows: Rows, table: _Table, line_number: int, line: bytes, stamp: Stamp) -> _Hour | None:
    """The line, where it is one we need; else it has been counted or refused."""
    if not line.strip():
        return None
    fields = fields_of(line, table.separator) if b'"' in line else line.decode().split(table.separator)
    if fields is None or len(fields) != table.width:
        found = "a quotation that does not close" if fields is None else f"{len(fields)} fields"
        _refuse(rows, Reason.BAD_LINE, line_number, line, "line", f"{found}, expected {table.width}", "fetch it again")
        return None
    date, hour, kind = (fields[position].strip() for position in table.leading)
    if kind.casefold() in _NOT_NEEDED:
        rows.unused += len(table.stations)
        return None
    pollutant = _TYPES.get(kind.casefold())
    if pollutant is None:
        known = ", ".join(_TYPES).upper()
        _refuse(rows, Reason.UNKNOWN_POLLUTANT, line_number, line, "type", f"unknown type {kind[:40]!r}", known)
        return None
    end_s = _end_s(date, hour, stamp)
    if end_s is None:
        _refuse(rows, Reason.BAD_TIME, line_number, line, "hour", f"no such hour: {date[:20]} {hour[:20]}", "0 to 23")
        return None
    rows.unused += table.width - len(LEADING_COLUMNS) - len(table.stations)
    cells = [fields[position] for position, _, _ in table.stations]
    return _Hour(line_number, pollutant, end_s, f"{date} {hour}", cells)


def _end_s(date: str, hour: str, stamp: Stamp) -> int | None:
    if not (len(date) == 8 and date.isascii() and date.isdigit() and hour.isascii() and hour.isdigit()):
        return None
    try:
        day = datetime(int(date[:4]), int(date[4:6]), int(date[6:]), tzinfo=ZONE)
    except ValueError:
        return None
    if int(hour) > 23:
        return None
    end_s = int((day + timedelta(hours=int(hour) + (1 if stamp == "start" else 0))).timestamp())
    return end_s if EARLIEST_S <= end_s < LATEST_S else None


def _refuse(rows: Rows, reason: Reason, line_number: int, raw: bytes, field: str, message: str, remedy: str) -> None:
    rows.refuse(reason, ReadingError(message, place=rows.place(line_number), field=field, remedy=remedy), raw)
