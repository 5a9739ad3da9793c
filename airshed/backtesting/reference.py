"""A plain definition of an episode, of our own, to hold the rules of a pack against.

**Two or more adjacent provinces whose median 24-hour mean of PM2.5 is at or above a concentration together, for at
least six hours in a row; pauses of up to 24 hours belong to it.** No index, no screening, no hysteresis, no coverage
beyond half of the stations: everybody can check it with a pencil. It is a yardstick, not the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from streams.airsheds import Airshed, Level
from streams.errors import InputError
from streams.indices import STANDARDS

Cells = NDArray[np.bool_]
"""``(hours, provinces)``."""

TOGETHER_HOURS = 6
PAUSE_HOURS = 24
"""A day: the afternoon dip, or one clean day within a spell, does not make two events."""


@dataclass(frozen=True)
class Event:
    """A stretch of bad air, or an episode of a pack. Hours are rows of the cells, both included."""

    name: str
    first: int
    last: int
    provinces: frozenset[int]
    cells: NDArray[np.intp]
    """Positions in the flattened cells."""

    @property
    def hours(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class Reference:
    """Attributes:
    level_ug_m3: 24-hour mean of PM2.5 at or above which a province counts.
    provinces: how many adjacent ones must, two or one: one where the pack is about single provinces.
    """

    level_ug_m3: float
    provinces: int = 2

    def sentence(self) -> str:
        """The definition, as the report states it."""
        many = self.provinces > 1
        who = "two or more adjacent provinces" if many else "a province, with any adjacent ones,"
        return (
            f"Reference: {who} whose median 24-hour mean of PM2.5 is {self.level_ug_m3:g} µg/m³ or more "
            f"{'together ' if many else ''}for at least {TOGETHER_HOURS} hours in a row; pauses of up to "
            f"{PAUSE_HOURS} hours belong to it. It is computed from the readings alone, without the pack's rules."
        )

    def events(self, day_means: NDArray[np.float32], airshed: Airshed) -> list[Event]:
        """The events in medians of 24-hour means, ``(hours, provinces)`` µg/m³, NaN = unknown; by their beginning."""
        over = np.nan_to_num(day_means, nan=-1.0) >= self.level_ug_m3
        cells = np.zeros_like(over)
        if self.provinces == 1:
            cells = np.stack([_long_runs(column, TOGETHER_HOURS) for column in over.T], axis=1)
            together = {pair: cells[:, pair[0]] & cells[:, pair[1]] for pair in _adjacent(airshed)}
            return events_of(_labels(cells, together), cells.shape[1])
        together = {
            pair: _long_runs(over[:, pair[0]] & over[:, pair[1]], TOGETHER_HOURS) for pair in _adjacent(airshed)
        }
        for (one, other), kept in together.items():
            cells[:, one] |= kept
            cells[:, other] |= kept
        return events_of(_labels(cells, together), cells.shape[1])


def reference_of(airshed: Airshed, given_ug_m3: float | None = None) -> Reference:
    """The reference at the concentration of the airshed's lowest level.

    Raises:
        InputError: when that level has none, and none is given.
    """
    level_ug_m3 = concentration(airshed.levels[0], airshed.standard) if given_ug_m3 is None else given_ug_m3
    return Reference(level_ug_m3, min(airshed.detection.minimum_provinces, 2))


def concentration(level: Level, standard: str) -> float:
    """The 24-hour mean of PM2.5 at the entry threshold of a level, µg/m³, to one decimal.

    Raises:
        InputError: for a threshold of coarse particles, or an index beyond the table.
    """
    if level.quantity.startswith("pm25"):
        return float(level.enter)
    column = None if level.quantity.startswith("pm10") else STANDARDS[standard].column("pm25", "24h")
    for low, high, index_low, index_high in column.rows if column else ():
        if level.enter <= index_high:
            above = max(level.enter - index_low, 0.0)
            return round(low + above * (high - low) / (index_high - index_low), 1)
    raise InputError(
        f"{level.quantity} {level.enter} of {standard} is no concentration of PM2.5",
        field="--reference",
        remedy="give one in µg/m³",
    )


def events_of(labels: NDArray[np.intp], provinces: int) -> list[Event]:
    """Events from the label of each cell, ``(hours * provinces,)``, -1 = none; numbered by their beginning."""
    events = []
    for label in range(labels.max(initial=-1) + 1):
        cells = np.flatnonzero(labels == label)
        hours = cells // provinces
        members = frozenset(np.unique(cells % provinces).tolist())
        events.append(Event("", int(hours.min()), int(hours.max()), members, cells))
    ordered = sorted(events, key=lambda event: (event.first, event.last))
    return [
        Event(f"R{number}", event.first, event.last, event.provinces, event.cells)
        for number, event in enumerate(ordered, start=1)
    ]


def _adjacent(airshed: Airshed) -> list[tuple[int, int]]:
    column = {province.code: number for number, province in enumerate(airshed.provinces)}
    return [
        (column[province.code], column[code])
        for province in airshed.provinces
        for code in province.neighbours
        if code in column and column[province.code] < column[code]
    ]


def _long_runs(true: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Only the stretches of ``true`` that are at least so long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]])))
    kept = np.zeros_like(true)
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end - start >= least:
            kept[start:end] = True
    return kept


def _labels(cells: Cells, together: dict[tuple[int, int], NDArray[np.bool_]]) -> NDArray[np.intp]:
    """Number of the event of each cell: connected through neighbours in an hour, and through pauses in a province."""
    provinces = cells.shape[1]
    ends: list[NDArray[np.intp]] = []
    starts: list[NDArray[np.intp]] = []
    for (one, other), kept in together.items():
        hours = np.flatnonzero(kept)
        starts.append(hours * provinces + one)
        ends.append(hours * provinces + other)
    for province in range(provinces):
        hours = np.flatnonzero(cells[:, province])
        near = np.diff(hours) <= PAUSE_HOURS + 1
        starts.append(hours[:-1][near] * provinces + province)
        ends.append(hours[1:][near] * provinces + province)
    return _components(cells, starts, ends)


def _components(cells: Cells, starts: Sequence[NDArray[np.intp]], ends: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    nodes = np.flatnonzero(cells)
    labels = np.full(cells.size, -1, np.intp)
    if not len(nodes):
        return labels
    start = np.searchsorted(nodes, np.concatenate(starts))
    end = np.searchsorted(nodes, np.concatenate(ends))
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(len(nodes), len(nodes)))
    labels[nodes] = connected_components(graph, directed=False)[1]
    return labels
