"""Hourly means of the ring, worked out once after a change: an hour is asked about 24 times, and changes in one."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.indices.averaging import added
from streams.windows import RING_HOURS, SCALE, Floats, HourBins, Ints

Number = TypeVar("Number", bound=np.generic)


class HourlyMeans:
    """Means and covered minutes behind a ring of hour bins. 108 B per station and hour, in memory only.

    Args:
        needed: minutes that must be covered for the mean of an hour to be valid.
    """

    def __init__(self, bins: HourBins, needed: int) -> None:
        self._bins = bins
        self._needed = max(needed, 1)
        self._means = np.full(bins.sums.shape, np.nan)
        self._minutes = np.zeros(bins.sums.shape, np.uint8)
        self._there = np.zeros(bins.sums.shape, np.int8)  # 1 where there is a mean
        self._filled = np.zeros(bins.sums.shape)  # the means, 0 where there is none

    def minutes(self, first: int, last: int, rows: Ints | slice) -> NDArray[np.uint8]:
        """Covered minutes, ``(hours, stations, 6)``; hours before the ring count as empty. The caller's own."""
        self._refresh()
        found = _taken(self._minutes, first, last, rows)
        found[: max(0, self._bins.oldest - first)] = 0
        return found

    def means(self, first: int, last: int, rows: Ints | slice) -> Floats:
        """Hourly means, µg/m³, ``(hours, stations, 6)``, NaN where an hour is not covered enough. The caller's own."""
        self._refresh()
        found = _taken(self._means, first, last, rows)
        found[: max(0, self._bins.oldest - first)] = np.nan
        return found

    def sums(self, first: int, last: int, rows: Ints | slice) -> tuple[Floats, NDArray[np.int8]]:
        """Sum of the means of these hours, oldest first, and how many there are, ``(stations, 6)`` each: what
        ``streams.indices.averaging.sums_of`` makes of ``means``, without looking for missing ones 24 times an hour."""
        self._refresh()
        slots = [hour % RING_HOURS for hour in range(max(first, self._bins.oldest), last + 1)]
        count = np.zeros(self._there[0][rows].shape, np.int8)
        for slot in slots:
            count += self._there[slot][rows]
        return added(self._filled[slot][rows] for slot in slots), count

    def open_hour(self, hour: int, needed: int, rows: Ints | slice) -> Floats:
        """Means ``(stations, 6)`` of an hour of which less is asked, because it is not over."""
        minutes = self._bins.minutes(hour, hour, rows)
        found: Floats = self._bins.means(hour, minutes, np.array([needed]), rows)[0]
        return found

    def _refresh(self) -> None:
        for slot in np.flatnonzero(self._bins.changed).tolist():
            minutes = np.bitwise_count(self._bins.covered[slot])
            mean = self._means[slot]
            mean[:] = np.nan
            np.divide(self._bins.sums[slot], minutes * SCALE, out=mean, where=minutes >= self._needed)
            self._minutes[slot] = minutes
            there = ~np.isnan(mean)
            self._there[slot] = there
            self._filled[slot] = np.where(there, mean, 0.0)
        self._bins.changed[:] = False


def _taken(ring: NDArray[Number], first: int, last: int, rows: Ints | slice) -> NDArray[Number]:
    slots = np.arange(first, last + 1) % RING_HOURS
    return ring[slots][:, rows] if isinstance(rows, slice) else ring[slots[:, np.newaxis], rows]
