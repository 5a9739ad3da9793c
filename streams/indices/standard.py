"""An index standard as data: breakpoint columns, categories, what is averaged, and how numbers are rounded.

One piecewise-linear function serves every standard; the modules beside this one hold the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.schemas import POLLUTANTS
from streams.units import factor

Floats = NDArray[np.float64]

DECIMALS = 9
"""Exact indices are rounded to this many decimals before they are rounded to integers.

Breakpoints and concentrations have at most four decimals and segments are at most a few thousand wide, so a true
tie (…,5) or a true integer is hit exactly or missed by a few 1e-13 in binary; two different true results of such
inputs lie further than 1e-8 apart. Nine decimals mend the first without touching the second."""


class Beyond(Enum):
    """What a column says above its last breakpoint."""

    CAP = "the index of the last breakpoint"
    EXTEND = "the last segment carried on in a straight line"
    NOTHING = "no index: another column of the pollutant has to be used"


class Rounding(Enum):
    """How an exact index becomes an integer."""

    HALF_UP = "half up"
    UP = "always up"

    def apply(self, exact: Floats) -> Floats:
        """``(…) float64`` exact indices to whole numbers (still float64; NaN stays NaN)."""
        settled = np.round(exact, DECIMALS)
        return np.floor(settled + 0.5) if self is Rounding.HALF_UP else np.ceil(settled)


class Average(Enum):
    """A statistic of a station's hourly means that an hourly index may be computed from."""

    HOUR = "1h"
    NOWCAST = "nowcast"
    TRAILING_8H = "8h"
    TRAILING_24H = "24h"


Row = tuple[float, float, float, float]
"""Concentration from, to; index from, to."""


@dataclass(frozen=True)
class Column:
    """The breakpoints of one pollutant for some averaging times.

    Attributes:
        averagings: names of the averages it serves (``1h``, ``8h``, ``24h``, ``nowcast``); the first names it.
        unit: unit of the breakpoints.
        rows: segments from low to high. Continuous tables share their end points; gapped tables (US, Korea) need
            ``resolution``, to which a concentration is cut first so that it always falls on a row.
        resolution: decimals that are kept of a concentration (the rest is cut off, never rounded); ``None`` = all.
        beyond: what holds above the last row. Below the first row there is no index.
    """

    pollutant: str
    averagings: tuple[str, ...]
    unit: str
    rows: tuple[Row, ...]
    beyond: Beyond = Beyond.CAP
    resolution: int | None = None

    @property
    def key(self) -> str:
        """Pollutant and averaging time in one word, as daily requests and records write it: ``pm25_24h``."""
        return f"{self.pollutant}_{self.averagings[0]}"

    @cached_property
    def per_ug_m3(self) -> float:
        """What a concentration in µg/m³ is multiplied by to be in this column's unit."""
        return factor(self.pollutant, "ug/m3", self.unit)

    def cut(self, concentration: Floats) -> Floats:
        """Concentrations in the column's unit as the standard reads them: not below 0, cut to the resolution."""
        positive = np.maximum(concentration, 0.0)
        if self.resolution is None:
            return positive
        scale = 10.0**self.resolution
        # 9.1 / 0.1 is 90.99999999999999 in binary; the tiny addition keeps a value that lies on the grid on it.
        return np.floor(positive * scale + 1e-7) / scale

    def exact(self, concentration: Floats) -> Floats:
        """The unrounded sub-index.

        Args:
            concentration: ``(n,) float64`` in the column's unit; NaN = missing; below zero counts as zero.

        Returns:
            ``(n,) float64``; NaN where the concentration is missing or the column gives no index.
        """
        value = self.cut(np.asarray(concentration, np.float64))
        low, rise, index_low, last, last_index = self.segments
        # Tables have a handful of rows: comparing with each is faster than searching.
        segment = np.add.reduce(value >= low[1:, np.newaxis], axis=0, dtype=np.intp)
        result = index_low[segment] + (value - low[segment]) * rise[segment]
        if self.beyond is Beyond.CAP:
            result[value > last] = last_index
        elif self.beyond is Beyond.NOTHING:
            result[value > last] = np.nan
        result[value < low[0]] = np.nan
        return np.round(result, DECIMALS)

    @cached_property
    def segments(self) -> tuple[Floats, Floats, Floats, np.float64, np.float64]:
        """Beginning, slope and first index of each row; end and index of the last."""
        low, high, index_low, index_high = np.array(self.rows, np.float64).T
        return np.ascontiguousarray(low), (index_high - index_low) / (high - low), index_low, high[-1], index_high[-1]


