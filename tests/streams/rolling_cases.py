"""Random histories of stations, and the ways of driving the index stage through them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.airsheds import Airshed, Province
from streams.batches import ReadingBatch
from streams.clock import epoch_s, utc
from streams.rolling import IndexStage
from streams.schemas import POLLUTANTS, STATUSES, Mark, StationIndex
from streams.stations import StationRegistry
from tests.streams.samples import station

HOUR = 3600
LATENESS = 600
START_H = 490_000  # hours since 1970: 24 November 2025, 16:00 UTC
CODES = ("A", "B")


def airshed(standard: str = "vn_aqi", zone: str = "Asia/Ho_Chi_Minh") -> Airshed:
    province = Province(code="01", names={"vi": "Hà Nội", "en": "Hanoi"}, neighbours=[])
    return Airshed(code="delta", names={"en": "Delta"}, standard=standard, zone=zone, provinces=[province], levels=[])


def registry(codes: Iterable[str] = CODES, zone: str = "Asia/Ho_Chi_Minh", airshed: str = "delta") -> StationRegistry:
    return StationRegistry(station(code, zone=zone, airshed=airshed) for code in codes)


Row = tuple[str, str, int, int, float]  # station, pollutant, END of the period, period, value


def batch(rows: Sequence[Row], stations: StationRegistry, statuses: Sequence[str] | None = None) -> ReadingBatch:
    statuses = statuses or ["measuring"] * len(rows)
    return ReadingBatch(
        np.array([stations.row(row[0]) for row in rows], np.int32),
        np.array([POLLUTANTS.index(row[1]) for row in rows], np.int8),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.int32),
        np.array([row[4] for row in rows], np.float64),
        np.array([STATUSES.index(status) for status in statuses], np.int8),
    )


@dataclass(frozen=True)
class History:
    """Calls in order: a list of readings to accept, or the time of a mark (epoch s) to advance to."""

    calls: list[list[Row] | int]

    def split(self, seed: int) -> History:
        """The same with other batches, shuffled between the marks."""
        chance = random.Random(seed)
        calls: list[list[Row] | int] = []
        for call in self.calls:
            if isinstance(call, int):
                calls.append(call)
                continue
            rows = list(call)
            chance.shuffle(rows)
            while rows:
                size = chance.randint(1, 40)
                calls.append(rows[:size])
                rows = rows[size:]
        return History(calls)


def history(seed: int, codes: Sequence[str] = CODES) -> History:
    """Gaps, duplicates, disorder, late data of up to a day and a half, jumps of the marks, values below zero.

    Every station has a history of its own; they share the marks.
    """
    chance = random.Random(seed)
    hours = chance.choice([3, 12, 26, 44])
    arrivals: list[tuple[int, int, Row]] = []
    for code in codes:
        for moment, row in _station_history(chance, code, hours):
            arrivals.append((moment, len(arrivals), row))
    return History(_with_marks(sorted(arrivals), chance.choice([1, 1, 1, 4, 13])))


def _station_history(chance: random.Random, code: str, hours: int) -> Iterator[tuple[int, Row]]:
    """Readings of one station with the moments of their arrival."""
    period = chance.choice([3600, 3600, 900, 300])
    missing, late, repeated = chance.choice([0.0, 0.1, 0.5]), chance.choice([0.0, 0.03, 0.2]), chance.choice([0.0, 0.1])
    gap = (chance.randint(1, hours), chance.choice([0, 0, 3, 20, 80]))
    for pollutant in chance.sample(POLLUTANTS, chance.choice([1, 2, 3])):
        level = chance.choice([0.0, 8.0, 60.0, 240.0, 9000.0])
        for end in range(START_H * HOUR + period, (START_H + hours) * HOUR + 1, period):
            moved = end + (gap[1] * HOUR if end > (START_H + gap[0]) * HOUR else 0)
            if chance.random() < missing:
                continue
            value = round(level * chance.choice([0.2, 0.9, 1.0, 1.1, 1.7]) + chance.choice([-1.0, 0.0, 0.5]), 1)
            delay = chance.randint(0, LATENESS) if chance.random() >= late else chance.randint(0, 36 * HOUR)
            for _ in range(1 + (chance.random() < repeated)):
                yield moved + delay, (code, pollutant, moved, period, value)


def _with_marks(arrivals: list[tuple[int, int, Row]], every: int) -> list[list[Row] | int]:
    """A mark when the arrival clock passes each (or each n-th) hour by the lateness, and one at the very start."""
    calls: list[list[Row] | int] = [START_H * HOUR + LATENESS]
    pending: list[Row] = []
    hour = START_H
    for arrival, _, row in arrivals:
        while arrival > (hour + 1) * HOUR + LATENESS:
            hour += 1
            if (hour - START_H) % every == 0 or arrival > (hour + 1) * HOUR + LATENESS:
                calls += [pending, hour * HOUR + LATENESS]
                pending = []
        pending.append(row)
    return [*calls, pending, (hour + 1) * HOUR + LATENESS, (hour + 30) * HOUR + LATENESS]


def plain(record: StationIndex) -> dict[str, Any]:
    """A record as the reference says it."""
    names = ("index", "category", "dominant", "sub", "concentration", "trailing_24h", "index_24h", "completeness")
    return {
        "station": record.station,
        "hour": epoch_s(record.time) // HOUR,
        "product": record.product,
        "revision": record.revision,
        **{name: getattr(record, name) for name in names},
    }


def call(stage: IndexStage, item: list[Row] | int, stations: StationRegistry) -> list[StationIndex | Mark]:
    if isinstance(item, int):
        return list(stage.advance(Mark(utc(item))))
    return list(stage.accept(batch(item, stations)))


def said(items: Iterable[StationIndex | Mark]) -> list[dict[str, Any]]:
    return [plain(item) for item in items if isinstance(item, StationIndex)]
