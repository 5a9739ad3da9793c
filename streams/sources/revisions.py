"""What a file said when it was last read, so that a changed value can be told from a repeated one.

Agencies correct their hourly files for days. A value that comes again is a repeat and is left out; another value for
the same station, pollutant and time is a revision and is marked ``revised``.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from streams.batches import ReadingBatch
from streams.schemas import MEASURED, STATUSES
from streams.stations import StationRegistry

_MEASURING, _REVISED = STATUSES.index("measuring"), STATUSES.index("revised")

Said = dict[str, list[tuple[str, int, float | None, int]]]
"""By station code: (pollutant, end of the period in UTC epoch seconds, value in µg/m³, position in STATUSES)."""


def said_by(batch: ReadingBatch, registry: StationRegistry) -> Said:
    """A batch in the form in which it is remembered."""
    said: Said = {}
    for station, pollutant, time_s, value, status in _rows(batch):
        code = registry.stations[station].code
        said.setdefault(code, []).append((MEASURED[pollutant], time_s, value, status))
    return said


def news(
    batch: ReadingBatch, before: Said, registry: StationRegistry, *, changed: Literal["revised", "dropped"] = "revised"
) -> ReadingBatch:
    """The rows that were not said before; those that were said otherwise are ``revised``, or left out.

    A row that had no value before is no revision when it has one now: nothing was counted.
    """
    known = {
        (code, pollutant, time_s): (value, status)
        for code, entries in before.items()
        for pollutant, time_s, value, status in entries
    }
    kept: list[int] = []
    revised: list[int] = []
    for number, (station, pollutant, time_s, value, status) in enumerate(_rows(batch)):
        earlier = known.get((registry.stations[station].code, MEASURED[pollutant], time_s))
        if earlier == (value, status):
            continue
        counted = earlier is not None and earlier[0] is not None
        if counted and changed == "dropped":
            continue
        kept.append(number)
        if counted and status == _MEASURING:
            revised.append(number)
    status_of = batch.status.copy()
    status_of[revised] = _REVISED
    marked = ReadingBatch(batch.station, batch.pollutant, batch.time_s, batch.period_s, batch.value, status_of)
    return marked.take(np.array(kept, np.intp))


def _rows(batch: ReadingBatch) -> list[tuple[int, int, int, float | None, int]]:
    values = [None if value != value else value for value in batch.value.tolist()]
    columns = (batch.station.tolist(), batch.pollutant.tolist(), batch.time_s.tolist(), values, batch.status.tolist())
    return list(zip(*columns, strict=True))


class Remembered(msgspec.Struct, frozen=True):
    """One file: the server's tag of its content, and what it said."""

    etag: str
    said: Said


def decode(raw: bytes) -> Remembered:
    return msgspec.json.decode(raw, type=Remembered)


def encode(remembered: Remembered) -> bytes:
    return msgspec.json.encode(remembered)
