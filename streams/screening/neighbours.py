"""The buddy check: a station against the stations around it, on the index of an hour.

After the idea of titanlib's buddy check (radius, least number of neighbours, threshold in standard deviations, least
standard deviation). A lonely hour alone means nothing: the first station that a plume reaches is lonely. Only a
station that has been lonely on the same side for hours on end is suspect (see ``NeighbourLimits.hours``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.screening.limits import NeighbourLimits
from streams.stations import Station

EARTH_KM = 6371.0
REASON = "neighbours"

_BLOCK = 1_000  # rows whose products with all stations are in memory at once
_MARGIN = 1e-9
"""By which the cosine of a distance is taken too small, far above its rounding: pairs to measure are never left out."""

Radians = NDArray[np.float64]
"""``(n,)`` latitudes or longitudes."""

Runs = dict[str, int]
"""By station code, hours it has been lonely in a row: positive = above its neighbours, negative = below."""

Indices = NDArray[np.int64]
"""``(n,)`` the whole index of each station in an hour, below 0 = none."""


class Neighbours:
    """Who stands around whom, and who is lonely. Sums are of whole numbers, so no order of adding changes a verdict."""

    def __init__(self, stations: Sequence[Station], limits: NeighbourLimits) -> None:
        self._limits = limits
        self._codes = [station.code for station in stations]
        self._row = {code: row for row, code in enumerate(self._codes)}
        lat, lon = (np.radians([getattr(station, name) for station in stations]) for name in ("lat", "lon"))
        # The neighbours of all stations behind each other, the stations that have any, and where theirs begin.
        owners, self._near = _pairs(lat, lon, limits.radius_km)
        self._owners, self._starts = np.unique(owners, return_index=True)

    def lonely(self, index: Indices) -> dict[str, int]:
        """Side of each lonely station of an hour: 1 above its neighbours, -1 below."""
        present = (index >= 0).astype(np.int64)
        value = index * present
        count, total, squares = self._around(present), self._around(value), self._around(value * value)
        sides = self._sides(value, present, count, total, squares)
        return {self._codes[row]: int(sides[row]) for row in np.flatnonzero(sides).tolist()}

    @property
    def pairs(self) -> int:
        """Pairs of neighbours, each counted from both sides."""
        return len(self._near)

    def _around(self, value: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum over the neighbours of each station."""
        total = np.zeros(len(value), np.int64)
        if len(self._near):
            total[self._owners] = np.add.reduceat(value[self._near], self._starts)
        return total

    def _sides(
        self,
        value: NDArray[np.int64],
        present: NDArray[np.int64],
        count: NDArray[np.int64],
        total: NDArray[np.int64],
        squares: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        limits = self._limits
        judged = (present == 1) & (count >= limits.num_min)
        least = np.maximum(count, 1)
        # n²·variance and n·difference are whole; one division each rounds the same way wherever it is done.
        deviation = np.sqrt((least * squares - total * total) / (least * least))
        apart = (least * value - total) / least
        far = np.abs(apart) > limits.threshold * np.maximum(deviation, limits.min_std)
        return np.where(judged & far, np.sign(apart), 0).astype(np.int64)

    def follow(self, runs: Runs, index: Indices) -> Runs:
        """The runs after one more hour. A station without an index keeps its run: silence proves nothing."""
        sides = self.lonely(index)
        silent = {code: run for code, run in runs.items() if code in self._row and index[self._row[code]] < 0}
        going = {code: side + _same_side(runs.get(code, 0), side) for code, side in sides.items()}
        return {**silent, **going}

    def suspects(self, runs: Runs) -> set[str]:
        """Stations that have been lonely for too long."""
        return {code for code, run in runs.items() if abs(run) >= self._limits.hours}


def _same_side(run: int, side: int) -> int:
    return run if run * side > 0 else 0


def _pairs(lat: Radians, lon: Radians, radius_km: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of all ordered pairs of stations within the radius, by the first and then the second.

    Products of unit vectors, a block of rows at a time, leave few pairs to measure: of ten thousand stations all
    distances would take seconds at every start, and 800 MB.
    """
    unit = np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=1)
    least = np.cos(min(radius_km / EARTH_KM, np.pi)) - _MARGIN
    found = [np.empty((2, 0), np.int64)]
    for start in range(0, len(lat), _BLOCK):
        one, other = np.nonzero(unit[start : start + _BLOCK] @ unit.T >= least)
        one = one + start
        near = (one != other) & (_distance_km(lat[one], lon[one], lat[other], lon[other]) <= radius_km)
        found.append(np.stack((one[near], other[near])))
    first, second = np.concatenate(found, axis=1)
    return first, second


def _distance_km(lat: Radians, lon: Radians, other_lat: Radians, other_lon: Radians) -> NDArray[np.float64]:
    """Great circles, pair by pair. Haversine, which keeps its digits at short distances."""
    half = np.sin((lat - other_lat) / 2) ** 2
    half = half + np.cos(lat) * np.cos(other_lat) * np.sin((lon - other_lon) / 2) ** 2
    distance: NDArray[np.float64] = 2 * EARTH_KM * np.arcsin(np.minimum(1.0, np.sqrt(half)))
    return distance
