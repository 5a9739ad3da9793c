"""Hour bins: sums and covered minutes of every station, pollutant and hour, in a ring of 40 hours.

A reading that ends at t after a period p covers the minutes (t − p, t] and belongs to the hour that ends at or after
t. Minutes are covered once: what arrives again changes nothing, so readings may be repeated and arrive in any order.
Sums are kept in whole ten-thousandths of a µg/m³ times minutes; whole numbers below 2⁵³ add exactly in float64, so
the order of arrival cannot change a sum either.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from streams.schemas import POLLUTANTS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RING_HOURS = 40
"""31 hours make a day with its 8-hour windows; the other 9 are the hours still open (up to 5, see
``streams.station_hours``) and the room in which late data can still revise a finished day. Forty hours of six
pollutants take 40 · 89 B = 3 560 B per station (``streams.chunks``), within the 4 KB a station may cost with its keys;
48 hours would not be."""

SCALE = 10_000.0
"""Values are held in steps of 1e-4 µg/m³: finer than any instrument, and with ``MOST_UG_M3`` the largest hour sum is
1e7 · 1e4 · 60 = 6e12, far below 2⁵³ and within the 44 bits it is stored in."""

MOST_UG_M3 = 1e7
"""Ten grams per cubic metre. No ambient air comes near; beyond it the unit or the decimal point is wrong."""

WHOLE_HOUR = np.uint64((1 << 60) - 1)
_ONE = np.uint64(1)
_PER_STATION = len(POLLUTANTS)


class Outcome(IntEnum):
    """What became of one reading."""

    UNUSED = 0
    """No value, a device that calibrates or is at fault, or a station that is not ours."""
    COUNTED = 1
    """Folded into its hour."""
    REVISED = 2
    """A revision that replaced the whole hour."""
    DUPLICATE = 3
    """Its minutes were covered already; nothing changed."""
    LATE = 4
    """Its hour has left the ring."""
    CLOCK_AHEAD = 5
    """It ends later than the gateway's clock allows: the station's clock or zone is wrong."""
    BAD_PERIOD = 6
    """Shorter than a minute, longer than an hour, or across the end of an hour: it belongs to no one hour."""
    BAD_VALUE = 7
    """Larger than any air."""
    OVERLAP = 8
    """Some of its minutes were covered already, others not: two readings of the hour contradict each other."""
    PARTIAL_REVISION = 9
    """A revision of a part of an hour whose first value is already inside the hour's sum and cannot be taken out."""

    @property
    def counted_as(self) -> str:
        """Label of the outcome in ``airshed_readings_total``."""
        return _COUNTED_AS[self]

    @property
    def reason(self) -> str | None:
        """Named reason of a refusal (``late``, ``clock-ahead`` …); ``None`` for what was not refused."""
        return None if self <= Outcome.DUPLICATE else self.name.lower().replace("_", "-")


_COUNTED_AS = {
    Outcome.UNUSED: "unused",
    Outcome.COUNTED: "counted",
    Outcome.REVISED: "counted",
    Outcome.DUPLICATE: "duplicate",
    Outcome.LATE: "late",
    Outcome.CLOCK_AHEAD: "rejected",
    Outcome.BAD_PERIOD: "rejected",
    Outcome.BAD_VALUE: "rejected",
    Outcome.OVERLAP: "conflict",
    Outcome.PARTIAL_REVISION: "conflict",
}


class Spans:
    """Where readings lie: hour, covered minutes and weighted value, as columns.

    Times and periods are taken to the nearest minute, because loggers stamp 10:05:03 for the cycle that ends at 10:05.

    Attributes:
        hour: ``(n,) int64``, hours since 1970 of the END of the hour; hour h covers ((h − 1) · 3600 s, h · 3600 s].
        bits: ``(n,) uint64``, bit m set = minute m of the hour is covered.
        amount: ``(n,) float64``, value in 1e-4 µg/m³ times minutes, a whole number.
        fits: ``(n,) bool``, false where the span lies in no one hour.
    """

    def __init__(self, time_s: Ints, period_s: NDArray[np.int32], value: Floats) -> None:
        end, minutes, self.hour = _placed(time_s, period_s)
        first = end - minutes - (self.hour - 1) * 60
        self.fits = (period_s >= 60) & (minutes <= 60) & (first >= 0)
        shift = np.where(self.fits, first, 0).astype(np.uint64)
        length = np.where(self.fits, minutes, 1).astype(np.uint64)
        self.bits = ((_ONE << length) - _ONE) << shift
        self.amount = np.rint(value * SCALE) * minutes


def _placed(time_s: Ints, period_s: NDArray[np.int32]) -> tuple[Ints, Ints, Ints]:
    """END and length of periods, whole minutes, and END of the hour that each ends in, hours since 1970."""
    end = (time_s + 30) // 60
    return end, (period_s.astype(np.int64) + 30) // 60, (end + 59) // 60


