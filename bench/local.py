"""The local runtime: readings into station indices in memory, and the whole command ``airshed replay``."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from airshed.recordings import load_readings
from bench import machine
from bench.engines.airshed_worker import PACK
from bench.machine import Cores, pinned
from bench.report import Part, Target, markdown
from bench.workload import PERIOD_S, POLLUTANTS, START_S, Workload
from rules.loading import load_pack
from rules.model import Pack
from streams.batches import ReadingBatch
from streams.gateway import replay
from streams.index_batches import IndexBatch
from streams.intake import Intake
from streams.rolling import IndexStage
from streams.schemas import Mark
from streams.screening import Limits
from streams.stage import Unkept
from streams.stations import StationRegistry, read_stations

WANTED_PER_S = 2_000_000
WANTED_S = 3.0
RECORDING = "cn-north-2019-01"
RECORDING_PACK = "china-2024"


@dataclass(frozen=True)
class Indexed:
    """One pass of readings through screening and the rolling index."""

    readings: int
    records: int
    cpu_s: float

    @property
    def rate(self) -> float:
        return self.readings / self.cpu_s


def part(workload: Workload, repetitions: int, recorded: Path | None) -> Part:
    """Both measurements, on one core."""
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="airshed-bench-") as text, pinned(Cores.of_this_machine().engine):
        rows = [_five_minutes(workload, Path(text), repetitions)]
        targets = [_rate_target("readings every five minutes", rows[0])]
        whole = "The recording was not given (`--recorded`)."
        if recorded is not None:
            rows.append(_hourly(recorded / RECORDING, repetitions))
            targets.append(_rate_target("hourly recording", rows[1]))
            whole, seconds = _command(recorded / RECORDING, repetitions)
            targets.append(
                Target(
                    "replay, the recording end to end", f"≤ {WANTED_S:g} s", f"{seconds:.1f} s CPU", seconds <= WANTED_S
                )
            )
    heading = ("readings", "how many", "records made", "readings per CPU s", "CPU s")
    table = markdown(
        heading,
        [
            (name, f"{one.readings:,}", f"{one.records:,}", f"{one.rate:,.0f}", f"{one.cpu_s:.2f}")
            for name, one in zip(("five-minute", "hourly recording"), rows, strict=False)
        ],
    )
    text = f"""
Readings in memory as columns through screening and the rolling index, as a replay or a back-test runs them: nothing is
kept for a resumption, and records stay columns. Medians of {repetitions} passes on one core, CPU time. Records are
finished hours and days of a station.

{table}

{whole}

Load averages at the start: {load}.
"""
    return Part("Replay on the local runtime", text, targets)


def _rate_target(what: str, one: Indexed) -> Target:
    return Target(
        f"replay into station indices, {what}",
        f"≥ {WANTED_PER_S:,}/s",
        f"{one.rate:,.0f}/s",
        one.rate >= WANTED_PER_S,
    )


def columns(workload: Workload) -> ReadingBatch:
    """The readings of a workload as the decoder would give them; stations are numbered as the registry sorts them."""
    row_of = {code: row for row, code in enumerate(sorted(workload.codes))}
    station = np.repeat(np.array([row_of[code] for code in workload.codes], np.int32), len(POLLUTANTS))
    pollutant = np.tile(np.arange(len(POLLUTANTS), dtype=np.int8), workload.stations)
    steps, count = workload.steps, workload.readings
    times = np.repeat(START_S + PERIOD_S * np.arange(1, steps + 1, dtype=np.int64), workload.per_step)
    return ReadingBatch(
        np.tile(station, steps)[:count],
        np.tile(pollutant, steps)[:count],
        times[:count],
        np.full(count, PERIOD_S, np.int32),
        workload.values.reshape(-1)[:count],
        np.zeros(count, np.int8),
    )


def _five_minutes(workload: Workload, folder: Path, repetitions: int) -> Indexed:
    pack = load_pack(PACK)
    workload.write_registry(folder / "stations.csv")
    registry = read_stations(folder / "stations.csv", [pack.airshed])
    return _median([_indexed(columns(workload), pack, registry) for _ in range(repetitions)])


def _hourly(recording: Path, repetitions: int) -> Indexed:
    pack = load_pack(RECORDING_PACK)
    registry = read_stations(recording / "stations.csv", [pack.airshed])
    batch = load_readings(recording / "observations.csv.gz", registry).batch
    return _median([_indexed(batch, pack, registry) for _ in range(repetitions)])


def _median(passes: list[Indexed]) -> Indexed:
    return sorted(passes, key=lambda one: one.cpu_s)[len(passes) // 2]


def _indexed(batch: ReadingBatch, pack: Pack, registry: StationRegistry) -> Indexed:
    limits = Limits()
    stage = Intake(IndexStage(registry, [pack.airshed], Unkept(), provisional=False, limits=limits))
    detection = pack.airshed.detection
    records = 0
    started = time.process_time()
    for item in replay(batch, step_s=detection.step_s, lateness_s=detection.lateness_s):
        if isinstance(item, Mark):
            records += sum(len(piece) for piece in stage.advance_in_columns(item) if isinstance(piece, IndexBatch))
        else:
            stage.accept(item)
    return Indexed(len(batch), records, time.process_time() - started)


def _command(recording: Path, repetitions: int) -> tuple[str, float]:
    """The whole command as a process, from its start to its end. Returns the text and the median of its CPU time.

    The first run is not counted: it may have to compile Python's modules, as an installation does once.
    """
    walls, cpus, reports = [], [], []
    environment = compiled_once()
    for _ in range(repetitions + 1):
        with tempfile.TemporaryDirectory(prefix="airshed-bench-") as out:
            command = [sys.executable, "-c", _TIMED, "replay", str(recording / "observations.csv.gz")]
            command += [
                "--stations",
                str(recording / "stations.csv"),
                "--rules",
                RECORDING_PACK,
                "--out",
                out,
                "--json",
            ]
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            if done.returncode:
                raise RuntimeError(f"airshed replay ended with {done.returncode}:\n{done.stderr}")
            walls.append(time.perf_counter() - started)
            cpus.append(float(done.stderr.strip().splitlines()[-1]))
            reports.append(json.loads(done.stdout))
    wall, cpu, report = statistics.median(walls[1:]), statistics.median(cpus[1:]), reports[0]
    files = ", ".join(f"{name} {rows:,}" for name, rows in report["files"].items())
    return (
        f"`airshed replay` of the recording ({report['readings']:,} readings), from the start of the process to its "
        f"end, all files written: {cpu:.2f} s CPU time, {wall:.2f} s wall; of these "
        f"{statistics.median(one['seconds'] for one in reports[1:]):.2f} s in the stages and the files. Rows: {files}.",
        cpu,
    )


def compiled_once() -> dict[str, str]:
    """The environment of a process that may keep Python's compiled modules, as an installation does."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


_TIMED = """
import atexit, sys, time
atexit.register(lambda: print(time.process_time(), file=sys.stderr))
sys.argv[0] = "airshed"
from airshed.cli import main
sys.exit(main())
"""
