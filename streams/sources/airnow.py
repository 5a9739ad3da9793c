"""The hourly files of AirNow (US EPA): ``HourlyData_*.dat`` and ``HourlyAQObs_*.dat``.

Both give GMT and the BEGINNING of the hour; here times are ends, so an hour is added. Text is Latin-1. Values of the
files are hourly means (the NowCast is in the API and in the ``*_AQI`` columns only, which are not read). -999 stands
for no value.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from streams.clock import HOUR_S
from streams.columns import UNREADABLE_TIME
from streams.errors import ReadingError
from streams.rejects import Reason
from streams.schemas import Status
from streams.sources.arrivals import Loaded
from streams.sources.lines import fields_of
from streams.sources.rows import Feed, Row, Rows, number

PREFIX = "airnow-"
HOURLY_FIELDS = 9
_POLLUTANTS = {"OZONE": "o3", "PM2.5": "pm25", "PM10": "pm10", "NO2": "no2", "SO2": "so2", "CO": "co"}
_WEATHER = ("TEMP", "RHUM", "WS", "WD", "RWS", "RWD", "BARPR", "PRECIP", "SRAD")
_SPECIES = ("NO", "NOX", "NOY", "NO2Y", "NO3", "SO4", "BC", "EC", "OC", "TC", "PMC", "UV-AETH", "BENZENE")
_NOT_NEEDED = frozenset((*_WEATHER, *_SPECIES))
"""Other parameters of HourlyData; met in the files, needed by no stage."""

_DATE = re.compile(r"(\d{2})/(\d{2})/(\d{4}|\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{2}):(\d{2})", re.ASCII)

OBSERVATION_COLUMNS = {"o3": "OZONE", "pm25": "PM25", "pm10": "PM10", "no2": "NO2", "so2": "SO2", "co": "CO"}
_NEEDED_COLUMNS = ("AQSID", "ValidDate", "ValidTime")
_STATUSES: dict[str, Status] = {"active": "measuring", "inactive": "fault"}


def parse_hourly_data(data: bytes, feed: Feed) -> Loaded:
    """Read ``HourlyData_*.dat``: nine fields between pipes, no header. Never raises for what is in it."""
    rows = Rows(feed)
    for line_number, raw in enumerate(data.split(b"\n"), start=1):
        line = raw.rstrip(b"\r")
        if line.strip():
            _take_hourly(rows, line_number, line)
    return rows.loaded()


def _take_hourly(rows: Rows, line_number: int, line: bytes) -> None:
    fields = [field.strip(' "') for field in line.decode("latin-1").split("|")]
    if len(fields) != HOURLY_FIELDS:
        _refuse_line(rows, line_number, line, f"{len(fields)} fields", f"{HOURLY_FIELDS} between pipes")
        return
    date, time, station, _, _, parameter, unit, value, _ = fields
    code = rows.code_of(station)
    if code is None or parameter.upper() in _NOT_NEEDED:
        rows.unused += 1
        return
    rows.kept.append(
        Row(
            place=rows.place(line_number),
            raw=line,
            station=code,
            pollutant=_POLLUTANTS.get(parameter.upper(), parameter),
            value=number(value),
            unit=unit,
            time_s=_end_s(date, time),
            time=f"{date} {time}",
            text=value,
        )
    )


def parse_observations(data: bytes, feed: Feed) -> Loaded:
    """Read ``HourlyAQObs_*.dat``: quoted CSV with a header; columns are found by name, for their order varies.

    Raises:
        ReadingError: when the header lacks a column without which no line can be read.
    """
    head, _, body = data.partition(b"\n")
    columns = _columns(head, feed)
    rows = Rows(feed)
    for line_number, raw in enumerate(body.split(b"\n"), start=2):
        line = raw.rstrip(b"\r")
        if line.strip():
            _take_observation(rows, line_number, line, columns)
    return rows.loaded()


def _columns(head: bytes, feed: Feed) -> dict[str, int]:
    names = _texts(head.rstrip(b"\r")) or []
    columns = {name.strip(): position for position, name in enumerate(names)}
    missing = [name for name in _NEEDED_COLUMNS if name not in columns]
    if missing or len(columns) != len(names):
        found = f"columns missing: {', '.join(missing)}" if missing else "a column name appears twice"
        raise ReadingError(found, place=f"{feed.place}:1", field="header", remedy="fetch the file again")
    return columns


def _take_observation(rows: Rows, line_number: int, line: bytes, columns: dict[str, int]) -> None:
    fields = _texts(line)
    if fields is None or len(fields) != len(columns):
        found = "a quotation that does not close" if fields is None else f"{len(fields)} fields"
        _refuse_line(rows, line_number, line, found, str(len(columns)))
        return
    of = {name: fields[position].strip() for name, position in columns.items()}
    code = rows.code_of(of["AQSID"])
    measured = [(p, c) for p, c in OBSERVATION_COLUMNS.items() if _is_measured(of, c)]
    if code is None:
        rows.unused += len(measured)
        return
    status = of.get("Status", "Active")
    for pollutant, column in measured:
        rows.kept.append(
            Row(
                place=rows.place(line_number),
                raw=line,
                station=code,
                pollutant=pollutant,
                value=number(of[column]),
                unit=of[f"{column}_Unit"],
                time_s=_end_s(of["ValidDate"], of["ValidTime"]),
                status=_STATUSES.get(status.casefold(), status),
                time=f"{of['ValidDate']} {of['ValidTime']}",
                text=of[column],
            )
        )


def _is_measured(of: dict[str, str], column: str) -> bool:
    """Something stands in one of its two columns; with one of them lost, nothing can be said."""
    value, unit = of.get(column), of.get(f"{column}_Unit")
    return value is not None and unit is not None and bool(value or unit)


def _texts(line: bytes) -> list[str] | None:
    return fields_of(line.decode("latin-1").encode(), ",")


def _refuse_line(rows: Rows, line_number: int, line: bytes, found: str, expected: str) -> None:
    problem = ReadingError(
        f"{found}, expected {expected}", place=rows.place(line_number), field="line", remedy="fetch the file again"
    )
    rows.refuse(Reason.BAD_LINE, problem, line)


def _end_s(date: str, time: str) -> int:
    """End of the hour that begins at a GMT date (month/day/year) and time."""
    day, clock = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if day is None or clock is None:
        return UNREADABLE_TIME
    year = int(day[3]) if len(day[3]) == 4 else 2000 + int(day[3])
    try:
        begin = datetime(year, int(day[1]), int(day[2]), int(clock[1]), int(clock[2]), tzinfo=UTC)
    except ValueError:
        return UNREADABLE_TIME
    return int(begin.timestamp()) + HOUR_S
