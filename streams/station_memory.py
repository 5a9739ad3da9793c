"""What is remembered of an airshed's stations: hour bins and publications, and their durable form.

Keys: ``<station><slot>`` for the bins of one hour with what was published about it (see ``streams.chunks.SLOTS``),
``<station>:day`` for the latest day published, and what screening remembers: ``<station>:peaks`` where there were
high values lately, ``<station>:habits`` where there are dips every day.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.chunks import NEVER, SLOTS, Chunks, pack, unpack
from streams.contents import Content
from streams.screening.habits import Habits
from streams.screening.peaks import Peaks
from streams.stage import State, Unkept
from streams.stations import Station
from streams.windows import RING_HOURS, HourBins, Ints


class Day(msgspec.Struct, array_like=True, frozen=True):
    """The latest day published about a station: its last hour, its length in hours, and what was said."""

    hour: int
    hours: int
    revision: int
    checksum: int


class StationMemory:
    """Hour bins and publications of ``n`` stations, every change written to the state at once.

    Attributes:
        bins: the hour bins.
        revision: ``(40, n) uint16``, latest revision published about an hour, ``NEVER`` if none.
        days: latest day published, by station.
        peaks, habits: what screening remembers beside the bins.
        kept: whether anybody will ever read the state.
    """

    def __init__(self, stations: Sequence[Station], state: State) -> None:
        self.bins = HourBins(len(stations))
        self.revision = np.full((RING_HOURS, len(stations)), NEVER, np.uint16)
        self._checksum = np.zeros((RING_HOURS, len(stations)), np.uint32)
        self._unsummed: dict[int, tuple[Ints, Content]] = {}  # by slot, the latest content and its stations
        self.days: dict[int, Day] = {}
        self.peaks = Peaks(len(stations))
        self.habits = Habits(len(stations))
        self._codes = [station.code for station in stations]
        self._state = state
        self.kept = not isinstance(state, Unkept)

    def move_to(self, newest: int) -> None:
        """Let the ring end at ``newest``. What is forgotten stays in the state until its slot is written again."""
        emptied = self.bins.move_to(newest)
        self.peaks.move_to(newest)
        self.revision[emptied], self._checksum[emptied] = NEVER, 0
        for slot in emptied.tolist():
            self._unsummed.pop(slot, None)

    def publish(self, hour: int, rows: Ints, revisions: NDArray[np.uint16], content: Content) -> None:
        """Remember what was published about an hour of the stations ``rows``."""
        slot = hour % RING_HOURS
        self.revision[slot, rows] = revisions
        self._sum_up(slot)
        self._unsummed[slot] = rows, content
        if self.kept:
            self.save(np.full(len(rows), slot), rows)

    def checksums(self, slot: int, rows: Ints) -> NDArray[np.uint32]:
        """Of what was published about the hour in a slot of the ring, for the stations ``rows``."""
        self._sum_up(slot)
        found: NDArray[np.uint32] = self._checksum[slot, rows]
        return found

    def _sum_up(self, slot: int) -> None:
        """Only late data and the state ask for checksums: most hours of a recording are never asked about."""
        if slot in self._unsummed:
            rows, content = self._unsummed.pop(slot)
            self._checksum[slot, rows] = content.checksum()

    def publish_day(self, row: int, day: Day) -> None:
        """Remember what was published about a day of a station."""
        self.days[row] = day
        if self.kept:
            self._state[f"{self._codes[row]}:day"] = msgspec.json.encode(day)

    def save(self, slots: Ints, rows: Ints) -> None:
        """Write the bins at these slots of these stations."""
        assert self.bins.newest is not None
        oldest = self.bins.oldest
        for slot in list(self._unsummed):
            self._sum_up(slot)
        values = pack(
            Chunks(
                oldest + (slots - oldest) % RING_HOURS,
                self.revision[slots, rows],
                self._checksum[slots, rows],
                self.bins.sums[slots, rows],
                self.bins.covered[slots, rows],
                self.bins.flags[slots, rows],
            )
        )
        for slot, row, value in zip(slots.tolist(), rows.tolist(), values, strict=True):
            self._state[self._codes[row] + SLOTS[slot]] = value

    def save_peaks(self, rows: Ints) -> None:
        """Write the peaks of these stations. Before the bins they belong to, see ``streams.screening.peaks``."""
        if not self.kept:
            return
        for row, value in zip(rows.tolist(), self.peaks.packed(rows.tolist()), strict=True):
            self._state[f"{self._codes[row]}:peaks"] = value

    def mark_dips(self, hour: int, rows: Ints, pollutants: Ints) -> None:
        """Remember dips in an hour, at once."""
        self.habits.mark(hour, rows, pollutants)
        for row in np.unique(rows).tolist() if self.kept else ():
            self._state[f"{self._codes[row]}:habits"] = self.habits.packed(row)

    def restore(self, closed: int | None, newest: int | None) -> None:
        """Read the state back.

        Args:
            closed: latest closed hour, as made durable; publications about later hours belong to a call that was
                interrupted and will be repeated, so they are forgotten.
            newest: latest hour that has room; ``None`` = the latest that has data.
        """
        self._restore_days(closed)
        rows, slots, values = self._stored()
        if values:
            chunks = unpack(values, np.array(slots, np.int64))
            if newest is None:
                newest = int(chunks.hour[chunks.covered.any(axis=1)].max())
        if newest is None:
            return
        self.bins.move_to(newest)
        self.peaks.move_to(newest)
        if values:
            self._fill(chunks, np.array(rows), closed)
        self._restore_screening()

    def _stored(self) -> tuple[list[int], list[int], list[bytes]]:
        """Row, slot and value of every bin in the state. Forty per station: the longest loop of a restart."""
        row_of = {code: row for row, code in enumerate(self._codes)}
        slot_of = {letter: slot for slot, letter in enumerate(SLOTS)}
        rows, slots, values = [], [], []
        for key, value in self._state.items():
            row, slot = row_of.get(key[:-1]), slot_of.get(key[-1:])
            if row is not None and slot is not None:
                rows.append(row)
                slots.append(slot)
                values.append(value)
        return rows, slots, values

    def _fill(self, chunks: Chunks, rows: Ints, closed: int | None) -> None:
        kept = (chunks.hour >= self.bins.oldest) & (chunks.hour <= (self.bins.newest or 0))
        rows, slots = rows[kept], chunks.hour[kept] % RING_HOURS
        self.bins.sums[slots, rows] = chunks.sums[kept]
        self.bins.covered[slots, rows] = chunks.covered[kept]
        self.bins.changed[:] = True
        published = chunks.hour[kept] <= (-1 if closed is None else closed)
        self.revision[slots, rows] = np.where(published, chunks.revision[kept], NEVER)
        self._checksum[slots, rows] = np.where(published, chunks.checksum[kept], 0)
        self.bins.flags[slots, rows] = np.where(published[:, np.newaxis], chunks.flags[kept], 0)

    def _restore_screening(self) -> None:
        for row, code in enumerate(self._codes):
            if (peaks := self._state.get(f"{code}:peaks")) is not None:
                self.peaks.restore(row, peaks)
            if (habits := self._state.get(f"{code}:habits")) is not None:
                self.habits.restore(row, habits)

    def _restore_days(self, closed: int | None) -> None:
        for row, code in enumerate(self._codes):
            value = self._state.get(f"{code}:day")
            day = None if value is None else msgspec.json.decode(value, type=Day)
            if day is not None and closed is not None and day.hour <= closed:
                self.days[row] = day
