"""A batch, or a mark, as JSON messages for the topic ``readings``."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.clock import utc
from streams.schemas import MEASURED, STATUSES, Mark
from streams.stations import StationRegistry
from streams.units import base_unit
from streams.wire import WireReading

MOST_READINGS_PER_MESSAGE = 1_000
"""A reading takes about 120 bytes, so a message stays near 120 KB, well below the 1 MB that brokers accept by
default, even when a station sends the days of an outage at once."""

_encode = msgspec.json.Encoder().encode


def to_messages(
    batch: ReadingBatch, registry: StationRegistry, most: int = MOST_READINGS_PER_MESSAGE
) -> Iterator[tuple[bytes, bytes]]:
    """Messages (key, value) that carry the batch: lists of one station's readings, key = its code.

    Stations come in the order of their first row, readings of a station in the order of the batch. Values are
    written in µg/m³ with every digit they have, so that decoding gives the same batch, station by station.
    """
    codes = [registry.stations[row].code for row in batch.station.tolist()]
    texts = _time_texts(batch.time_s)
    items = map(
        WireReading,
        codes,
        [MEASURED[number] for number in batch.pollutant.tolist()],
        [None if value != value else value for value in batch.value.tolist()],
        [base_unit(MEASURED[number]) for number in batch.pollutant.tolist()],
        texts,
        batch.period_s.tolist(),
        [STATUSES[number] for number in batch.status.tolist()],
    )
    by_station: dict[str, list[WireReading]] = {}
    for code, item in zip(codes, items, strict=True):
        by_station.setdefault(code, []).append(item)
    for code, of_station in by_station.items():
        key = code.encode()
        for start in range(0, len(of_station), most):
            yield key, _encode(of_station[start : start + most])


def _time_texts(time_s: NDArray[np.int64]) -> list[str]:
    distinct, which = np.unique(time_s, return_inverse=True)
    texts = [utc(second).isoformat().replace("+00:00", "Z") for second in distinct.tolist()]
    return [texts[number] for number in which.tolist()]


def encode_mark(mark: Mark) -> bytes:
    """A mark as a message value."""
    return _encode(mark)
