"""Dips at the same hour of the day: what a station does every day, remembered for a week.

Only days with a dip are written: an instrument that never dips costs nothing. Hours of the day are those of UTC,
which are the station's own, shifted.

Durable form: one value per station, ``<station>:habits``. Marking a day again changes nothing, and a verdict about
a day never asks about that day itself, so a call may be repeated on a state that already holds its own marks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.schemas import POLLUTANTS

Ints = NDArray[np.int64]

DAYS_LOOKED_AT = 4
DAYS_NEEDED = 3
"""Three of the four days before: two would be met by chance once a week or so at a hundred noisy stations; four of
four would start anew after every day without data."""

_KEPT = 8  # days, one bit each
_ENTRY = np.dtype([("place", "u1"), ("days", "u1")])
"""Hour of the day times six plus pollutant fits a byte: 24 · 6 = 144. A dip has higher hours on both sides, so at
most every second hour dips: 72 · 2 + 4 = 148 B per station at the very most."""


class Habits:
    """Which days had a dip, ``n`` stations."""

    def __init__(self, stations: int) -> None:
        self.day = np.zeros(stations, np.int64)
        self.dips = np.zeros((stations, 24, len(POLLUTANTS)), np.uint8)

    def mark(self, hour: int, rows: Ints, pollutants: Ints) -> None:
        """Note a dip in this hour (since 1970) for each (row, pollutant)."""
        day, of_day = divmod(hour, 24)
        for row in set(rows.tolist()):
            self._turn_to(row, day)
        bit = self.day[rows] - day
        kept = bit < _KEPT
        rows, pollutants, bit = rows[kept], pollutants[kept], bit[kept]
        self.dips[rows, of_day, pollutants] |= (1 << bit).astype(np.uint8)

    def _turn_to(self, row: int, day: int) -> None:
        ahead = day - int(self.day[row])
        if ahead > 0:
            self.dips[row] = self.dips[row] << ahead if ahead < _KEPT else 0
            self.day[row] = day

    def expected(self, hour: int, rows: Ints, pollutants: Ints) -> NDArray[np.bool_]:
        """``(m,)``: a dip in this hour would be one more of many, for each (row, pollutant)."""
        day, of_day = divmod(hour, 24)
        dips = self.dips[rows, of_day, pollutants]
        # Bit 0 becomes the day before the one asked about; days after it fall out on the right.
        since = self.day[rows] - day
        wide = dips.astype(np.int64)
        before = np.where(since >= 0, wide >> np.clip(since + 1, 0, 62), wide << np.clip(-since - 1, 0, 32))
        looked_at = before & ((1 << DAYS_LOOKED_AT) - 1)
        expected: NDArray[np.bool_] = np.bitwise_count(looked_at) >= DAYS_NEEDED
        return expected

    def packed(self, row: int) -> bytes:
        """The durable form of one station."""
        hours, pollutants = np.nonzero(self.dips[row])
        entries = np.zeros(len(hours), _ENTRY)
        entries["place"] = hours * len(POLLUTANTS) + pollutants
        entries["days"] = self.dips[row, hours, pollutants]
        return int(self.day[row]).to_bytes(4, "little", signed=True) + entries.tobytes()

    def restore(self, row: int, value: bytes) -> None:
        """Read a station back."""
        entries = np.frombuffer(value[4:], _ENTRY)
        self.day[row] = int.from_bytes(value[:4], "little", signed=True)
        self.dips[row, entries["place"] // len(POLLUTANTS), entries["place"] % len(POLLUTANTS)] = entries["days"]
