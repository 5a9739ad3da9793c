"""From texts to the columns of a batch: one dictionary look-up per field, every check at once over all rows.

Wire messages and files share this: they bring the coded columns, and learn which rows cannot be used and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.errors import ReadingError
from streams.pollutants import UNUSED, canonical_pollutant
from streams.rejects import Reason
from streams.schemas import MEASURED, STATUSES
from streams.stations import StationRegistry
from streams.units import to_base

EARLIEST_YEAR = 1990
"""No automatic station is older; a logger whose clock was reset says 1970 or 1980."""
LATEST_YEAR = 2100
"""A slip of the hand from here on. Times between now and then are for the gateway, which has a clock."""
EARLIEST_S = int(datetime(EARLIEST_YEAR, 1, 1, tzinfo=UTC).timestamp())
LATEST_S = int(datetime(LATEST_YEAR, 1, 1, tzinfo=UTC).timestamp())
LONGEST_PERIOD_S = 366 * 86_400
"""A year. Screening refuses far shorter ones; this bound only keeps the column within int32."""

UNREADABLE_TIME = -(1 << 62)
TIME_WITHOUT_OFFSET = UNREADABLE_TIME + 1
MOST_REMEMBERED = 100_000
"""Entries of a look-up table before it is emptied: a year of minutes is 525 600, a day of them 1 440, so ordinary
input stays far below it, while hostile input cannot make the process grow (about 10 MB at the limit)."""

K = TypeVar("K")


class Remembered(dict[K, int]):
    """A table that works out a missing entry once and forgets everything when it has grown too large."""

    def __init__(self, work_out: Callable[[K], int]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, key: K) -> int:
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        code = self[key] = self._work_out(key)
        return code


class _KnownOnly(dict[str, int]):
    """A table in which everything unknown is -1."""

    def __missing__(self, key: str) -> int:
        return -1


STATUS_CODES: dict[str, int] = _KnownOnly({name: code for code, name in enumerate(STATUSES)})


def parse_time_s(text: str) -> int:
    """UTC epoch seconds of an ISO 8601 time with an offset; parts of a second are dropped.

    Returns ``UNREADABLE_TIME`` or ``TIME_WITHOUT_OFFSET`` where there is none to give.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return UNREADABLE_TIME
    return int(moment.timestamp()) if moment.tzinfo else TIME_WITHOUT_OFFSET


class Combinations:
    """Numbers for (pollutant, unit) pairs of texts, and what each pair means.

    Codes: 0 = known but unused, 1 = unknown pollutant, 2 = unknown unit, from 3 on usable pairs.
    """

    UNUSED, UNKNOWN_POLLUTANT, UNKNOWN_UNIT = range(3)

    def __init__(self) -> None:
        self._usable: dict[tuple[int, float], int] = {}
        self._pollutants = [-1, -1, -1]
        self._factors = [np.nan, np.nan, np.nan]
        self.codes: dict[tuple[str, str], int] = Remembered(self._code)

    def _code(self, pair: tuple[str, str]) -> int:
        try:
            pollutant = canonical_pollutant(pair[0])
        except ReadingError:
            return self.UNKNOWN_POLLUTANT
        if pollutant == UNUSED:
            return self.UNUSED
        try:
            factor = float(to_base(pollutant, pair[1]))
        except ReadingError:
            return self.UNKNOWN_UNIT
        return self._usable_code(MEASURED.index(pollutant), factor)

    def _usable_code(self, pollutant: int, factor: float) -> int:
        code = self._usable.get((pollutant, factor))
        if code is None:
            code = self._usable[pollutant, factor] = len(self._pollutants)
            self._pollutants.append(pollutant)
            self._factors.append(factor)
        return code

    def pollutants(self) -> NDArray[np.int8]:
        """By code: position in ``MEASURED``, -1 for pairs that are no use."""
        return np.array(self._pollutants, np.int8)

    def factors(self) -> NDArray[np.float64]:
        """By code: what a value is multiplied with to be in µg/m³."""
        return np.array(self._factors, np.float64)


class Tables:
    """The look-up tables of one registry."""

    def __init__(self, registry: StationRegistry) -> None:
        self.stations: dict[str, int] = _KnownOnly(registry.rows)
        self.times: dict[str, int] = Remembered(parse_time_s)
        self.combinations = Combinations()


@lru_cache(maxsize=8)
def tables(registry: StationRegistry) -> Tables:
    """The tables of this registry, made once."""
    return Tables(registry)


