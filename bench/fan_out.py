"""One notice to a million residents: into the ledger of PostgreSQL, and out through two dispatchers, one killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Engine, func, select

from bench import machine, residents
from bench.accepting import Accepting
from bench.machine import die_with_parent
from bench.report import Part, Target, markdown
from notifiers.database import reading
from notifiers.tables import ledger

RESIDENTS = 1_000_000
DRAINED = 50_000
"""Messages after which the dispatchers are stopped; ``--drained 1000000`` takes the better part of an hour."""

WANTED_S = 20.0
_FLAT_MB = 20.0
_SMALL = 100_000
_LONGEST_PAUSE_S = 120.0
"""Without a single message: then something is wrong."""
_TENTHS = 10


@dataclass(frozen=True)
class Fan:
    """One fan-out. ``cpu_s``: of the database's process."""

    rows: int
    seconds: float
    cpu_s: float
    before_mb: float
    peak_mb: float

    def row(self) -> tuple[str, ...]:
        rate = f"{self.rows / self.seconds:,.0f}"
        memory = f"{self.before_mb:.0f} → {self.peak_mb:.0f}"
        return f"{self.rows:,}", f"{self.seconds:.1f}", f"{self.cpu_s:.1f}", rate, memory


@dataclass(frozen=True)
class Drain:
    """What came of sending.

    Attributes:
        wanted: messages after which the dispatchers were stopped.
        kept: messages the provider holds; ``twice``: numbers with more than one.
        settled: rows that say so; ``open``: rows in between, of which there must be none.
        tenths_s: what each tenth of the messages took.
        memory_mb: of the dispatcher that was not killed, after each tenth.
    """

    wanted: int
    seconds: float
    kept: int
    twice: int
    settled: int
    open: int
    tenths_s: list[float]
    memory_mb: list[float]


def part(count: int = RESIDENTS, drained: int = DRAINED) -> Part:
    """Fill, plan, send, kill, count."""
    load = machine.load()
    with residents.database() as (url, engine):
        residents.fill(engine, min(_SMALL, count))
        fans = [_fan(url)] if count > _SMALL else []
    with residents.database() as (url, engine):
        residents.fill(engine, count)
        fans.append(_fan(url))
        drain = asyncio.run(_drained(url, engine, min(drained, count)))
    return Part("Fan-out", _text(fans, drain, load), _targets(fans[-1], drain, count))


def _text(fans: list[Fan], drain: Drain, load: str) -> str:
    heading = ("rows", "seconds", "CPU s of the database", "rows/s", "memory of the planner, MB")
    table = markdown(heading, [fan.row() for fan in fans])
    rate = drain.kept / drain.seconds
    return f"""
One notice of the highest level to residents of three provinces, each with an SMS number, one in seven with two places,
one in ten with quiet hours of their own; a private PostgreSQL as the tests start it (default settings, `fsync=off`),
two cores for everything. Rows go in by one INSERT … SELECT per slice of 20 000 recipients, each slice a transaction:

{table}

Then two dispatchers (processes) send to a local endpoint over HTTP through the provider's own library; one is killed
(`kill -9`) in the middle and started again. They are stopped after {drain.kept:,} messages, in {drain.seconds:.0f} s
({rate:,.0f} a second, the endpoint on the same cores). The endpoint holds {drain.kept:,} messages,
{drain.twice} numbers twice; {drain.settled:,} rows say *sent* and {drain.open} are in between. Each tenth took
{", ".join(f"{seconds:.0f}" for seconds in drain.tenths_s)} s; the dispatcher that lived held
{", ".join(f"{memory:.0f}" for memory in drain.memory_mb)} MB after each.

Load averages at the start: {load}.
"""


