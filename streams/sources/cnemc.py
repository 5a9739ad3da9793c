"""China's national network as published hour by hour: ``china_sites_YYYYMMDD.csv``, one column per station.

Columns ``date`` (yyyyMMdd), ``hour`` (0–23), ``type``, then station codes (``1001A`` …). Local time of Asia/Shanghai
(no daylight saving since 1991). The hour is taken as the END of the averaging hour, so hour 0 is the hour that ends
at midnight as the day begins; ``stamp="start"`` takes it as the beginning. No document of the publisher was at hand:
compare once with what its portal shows. CO is in mg/m³, the others in µg/m³.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from streams.errors import ReadingError
from streams.rejects import Reason
from streams.sources.arrivals import Loaded
from streams.sources.lines import as_utf8, fields_of, split_lines
from streams.sources.rows import Feed, Row, Rows, number

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


def parse(data: bytes, feed: Feed, stamp: Stamp = "end") -> Loaded:
    """Read a file.

    Raises:
        ReadingError: when the header does not name date, hour and type.
    """
    lines = split_lines(as_utf8(data))
    rows = Rows(feed)
    table = _table(rows, lines.header, lines.separator)
    plain = lines.plain.split(b"\n")[: len(lines.plain_numbers)]
    for line_number, line in zip(lines.plain_numbers.tolist(), plain, strict=True):
        _take(rows, table, line_number, line.rstrip(b"\r"), stamp)
    for line_number, line in lines.odd:
        _take(rows, table, line_number, line, stamp)
    return rows.loaded()


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


def _take(rows: Rows, table: _Table, line_number: int, line: bytes, stamp: Stamp) -> None:
    quoted = b'"' in line
    fields = fields_of(line, table.separator) if quoted else line.decode().split(table.separator)
    if not line.strip():
        return
    if fields is None or len(fields) != table.width:
        found = "a quotation that does not close" if fields is None else f"{len(fields)} fields"
        _refuse(rows, Reason.BAD_LINE, line_number, line, "line", f"{found}, expected {table.width}", "fetch it again")
        return
    date, hour, kind = (fields[position].strip() for position in table.leading)
    if kind.casefold() in _NOT_NEEDED:
        rows.unused += len(table.stations)
        return
    pollutant = _TYPES.get(kind.casefold())
    if pollutant is None:
        known = ", ".join(_TYPES).upper()
        _refuse(rows, Reason.UNKNOWN_POLLUTANT, line_number, line, "type", f"unknown type {kind[:40]!r}", known)
        return
    end_s = _end_s(date, hour, stamp)
    if end_s is None:
        _refuse(rows, Reason.BAD_TIME, line_number, line, "hour", f"no such hour: {date[:20]} {hour[:20]}", "0 to 23")
        return
    rows.unused += table.width - len(LEADING_COLUMNS) - len(table.stations)
    unit = _UNITS.get(pollutant, "ug/m3")
    _keep(
        rows, table, fields, Row(rows.place(line_number), b"", "", pollutant, None, unit, end_s, time=f"{date} {hour}")
    )


def _keep(rows: Rows, table: _Table, fields: list[str], of_line: Row) -> None:
    """One row per registered station; an empty cell is a station that said nothing, not a reading."""
    for position, code, name in table.stations:
        text = fields[position]
        if not text.strip():
            rows.unused += 1
            continue
        rows.kept.append(
            Row(
                place=f"{of_line.place} {name}",
                raw=text.encode(),
                station=code,
                pollutant=of_line.pollutant,
                value=number(text),
                unit=of_line.unit,
                time_s=of_line.time_s,
                time=of_line.time,
                text=text,
            )
        )


def _end_s(date: str, hour: str, stamp: Stamp) -> int | None:
    if not (len(date) == 8 and date.isascii() and date.isdigit() and hour.isascii() and hour.isdigit()):
        return None
    try:
        day = datetime(int(date[:4]), int(date[4:6]), int(date[6:]), tzinfo=ZONE)
    except ValueError:
        return None
    if int(hour) > 23:
        return None
    end = day + timedelta(hours=int(hour) + (1 if stamp == "start" else 0))
    return int(end.timestamp())


def _refuse(rows: Rows, reason: Reason, line_number: int, raw: bytes, field: str, message: str, remedy: str) -> None:
    rows.refuse(reason, ReadingError(message, place=rows.place(line_number), field=field, remedy=remedy), raw)
