"""From a reading handed to Kafka to the station's index that counts it, under a standing load."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from airshed.kafka.ingest import producer_of
from airshed.kafka.stages import MARK_KEY, NOTHING_YET, encode
from bench import machine
from bench.installation import Installation, cpu_s, installed, wait_until_ready
from bench.machine import pinned
from bench.report import Part, Target, markdown
from bench.workload import PERIOD_S, POLLUTANTS, START_S, Workload
from streams.clock import utc
from streams.schemas import Mark
from streams.topics import READINGS, STATIONS
from streams.transport.driver import Outgoing, send_all
from streams.transport.partitions import partition_of

RATES = (1_000, 5_000, 20_000)
SECONDS = 30.0
TICK_S = 0.05
"""How often readings are handed over."""

MARK_EVERY_S = 1.0
WANTED_S = 1.0
_SETTLE_S = 5.0
"""Left out at the start: the first closings of hours and the filling of caches."""


class _Record(msgspec.Struct):
    """The fields of a station index that matter here; marks have no station."""

    station: str = ""
    product: str = ""
    decided: str = ""


@dataclass
class Log:
    """What was sent when, on the monotonic clock.

    Attributes:
        marks: by the time a mark says, when it had been stored.
        readings: by the mark that follows them: (station, when it was handed to the producer).
        heard: (station, mark) → when the first record of it was read back.
    """

    marks: dict[str, float] = field(default_factory=dict)
    readings: dict[str, list[tuple[str, float]]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class Latency:
    """One load. Seconds, at the median and the 99th percentile."""

    rate: int
    sent: int
    whole: tuple[float, float]
    after_mark: tuple[float, float]
    lost: int
    cpu_share: float


def part(stations: int) -> Part:
    """All loads, one after the other, each with an installation of its own."""
    load = machine.load()
    found = [asyncio.run(_measured(rate, stations)) for rate in RATES]
    rows = [
        (
            f"{one.rate:,}",
            f"{one.sent:,}",
            *(f"{value * 1000:,.0f}" for value in (*one.whole, *one.after_mark)),
            f"{one.cpu_share:.0%}",
        )
        for one in found
    ]
    heading = (
        "readings/s",
        "sent",
        "reading → index p50, ms",
        "p99",
        "mark → index p50, ms",
        "p99",
        "worker, of one core",
    )
    hour_s = 3600 // PERIOD_S * stations * len(POLLUTANTS) / RATES[-1]
    text = f"""
One worker with all four agents on one core, six partitions, {stations:,} stations. Readings, one JSON object per
message, are handed to Kafka every {TICK_S * 1000:.0f} ms, and a mark every {MARK_EVERY_S:g} s. Event time runs faster
than the clock, so that every station reports every {PERIOD_S // 60} minutes of it at any load, and hours close
accordingly (at {RATES[-1]:,}/s every {hour_s:.1f} s). The first pair of columns: from handing a reading over until the
station's first record that counts it (provisional, or final when its hour has just closed) was read back from
`index.stations`. It holds the wait for the mark, {MARK_EVERY_S / 2:g} s on average and {MARK_EVERY_S:g} s at most. The
second pair: from the mark stored in Kafka to that record. {SECONDS:g} s per load, the first {_SETTLE_S:g} s left out.
The sender and the listener share their core with the broker.

{markdown(heading, rows)}

Readings without an answer: {", ".join(f"{one.lost:,}" for one in found)}. Load averages at the start: {load}.
"""
    five = next(one for one in found if one.rate == 5_000)
    measured = f"{five.after_mark[1]:.2f} s"
    what = "reading to index beyond the wait for the mark, p99 at 5,000 readings/s"
    return Part("Latency", text, [Target(what, f"≤ {WANTED_S:g} s", measured, five.after_mark[1] <= WANTED_S)])


async def _measured(rate: int, stations: int) -> Latency:
    seconds = SECONDS + MARK_EVERY_S
    workload = Workload(stations=stations, readings=int(rate * seconds))
    with installed(f"latency-{rate}", workload) as installation:
        process = installation.start()
        try:
            await asyncio.to_thread(wait_until_ready, process)
            log = Log()
            before, started = cpu_s(process), time.perf_counter()
            with pinned(installation.cores.others):
                await _play(installation, workload, rate, log)
            share = (cpu_s(process) - before) / (time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait(60)
    return _summary(rate, log, share)


async def _play(installation: Installation, workload: Workload, rate: int, log: Log) -> None:
    consumer = AIOKafkaConsumer(STATIONS, bootstrap_servers=installation.run.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    producer = producer_of(installation.settings, "load")
    await producer.start()
    listening = asyncio.create_task(_listen(consumer, log))
    try:
        await _send(producer, installation.settings.partitions, workload, rate, log)
        await asyncio.sleep(3 * MARK_EVERY_S)
    finally:
        listening.cancel()
        await producer.stop()
        await consumer.stop()


async def _listen(consumer: AIOKafkaConsumer, log: Log) -> None:
    decode = msgspec.json.Decoder(_Record).decode
    while True:
        fetched = await consumer.getmany(timeout_ms=50)
        now = time.perf_counter()
        for records in fetched.values():
            for record in records:
                item = decode(record.value)
                if item.product == "hour":
                    log.heard.setdefault((item.station, item.decided), now)


async def _send(producer: AIOKafkaProducer, partitions: int, workload: Workload, rate: int, log: Log) -> None:
    async def mark(end_s: int) -> None:
        said = Mark(utc(end_s), "load", 1)
        await send_all(producer, [Outgoing(READINGS, n, MARK_KEY, encode(said)) for n in range(partitions)])
        log.marks[_text(end_s)] = time.perf_counter()

    await mark(int(NOTHING_YET.timestamp()))
    messages, sent, marked = list(workload.payloads()), 0, 0
    started = next_mark = time.perf_counter()
    waiting: list[tuple[str, float]] = []
    while sent < len(messages):
        now = time.perf_counter()
        due = min(len(messages), int((now - started) * rate))
        outgoing = [
            Outgoing(READINGS, partition_of(key.decode(), partitions), key, value) for key, value in messages[sent:due]
        ]
        waiting += [((message.key or b"").decode(), now) for message in outgoing]
        await send_all(producer, outgoing)
        sent = due
        end_s = START_S + (sent // workload.per_step) * PERIOD_S
        if now >= next_mark + MARK_EVERY_S:
            # Event time is minutes; between them, a mark moves on by seconds so that each says something new.
            moment = max(end_s, marked + 1)
            log.readings[_text(moment)] = waiting
            await mark(moment)
            waiting, marked, next_mark = [], moment, next_mark + MARK_EVERY_S
        await asyncio.sleep(max(0.0, TICK_S - (time.perf_counter() - now)))


def _text(moment_s: int) -> str:
    return utc(moment_s).isoformat().replace("+00:00", "Z")


def _summary(rate: int, log: Log, share: float) -> Latency:
    whole, after, lost = [], [], 0
    begin = min(log.marks.values()) + _SETTLE_S
    for moment, readings in log.readings.items():
        for station, sent_at in readings:
            if sent_at < begin:
                continue
            heard = log.heard.get((station, moment))
            if heard is None:
                lost += 1
            else:
                whole.append(heard - sent_at)
                after.append(heard - log.marks[moment])
    return Latency(
        rate,
        sum(len(readings) for readings in log.readings.values()),
        _percentiles(whole),
        _percentiles(after),
        lost,
        share,
    )


def _percentiles(values: list[float]) -> tuple[float, float]:
    median, high = np.percentile(np.array(values), [50, 99]).tolist() if values else (float("nan"),) * 2
    return median, high
