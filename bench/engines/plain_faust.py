"""Faust as its documentation teaches it: a record per event, an agent that takes one at a time, a table beside it.

Windowed tables are left out in Faust's favour: they cost more per event, and they close by the wall clock, which
recorded readings are always behind.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Any

import faust
import uvloop

from bench.stopwatch import Run, Stopwatch
from streams.topics import READINGS


class Reading(faust.Record, isodates=True, serializer="json"):
    """A reading, as the topic holds it."""

    station: str
    pollutant: str
    value: float
    unit: str
    time: datetime
    period: int
    status: str
    source: str


class HourlyMean(faust.Record, serializer="json"):
    """A finished hour of one series."""

    station: str
    pollutant: str
    hour_s: int
    mean: float


def application(run: Run, watch: Stopwatch, done: asyncio.Event) -> faust.App:
    """The application: from ``readings`` to the topic named like the run."""
    app = faust.App(
        run.name,
        broker=f"kafka://{run.bootstrap}",
        store="memory://",
        topic_partitions=1,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        web_enabled=False,
    )
    source = app.topic(READINGS, key_type=str, value_type=Reading)
    sink = app.topic(f"{run.name}.means", key_type=str, value_type=HourlyMean)
    hours = app.Table("hours", default=list)
    taken = 0

    async def mean_hours(readings: Any) -> None:
        nonlocal taken
        async for reading in readings:
            watch.first()
            series = f"{reading.station}|{reading.pollutant}"
            end_s = -int(-reading.time.timestamp() // 3600) * 3600
            hour, total, count = hours[series] or (end_s, 0.0, 0)
            if end_s > hour:
                mean = HourlyMean(reading.station, reading.pollutant, hour, total / count)
                await sink.send(key=reading.station, value=mean)
                hour, total, count = end_s, 0.0, 0
            hours[series] = [hour, total + reading.value, count + 1]
            taken += 1
            if watch.passed(taken):
                done.set()

    app.agent(source)(mean_hours)
    return app


async def _work(run: Run) -> None:
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(logging.ERROR)
    watch, done = Stopwatch(run.readings), asyncio.Event()
    app = application(run, watch, done)
    await app.start()
    await done.wait()
    await app.producer.flush()
    watch.report()
    await app.stop()


if __name__ == "__main__":
    uvloop.run(_work(Run.from_command_line()))
