"""Values by hour and province, kept by days: memory grows with the days there are readings of, not with their span."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY = 24


class Grid:
    """A value for every hour and province. Hours are numbered by their END, in hours since 1970.

    Args:
        columns: number of provinces.
        empty: what stands where nothing was put; its type is that of the grid.
    """

    def __init__(self, columns: int, empty: np.generic) -> None:
        self.columns = columns
        self._empty = empty
        self._days: dict[int, NDArray[Any]] = {}

    def put(self, hour: int, column: int, value: object) -> None:
        """Put one value; a second one replaces the first."""
        self._day(hour // DAY)[hour % DAY, column] = value

    def put_row(self, hour: int, row: NDArray[Any]) -> None:
        """Put the values of all provinces in an hour, ``(columns,)``."""
        self._day(hour // DAY)[hour % DAY] = row

    def span(self) -> tuple[int, int] | None:
        """First and last hour of the days with values, ``None`` without any."""
        if not self._days:
            return None
        return min(self._days) * DAY, max(self._days) * DAY + DAY - 1

    def between(self, first: int, last: int) -> NDArray[Any]:
        """``(last - first + 1, columns)``: the values of these hours."""
        whole = np.full((last - first + 1, self.columns), self._empty)
        for day in range(first // DAY, last // DAY + 1):
            values = self._days.get(day)
            if values is not None:
                start, end = max(day * DAY, first), min(day * DAY + DAY, last + 1)
                whole[start - first : end - first] = values[start - day * DAY : end - day * DAY]
        return whole

    def _day(self, day: int) -> NDArray[Any]:
        if day not in self._days:
            self._days[day] = np.full((DAY, self.columns), self._empty)
        return self._days[day]