class Bank:
    """Several columns side by side, so that an hour of a network costs one set of array operations and not one each.

    The operations on every number are those of :meth:`Column.exact`, and so are the results.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        segments = [column.segments for column in columns]
        longest = max(len(low) for low, *_ in segments)
        self._cut = [(row, column) for row, column in enumerate(columns) if column.resolution is not None]
        self._per_ug_m3 = np.array([column.per_ug_m3 for column in columns])[:, np.newaxis]
        self._low = np.array([_padded(low, longest, np.inf) for low, _, _, _, _ in segments])
        self._rise = np.array([_padded(rise, longest, 0.0) for _, rise, _, _, _ in segments])
        self._index_low = np.array([_padded(index_low, longest, 0.0) for _, _, index_low, _, _ in segments])
        ends = list(zip(columns, segments, strict=True))
        self._last = np.array([np.inf if c.beyond is Beyond.EXTEND else last for c, (_, _, _, last, _) in ends])
        self._above = np.array([index if c.beyond is Beyond.CAP else np.nan for c, (_, _, _, _, index) in ends])
        self._first = np.arange(len(columns))[:, np.newaxis] * longest

    def exact(self, ug_m3: Floats) -> Floats:
        """Unrounded sub-indices ``(k, n)`` of concentrations ``(k, n)`` µg/m³, a row for each column."""
        value = np.maximum(ug_m3 * self._per_ug_m3, 0.0)
        for row, column in self._cut:
            value[row] = column.cut(value[row])
        segment = np.zeros(value.shape, np.int8)
        for low in self._low.T[1:, :, np.newaxis]:
            segment += value >= low
        segment = segment + self._first
        result: Floats = self._index_low.take(segment) + (value - self._low.take(segment)) * self._rise.take(segment)
        np.copyto(result, self._above[:, np.newaxis], where=value > self._last[:, np.newaxis])
        result[value < self._low[:, :1]] = np.nan
        return np.round(result, DECIMALS)


def _padded(values: Floats, length: int, filling: float) -> Floats:
    return np.concatenate((values, np.full(length - len(values), filling)))


def continuous(indices: tuple[float, ...], concentrations: tuple[float, ...]) -> tuple[Row, ...]:
    """Rows of a table whose segments share their end points: 0, then ``concentrations`` at ``indices``."""
    points = list(zip((0.0, *concentrations), (0.0, *indices), strict=False))
    return tuple((a, b, i, j) for (a, i), (b, j) in pairwise(points))


@dataclass(frozen=True)
class Category:
    """A class of the index.

    Attributes:
        low / high: first and last index of the class (``high`` of the last class is open at the top).
        names: by language; the official name is in the standard's own language.
        colour: red, green, blue, 0–255.
        advice: by audience (``general``, ``sensitive``), then by language; empty where none is on record.
    """

    low: int
    high: int
    names: dict[str, str]
    colour: tuple[int, int, int]
    advice: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Standard:
    """An air-quality index standard.

    Attributes:
        code: name in requests and configuration.
        citation: document, clause and date in force, and what of it has not been verified.
        language: language of the official category names.
        columns: every breakpoint column.
        hourly: per pollutant what the hourly index of a station is computed from: (average, column key).
        hourly_note: which documented practice ``hourly`` follows.
        daily: keys of the columns a daily index is computed from; ``x_1h`` and ``x_8h`` take the day's maximum,
            ``x_24h`` the day's mean.
        one_of: at least one of these pollutants must have a sub-index, or there is no index.
        at_least: pollutants that must have a sub-index.
        hours_of_24 / hours_of_8: valid hours that a 24 h or an 8 h mean needs.
        dominant_above: an index must be above this for a dominant pollutant to be named.
        bonus: (sub-indices of ``bonus_from`` or more, points added), fewest first.
    """

    code: str
    citation: str
    language: str
    columns: tuple[Column, ...]
    categories: tuple[Category, ...]
    hourly: dict[str, tuple[tuple[Average, str], ...]]
    hourly_note: str
    daily: tuple[str, ...]
    rounding: Rounding = Rounding.HALF_UP
    one_of: frozenset[str] = frozenset()
    at_least: int = 1
    hours_of_24: int = 18
    hours_of_8: int = 6
    dominant_above: int = -1
    bonus: tuple[tuple[int, int], ...] = ()
    bonus_from: int = 0

    def column(self, pollutant: str, averaging: str) -> Column | None:
        """The column for an average of a pollutant, ``None`` if the standard has none."""
        return self._by_average.get((pollutant, averaging))

    def column_of_key(self, key: str) -> Column:
        """The column named e.g. ``pm25_24h``. Raises ``KeyError``."""
        return self._by_key[key]

    def category(self, index: int) -> Category:
        """The class an index belongs to."""
        return next((c for c in reversed(self.categories) if index >= c.low), self.categories[0])

    def category_name(self, index: int | None) -> str | None:
        """The official name of the class, in the standard's own language."""
        return None if index is None else self.category(index).names[self.language]

    def combine(self, sub: Floats) -> tuple[Floats, NDArray[np.int8]]:
        """The station's index from its sub-indices.

        Args:
            sub: ``(n, 6) float64`` exact sub-indices in the order of ``POLLUTANTS``; NaN = none.

        Returns:
            ``(n,) float64`` whole indices, NaN where the standard gives none, and ``(n,) int8`` the position of the
            dominant pollutant (highest exact sub-index to :data:`DECIMALS`, the first of ``POLLUTANTS`` among
            equals), -1 for none.
        """
        known = ~np.isnan(sub)
        enough = known.sum(axis=1) >= self.at_least
        if self.one_of:
            enough &= known[:, [POLLUTANTS.index(name) for name in sorted(self.one_of)]].any(axis=1)
        filled = np.where(known, np.round(sub, DECIMALS), -1.0)  # a tie is a tie, however its sums were rounded
        highest = self.rounding.apply(filled.max(axis=1))
        if self.bonus:
            highest = np.minimum(highest + self._bonus(filled), self.categories[-1].high)
        index = np.where(enough, highest, np.nan)
        named = enough & (highest > self.dominant_above)
        return index, np.where(named, filled.argmax(axis=1), -1).astype(np.int8)

    def _bonus(self, filled: Floats) -> Floats:
        points = np.zeros(len(filled))
        high = (self.rounding.apply(filled) >= self.bonus_from).sum(axis=1)
        for count, added in self.bonus:
            points = np.where(high >= count, float(added), points)
        return points

    @cached_property
    def _by_average(self) -> dict[tuple[str, str], Column]:
        return {(c.pollutant, averaging): c for c in self.columns for averaging in c.averagings}

    @cached_property
    def _by_key(self) -> dict[str, Column]:
        return {c.key: c for c in self.columns}
