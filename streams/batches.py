"""The columnar batch that the stages before the station index work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ReadingBatch:
    """Readings as columns; every array has the same length ``n``.

    Attributes:
        station: ``(n,) int32``, row in the station registry.
        pollutant: ``(n,) int8``, position in ``streams.schemas.MEASURED``.
        time_s: ``(n,) int64``, END of the averaging period, UTC epoch seconds.
        period_s: ``(n,) int32``, averaging period, seconds.
        value: ``(n,) float64``, µg/m³ for every pollutant including CO, m/s and degrees for wind; NaN = the station
            reported no value.
        status: ``(n,) int8``, position in ``streams.schemas.STATUSES``.
    """

    station: NDArray[np.int32]
    pollutant: NDArray[np.int8]
    time_s: NDArray[np.int64]
    period_s: NDArray[np.int32]
    value: NDArray[np.float64]
    status: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.station)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> ReadingBatch:
        """The chosen rows, as a new batch."""
        return ReadingBatch(
            self.station[rows],
            self.pollutant[rows],
            self.time_s[rows],
            self.period_s[rows],
            self.value[rows],
            self.status[rows],
        )

    @classmethod
    def empty(cls) -> ReadingBatch:
        return cls(
            np.empty(0, np.int32),
            np.empty(0, np.int8),
            np.empty(0, np.int64),
            np.empty(0, np.int32),
            np.empty(0, np.float64),
            np.empty(0, np.int8),
        )
