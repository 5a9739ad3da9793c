"""What a station's own hours tell when an hour is closed. Columns of stations and pollutants, no loops over them.

Everything is elementwise and asks about hours up to the one that is judged, so a verdict does not depend on which
stations are judged together, on how the readings came, or on what comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.schemas import POLLUTANTS
from streams.screening.habits import Habits
from streams.screening.limits import ClassLimits, Limits, PollutantLimits
from streams.screening.peaks import PEAK_HOURS, Peaks
from streams.screening.reasons import FLAT_HOURS, PAIR_HOURS, REACH, Suspicion
from streams.stations import Station

Floats = NDArray[np.float64]
Flags = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64] | slice

FLAT_OF_DAY = 16
"""Equal hours among the latest 24 that make a flatline as well: a stuck value with a few interruptions."""

FLAT_LATELY = 9
"""How many of the latest twelve must be among them. Without it an instrument that has recovered is condemned, with
its good hours, when it happens to meet the old value again (seen in a recording: 8 for sixteen hours, then 13, 8, 4,
10, 10, 12, 8)."""

DIP_SHARE = 0.25
"""A dip falls to a quarter of the hours around it or below. Air does not do that for a single hour and come back:
the afternoon minimum of a delta winter takes several hours to reach and to leave."""

LEAST_HOURS_DATA = 2
_PM25, _PM10 = POLLUTANTS.index("pm25"), POLLUTANTS.index("pm10")


@dataclass(frozen=True)
class HourCase:
    """What is known of ``m`` stations when an hour is judged.

    Attributes:
        hour: hours since 1970.
        rows: the stations, as positions in the airshed.
        means: ``(24, m, 6)`` raw hourly means up to this hour, µg/m³, NaN = missing.
        minutes: ``(2, m, 6)`` covered minutes of this hour and the one before, oldest first.
        before: ``(m, 6)`` the verdict on this hour so far.
    """

    hour: int
    rows: Rows
    means: Floats
    minutes: NDArray[np.uint8]
    before: Flags


class HourScreen:
    """Judges hours of the stations of one airshed."""

    def __init__(self, stations: Sequence[Station], limits: Limits) -> None:
        classes = [limits.of_class(station.station_class) for station in stations]
        self._everyone = np.arange(len(stations))
        self._flat_floor = _table(classes, lambda one: one.flat_floor)
        self._dip_floor = _table(classes, lambda one: one.dip_floor)
        self.spike_rise = _table(classes, lambda one: one.spike_rise)
        self._spike_factor = _table(classes, lambda one: one.spike_factor)
        self._pair_factor = np.array([one.pair_factor for one in classes])
        self._pair_offset = np.array([np.inf if one.pair_offset is None else one.pair_offset for one in classes])

    def judge(self, case: HourCase, peaks: Peaks, habits: Habits) -> Flags:
        """``(m, 6)`` numbers of :class:`Suspicion`; of several reasons the first in the order of its members."""
        flags = self._spike_before(case, peaks).astype(np.uint8) * np.uint8(Suspicion.SPIKE_BEFORE)
        flags[self._periodic(case, habits)] = Suspicion.PERIODIC
        flags[self._spike(case, peaks)] = Suspicion.SPIKE
        pair = self._pair(case)
        flags[pair, _PM25] = flags[pair, _PM10] = Suspicion.PAIR
        flags[self._flat(case)] = Suspicion.FLATLINE
        flags[_all_zero(case.means[-1])] = Suspicion.ALL_ZERO
        return flags

    def dips(self, case: HourCase) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(position in the case, pollutant) of the dips in the hour BEFORE the one of the case."""
        around = np.minimum(case.means[-1], case.means[-3])
        dip = (case.means[-2] <= DIP_SHARE * around) & (around >= self._dip_floor[case.rows])
        places, pollutants = np.nonzero(dip)
        return places.astype(np.int64), pollutants.astype(np.int64)

    def _flat(self, case: HourCase) -> Mask:
        value = case.means[-1]
        lately = np.add.reduce(case.means[-FLAT_HOURS:] == value, axis=0, dtype=np.int8)
        flat: Mask = (lately >= FLAT_LATELY) & (value >= self._flat_floor[case.rows])
        places = np.nonzero(flat & (lately < FLAT_HOURS))
        if len(places[0]):  # rare: only for these are the other hours of the day looked at
            of_day = case.means[:, places[0], places[1]] == value[places]
            flat[places] = np.add.reduce(of_day, axis=0, dtype=np.int8) >= FLAT_OF_DAY
        return flat

    def _pair(self, case: HourCase) -> Mask:
        """``(m,)``: the part has been above the whole for the latest three hours."""
        part, whole = case.means[-PAIR_HOURS:, :, _PM25], case.means[-PAIR_HOURS:, :, _PM10]
        above = part > whole * self._pair_factor[case.rows] + self._pair_offset[case.rows]
        pair: Mask = np.logical_and.reduce(above, axis=0)
        return pair

    def _periodic(self, case: HourCase, habits: Habits) -> Mask:
        value, last = case.means[-1], case.means[-2]
        dip: Mask = (value <= DIP_SHARE * last) & (last >= self._dip_floor[case.rows])
        places, pollutants = np.nonzero(dip)
        if len(places):
            dip[places, pollutants] = habits.expected(case.hour, self._everyone[case.rows][places], pollutants)
        return dip

    def _spike(self, case: HourCase, peaks: Peaks) -> Mask:
        """A single value of this hour that has returned within it."""
        if not peaks.holds(case.hour):
            return _is(Suspicion.SPIKE, case.before)
        slot = case.hour % PEAK_HOURS
        first = peaks.first[slot, case.rows]
        if not (first > 0).any():
            return np.zeros(case.before.shape, np.bool_)
        level = np.fmax(_rest(case, peaks, age=0), case.means[-2])
        alone = self._is_spike(case.rows, first, level) & _returned(first, level, peaks.second[slot, case.rows])
        alone &= peaks.minute[slot, case.rows] < 60
        return alone

    def _spike_before(self, case: HourCase, peaks: Peaks) -> Mask:
        """The hour before was a spike, seen now that its successor is known: of stations that report hours, the
        whole hour; of others, its last value."""
        if not peaks.holds(case.hour - 1):
            return _is(Suspicion.SPIKE_BEFORE, case.before)
        now, then, earlier = case.means[-1], case.means[-2], case.means[-3]
        slot = (case.hour - 1) % PEAK_HOURS
        first = peaks.first[slot, case.rows]
        short = first > 0
        whole = self._is_spike(case.rows, then, np.maximum(now, earlier)) & ~short
        if not short.any():
            return whole
        level = np.fmax(np.fmax(_rest(case, peaks, age=1), earlier), now)
        last = self._is_spike(case.rows, first, level) & (peaks.minute[slot, case.rows] == 60)
        next_slot = case.hour % PEAK_HOURS
        last &= _returned(first, level, peaks.second[slot, case.rows])
        last &= _returned(first, level, peaks.first[next_slot, case.rows]) & ~np.isnan(now)
        whole |= last
        return whole

    def _is_spike(self, rows: Rows, value: NDArray[np.floating], level: Floats) -> Mask:
        far: Mask = (value > self._spike_factor[rows] * level) & (value > level + self.spike_rise[rows])
        return far


