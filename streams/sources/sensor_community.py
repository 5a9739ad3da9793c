"""Sensor.Community (luftdaten): a JSON list of what citizens' sensors measured in the last minutes.

Values are texts, times are UTC without a zone; ``P1`` is PM10 and ``P2`` is PM2.5. The sensors are of class
``low-cost``: the registry says so, under codes ``sc-<sensor id>``.

Sensors send every two and a half minutes, at any second. What counts minutes needs periods that neither overlap nor
cross the hour, so a value stands for the five minutes of the clock in which it was stamped; of several, the latest.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from streams.columns import parse_time_s
from streams.errors import ReadingError
from streams.rejects import Reason
from streams.sources.arrivals import Loaded
from streams.sources.json_records import records_of
from streams.sources.rows import Feed, Row, Rows, number

PREFIX = "sc-"
PERIOD_S = 300
"""The cycle of the clock that a value stands for; the feed is renewed as often."""

KEYS = frozenset(("sensor", "sensordatavalues"))
_POLLUTANTS = {"P1": "pm10", "P2": "pm25"}
_UNIT = "ug/m3"


class _Sensor(msgspec.Struct):
    id: int


class _Value(msgspec.Struct):
    value_type: str
    value: str | float | None = None


class _Record(msgspec.Struct):
    timestamp: str
    sensor: _Sensor
    sensordatavalues: list[_Value]


_records = msgspec.json.Decoder(_Record)


def parse(data: bytes, feed: Feed, period_s: int = PERIOD_S) -> Loaded:
    """Read the list. Never raises; a damaged document gives its whole records."""
    rows = Rows(feed)
    records = records_of(data, KEYS)
    for position, raw in records.damaged:
        _refuse(rows, f"byte {position}", raw, "is no whole record")
    reference: dict[str, None] = {}
    latest: dict[tuple[str, str, int], tuple[int, Row]] = {}
    for count, raw in enumerate(records.whole, start=1):
        try:
            record = _records.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            _refuse(rows, f"record {count}", raw, str(error))
            continue
        for row, stamped_s in _rows(rows, record, raw, count, period_s, reference):
            key = (row.station, row.pollutant, row.time_s)
            if key not in latest or stamped_s > latest[key][0]:
                latest[key] = (stamped_s, row)
            rows.unused += 1
    rows.kept += [row for _, row in latest.values()]
    rows.unused -= len(rows.kept)
    rows.notes += [f"{code} is a low-cost sensor; write that into column class of the registry" for code in reference]
    return rows.loaded()


def _rows(
    rows: Rows, record: _Record, raw: bytes, count: int, period_s: int, reference: dict[str, None]
) -> Iterator[tuple[Row, int]]:
    """The values of a record that we need, each with the second in which it was stamped."""
    code = rows.code_of(str(record.sensor.id))
    wanted = [value for value in record.sensordatavalues if value.value_type in _POLLUTANTS]
    if code is None:
        rows.unused += len(record.sensordatavalues)
        return
    rows.unused += len(record.sensordatavalues) - len(wanted)
    registry = rows.feed.registry
    if registry.stations[registry.row(code)].station_class != "low-cost":
        reference.setdefault(code)
    stamped_s = parse_time_s(f"{record.timestamp}+00:00")
    for value in wanted:
        text = "" if value.value is None else str(value.value)
        row = Row(
            place=rows.place(f"record {count}"),
            raw=raw,
            station=code,
            pollutant=_POLLUTANTS[value.value_type],
            value=number(text),
            unit=_UNIT,
            time_s=-(-stamped_s // period_s) * period_s if stamped_s > 0 else stamped_s,
            period_s=period_s,
            time=record.timestamp,
            text=text,
        )
        yield row, stamped_s


def _refuse(rows: Rows, place: str, raw: bytes, message: str) -> None:
    problem = ReadingError(message, place=rows.place(place), field="record", remedy="it comes again with the next look")
    rows.refuse(Reason.BAD_JSON, problem, raw)
