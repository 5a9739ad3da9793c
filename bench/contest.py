"""The contest: every engine over the same topic, one at a time on the same core, several times in turn."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from airshed.kafka.admin import apply_topics
from airshed.kafka.settings import KafkaSettings
from bench import checks, kafka_streams
from bench.cluster import Reader, delete, filled, reader, running_broker
from bench.engines.airshed_worker import settings_of
from bench.machine import Cores, die_with_parent, pinned
from bench.stopwatch import Run
from bench.workload import Workload
from streams.topics import STATIONS

REPETITIONS = 3
TIMEOUT_S = 900.0
"""Far more than the slowest engine needs for what it is given."""


class EngineError(RuntimeError):
    """An engine's process failed; the message holds the end of its output."""


Command = Callable[[Run], list[str]]
Means = Callable[[Reader, str, int], Awaitable[checks.Means]]


def _python(module: str) -> Command:
    return lambda run: [sys.executable, "-m", f"bench.engines.{module}", json.dumps(asdict(run))]


async def _series(topics: Reader, name: str, _start: int) -> checks.Means:
    return await checks.of_series(topics, name)


async def _stations(topics: Reader, name: str, _start: int) -> checks.Means:
    return await checks.of_stations(topics, name)


@dataclass(frozen=True)
class Engine:
    """A contestant.

    Attributes:
        title: for people.
        command: its process.
        means: what it has written, from the offset of ``index.stations`` before it began; ``None`` for the limits.
        hours: hours of readings a slow one is given, so that a run stays below a minute; ``None`` = all readings.
        missing: why this machine cannot run it; empty if it can.
    """

    title: str
    command: Command
    means: Means | None
    hours: int | None = None
    missing: Callable[[], str] = lambda: ""


def _streams(title: str, store: str) -> Engine:
    return Engine(title, kafka_streams.command(store), _stations, missing=kafka_streams.why_missing)


ENGINES: dict[str, Engine] = {
    "airshed": Engine("Airshed, index agent", _python("airshed_worker"), checks.of_airshed),
    "faust": Engine("Faust, plain agent", _python("plain_faust"), _series, hours=1),
    "quix": Engine("Quix Streams", _python("quix"), _stations, hours=2),
    "streams": _streams("Kafka Streams, in memory", "memory"),
    "streams-rocksdb": _streams("Kafka Streams, RocksDB", "rocksdb"),
    "fetch": Engine("limit 1: bare aiokafka fetch", _python("fetch"), None),
    "decode": Engine("limit 2: JSON decoding alone", _python("decode"), None),
}


@dataclass(frozen=True)
class Measured:
    """One run of one engine. Rates are readings per second; ``cpu``: per second of CPU time; ``late``: second half."""

    readings: int
    wall: float
    cpu: float
    late_wall: float
    late_cpu: float
    cpu_s: float
    peak_mb: float
    means: int


@dataclass
class Standing:
    """An engine's runs, or why there are none."""

    title: str
    runs: list[Measured] = field(default_factory=list)
    missing: str = ""

    def median(self, what: str) -> float:
        return float(statistics.median(getattr(run, what) for run in self.runs))

    def spread(self, what: str) -> float:
        """Widest distance between two runs as a share of the median."""
        values = [getattr(run, what) for run in self.runs]
        return float(max(values) - min(values)) / self.median(what)


def contest(workload: Workload, names: Sequence[str], repetitions: int = REPETITIONS) -> dict[str, Standing]:
    """Measure the engines in turn, ``repetitions`` times each, and check after each run what it has written.

    Raises:
        EngineError: a process failed.
        bench.checks.DisagreementError: an engine computed other means than the workload has.
    """
    cores = Cores.of_this_machine()
    standings = {name: Standing(ENGINES[name].title, missing=ENGINES[name].missing()) for name in names}
    with tempfile.TemporaryDirectory(prefix="airshed-bench-") as text, running_broker(Path(text), cores) as broker:
        folder = Path(text)
        bootstrap = broker.bootstrap[0]
        stations = folder / "stations.csv"
        workload.write_registry(stations)
        _say(f"writing {workload.readings:,} readings of {workload.stations:,} stations")
        filled(settings_of(bootstrap, "bench"), workload)
        for repetition in range(repetitions):
            for name in (name for name in names if not standings[name].missing):
                engine = ENGINES[name]
                readings = min(workload.readings, workload.readings_of_hours(engine.hours or 1 << 20))
                run = Run(bootstrap, readings, f"{name}-{repetition}", str(stations), text)
                measured = asyncio.run(_measure(engine, run, workload, cores))
                standings[name].runs.append(measured)
                _say(f"  {repetition + 1}/{repetitions} {engine.title}: {measured.cpu:,.0f} readings/s of CPU time")
    return standings


async def _measure(engine: Engine, run: Run, workload: Workload, cores: Cores) -> Measured:
    settings = settings_of(run.bootstrap, run.name)
    _prepare(settings, f"{run.name}.means")
    async with reader(run.bootstrap) as topics:
        start = await topics.end(STATIONS)
        laps = _run(engine.command(run), cores)
        means = 0
        if engine.means is not None:
            expected = workload.means(run.readings)
            checks.check(run.name, await engine.means(topics, run.name, start), expected)
            means = len(expected)
    delete(settings, [f"{run.name}.means"])
    return _measured(laps, means)


def _prepare(settings: KafkaSettings, sink: str) -> None:
    apply_topics(settings)
    admin = KafkaAdminClient(**settings.admin())
    admin.create_topics([NewTopic(sink, 1, 1)])
    admin.close()


def _run(command: list[str], cores: Cores) -> dict[str, object]:
    """The process, alone on its core; its last line of output is the result."""
    with pinned(cores.engine), tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=die_with_parent
        )
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            output = ""
        errors.seek(0)
        if process.returncode or not output.strip():
            raise EngineError(f"{' '.join(command[:3])} ended with {process.returncode}:\n{errors.read()[-3000:]}")
    laps: dict[str, object] = json.loads(output.strip().splitlines()[-1])
    return laps


def _measured(told: dict[str, object], means: int) -> Measured:
    laps = told["laps"]
    assert isinstance(laps, list)
    first, middle, last = laps
    late = last["readings"] - middle["readings"]
    return Measured(
        readings=last["readings"],
        wall=last["readings"] / (last["wall_s"] - first["wall_s"]),
        cpu=last["readings"] / (last["cpu_s"] - first["cpu_s"]),
        late_wall=late / (last["wall_s"] - middle["wall_s"]),
        late_cpu=late / (last["cpu_s"] - middle["cpu_s"]),
        cpu_s=last["cpu_s"] - first["cpu_s"],
        peak_mb=float(str(told["peak_mb"])),
        means=means,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