def shared_out(
    chosen: NDArray[np.bool_], time_s: Ints, period_s: NDArray[np.int32]
) -> tuple[Ints, Ints, NDArray[np.int32]]:
    """Means across a full hour of UTC as two, one for each hour, where a clock runs half an hour beside UTC.

    Args:
        chosen: ``(n,)``, the readings for which this is done.

    Returns:
        The positions of those that were cut, then END and period of all readings, of which the cut ones now begin
        with the hour, and behind them of what they had in the hour before, minutes as whole seconds.
    """
    end, minutes, hour = _placed(time_s, period_s)
    boundary = (hour - 1) * 60
    before = boundary - (end - minutes)
    across = np.flatnonzero(chosen & (before > 0) & (minutes <= 60) & (period_s >= 60))
    periods = period_s.copy()
    periods[across] = (end - boundary)[across] * 60
    return (
        across,
        np.concatenate((time_s, boundary[across] * 60)),
        np.concatenate((periods, (before[across] * 60).astype(np.int32))),
    )


class HourBins:
    """The ring of hour bins of a set of stations.

    Attributes:
        newest: latest hour that has room, ``None`` before the first; the ring holds ``newest − 39`` … ``newest``.
        sums: ``(40, n, 6) float64``, by hour modulo 40, station and pollutant.
        covered: ``(40, n, 6) uint64``, one bit per covered minute.
        touched: ``(40, n) bool``, bins that changed since somebody last reset it.
        changed: ``(40,) bool``, hours whose sums or minutes changed since somebody last reset it.
        flags: ``(40, n, 6) uint8``, why an hour is suspect (``streams.screening.reasons``), 0 = it is not.
    """

    def __init__(self, stations: int) -> None:
        self.stations = stations
        self.newest: int | None = None
        self.sums = np.zeros((RING_HOURS, stations, _PER_STATION))
        self.covered = np.zeros((RING_HOURS, stations, _PER_STATION), np.uint64)
        self.touched = np.zeros((RING_HOURS, stations), np.bool_)
        self.changed = np.ones(RING_HOURS, np.bool_)
        self.flags = np.zeros((RING_HOURS, stations, _PER_STATION), np.uint8)
        self._last = np.zeros(self.sums.size, np.int32)  # by bin, a row of the batch; of no meaning afterwards
        self._sums = self.sums.reshape(-1)
        self._covered = self.covered.reshape(-1)
        self._touched = self.touched.reshape(-1)

    @property
    def oldest(self) -> int:
        """Earliest hour in the ring. Call only when ``newest`` is set."""
        assert self.newest is not None
        return self.newest - RING_HOURS + 1

    def move_to(self, newest: int) -> Ints:
        """Let the ring end at ``newest``. Returns the slots that were emptied because their hour changed."""
        moved = RING_HOURS if self.newest is None else min(abs(newest - self.newest), RING_HOURS)
        forward = self.newest is None or newest > self.newest
        first = newest - moved + 1 if forward else newest + 1
        slots = np.arange(first, first + moved, dtype=np.int64) % RING_HOURS
        self.sums[slots] = 0.0
        self.covered[slots] = 0
        self.touched[slots] = False
        self.changed[slots] = True
        self.flags[slots] = 0
        self.newest = newest
        return slots

    def earliest_data(self) -> int | None:
        """The earliest hour with a covered minute, ``None`` when the ring is empty."""
        if self.newest is None:
            return None
        hours = range(self.oldest, self.newest + 1)
        return next((hour for hour in hours if self.covered[hour % RING_HOURS].any()), None)

    def fold(
        self, station: Ints, pollutant: NDArray[np.int8], spans: Spans, revised: NDArray[np.bool_]
    ) -> NDArray[np.int8]:
        """Add readings whose hours all lie in the ring; returns an ``Outcome`` for each.

        The result is that of taking them one by one: where readings contradict each other, the first one counts.
        """
        where = ((spans.hour % RING_HOURS) * self.stations + station) * _PER_STATION + pollutant
        outcome = np.full(len(where), Outcome.COUNTED, np.int8)
        plain = np.arange(len(where))
        if revised.any():
            special = np.isin(where, where[revised])
            for row in np.flatnonzero(special).tolist():
                outcome[row] = self._fold_one(where[row], spans.bits[row], spans.amount[row], bool(revised[row]))
            plain = np.flatnonzero(~special)
        self._fold_plain(plain, where, spans, outcome)
        changed = (outcome == Outcome.COUNTED) | (outcome == Outcome.REVISED)
        self._touched[where[changed] // _PER_STATION] = True
        self.changed[spans.hour % RING_HOURS] = True
        return outcome

    def _fold_plain(self, rows: Ints, where: Ints, spans: Spans, outcome: NDArray[np.int8]) -> None:
        """Rounds over rows without revisions; nearly always one, at most 60 as each covers a minute more.

        A row whose minutes are all covered is a duplicate whatever comes before it. One that is partly covered may
        become a duplicate through rows before it, so it is judged when it is the first one left of its bin.
        """
        while len(rows):
            taken = self._covered[where[rows]] & spans.bits[rows]
            contested = bool(taken.any())
            if contested:
                whole = taken == spans.bits[rows]
                outcome[rows[whole]] = Outcome.DUPLICATE
                rows, taken = rows[~whole], taken[~whole]
                first = np.zeros(len(rows), np.bool_)
                first[np.unique(where[rows], return_index=True)[1]] = True
                partly = first & (taken != 0)
                outcome[rows[partly]] = Outcome.OVERLAP
                rows = rows[~partly]
            rows = self._fold_free(rows, where, spans, contested)

    def _fold_free(self, rows: Ints, where: Ints, spans: Spans, contested: bool) -> Ints:
        """Add rows whose minutes are free, bin by bin. Returns those of bins where rows overlap each other, or
        (``contested``) what is covered already, less the first row of each such bin, which is added if it is free."""
        if not len(rows):
            return rows
        if not contested and self._all_apart(where[rows]):
            self._sums[where[rows]] += spans.amount[rows]
            self._covered[where[rows]] |= spans.bits[rows]
            return rows[:0]
        rows = rows[np.argsort(where[rows], kind="stable")]
        bins = where[rows]
        starts = np.flatnonzero(np.concatenate(([True], bins[1:] != bins[:-1])))
        bits = np.add.reduceat(spans.bits[rows], starts)
        # Adding disjoint masks carries nothing; any overlap carries and loses set bits.
        minutes = np.add.reduceat(np.bitwise_count(spans.bits[rows]).astype(np.int64), starts)
        apart = np.bitwise_count(bits) == minutes
        amount = np.add.reduceat(spans.amount[rows], starts)
        first_free = np.ones(len(starts), np.bool_)
        if contested:
            free = (self._covered[bins] & spans.bits[rows]) == 0
            apart &= np.logical_and.reduceat(free, starts)
            first_free = free[starts]
        if not apart.all():
            amount = np.where(apart, amount, np.where(first_free, spans.amount[rows[starts]], 0.0))
            bits = np.where(apart, bits, np.where(first_free, spans.bits[rows[starts]], np.uint64(0)))
        self._sums[bins[starts]] += amount
        self._covered[bins[starts]] |= bits
        if apart.all():
            return rows[:0]
        left = np.repeat(~apart, np.diff(np.append(starts, len(rows))))
        left[starts[first_free]] = False
        return np.sort(rows[left])

    def _all_apart(self, bins: Ints) -> bool:
        """Whether no two rows go into the same bin, as in an hourly feed; then nothing need be sorted."""
        rows = np.arange(len(bins), dtype=np.int32)
        self._last[bins] = rows
        return bool((self._last[bins] == rows).all())

    def _fold_one(self, where: np.int64, bits: np.uint64, amount: np.float64, revised: bool) -> Outcome:
        taken = self._covered[where] & bits
        if revised and bits == WHOLE_HOUR:
            self._sums[where], self._covered[where] = amount, bits
            return Outcome.REVISED
        if not taken:
            self._sums[where] += amount
            self._covered[where] |= bits
            return Outcome.COUNTED
        if revised:
            return Outcome.PARTIAL_REVISION
        return Outcome.DUPLICATE if taken == bits else Outcome.OVERLAP

    def verdicts(self, first: int, last: int, rows: Ints | slice) -> NDArray[np.uint8]:
        """Verdicts on hours, ``(hours, stations, 6)``; hours before the ring have none."""
        assert self.newest is not None
        flags = self.flags[np.arange(first, last + 1) % RING_HOURS][:, rows]
        if first < self.oldest:
            flags[: self.oldest - first] = 0
        return flags

    def minutes(self, first: int, last: int, rows: Ints | slice) -> NDArray[np.uint8]:
        """Covered minutes, ``(hours, stations, 6)``; hours before the ring count as empty."""
        assert self.newest is not None
        slots = np.arange(first, last + 1) % RING_HOURS
        counts = np.bitwise_count(self.covered[slots][:, rows])
        if first < self.oldest:
            counts[: self.oldest - first] = 0
        return counts

    def means(self, first: int, minutes: NDArray[np.uint8], needed: NDArray[np.int64], rows: Ints | slice) -> Floats:
        """Hourly means, µg/m³, ``(hours, stations, 6)``; NaN where an hour has fewer than ``needed`` minutes.

        The quotient of two exact whole numbers is the float nearest to the true mean: a single value of an hour comes
        back as it was written.
        """
        slots = np.arange(first, first + len(minutes)) % RING_HOURS
        valid = minutes >= needed[:, np.newaxis, np.newaxis]
        result: Floats = np.divide(
            self.sums[slots][:, rows], minutes * SCALE, out=np.full(minutes.shape, np.nan), where=valid & (minutes > 0)
        )
        return result
