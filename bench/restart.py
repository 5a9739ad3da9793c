"""How long a worker with many stations needs to be back at work after ``kill -9``."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from airshed.kafka.ingest import Ingest
from bench import machine
from bench.engines.airshed_worker import PACK
from bench.installation import Installation, cpu_s, installed, wait_until_ready
from bench.memory import station_readings
from bench.report import Part, Target, markdown
from bench.workload import Workload
from rules.loading import load_pack
from streams.clock import HOUR_S, utc
from streams.schemas import Mark
from streams.stations import read_stations
from streams.topics import STATIONS, changelog
from streams.windows import RING_HOURS

STATION_COUNT = 10_000
WANTED_S = 10.0
KILLS = 3
_FIRST_HOUR = 490_000


class _Record(msgspec.Struct):
    """The fields of a station index that matter here; marks have no station."""

    time: datetime
    station: str = ""
    product: str = ""
    final: bool = False


@dataclass(frozen=True)
class Restart:
    """Seconds from the start of the new process. ``cpu_s``: of its own work until the first record."""

    ready_s: float
    first_output_s: float
    cpu_s: float


def part() -> Part:
    """Fill, kill, start, several times."""
    load = machine.load()
    found, changes = asyncio.run(_measured())
    rows = [(f"{one.ready_s:.1f}", f"{one.first_output_s:.1f}", f"{one.cpu_s:.1f}") for one in found]
    text = f"""
One worker with all four agents and {STATION_COUNT:,} stations, every hour of their rings filled ({changes:,} changes in
the index stage's changelog). It is killed (`kill -9`); readings and a mark of the next hour come in while it is down;
the same worker is started again. Seconds from the start of the process, the interpreter's start included:

{markdown(("holds its partitions, state recovered", "first record out", "CPU s until then"), rows)}

Load averages at the start: {load}.
"""
    median = statistics.median(one.first_output_s for one in found)
    what = f"restart with {STATION_COUNT:,} stations, to the first record out"
    return Part("Restart", text, [Target(what, f"≤ {WANTED_S:g} s", f"{median:.1f} s", median <= WANTED_S)])


async def _measured() -> tuple[list[Restart], int]:
    with installed("restart", Workload(stations=STATION_COUNT, readings=1)) as installation:
        consumer = AIOKafkaConsumer(bootstrap_servers=installation.run.bootstrap)
        await consumer.start()
        consumer.assign([TopicPartition(STATIONS, n) for n in range(installation.settings.airshed_partitions)])
        process = installation.start()
        await asyncio.to_thread(wait_until_ready, process)
        found = []
        try:
            for hour in range(_FIRST_HOUR, _FIRST_HOUR + RING_HOURS):
                await _hand_over(installation, hour)
            await _closed(consumer, _FIRST_HOUR + RING_HOURS - 1, process)
            for hour in range(_FIRST_HOUR + RING_HOURS, _FIRST_HOUR + RING_HOURS + KILLS):
                process.kill()
                process.wait()
                await _hand_over(installation, hour)
                started = time.perf_counter()
                process = installation.start()
                ready = asyncio.create_task(asyncio.to_thread(_ready_at, process))
                first_output, spent_s = await _closed(consumer, hour, process)
                found.append(Restart(await ready - started, first_output - started, spent_s))
            return found, await _changes(consumer, installation)
        finally:
            process.kill()
            process.wait()
            await consumer.stop()


def _ready_at(process: subprocess.Popen[str]) -> float:
    wait_until_ready(process)
    return time.perf_counter()


async def _hand_over(installation: Installation, hour: int) -> None:
    """All stations' readings of an hour, and the mark that closes it."""
    pack = load_pack(PACK)
    registry = read_stations(Path(installation.run.stations), [pack.airshed])
    batch = station_readings(np.arange(STATION_COUNT), hour * HOUR_S, HOUR_S, hour)
    mark = Mark(utc(hour * HOUR_S + pack.airshed.detection.lateness_s), "bench", 1)
    async with Ingest(installation.settings, registry) as ingest:
        await ingest.put([batch, mark])


async def _closed(consumer: AIOKafkaConsumer, hour: int, process: subprocess.Popen[str]) -> tuple[float, float]:
    """Waits until all stations' final records of an hour are there.

    Returns:
        When the first one was, and the worker's CPU time by then.
    """
    decode, wanted = msgspec.json.Decoder(_Record).decode, utc(hour * HOUR_S)
    stations: set[str] = set()
    first: tuple[float, float] | None = None
    while len(stations) < STATION_COUNT:
        for records in (await consumer.getmany(timeout_ms=50)).values():
            items = (decode(record.value) for record in records)
            stations |= {i.station for i in items if i.final and i.product == "hour" and i.time == wanted}
        if stations and first is None:
            first = time.perf_counter(), cpu_s(process)
    assert first is not None
    return first


async def _changes(consumer: AIOKafkaConsumer, installation: Installation) -> int:
    topic = changelog(installation.run.name, "index")
    ends = await consumer.end_offsets([TopicPartition(topic, n) for n in range(installation.settings.partitions)])
    return int(sum(ends.values()))
