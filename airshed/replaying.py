"""A replay that sends: durable like the live runtime, so that a process killed half way says nothing twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import sqlalchemy as sa

from airshed.local import exports, store
from airshed.local.runtime import Heard, LocalRuntime, Plan
from airshed.recordings import Report
from airshed.result_rows import write_lines
from notifiers.database import reading
from notifiers.holding import next_end_s
from notifiers.reports import deliveries
from rules.model import Pack
from rules.shelf import Shelf
from streams.batches import ReadingBatch
from streams.clock import ManualClock, epoch_s
from streams.gateway import replay
from streams.schemas import Mark, Rejected
from streams.screening import Limits
from streams.sources.arrivals import Loaded
from streams.stations import StationRegistry

_RUN = "replay"


class Sender(Protocol):
    """What sends planned messages during a replay: ``notifiers.dispatcher.Dispatcher``."""

    async def drain(self) -> dict[str, int]:
        """Send what is due; returns when nothing is left, or says what is."""
        ...


def fingerprint(readings: Path, stations: Path, pack: Pack, shelf: Shelf | None = None) -> str:
    """Names an input: the same readings, stations and rules have the same fingerprint."""
    digest = hashlib.sha256(pack.reference.encode())
    for line in shelf.contents.lines if shelf else ():
        digest.update(msgspec.json.encode(line.entry))
    for path in (stations, readings):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(file.read_bytes())
    return digest.hexdigest()[:32]


@dataclass
class Replay:
    """One replay into one database. Killed at any point and started anew on the same database, it carries on.

    Attributes:
        clock: shows event time to what sends the messages.
        limits: of screening; by default those of the code.
        shelf: packs over time, of which ``pack`` is the base; ``None``: ``pack`` always.
    """

    engine: sa.Engine
    pack: Pack
    registry: StationRegistry
    loaded: Loaded
    fingerprint: str
    plan: Plan | None = None
    heard: Heard | None = None
    sender: Sender | None = None
    limits: Limits | None = None
    shelf: Shelf | None = None
    clock: ManualClock = field(default_factory=ManualClock)

    async def play(self, advanced: Callable[[int], None] = lambda rows: None) -> Report:
        """Play everything. ``advanced`` hears how many readings have been taken in since it last did."""
        started = time.perf_counter()
        runtime = LocalRuntime(
            self.engine,
            self.pack,
            self.registry,
            mode="exercise",
            plan=self.plan,
            heard=self.heard,
            limits=self.limits,
            shelf=self.shelf,
        )
        position = self._position()
        report = Report(len(self.loaded.batch), len(self.loaded.rejected), self.loaded.unused, position)
        for number, (batches, mark) in enumerate(self._steps(), start=1):
            self.clock.set(epoch_s(mark.time))
            if number > position:
                await self._take(runtime, batches, mark, number)
            elif number == position and self.sender:
                await self.sender.drain()  # what an interruption left unsent, at its own time, before it expires
            advanced(sum(len(batch) for batch in batches))
        if self.sender:
            await self.sender.drain()
        self._finish()
        report.seconds = time.perf_counter() - started
        return report

    async def _take(self, runtime: LocalRuntime, batches: list[ReadingBatch], mark: Mark, number: int) -> None:
        rejected: list[Rejected] = self.loaded.rejected if number == 1 else []
        progress = store.Progress(self.fingerprint, number, finished=False)
        outcome = runtime.take(batches, mark, rejected, (_RUN, progress))
        if self.sender and (outcome.notices or self._wait_is_over()):
            await self.sender.drain()

    def _wait_is_over(self) -> bool:
        """Whether quiet hours have ended for somebody: what they held goes out at its own time as well."""
        with reading(self.engine) as connection:
            return 0 < next_end_s(connection) <= self.clock.now_s()

    def _steps(self) -> Iterator[tuple[list[ReadingBatch], Mark]]:
        """Batches with the mark that follows them: what is taken in one transaction."""
        detection = self.pack.airshed.detection
        batches: list[ReadingBatch] = []
        for item in replay(self.loaded.batch, step_s=detection.step_s, lateness_s=detection.lateness_s):
            if isinstance(item, Mark):
                yield batches, item
                batches = []
            else:
                batches.append(item)

    def _position(self) -> int:
        store.metadata.create_all(self.engine)
        with self.engine.connect() as connection:
            progress = store.read_progress(connection, _RUN)
        return progress.position if progress else 0

    def _finish(self) -> None:
        with self.engine.begin() as connection:
            progress = store.read_progress(connection, _RUN)
            position = progress.position if progress else 0
            store.write_progress(connection, _RUN, store.Progress(self.fingerprint, position, finished=True))


def interrupted_run(engine: sa.Engine) -> store.Progress | None:
    """Progress of the replay that an earlier process left in this database."""
    store.metadata.create_all(engine)
    with engine.connect() as connection:
        return store.read_progress(connection, _RUN)


def export(engine: sa.Engine, out: Path) -> dict[str, int]:
    """Write the files of a finished replay. Returns rows by file name."""
    files = exports.write_log(engine, out)
    with reading(engine) as connection:
        lines = (msgspec.json.encode(delivery) for delivery in deliveries(connection))
        files["deliveries.jsonl"] = write_lines(lines, out / "deliveries.jsonl")
    return files
