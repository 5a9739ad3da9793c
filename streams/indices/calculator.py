"""The index calculator behind ``airshed index``: one request in, one answer out.

Requests name a standard and either one pollutant with its averaging time and a value (or the hourly means to average),
or the day's statistics under ``daily``::

    {"standard": "vn_aqi", "pollutant": "pm25", "averaging": "nowcast", "hours": [26.9, null, 24.7], "unit": "ug/m3"}
    {"standard": "vn_aqi", "pollutant": "o3", "averaging": "1h", "value": 136.1, "unit": "ug/m3"}
    {"standard": "vn_aqi", "pollutant": "o3", "averaging": "max_8h_of_day", "hours": [... 31 ...]}
    {"standard": "vn_aqi", "daily": {"o3_8h": 89.3, "pm25_24h": 55.7}}

Hours are oldest first, ``null`` = missing. Without ``unit`` values are in the unit of the standard's own table. The
answer has ``index`` (``null`` where the standard gives none), ``exact`` (before rounding), ``nowcast`` (as used),
``category`` (official name) and ``dominant``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from streams.errors import ReadingError
from streams.indices import STANDARDS, Column, Standard
from streams.indices.averaging import HOURS_OF_8H_DAY, NOWCAST_HOURS, max_1h_of_day, max_8h_of_day, mean_of, nowcast
from streams.schemas import POLLUTANTS
from streams.units import factor

ANSWER_DECIMALS = 4

_DAY_AVERAGES = {"max_8h_of_day": ("8h", HOURS_OF_8H_DAY), "max_1h_of_day": ("1h", 24)}
_FIELDS = {"standard", "pollutant", "averaging", "value", "hours", "unit", "daily"}

Answer = dict[str, Any]


def answer(request: Mapping[str, Any]) -> Answer:
    """The answer to one request.

    Raises:
        ReadingError: naming the field at fault and what it may be.
    """
    unknown = sorted(set(request) - _FIELDS)
    if unknown:
        raise _wrong(unknown[0], "unknown field", f"use {', '.join(sorted(_FIELDS))}")
    standard = STANDARDS.get(request.get("standard", "vn_aqi"))
    if standard is None:
        raise _wrong("standard", f"unknown standard {request['standard']!r}", f"use one of {', '.join(STANDARDS)}")
    if "daily" in request:
        return _daily(standard, request)
    return _single(standard, request)


def _single(standard: Standard, request: Mapping[str, Any]) -> Answer:
    pollutant = _pollutant(request)
    averaging = request.get("averaging")
    if "hours" not in request:
        column = _column(standard, pollutant, averaging, with_hours=False)
        concentration = _number("value", request.get("value")) * _scale(column, request)
        return _of_column(standard, column, concentration, None)
    if "value" in request:
        raise _wrong("value", "value and hours together", "give a value already averaged, or the hours to average")
    column = _column(standard, pollutant, averaging, with_hours=True)
    hours = _hours(request["hours"]) * _scale(column, request)
    if averaging == "nowcast":
        concentration = float(column.cut(nowcast(_latest(hours)))[0])
        return _of_column(standard, column, concentration, concentration)
    return _of_column(standard, column, _average(standard, averaging, hours), None)


def _average(standard: Standard, averaging: Any, hours: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """The average of hours that make a day, 8 hours, or one."""
    row = hours[np.newaxis, :]
    if averaging == "max_8h_of_day":
        return float(max_8h_of_day(_of_length(row, HOURS_OF_8H_DAY), standard.hours_of_24, standard.hours_of_8)[0])
    if averaging == "max_1h_of_day":
        return float(max_1h_of_day(_of_length(row, 24), standard.hours_of_24)[0])
    if averaging == "24h":
        return float(mean_of(_of_length(row, 24), standard.hours_of_24)[0])
    if averaging == "8h":
        return float(mean_of(_of_length(row, 8), standard.hours_of_8)[0])
    return float(_of_length(row, 1)[0, 0])


def _daily(standard: Standard, request: Mapping[str, Any]) -> Answer:
    values = request["daily"]
    if not isinstance(values, Mapping) or not values:
        raise _wrong("daily", "not an object with values", f"give some of {', '.join(standard.daily)}")
    extra = sorted(set(request) - {"standard", "daily", "unit"})
    if extra:
        raise _wrong(extra[0], f"{extra[0]} and daily together", "ask for one pollutant or for a day")
    exact = np.full((1, len(POLLUTANTS)), np.nan)
    for key, value in values.items():
        if key not in standard.daily:
            raise _wrong(f"daily.{key}", f"not a daily value of {standard.code}", f"use {', '.join(standard.daily)}")
        column = standard.column_of_key(key)
        if value is not None:
            sub = column.exact(np.array([_number(f"daily.{key}", value) * _scale(column, request)]))
            place = POLLUTANTS.index(column.pollutant)
            exact[0, place] = np.fmax(exact[0, place], sub[0])
    index, dominant = standard.combine(exact)
    if math.isnan(index[0]):
        return _answer(standard, math.nan, math.nan, None, None)
    named = POLLUTANTS[dominant[0]] if dominant[0] >= 0 else None
    return _answer(standard, float(index[0]), float(np.nanmax(exact)), None, named)


def _of_column(standard: Standard, column: Column, concentration: float, used: float | None) -> Answer:
    exact = column.exact(np.array([concentration]))
    index = float(standard.rounding.apply(exact)[0])
    named = column.pollutant if index > standard.dominant_above else None
    return _answer(standard, index, float(exact[0]), used, named)


def _answer(standard: Standard, index: float, exact: float, used: float | None, dominant: str | None) -> Answer:
    whole = None if math.isnan(index) else int(index)
    return {
        "index": whole,
        "exact": _shown(exact),
        "nowcast": None if used is None else _shown(used),
        "category": standard.category_name(whole),
        "dominant": None if whole is None else dominant,
    }


def _shown(value: float) -> float | None:
    return None if math.isnan(value) else round(value, ANSWER_DECIMALS)


def _pollutant(request: Mapping[str, Any]) -> str:
    pollutant = request.get("pollutant")
    if pollutant not in POLLUTANTS:
        raise _wrong("pollutant", f"unknown pollutant {pollutant!r}", f"use one of {', '.join(POLLUTANTS)}")
    return str(pollutant)


def _column(standard: Standard, pollutant: str, averaging: Any, *, with_hours: bool) -> Column:
    average = _DAY_AVERAGES.get(averaging, (averaging, 0))[0] if with_hours else averaging
    column = standard.column(pollutant, average) if isinstance(average, str) else None
    if column is None:
        known = [a for c in standard.columns if c.pollutant == pollutant for a in c.averagings]
        if with_hours:
            known += [name for name, (average, _) in _DAY_AVERAGES.items() if average in known]
        remedy = f"{standard.code} takes {pollutant} as {', '.join(known)}"
        raise _wrong("averaging", f"{averaging!r} is not an averaging time of {pollutant}", remedy)
    return column


def _scale(column: Column, request: Mapping[str, Any]) -> float:
    unit = request.get("unit", column.unit)
    if not isinstance(unit, str):
        raise _wrong("unit", f"{unit!r} is not a unit", "write ug/m3, mg/m3, ppb or ppm")
    return factor(column.pollutant, unit, column.unit)


def _number(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(field, f"{value!r} is not a number", "give a finite number")
    return float(value)


def _hours(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    if not isinstance(values, list) or not values:
        raise _wrong("hours", "not a list of hourly means", "give a list, oldest first, null for a missing hour")
    numbers = [math.nan if v is None else _number(f"hours[{i}]", v) for i, v in enumerate(values)]
    return np.array(numbers, np.float64)


def _latest(hours: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """``(1, 12)``: the latest twelve hours, the front filled up with missing ones."""
    row = np.full((1, NOWCAST_HOURS), np.nan)
    latest = hours[-NOWCAST_HOURS:]
    row[0, NOWCAST_HOURS - len(latest) :] = latest
    return row


def _of_length(row: np.ndarray[Any, np.dtype[np.float64]], length: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    if row.shape[1] != length:
        raise _wrong("hours", f"{row.shape[1]} hours", f"give exactly {length}, oldest first, null for a missing one")
    return row


def _wrong(field: str, message: str, remedy: str) -> ReadingError:
    return ReadingError(message, field=field, remedy=remedy)
