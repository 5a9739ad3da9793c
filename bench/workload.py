"""The readings that every engine is given: a national network reporting every five minutes, and its true means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

POLLUTANTS = ("pm25", "pm10", "o3", "no2", "so2", "co")
PROVINCES = ("01", "19", "24", "25", "31", "33", "37")
"""Those of the pack ``vietnam-2026``: each station must belong to an airshed, or the index stage passes it by."""

PERIOD_S = 300
"""Five minutes: what Circular 10 asks of Vietnamese stations, and the load that hurts most."""

STEPS_PER_HOUR = 3600 // PERIOD_S
GRACE_S = 600
"""How long after its end every engine waits for an hour's readings."""

START = datetime(2026, 1, 12, tzinfo=timezone(timedelta(hours=7)))
START_S = int(START.timestamp())

_TYPICAL_UG_M3 = np.array([60.0, 95.0, 70.0, 35.0, 15.0, 900.0])
_SPREAD = 0.15
"""Noise of a value around its station's level: enough that no hour looks stuck, too little for a spike."""


@dataclass(frozen=True)
class Workload:
    """``readings`` readings of ``stations`` stations: in order of time, then by station, then by pollutant.

    The same numbers give the same bytes on every machine.
    """

    stations: int = 1_500
    readings: int = 2_000_000
    seed: int = 20260112

    @property
    def per_step(self) -> int:
        """Readings that end at the same moment."""
        return self.stations * len(POLLUTANTS)

    @property
    def steps(self) -> int:
        """Moments, the last of them perhaps incomplete."""
        return -(-self.readings // self.per_step)

    @cached_property
    def codes(self) -> list[str]:
        return [f"{PROVINCES[number % len(PROVINCES)]}-KK-{number:05d}" for number in range(self.stations)]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """``(steps, stations, 6) float64``, µg/m³ with one decimal, as instruments report."""
        random = np.random.default_rng(self.seed)
        level = _TYPICAL_UG_M3 * random.uniform(0.6, 1.6, (self.stations, 1))
        hours = np.arange(self.steps)[:, np.newaxis, np.newaxis] / STEPS_PER_HOUR
        day = 1 + 0.3 * np.cos(2 * np.pi * (hours - 7) / 24)
        noise = random.uniform(1 - _SPREAD, 1 + _SPREAD, (self.steps, self.stations, len(POLLUTANTS)))
        return np.rint(level * day * noise * 10) / 10

    def payloads(self) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of every message: one JSON object, keyed by station."""
        heads = [
            (code.encode(), f'{{"station":"{code}","pollutant":"{pollutant}","value":')
            for code in self.codes
            for pollutant in POLLUTANTS
        ]
        left = self.readings
        for step in range(self.steps):
            moment = START + timedelta(seconds=PERIOD_S * (step + 1))
            tail = (
                f',"unit":"ug/m3","time":"{moment.isoformat()}","period":{PERIOD_S},'
                '"status":"measuring","source":"circular-10"}'
            )
            flat = self.values[step].reshape(-1).tolist()[:left]
            left -= len(flat)
            for (key, head), value in zip(heads, flat, strict=False):
                yield key, f"{head}{value}{tail}".encode()

    def closed_hours(self, readings: int) -> int:
        """Hours whose end and grace lie before the last of the first ``readings`` readings."""
        last_step = -(-readings // self.per_step)
        return max(0, (last_step * PERIOD_S - GRACE_S) // 3600)

    def readings_of_hours(self, hours: int) -> int:
        """How many readings it takes until ``hours`` hours are closed by every engine, with a step to spare."""
        return (hours * STEPS_PER_HOUR + GRACE_S // PERIOD_S + 1) * self.per_step

    def means(self, readings: int) -> dict[tuple[str, str, int], float]:
        """By station, pollutant and END of the hour (epoch seconds): mean of each hour closed by then, µg/m³."""
        hours = self.closed_hours(readings)
        means = self.values[: hours * STEPS_PER_HOUR].reshape(hours, STEPS_PER_HOUR, self.stations, -1).mean(axis=1)
        return {
            (code, pollutant, START_S + 3600 * (hour + 1)): float(means[hour, row, column])
            for hour in range(hours)
            for row, code in enumerate(self.codes)
            for column, pollutant in enumerate(POLLUTANTS)
        }

    def write_registry(self, path: Path) -> None:
        """The station registry as CSV."""
        rows = (
            f"{code},{20.5 + 0.02 * (n % 50):.4f},{105.0 + 0.03 * (n // 50):.4f},{code[:2]}"
            for n, code in enumerate(self.codes)
        )
        path.write_text("station_id,lat,lon,province\n" + "\n".join(rows) + "\n", encoding="utf-8")


def hour_text(end_s: int) -> str:
    """The end of an hour, for people."""
    return datetime.fromtimestamp(end_s, UTC).astimezone(START.tzinfo).isoformat()


def described(workload: Workload) -> str:
    """One line for the report."""
    size = len(next(workload.payloads())[1])
    return json.dumps({"readings": workload.readings, "stations": workload.stations, "bytes_each": size})