PROBLEMS: tuple[Reason | None, ...] = (
    None,
    Reason.UNKNOWN_STATION,
    Reason.UNKNOWN_POLLUTANT,
    Reason.UNKNOWN_UNIT,
    Reason.BAD_VALUE,
    Reason.BAD_TIME,
    Reason.NAIVE_TIME,
    Reason.BAD_PERIOD,
    Reason.BAD_STATUS,
)
"""What a row's problem number means; 0 = none. Where a row has several, the first in this order is named."""


@dataclass(frozen=True)
class CodedColumns:
    """Rows as they came, coded but not judged; every array has length ``n``.

    Attributes:
        station: registry row, -1 = unknown.
        combination: code of ``Combinations``.
        time_s: UTC epoch seconds, or one of the two markers for no time.
        period_s: seconds, any integer.
        value: in its own unit; NaN = none was given; infinite = not a number.
        status: position in ``STATUSES``, -1 = unknown.
    """

    station: NDArray[np.int64]
    combination: NDArray[np.int64]
    time_s: NDArray[np.int64]
    period_s: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.int64]

    def problems(self) -> NDArray[np.int8]:
        """``(n,) int8``: position in ``PROBLEMS``."""
        bad_time = (self.time_s < EARLIEST_S) | (self.time_s >= LATEST_S)
        checks = [
            self.station < 0,
            self.combination == Combinations.UNKNOWN_POLLUTANT,
            self.combination == Combinations.UNKNOWN_UNIT,
            np.isinf(self.value),
            bad_time & (self.time_s != TIME_WITHOUT_OFFSET),
            bad_time,
            (self.period_s <= 0) | (self.period_s > LONGEST_PERIOD_S),
            self.status < 0,
        ]
        found = np.zeros(len(self.station), np.int8)
        for number, check in reversed(list(enumerate(checks, start=1))):
            if check.any():
                found[check] = number
        # A temperature at a station we do not know is dropped like any other temperature.
        found[self.unused()] = 0
        return found

    def unused(self) -> NDArray[np.bool_]:
        """Rows of pollutants that are known but that no stage needs."""
        return np.equal(self.combination, Combinations.UNUSED)

    def batch(self, rows: NDArray[np.bool_], combinations: Combinations) -> ReadingBatch:
        """The chosen rows, which must be usable, in µg/m³."""
        chosen: NDArray[np.bool_] | slice = slice(None) if rows.all() else rows
        combination = self.combination[chosen]
        return ReadingBatch(
            self.station[chosen].astype(np.int32),
            combinations.pollutants()[combination],
            self.time_s[chosen],
            self.period_s[chosen].astype(np.int32),
            self.value[chosen] * combinations.factors()[combination],
            self.status[chosen].astype(np.int8),
        )


@dataclass(frozen=True)
class Fields:
    """The fields of one row as texts, for the message about it."""

    station: str
    pollutant: str
    value: str
    unit: str
    time: str
    period: str
    status: str


def problem_of(reason: Reason, fields: Fields, place: str) -> ReadingError:
    """The error for a person: place, field, what was expected, what to do."""
    error = _problem(reason, fields)
    error.place = place
    return error


def _problem(reason: Reason, fields: Fields) -> ReadingError:
    if reason in (Reason.UNKNOWN_POLLUTANT, Reason.UNKNOWN_UNIT):
        return _conversion_problem(fields)
    field, given, complaint, remedy = {
        Reason.UNKNOWN_STATION: ("station", fields.station, "is not registered", "add it to the station registry"),
        Reason.BAD_VALUE: ("value", fields.value, "is not a finite number", "give a number or leave it empty"),
        Reason.BAD_TIME: ("time", fields.time, "is no possible time", "use ISO 8601, e.g. 2026-01-12T08:00:00+07:00"),
        Reason.NAIVE_TIME: ("time", fields.time, "has no offset", "add the zone, e.g. +07:00 or Z"),
        Reason.BAD_PERIOD: ("period", fields.period, "is no possible period", "give whole seconds above 0, e.g. 300"),
        Reason.BAD_STATUS: ("status", fields.status, "is no status", f"use one of {', '.join(STATUSES)}"),
    }[reason]
    return ReadingError(f"{given[:80]!r} {complaint}", field=field, remedy=remedy)


def _conversion_problem(fields: Fields) -> ReadingError:
    try:
        to_base(canonical_pollutant(fields.pollutant), fields.unit)
    except ReadingError as error:
        return error
    raise AssertionError(f"{fields.pollutant!r} in {fields.unit!r} can be converted")