def _table(classes: Sequence[ClassLimits], of: Callable[[PollutantLimits], float | None]) -> Floats:
    """``(n, 6)``; a check that is turned off has an infinite threshold."""
    kinds = {id(one): one for one in classes}  # a few, of hundreds of stations
    rows = {
        key: [np.inf if (value := of(pollutant)) is None else value for pollutant in one.of_pollutants()]
        for key, one in kinds.items()
    }
    return np.array([rows[id(one)] for one in classes], np.float64).reshape(len(classes), len(POLLUTANTS))


def _is(reason: Suspicion, flags: Flags) -> Mask:
    carries: Mask = flags == reason
    return carries


def _all_zero(value: Floats) -> Mask:
    """``(m, 6)``: exactly zero in every channel that says anything, and two do at least."""
    said = ~np.isnan(value)
    zero = value == 0
    rows = (zero == said).all(axis=1) & (said.sum(axis=1) >= LEAST_HOURS_DATA)
    silent: Mask = zero & rows[:, np.newaxis]
    return silent


def _rest(case: HourCase, peaks: Peaks, age: int) -> Floats:
    """Mean of an hour without its highest value, NaN where nothing is left of it."""
    slot = (case.hour - age) % PEAK_HOURS
    minutes = case.minutes[-1 - age].astype(np.float64)
    length = peaks.length[slot, case.rows].astype(np.float64)
    first = peaks.first[slot, case.rows].astype(np.float64)
    left = minutes - length
    total = case.means[-1 - age] * minutes - first * length
    rest: Floats = np.divide(total, left, out=np.full(left.shape, np.nan), where=left > 0)
    return rest


def _returned(first: NDArray[np.floating], level: Floats, next_highest: NDArray[np.floating]) -> Mask:
    """The next highest value is nearer to the level than to the peak; none above the floor (NaN) is near it."""
    returned: Mask = ~(next_highest > (first + level) / 2)
    return returned


def take_out(flags: Flags, means: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Make means missing (NaN) in the hours that the verdicts up to the last one take out.

    Args:
        flags: ``(k, m, 6)``, oldest first, the verdict each hour carries.
        means: ``(k, m, 6)``.

    Returns:
        (station, pollutant) of the series that have changed.
    """
    hours = len(flags)
    by_column = flags.reshape(hours, -1)
    columns = np.flatnonzero(np.bitwise_or.reduce(by_column, axis=0))
    stations, pollutants = np.divmod(columns, flags.shape[2])
    if len(columns):
        # ``means`` may be laid out anyhow; indexing by (station, pollutant) needs no copy of it.
        some = means[:, stations, pollutants]
        some[_reached(by_column[:, columns])] = np.nan
        means[:, stations, pollutants] = some
    return stations, pollutants


def _reached(flags: Flags) -> Mask:
    """Every hour that one of the verdicts takes out (see ``REACH``)."""
    out = np.zeros(flags.shape, np.bool_)
    for reason in (np.flatnonzero(np.bincount(flags.reshape(-1))[1:]) + 1).tolist():
        carries = flags == reason
        nearest, farthest = REACH[Suspicion(reason)]
        for age in range(nearest, min(farthest, len(flags) - 1) + 1):
            out[: len(flags) - age] |= carries[age:]
    return out
