"""OpenAQ: a page of measurements of its API (v3), and the daily CSV files of its archive.

Both label a value with the END of its period (``datetimeTo``; ``datetime`` with the local offset). Values are as the
provider published them: -999 and other negative numbers stand for no value. Gases may be in ppm.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import msgspec

from streams.columns import parse_time_s
from streams.errors import ReadingError
from streams.rejects import Reason
from streams.sources.arrivals import Loaded
from streams.sources.json_records import records_of
from streams.sources.rows import Feed, Row, Rows
from streams.sources.tidy import Dialect, parse_tidy

PREFIX = "openaq-"
KEYS = frozenset(("value", "period"))
ARCHIVE_COLUMNS = {"time": "datetime", "station": "location_id", "pollutant": "parameter", "unit": "units"}

_INTERVAL = re.compile(r"(\d{1,5}):(\d{2}):(\d{2})", re.ASCII)


class _Parameter(msgspec.Struct):
    name: str
    units: str


class _Moment(msgspec.Struct):
    utc: str


class _Period(msgspec.Struct, rename="camel"):
    datetime_to: _Moment
    interval: str = "01:00:00"


class _Measurement(msgspec.Struct):
    value: float | None
    parameter: _Parameter
    period: _Period


_measurements = msgspec.json.Decoder(_Measurement)


@dataclass(frozen=True)
class Page:
    """A page of measurements. ``count`` is how many records it held; ``latest_s`` the latest end of a period."""

    loaded: Loaded
    count: int
    latest_s: int | None


def parse_page(data: bytes, feed: Feed, station: str) -> Page:
    """Read a page. Never raises; a damaged page gives its whole records.

    Args:
        station: our code; a measurement does not say where it was made.
    """
    rows = Rows(feed)
    records = records_of(data, KEYS, inside="results")
    for position, raw in records.damaged:
        _refuse(rows, f"byte {position}", raw, "is no whole measurement")
    for count, raw in enumerate(records.whole, start=1):
        try:
            measurement = _measurements.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            _refuse(rows, f"measurement {count}", raw, str(error))
            continue
        rows.kept.append(_row(measurement, raw, rows.place(f"measurement {count}"), station))
    ends_s = [row.time_s for row in rows.kept if row.time_s > 0]
    return Page(rows.loaded(), len(records.whole), max(ends_s, default=None))


def _row(measurement: _Measurement, raw: bytes, place: str, station: str) -> Row:
    value = measurement.value
    missing = value is None or (math.isfinite(value) and value < 0)
    end = measurement.period.datetime_to.utc
    return Row(
        place=place,
        raw=raw,
        station=station,
        pollutant=measurement.parameter.name,
        value=None if missing else value,
        unit=measurement.parameter.units,
        time_s=parse_time_s(end),
        period_s=_interval_s(measurement.period.interval),
        time=end,
    )


def _interval_s(text: str) -> int:
    """Seconds of ``01:00:00``; -1, refused as a period, where it is none."""
    match = _INTERVAL.fullmatch(text)
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) if match else -1


def _refuse(rows: Rows, place: str, raw: bytes, message: str) -> None:
    problem = ReadingError(
        message, place=rows.place(place), field="measurement", remedy="it is asked for again; nothing counts twice"
    )
    rows.refuse(Reason.BAD_JSON, problem, raw)


def parse_archive(data: bytes, feed: Feed) -> Loaded:
    """Read a file of the archive (CSV or CSV.gz). The station is the location.

    Raises:
        InputError: when the bytes are damaged, or columns are missing.
    """
    dialect = Dialect(columns=ARCHIVE_COLUMNS, prefix=feed.prefix, negative_is_missing=True, strangers="unused")
    return parse_tidy(data, feed.registry, feed.place, feed.source, dialect)
