"""What a station costs in state, memory and time, and whether more stations make a reading dearer."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from bench import machine
from bench.engines.airshed_worker import PACK
from bench.machine import Cores, pinned
from bench.report import Part, Target, markdown
from bench.workload import POLLUTANTS, PROVINCES
from rules.loading import load_pack
from streams.batches import ReadingBatch
from streams.clock import HOUR_S, utc
from streams.intake import Intake
from streams.rolling import IndexStage
from streams.schemas import Mark
from streams.screening import Limits
from streams.stations import Station, StationRegistry
from streams.windows import RING_HOURS

SIZES = (1_000, 10_000, 100_000)
WANTED_BYTES = 4_096
FETCH = 7_000
"""Readings in a fetch of one megabyte, as the worker takes them."""

_FETCHES = 60

_FIRST_HOUR = 490_000
_MOST_GROWTH = 1.5
"""Larger arrays miss the processor's caches more often. More than half again would be an algorithm, not a cache."""


@dataclass(frozen=True)
class Cost:
    """One size. ``resident_bytes``: growth of the process's memory, with the state in a dictionary."""

    stations: int
    state_bytes: float
    value_bytes: float
    resident_bytes: float
    registry_bytes: float
    reading_us: float


def part() -> Part:
    """Each size in a process of its own."""
    load = machine.load()
    with pinned(Cores.of_this_machine().engine):
        costs = [_in_process(size) for size in SIZES]
    rows = [
        (
            f"{cost.stations:,}",
            f"{cost.state_bytes:,.0f}",
            f"{cost.value_bytes:,.0f}",
            f"{cost.resident_bytes:,.0f}",
            f"{cost.registry_bytes:,.0f}",
            f"{cost.reading_us:.2f}",
        )
        for cost in costs
    ]
    heading = ("stations", "state, bytes", "of these values", "memory, bytes", "registry, bytes", "CPU µs per reading")
    text = f"""
Per station, after {RING_HOURS + 1} hours of six pollutants, everything the ring can hold. State: keys and values that
are durable. Memory: growth of the process by the index stage, the state in a dictionary as the worker keeps it, so that
every hour is there twice, as columns and as bytes. Registry: growth by the list of stations. The last column: batches
of {FETCH:,} five-minute readings of as many stations as there are, folded and written to the state.

{markdown(heading, rows)}

Load averages at the start: {load}.
"""
    worst = max(cost.state_bytes for cost in costs)
    growth = costs[-1].reading_us / costs[0].reading_us
    return Part(
        "Memory",
        text,
        [
            Target(
                "state per station, six pollutants", f"≤ {WANTED_BYTES:,} B", f"{worst:,.0f} B", worst <= WANTED_BYTES
            ),
            Target(
                f"cost of a reading at {SIZES[-1]:,} stations, to {SIZES[0]:,}",
                f"≤ {_MOST_GROWTH:g} × (does not grow)",
                f"{growth:.2f} ×",
                growth <= _MOST_GROWTH,
            ),
        ],
    )


def _in_process(stations: int) -> Cost:
    done = subprocess.run([sys.executable, "-m", "bench.memory", str(stations)], stdout=subprocess.PIPE, check=True)
    return Cost(**json.loads(done.stdout))


def measure(stations: int) -> Cost:
    """Fill the ring, then fold fetches."""
    pack = load_pack(PACK)
    empty = machine.resident_mb()
    registry = _registry(stations, pack.airshed.code, pack.airshed.zone)
    before = machine.resident_mb()
    state: dict[str, bytes] = {}
    stage = Intake(IndexStage(registry, [pack.airshed], state, provisional=False, limits=Limits()))
    lateness_s = pack.airshed.detection.lateness_s
    for hour in range(_FIRST_HOUR, _FIRST_HOUR + RING_HOURS + 1):
        stage.accept(station_readings(np.arange(stations), hour * HOUR_S, HOUR_S, hour))
        stage.advance(Mark(utc(hour * HOUR_S + lateness_s), "bench", 1))
    gc.collect()
    after = machine.resident_mb()
    size = sum(len(key.encode()) + len(value) for key, value in state.items())
    return Cost(
        stations,
        size / stations,
        sum(map(len, state.values())) / stations,
        (after - before) * 2**20 / stations,
        (before - empty) * 2**20 / stations,
        _reading_us(stage, stations, (_FIRST_HOUR + RING_HOURS) * HOUR_S),
    )


def _reading_us(stage: Intake, stations: int, from_s: int) -> float:
    """Median over fetches that go round all stations, minute by minute."""
    each = FETCH // len(POLLUTANTS)
    batches = []
    for number in range(min(_FETCHES, 12 * stations // each)):
        turn, rows = np.divmod(np.arange(number * each, (number + 1) * each), stations)
        batches.append(station_readings(rows, from_s + 300 * (1 + turn), 300, number))
    times = []
    for batch in batches:
        started = time.process_time_ns()
        stage.accept(batch)
        times.append((time.process_time_ns() - started) / 1e3 / len(batch))
    return statistics.median(times)


def _registry(stations: int, airshed: str, zone: str) -> StationRegistry:
    return StationRegistry(
        Station(
            code=f"KK-{number:06d}",
            name="",
            lat=20.5 + number % 300 * 0.005,
            lon=105.0 + number // 300 * 0.005,
            airshed=airshed,
            province=PROVINCES[number % len(PROVINCES)],
            agency="",
            zone=zone,
            station_class="reference",
        )
        for number in range(stations)
    )


def station_readings(rows: NDArray[np.int64], end_s: int | NDArray[np.int64], period_s: int, seed: int) -> ReadingBatch:
    """All pollutants of these stations; ``end_s`` is one moment, or one for each of ``rows``."""
    count = len(rows) * len(POLLUTANTS)
    typical = np.tile(np.array([30.0, 50.0, 60.0, 25.0, 10.0, 700.0]), len(rows))
    values = np.rint(typical * np.random.default_rng(seed).uniform(0.8, 1.2, count) * 10) / 10
    return ReadingBatch(
        np.repeat(rows, len(POLLUTANTS)).astype(np.int32),
        np.tile(np.arange(len(POLLUTANTS), dtype=np.int8), len(rows)),
        np.repeat(np.broadcast_to(end_s, len(rows)), len(POLLUTANTS)).astype(np.int64),
        np.full(count, period_s, np.int32),
        values,
        np.zeros(count, np.int8),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(measure(int(sys.argv[1])))))
