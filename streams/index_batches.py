"""Index records of one hour as columns, and the records made of them where they leave for the wire or a reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.airsheds import Quantity
from streams.clock import HOUR_S, epoch_s, utc
from streams.contents import PARTICLES, Content, Grounds
from streams.indices import Standard
from streams.schemas import POLLUTANTS, Mark, StationIndex
from streams.screening.reasons import RULES, SUSPICIONS
from streams.stations import Station

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Number = TypeVar("Number", int, float)

# Shared by all records without a doubt; records are immutable and nobody writes into their dicts.
_NO_DOUBT: dict[str, str] = {}
_NOTHING_WITHHELD: dict[str, float] = {}
_NO_MEANS: dict[str, float] = {}


@dataclass(frozen=True)
class Occasion:
    """What a set of records has in common. ``decided``: the mark at which they are made; ``None``: before any."""

    airshed: str
    standard: Standard
    hour: int
    product: Literal["hour", "day"]
    final: bool
    decided: datetime | None


@dataclass(frozen=True)
class GroundsBatch:
    """What provinces are judged by, of ``m`` stations of one airshed, for one hour or one day.

    Attributes:
        occasion: what the records have in common.
        content: their numbers, one row per record.
        stations: all stations of the airshed that the stage keeps.
        rows: ``(m,) int64``, position of each record's station in ``stations``.
        revisions: ``(m,) uint16``, revision of each record.
    """

    occasion: Occasion
    content: Grounds
    stations: Sequence[Station]
    rows: Ints
    revisions: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def hour_s(self) -> int:
        """END of the hour or day, UTC epoch seconds."""
        return self.occasion.hour * HOUR_S

    @property
    def decided_s(self) -> int:
        """The mark at which the records were made, UTC epoch seconds; 0 before any."""
        return 0 if self.occasion.decided is None else epoch_s(self.occasion.decided)

    def concentrations(self, wanted: Sequence[Quantity]) -> Floats:
        """``(m, k)`` the wanted concentrations, µg/m³, NaN = none (``streams.quantities``)."""
        columns = [self._concentration(name) for name in wanted]
        return np.stack(columns, axis=1) if columns else np.empty((len(self), 0))

    def _concentration(self, quantity: Quantity) -> Floats:
        pollutant, _, period = quantity.partition("_")
        table = self.content.means if period == "1h" else self.content.trailing
        column: Floats = np.full(len(self), np.nan) if table is None else table[:, PARTICLES.index(pollutant)]
        return column


@dataclass(frozen=True)
class IndexBatch(GroundsBatch):
    """What the index stage says about ``m`` stations.

    A record takes some ten microseconds as an object and a hundredth of that as columns, so stages in one process pass
    these on and make records only for who reads or writes them.
    """

    content: Content

    def grounds(self) -> GroundsBatch:
        """Without what no province is judged by."""
        return GroundsBatch(self.occasion, self.content.grounds(), self.stations, self.rows, self.revisions)

    def records(self) -> list[StationIndex]:
        """The records, in order."""
        stations = [self.stations[row] for row in self.rows.tolist()]
        return _records(self.content, stations, self.revisions.tolist(), self.occasion)


def flattened(said: Iterable[IndexBatch | Mark]) -> list[StationIndex | Mark]:
    """Records and marks, in order: what travels one by one."""
    items: list[StationIndex | Mark] = []
    for piece in said:
        if isinstance(piece, Mark):
            items.append(piece)
        else:
            items += piece.records()
    return items


def _records(
    content: Content, stations: Sequence[Station], revisions: Sequence[int], occasion: Occasion
) -> list[StationIndex]:
    time = utc(occasion.hour * HOUR_S)
    index, index_24h = _whole(content.index), _whole(content.index_24h)
    sub = _whole_dicts(POLLUTANTS, content.sub)
    concentration = dicts(content.keys, content.concentration)
    trailing = dicts(PARTICLES, content.trailing)
    means = None if content.means is None else dicts(PARTICLES, content.means)
    shown = (content.completeness > 0) | ~np.isnan(content.sub)
    completeness = dicts(POLLUTANTS, np.where(shown, content.completeness, np.nan))
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


def whole(values: Floats) -> Ints:
    """Whole numbers, -1 where there is none (NaN)."""
    return np.where(np.isnan(values), -1.0, values).astype(np.int64)


def _whole(values: Floats) -> list[int | None]:
    return [None if value < 0 else value for value in whole(values).tolist()]


def dicts(keys: tuple[str, ...], values: Floats) -> list[dict[str, float]]:
    """One dict per row, without the NaN values."""
    return _with_values(keys, values.tolist(), ~np.isnan(values))


def _whole_dicts(keys: tuple[str, ...], values: Floats) -> list[dict[str, int]]:
    return _with_values(keys, whole(values).tolist(), ~np.isnan(values))


def _with_values(keys: tuple[str, ...], rows: list[list[Number]], known: NDArray[np.bool_]) -> list[dict[str, Number]]:
    present = known.tolist()
    complete = np.logical_and.reduce(known, axis=1).tolist()
    return [
        dict(zip(keys, row, strict=True))
        if complete[n]
        else {key: value for key, value, there in zip(keys, row, present[n], strict=True) if there}
        for n, row in enumerate(rows)
    ]
