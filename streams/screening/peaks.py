"""The two highest short values of recent hours: what is left of the single values once their sum is in a bin.

A spike shows in them: one value far above the rest of its hour, and the next highest nowhere near it. Values at or
below the pollutant's ``spike_rise`` cannot be spikes and are not kept, so an ordinary day costs nothing.

Durable form: one value per station, ``<station>:peaks``. It is written BEFORE the bins of the same call: a reading
is told from its repetition by its minute, so taking it in twice changes nothing, while a bin that already has its
minutes would keep it from getting here at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.schemas import POLLUTANTS

Ints = NDArray[np.int64]

PEAK_HOURS = 7
"""The hours still open (up to five) and the latest two closed ones, whose verdicts late data may change."""

_PER_HOUR = len(POLLUTANTS)
_NONE = -1
_ENTRY = np.dtype(
    [("place", "u1"), ("minute", "u1"), ("length", "u1"), ("other", "i1"), ("first", "<f4"), ("second", "<f4")]
)
"""12 B. With PM2.5 and PM10 looked at, 7 · 2 · 12 + 4 = 172 B per station at the very most."""


class Peaks:
    """Ring of the recent hours of ``n`` stations; ``(7, n, 6)`` each, by hour modulo 7.

    Attributes:
        first / second: highest and second highest value, µg/m³, NaN where there is none (above the floor).
        minute: minute of the hour at which the first ends, 1-60; 60 = its successor lies in the next hour.
        length: minutes that the first covers.
    """

    def __init__(self, stations: int) -> None:
        shape = (PEAK_HOURS, stations, _PER_HOUR)
        self.newest: int | None = None
        self.first = np.full(shape, np.nan, np.float32)
        self.second = np.full(shape, np.nan, np.float32)
        self.minute = np.full(shape, _NONE, np.int8)
        self.length = np.zeros(shape, np.int8)
        self._other = np.full(shape, _NONE, np.int8)  # minute of the second

    def move_to(self, newest: int) -> None:
        """Let the ring end at ``newest``."""
        moved = PEAK_HOURS if self.newest is None else min(abs(newest - self.newest), PEAK_HOURS)
        forward = self.newest is None or newest > self.newest
        first = newest - moved + 1 if forward else newest - PEAK_HOURS + 1
        self._clear(np.arange(first, first + moved) % PEAK_HOURS)
        self.newest = newest

    def _clear(self, slots: Ints) -> None:
        self.first[slots] = self.second[slots] = np.nan
        self.minute[slots] = self._other[slots] = _NONE
        self.length[slots] = 0

    def holds(self, hours: Ints | int) -> NDArray[np.bool_]:
        """Which hours lie in the ring."""
        newest = -1 if self.newest is None else self.newest
        return np.asarray((hours > newest - PEAK_HOURS) & (hours <= newest))

    def forget(self, hour: Ints, station: Ints, pollutant: NDArray[np.int8]) -> None:
        """The hours' single values have been replaced by a revision of the whole."""
        slot = hour % PEAK_HOURS
        self.first[slot, station, pollutant] = self.second[slot, station, pollutant] = np.nan
        self.minute[slot, station, pollutant] = self._other[slot, station, pollutant] = _NONE
        self.length[slot, station, pollutant] = 0

    def add(
        self,
        hour: Ints,
        station: Ints,
        pollutant: NDArray[np.int8],
        minute: Ints,
        length: Ints,
        value: NDArray[np.float64],
    ) -> None:
        """Take in values of hours in the ring, in any order and any number of times."""
        where = ((hour % PEAK_HOURS) * self.first.shape[1] + station) * _PER_HOUR + pollutant
        # Two rounds at most are needed per hour bin: after the best two, the rest cannot enter.
        order = np.lexsort((minute, -value, where))
        where, minute, length, value = where[order], minute[order], length[order], value[order].astype(np.float32)
        starts = np.concatenate(([True], where[1:] != where[:-1]))
        for rank in (0, 1):
            rows = np.flatnonzero(starts) + rank
            rows = rows[(rows < len(where))]
            rows = rows[where[rows] == where[rows - rank]]
            self._enter(where[rows], minute[rows], length[rows], value[rows])

    def _enter(self, where: Ints, minute: Ints, length: Ints, value: NDArray[np.float32]) -> None:
        """Let one value per place take its rank; a value that is there already stays as it is."""
        first, second = self.first.reshape(-1), self.second.reshape(-1)
        at, other, span = self.minute.reshape(-1), self._other.reshape(-1), self.length.reshape(-1)
        new = (at[where] != minute) & (other[where] != minute)
        where, minute, length, value = where[new], minute[new], length[new], value[new]
        # Ties go to the earlier minute, so that the order of arrival changes nothing.
        lead = ~(first[where] > value) & ~((first[where] == value) & (at[where] < minute))
        up = where[lead]
        second[up], other[up] = first[up], at[up]
        first[up], at[up], span[up] = value[lead], minute[lead], length[lead]
        runner_up = ~lead & ~(second[where] > value) & ~((second[where] == value) & (other[where] < minute))
        second[where[runner_up]], other[where[runner_up]] = value[runner_up], minute[runner_up]

    # -- durable form --------------------------------------------------------------------------------------------

    def packed(self, rows: Sequence[int]) -> list[bytes]:
        """One value per station; those of hours that have left the ring are not in it."""
        assert self.newest is not None
        slots = np.arange(self.newest - PEAK_HOURS + 1, self.newest + 1) % PEAK_HOURS
        own = np.array(rows, np.int64)
        present = ~np.isnan(self.first[np.ix_(slots, own)]).transpose(1, 0, 2)  # by station, then age, then pollutant
        station, age, pollutant = np.nonzero(present)
        at = slots[age], own[station], pollutant
        entries = np.zeros(len(age), _ENTRY)
        entries["place"] = age * _PER_HOUR + pollutant
        entries["minute"], entries["length"], entries["other"] = self.minute[at], self.length[at], self._other[at]
        entries["first"], entries["second"] = self.first[at], self.second[at]
        head, raw = int(self.newest).to_bytes(4, "little", signed=True), entries.tobytes()
        ends = np.cumsum(np.add.reduce(present, axis=(1, 2))) * _ENTRY.itemsize
        starts = [0, *ends[:-1].tolist()]
        return [head + raw[start:end] for start, end in zip(starts, ends.tolist(), strict=False)]

    def restore(self, row: int, value: bytes) -> None:
        """Read a station back; hours outside the ring are left out."""
        newest = int.from_bytes(value[:4], "little", signed=True)
        entries = np.frombuffer(value[4:], _ENTRY)
        hours = newest - PEAK_HOURS + 1 + entries["place"].astype(np.int64) // _PER_HOUR
        entries, hours = entries[self.holds(hours)], hours[self.holds(hours)]
        at = hours % PEAK_HOURS, row, entries["place"] % _PER_HOUR
        self.minute[at], self.length[at], self._other[at] = entries["minute"], entries["length"], entries["other"]
        self.first[at], self.second[at] = entries["first"], entries["second"]
