"""What is said about stations for one hour or one day, as columns, and the records made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.clock import HOUR_S, utc
from streams.indices import Standard
from streams.schemas import POLLUTANTS, StationIndex
from streams.screening.reasons import RULES, SUSPICIONS
from streams.stations import Station

Floats = NDArray[np.float64]
Number = TypeVar("Number", int, float)

CONCENTRATION_DECIMALS = 4
PARTICLES = ("pm25", "pm10")

# Shared by all records without a doubt; records are immutable and nobody writes into their dicts.
_NO_DOUBT: dict[str, str] = {}
_NOTHING_WITHHELD: dict[str, float] = {}
_NO_MEANS: dict[str, float] = {}

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


@dataclass(frozen=True)
class Content:
    """What is said about ``m`` stations; all numbers whole or rounded, NaN = none.

    Attributes:
        keys: names of the concentration columns, ``k`` of them.
        index: ``(m,)`` whole indices.
        dominant: ``(m,) int8`` position in ``POLLUTANTS``, -1 for none.
        sub: ``(m, 6)`` whole sub-indices.
        concentration: ``(m, k)`` µg/m³, four decimals.
        trailing: ``(m, 2)`` trailing 24 h means of ``PARTICLES``, µg/m³, four decimals.
        index_24h: ``(m,)`` whole indices of ``trailing``.
        completeness: ``(m, 6)`` covered share of the hour or day, 0–1, four decimals.
        suspect: ``(m, 6) uint8`` verdict of screening on this hour (``streams.screening.Suspicion``), 0 = none.
        withheld: ``(m, 6)`` means of this hour that were not counted, µg/m³, four decimals.
        means: ``(m, 2)`` means of this hour of ``PARTICLES``, µg/m³, four decimals; ``None`` where no level looks.
    """

    keys: tuple[str, ...]
    index: Floats
    dominant: NDArray[np.int8]
    sub: Floats
    concentration: Floats
    trailing: Floats
    index_24h: Floats
    completeness: Floats
    suspect: NDArray[np.uint8]
    withheld: Floats
    means: Floats | None = None

    def take(self, rows: NDArray[np.intp]) -> Content:
        """The content of the chosen stations."""
        parts = {name: getattr(self, name)[rows] for name in self.__dataclass_fields__ if name not in ("keys", "means")}
        return Content(keys=self.keys, means=None if self.means is None else self.means[rows], **parts)

    def checksum(self) -> NDArray[np.uint32]:
        """``(m,) uint32``: equal for equal content. A change goes unseen once in four thousand million."""
        columns = [self.index, self.dominant, *self.sub.T, self.index_24h]
        columns += [c * 1e4 for part in self._parts() for c in part.T]
        mixed = np.full(len(self.index), _PRIME)
        for column in columns:
            whole = np.rint(np.where(np.isnan(column), -1e15, column)).astype(np.int64).view(np.uint64)
            mixed = (mixed ^ whole) * _PRIME
            mixed ^= mixed >> _SHIFT
        if self.suspect.any():
            # A station without a verdict keeps the checksum of its numbers.
            verdicts = self.suspect.astype(np.uint64) << (np.arange(len(POLLUTANTS), dtype=np.uint64) * np.uint64(8))
            together = np.bitwise_or.reduce(verdicts, axis=1)
            remixed = (mixed ^ together) * _PRIME
            mixed = np.where(together > 0, remixed ^ (remixed >> _SHIFT), mixed)
        return mixed.astype(np.uint32)

    def _parts(self) -> list[Floats]:
        parts = [self.concentration, self.trailing, self.completeness]
        return parts if self.means is None else [*parts, self.means]


def rounded(values: Floats) -> Floats:
    """Concentrations as they are published: the floats nearest to four decimals."""
    scale = 10.0**CONCENTRATION_DECIMALS
    result: Floats = np.rint(values * scale) / scale
    return result


@dataclass(frozen=True)
class Occasion:
    """What a set of records has in common. ``decided``: the mark at which they are made; ``None``: before any."""

    airshed: str
    standard: Standard
    hour: int
    product: Literal["hour", "day"]
    final: bool
    decided: datetime | None


def records(
    content: Content, stations: Sequence[Station], revisions: Sequence[int], occasion: Occasion
) -> list[StationIndex]:
    """One record per station, in the order given."""
    time = utc(occasion.hour * HOUR_S)
    index, index_24h = _whole(content.index), _whole(content.index_24h)
    sub = _whole_dicts(POLLUTANTS, content.sub)
    concentration = _dicts(content.keys, content.concentration)
    trailing = _dicts(PARTICLES, content.trailing)
    means = None if content.means is None else _dicts(PARTICLES, content.means)
    shown = (content.completeness > 0) | ~np.isnan(content.sub)
    completeness = _dicts(POLLUTANTS, np.where(shown, content.completeness, np.nan))
    dominant = content.dominant.tolist()
    names = {value: occasion.standard.category_name(value) for value in set(index)}
    suspect, withheld = _doubts(content)
    return [
        StationIndex(
            airshed=occasion.airshed,
            province=station.province,
            station=station.code,
            station_class=station.station_class,
            time=time,
            product=occasion.product,
            standard=occasion.standard.code,
            index=index[row],
            category=names[index[row]],
            dominant=POLLUTANTS[dominant[row]] if dominant[row] >= 0 else None,
            sub=sub[row],
            concentration=concentration[row],
            trailing_24h=trailing[row],
            index_24h=index_24h[row],
            completeness=completeness[row],
            final=occasion.final,
            decided=occasion.decided,
            revision=revisions[row],
            suspect=suspect.get(row, _NO_DOUBT),
            withheld=withheld.get(row, _NOTHING_WITHHELD),
            screening=RULES if row in suspect else "",
            means_1h=_NO_MEANS if means is None else means[row],
        )
        for row, station in enumerate(stations)
    ]


def _doubts(content: Content) -> tuple[dict[int, dict[str, str]], dict[int, dict[str, float]]]:
    """By row, only of the few that have any: why pollutants are suspect, and what was withheld."""
    suspect: dict[int, dict[str, str]] = {}
    withheld: dict[int, dict[str, float]] = {}
    for row, column in np.argwhere(content.suspect).tolist():
        suspect.setdefault(row, {})[POLLUTANTS[column]] = SUSPICIONS[content.suspect[row, column]]
        value = float(content.withheld[row, column])
        if value == value:
            withheld.setdefault(row, {})[POLLUTANTS[column]] = value
    return suspect, withheld


def _whole(values: Floats) -> list[int | None]:
    return [None if value < 0 else value for value in np.nan_to_num(values, nan=-1.0).astype(np.int64).tolist()]


def _dicts(keys: tuple[str, ...], values: Floats) -> list[dict[str, float]]:
    """One dict per row, without the NaN values."""
    return _with_values(keys, values.tolist(), ~np.isnan(values))


def _whole_dicts(keys: tuple[str, ...], values: Floats) -> list[dict[str, int]]:
    return _with_values(keys, np.nan_to_num(values, nan=-1.0).astype(np.int64).tolist(), ~np.isnan(values))


def _with_values(keys: tuple[str, ...], rows: list[list[Number]], known: NDArray[np.bool_]) -> list[dict[str, Number]]:
    present = known.tolist()
    complete = np.logical_and.reduce(known, axis=1).tolist()
    return [
        dict(zip(keys, row, strict=True))
        if complete[n]
        else {key: value for key, value, there in zip(keys, row, present[n], strict=True) if there}
        for n, row in enumerate(rows)
    ]
