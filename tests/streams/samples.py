"""Small registries, readings and batches for tests of the way in."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.batches import ReadingBatch
from streams.stations import Station, StationRegistry


def station(code: str, province: str = "01", **changes: Any) -> Station:
    """A reference station in Hà Nội, but for the changes."""
    values: dict[str, Any] = {
        "lat": 21.0,
        "lon": 105.8,
        "airshed": "red-river-delta",
        "agency": "",
        "zone": "Asia/Ho_Chi_Minh",
        "station_class": "reference",
    }
    return Station(code=code, name=code, province=province, **(values | changes))


def registry(*codes: str) -> StationRegistry:
    return StationRegistry(station(code) for code in codes or ("VN-A", "VN-B", "VN-C"))


def batch(*rows: tuple[int, int, float], period_s: int = 300, pollutant: int = 0, status: int = 0) -> ReadingBatch:
    """A batch of (station row, time_s, value)."""
    return ReadingBatch(
        np.array([row for row, _, _ in rows], np.int32),
        np.full(len(rows), pollutant, np.int8),
        np.array([time_s for _, time_s, _ in rows], np.int64),
        np.full(len(rows), period_s, np.int32),
        np.array([value for _, _, value in rows], np.float64),
        np.full(len(rows), status, np.int8),
    )


def rows_of(of: ReadingBatch) -> list[tuple[float | None, ...]]:
    """Rows as tuples, NaN written as None so that they can be compared."""
    columns = (of.station, of.pollutant, of.time_s, of.period_s, of.value, of.status)
    return [
        tuple(None if value != value else value for value in row)
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]
