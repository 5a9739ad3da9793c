"""A year of hourly readings of a whole network through ``airshed backtest``: the recording, again and again."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from bench import machine
from bench.local import RECORDING, RECORDING_PACK, compiled_once
from bench.report import Part, Target, markdown

WANTED_S = 60.0
REPEATS = 46
"""Of the eight recorded days: 368 days."""

QUARTER = 12
"""The same with a quarter of it: memory must not grow with the length."""

FLAT = 1.1
"""Peak memory of the year over that of the quarter. What may grow are 12 bytes per province hour, and the report."""

DAYS = 8


@dataclass(frozen=True)
class Run:
    """One back-test as a process, from its start to its end, with its report written."""

    readings: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    report_mb: float


def part(recorded: Path | None) -> Part:
    """Back-test a quarter and a year of repeated recordings. The files are made first, and not measured."""
    title = "Back-test of a year"
    if recorded is None:
        return Part(title, "The recording was not given (`--recorded`).", [])
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="airshed-bench-") as text:
        folder = Path(text)
        runs = [_run(recorded / RECORDING, folder, repeats) for repeats in (QUARTER, REPEATS)]
    quarter, year = runs
    table = markdown(
        ("days", "readings", "wall s", "CPU s", "peak MB", "report MB"),
        [
            (
                str(repeats * DAYS),
                f"{run.readings:,}",
                f"{run.wall_s:.1f}",
                f"{run.cpu_s:.1f}",
                f"{run.peak_mb:.0f}",
                f"{run.report_mb:.2f}",
            )
            for repeats, run in zip((QUARTER, REPEATS), runs, strict=True)
        ],
    )
    body = f"""
The eight recorded days of {RECORDING} ({RECORDING_PACK}, 692 stations, six pollutants), repeated with shifted times as
a folder of Parquet files; the whole process `airshed backtest` with report and summary.

{table}

Load averages at the start: {load}.
"""
    ratio = year.peak_mb / quarter.peak_mb
    time_target = Target(
        "back-test of a year, 692 stations", f"≤ {WANTED_S:g} s", f"{year.wall_s:.0f} s", year.wall_s <= WANTED_S
    )
    memory_target = Target("its peak memory, year / quarter", f"≤ {FLAT:g} ×", f"{ratio:.2f} ×", ratio <= FLAT)
    return Part(title, body, [time_target, memory_target])


def _run(recording: Path, folder: Path, repeats: int) -> Run:
    readings, report = folder / f"{repeats}", folder / f"{repeats}.html"
    write_repeated(recording / "observations.csv.gz", readings, repeats)
    arguments = ["backtest", str(readings), "--stations", str(recording / "stations.csv"), "--rules", RECORDING_PACK]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *arguments, "--report", str(report), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=compiled_once(),
    )
    if done.returncode:
        raise RuntimeError(f"airshed backtest ended with {done.returncode}:\n{done.stderr}")
    wall_s = time.perf_counter() - started
    cpu_s, peak_kb = (float(number) for number in done.stderr.split()[-2:])
    size_mb = report.stat().st_size / 1e6
    return Run(json.loads(done.stdout)["readings"], wall_s, cpu_s, peak_kb / 1024, size_mb)


def write_repeated(source: Path, folder: Path, repeats: int) -> None:
    """The recording so many times, one file each, later by eight days each time."""
    folder.mkdir()
    frame = pl.read_csv(source, schema_overrides={"station_id": pl.String}).with_columns(
        pl.col("time").str.to_datetime(time_zone="UTC"),
        pl.col("station_id", "pollutant", "unit").cast(pl.Categorical),
    )
    frame = frame.sort("time")
    for number in range(repeats):
        shifted = frame.with_columns(pl.col("time") + timedelta(days=DAYS * number))
        shifted.write_parquet(folder / f"{number:03d}.parquet", compression="lz4")


_MEASURED = """
import atexit, resource, sys
def spent():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(sum(one.ru_utime + one.ru_stime for one in used), sum(one.ru_maxrss for one in used), file=sys.stderr)
atexit.register(spent)
sys.argv[0] = "airshed"
from airshed.cli import main
sys.exit(main())
"""
"""CPU time and peak memory of the process and of the one that it reads in (``airshed.backtesting.beside``)."""
