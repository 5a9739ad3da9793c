"""What was in the air: province medians of PM2.5 straight from the readings.

The yardstick of a back-test. It shares no code with screening, index stage and tracker, so that an error in them
cannot hide in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from airshed.backtesting.grid import Grid
from streams.airsheds import Airshed
from streams.batches import ReadingBatch
from streams.clock import HOUR_S
from streams.schemas import POLLUTANTS, STATUSES
from streams.stations import StationRegistry

Floats = NDArray[np.float64]

LOWEST, HIGHEST = -15.0, 984.9
"""µg/m³. Instruments near zero report small negative values; monitors write 985 or 1000 when they fail."""

FULL_HOUR_S = 2700
"""An hourly mean needs readings of three quarters of the hour."""

DAY_HOURS = 24
FULL_DAY = 18
"""Valid hours that a 24-hour mean needs: three quarters, as every standard asks."""

_PM25 = POLLUTANTS.index("pm25")
_REVISED = STATUSES.index("revised")
_USED = tuple(STATUSES.index(status) for status in ("measuring", "revised"))


@dataclass(frozen=True)
class _Means:
    """Hourly means, ``(hours, stations)``, NaN = missing; the first row is hour ``first``."""

    first: int
    values: Floats


class Observed:
    """Takes readings in by ascending time; keeps the medians of each province, not the readings.

    A median is that of the stations with a value, of which there must be at least half.

    Attributes:
        hour: median hourly mean, µg/m³, NaN = unknown.
        day: median of the stations' means over the latest 24 hours.
    """

    def __init__(self, airshed: Airshed, registry: StationRegistry) -> None:
        provinces = [province.code for province in airshed.provinces]
        self.hour = Grid(len(provinces), np.float32("nan"))
        self.day = Grid(len(provinces), np.float32("nan"))
        self._columns = [_rows_of(registry, airshed.code, code) for code in provinces]
        self._stations = len(registry)
        self._before = _Means(0, np.empty((0, self._stations)))
        self._open: ReadingBatch = ReadingBatch.empty()

    def accept(self, batch: ReadingBatch) -> None:
        """Take readings in; none may end before those of the batch before it."""
        particles = batch.take(np.flatnonzero(batch.pollutant == _PM25))
        used = np.isin(particles.status, _USED) & (particles.value >= LOWEST) & (particles.value <= HIGHEST)
        batch = _both(self._open, particles.take(used))
        if not len(batch):
            return
        hours = -(-batch.time_s // HOUR_S)
        latest = hours == hours.max()
        self._open = batch.take(latest)
        self._close(batch.take(~latest), hours[~latest])

    def finish(self) -> None:
        """There are no more readings."""
        batch, self._open = self._open, ReadingBatch.empty()
        self._close(batch, -(-batch.time_s // HOUR_S))

    def _close(self, batch: ReadingBatch, hours: NDArray[np.int64]) -> None:
        valid = _valid(batch)
        batch, hours = batch.take(valid), hours[valid]
        for first, last in _stretches(hours):
            inside = (hours >= first) & (hours <= last)
            own = batch if inside.all() else batch.take(inside)
            self._keep(_Means(first, _hourly(own, hours[inside] - first, last - first + 1, self._stations)))

    def _keep(self, means: _Means) -> None:
        history = self._history(means.first)
        trailing = _trailing(np.concatenate([history, means.values]))[len(history) :]
        for grid, values in ((self.hour, means.values), (self.day, trailing)):
            medians = np.stack([_medians(values[:, stations]) for stations in self._columns], axis=1)
            for hour, row in enumerate(medians, start=means.first):
                grid.put_row(hour, row)
        recent = np.concatenate([history, means.values])[-(DAY_HOURS - 1) :]
        self._before = _Means(means.first + len(means.values) - len(recent), recent)

    def _history(self, first: int) -> Floats:
        """The 23 hours before ``first``, NaN where there was nothing."""
        history = np.full((DAY_HOURS - 1, self._stations), np.nan)
        shift = self._before.first - (first - len(history))
        for row, values in enumerate(self._before.values):
            if 0 <= row + shift < len(history):
                history[row + shift] = values
        return history


def _rows_of(registry: StationRegistry, airshed: str, province: str) -> NDArray[np.intp]:
    rows = [registry.row(station.code) for station in registry.of_province(airshed, province)]
    return np.array(rows, np.intp)


def _stretches(hours: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """First and last hour of stretches without a gap of a day: a reading of 1970 must not fill 56 years of rows."""
    if not len(hours):
        return
    present = np.unique(hours)
    cuts = np.flatnonzero(np.diff(present) > DAY_HOURS) + 1
    for stretch in np.split(present, cuts):
        yield int(stretch[0]), int(stretch[-1])


def _valid(batch: ReadingBatch) -> NDArray[np.intp]:
    """One reading for each station and time: the latest revision of it, or else the first that was given."""
    rows = np.arange(len(batch))
    revised = batch.status == _REVISED
    standing = np.lexsort((np.where(revised, -rows, rows), ~revised, batch.station, batch.time_s))
    key_time, key_station = batch.time_s[standing], batch.station[standing]
    first = np.ones(len(batch), bool)
    first[1:] = (np.diff(key_time) != 0) | (np.diff(key_station) != 0)
    return np.sort(standing[first])


def _hourly(batch: ReadingBatch, row: NDArray[np.int64], rows: int, stations: int) -> Floats:
    cell = row * stations + batch.station
    weight = batch.period_s.astype(np.float64)
    seconds = np.bincount(cell, weight, rows * stations)
    sums = np.bincount(cell, weight * batch.value, rows * stations)
    means = np.full(rows * stations, np.nan)
    np.divide(sums, seconds, out=means, where=seconds >= FULL_HOUR_S)
    return means.reshape(rows, stations)


def _trailing(means: Floats) -> Floats:
    """Mean of each hour and the 23 before it, NaN with fewer than 18 valid hours."""
    valid = ~np.isnan(means)
    sums = np.cumsum(np.where(valid, means, 0.0), axis=0)
    counts = np.cumsum(valid, axis=0)
    sums[DAY_HOURS:] -= sums[:-DAY_HOURS].copy()
    counts[DAY_HOURS:] -= counts[:-DAY_HOURS].copy()
    return np.where(counts >= FULL_DAY, sums / np.maximum(counts, 1), np.nan)


def _medians(values: Floats) -> Floats:
    """Median along the stations, NaN where fewer than half of them have a value."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = (~np.isnan(values)).sum(axis=1)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None] // 2, axis=1)[:, 0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[1] - 1)[:, None], axis=1)[:, 0]
    return np.where(2 * count >= values.shape[1], (low + high) / 2, np.nan)


def _both(before: ReadingBatch, batch: ReadingBatch) -> ReadingBatch:
    if not len(before):
        return batch
    columns = ("station", "pollutant", "time_s", "period_s", "value", "status")
    return ReadingBatch(*(np.concatenate([getattr(before, name), getattr(batch, name)]) for name in columns))