def _targets(fan: Fan, drain: Drain, count: int) -> list[Target]:
    whole = count == RESIDENTS
    exact = drain.twice == 0 and drain.open == 0 and drain.settled == drain.kept >= drain.wanted
    return [
        Target(
            f"fan-out of a notice to {count:,} subscribers, PostgreSQL",
            f"≤ {WANTED_S:g} s",
            f"{fan.seconds:.1f} s",
            fan.seconds <= WANTED_S if whole else None,
        ),
        Target(
            "memory of the planner grows meanwhile by",
            "≤ 50 MB",
            f"{fan.peak_mb - fan.before_mb:.0f} MB",
            fan.peak_mb - fan.before_mb <= 50,
        ),
        Target(
            "two dispatchers, one killed in the middle",
            "no duplicate, none lost",
            f"{drain.twice} twice, {drain.kept - drain.settled} astray",
            exact,
        ),
        Target(
            f"memory of a dispatcher from the first tenth of {drain.kept:,} messages to the last",
            "≤ 20 MB more",
            f"{drain.memory_mb[-1] - drain.memory_mb[0]:.0f} MB more",
            drain.memory_mb[-1] - drain.memory_mb[0] <= _FLAT_MB,
        ),
    ]


def _fan(url: str) -> Fan:
    command = [sys.executable, "-m", "bench.fan_out_worker", "plan", url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return Fan(
        int(found["rows"]),
        found["seconds"],
        found["database_cpu_s"],
        found["memory_before_mb"],
        found["memory_peak_mb"],
    )


async def _drained(url: str, engine: Engine, wanted: int) -> Drain:
    async with Accepting() as provider:
        marks = [_Mark(time.perf_counter(), 0.0)]
        with _dispatcher(url, provider.url, "one") as one:
            with _dispatcher(url, provider.url, "two") as two:
                marks += await _tenths(provider, one.pid, wanted, range(1, _TENTHS // 2 + 1))
                two.kill()
            with _dispatcher(url, provider.url, "two") as again:
                marks += await _tenths(provider, one.pid, wanted, range(_TENTHS // 2 + 1, _TENTHS + 1))
                for process in (one, again):
                    process.terminate()
                for process in (one, again):
                    await asyncio.to_thread(process.wait, 120)
        # what the killed one had under way may still be unknown: one more, until nothing is in between
        with _dispatcher(url, provider.url, "two") as last:
            for _ in range(120):
                await asyncio.sleep(0.5)
                if not await asyncio.to_thread(_open, engine, "unknown"):
                    break
            last.terminate()
            await asyncio.to_thread(last.wait, 120)
        return Drain(
            wanted,
            marks[-1].at_s - marks[0].at_s,
            provider.count,
            provider.twice,
            _open(engine, "sent", "delivered"),
            _open(engine, "claimed", "sending", "unknown"),
            [mark.at_s - before.at_s for before, mark in pairwise(marks)],
            [mark.memory_mb for mark in marks[1:]],
        )


@dataclass(frozen=True)
class _Mark:
    at_s: float
    memory_mb: float


async def _tenths(provider: Accepting, process: int, wanted: int, which: range) -> list[_Mark]:
    marks = []
    for tenth in which:
        await _until(provider, wanted * tenth // _TENTHS)
        marks.append(_Mark(time.perf_counter(), machine.resident_mb(process)))
    return marks


@contextmanager
def _dispatcher(url: str, provider: str, name: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "bench.fan_out_worker", "send", url, provider, name]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def _until(provider: Accepting, count: int) -> None:
    seen, seen_s = provider.count, time.monotonic()
    while provider.count < count:
        await asyncio.sleep(0.05)
        if provider.count > seen:
            seen, seen_s = provider.count, time.monotonic()
        if time.monotonic() - seen_s > _LONGEST_PAUSE_S:
            raise TimeoutError(f"no message for {_LONGEST_PAUSE_S:g} s after {seen:,} of {count:,}")


def _open(engine: Engine, *states: str) -> int:
    with reading(engine) as connection:
        found = select(func.count()).select_from(ledger).where(ledger.c.state.in_(states))
        return int(connection.execute(found).scalar_one())
