"""The gateway: turns sources into one ordered sequence of batches and marks.

A mark is the gateway's clock: everything that is on time and ends by then has been handed over. In a replay the
clock is made from the data, live it is the machine's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.clock import HOUR_S, Clock, utc
from streams.encoding import encode_mark, to_messages
from streams.errors import ReadingError
from streams.metrics import SOURCE_LAST_SUCCESS
from streams.rejects import Reason, rejected
from streams.schemas import Mark, Rejected
from streams.sources.arrivals import Arrival, Loaded, Source
from streams.stations import StationRegistry

__all__ = [
    "Slice",
    "encode_mark",
    "live",
    "refuse_ahead",
    "replay",
    "replay_arrivals",
    "replay_chunks",
    "slices",
    "to_messages",
]

AHEAD_S = 600
"""A reading may end this much later than now: the clocks of loggers are set by hand and drift by minutes. More is a
wrong zone (an hour and up) or a wrong date, and would push the windows forward past everybody else's data."""

LATENESS_S = 600
HOLD_S = 300.0
"""How far a source that is behind may hold back the marks of a live gateway. Half of the lateness that decisions
allow: a short backlog is waited for, and one source that hangs does not stop the warnings of all others."""


def replay(
    batch: ReadingBatch,
    *,
    step_s: int = HOUR_S,
    lateness_s: int = LATENESS_S,
    name: str = "gateway",
    of: int = 1,
) -> Iterator[ReadingBatch | Mark]:
    """Recorded readings as if every one had arrived at the moment it ends.

    For every step H the rows that end by H + lateness come before ``Mark(H + lateness)``; the last mark decides the
    last step. After a gap a mark comes first, so a batch is never more than a step ahead of the mark before it.

    Args:
        batch: in any order; rows of the same time keep theirs.
        step_s, lateness_s: those of the airshed's detection, seconds.
        name, of: this gateway's name, and the number of gateways, for the marks.
    """
    return replay_chunks([batch], step_s=step_s, lateness_s=lateness_s, name=name, of=of)


def replay_chunks(
    chunks: Iterable[ReadingBatch],
    *,
    step_s: int = HOUR_S,
    lateness_s: int = LATENESS_S,
    name: str = "gateway",
    of: int = 1,
) -> Iterator[ReadingBatch | Mark]:
    """The same for a recording too long to be held whole.

    Args:
        chunks: by ascending time, each in any order within itself. Rows that end before the step at which the chunk
            before ended come with that step: they are late.
    """
    groups = _ascending(_by_step(chunk, step_s, lateness_s) for chunk in chunks)
    return _with_marks(groups, step_s, _Closing(step_s, lateness_s), name, of)


def _by_step(batch: ReadingBatch, step_s: int, lateness_s: int) -> Iterator[Slice]:
    """Rows by the mark that follows them, oldest first."""
    if (batch.time_s[1:] < batch.time_s[:-1]).any():
        batch = batch.take(np.argsort(batch.time_s, kind="stable"))
    return slices(-((lateness_s - batch.time_s) // step_s) * step_s + lateness_s, batch)


def _ascending(chunks: Iterable[Iterable[Slice]]) -> Iterator[tuple[int, ReadingBatch]]:
    latest_s: int | None = None
    for item in chain.from_iterable(chunks):
        latest_s = item.arrival_s if latest_s is None else max(latest_s, item.arrival_s)
        yield latest_s, item.batch


@dataclass(frozen=True)
class Slice:
    """Readings that came in together. ``arrival_s`` is when, UTC epoch seconds."""

    arrival_s: int
    batch: ReadingBatch


def slices(arrival_s: NDArray[np.int64], batch: ReadingBatch) -> Iterator[Slice]:
    """Cut a batch where the moment of arrival changes. ``arrival_s`` is ``(n,)``, ascending."""
    cuts = np.flatnonzero(arrival_s[1:] != arrival_s[:-1]) + 1
    for start, end in pairwise([0, *cuts.tolist(), len(batch)]):
        if end > start:  # unless there is nothing at all
            yield Slice(int(arrival_s[start]), batch.take(slice(start, end)))


def replay_arrivals(
    arrivals: Iterable[Slice],
    *,
    mark_every_s: int = 600,
    step_s: int = HOUR_S,
    lateness_s: int = LATENESS_S,
    name: str = "gateway",
    of: int = 1,
) -> Iterator[ReadingBatch | Mark]:
    """Readings in the order in which they came in, with marks from the clock of their arrival.

    For simulations and recordings that know when each reading arrived: late ones stay late. Before ``Mark(T)`` comes
    everything that arrived by T. ``mark_every_s`` should divide step and lateness, so that steps close on time.

    Args:
        arrivals: by ascending ``arrival_s``.
    """
    groups = ((-(-item.arrival_s // mark_every_s) * mark_every_s, item.batch) for item in arrivals)
    return _with_marks(groups, mark_every_s, _Closing(step_s, lateness_s), name, of)


class _Closing:
    """The mark that decides the last step there are readings of."""

    def __init__(self, step_s: int, lateness_s: int) -> None:
        self._step_s = step_s
        self._lateness_s = lateness_s
        self._latest_s: int | None = None

    def see(self, batch: ReadingBatch) -> None:
        if len(batch):
            latest_s = int(batch.time_s.max())
            self._latest_s = latest_s if self._latest_s is None else max(self._latest_s, latest_s)

    def mark_s(self) -> int | None:
        if self._latest_s is None:
            return None
        return -(-self._latest_s // self._step_s) * self._step_s + self._lateness_s


def _with_marks(
    groups: Iterable[tuple[int, ReadingBatch]], every_s: int, closing: _Closing, name: str, of: int
) -> Iterator[ReadingBatch | Mark]:
    """Groups of ascending boundaries; a mark at each boundary, after its groups."""
    current_s: int | None = None
    for boundary_s, batch in groups:
        if current_s is not None and boundary_s > current_s:
            yield Mark(utc(current_s), name, of)
            if boundary_s - every_s > current_s:
                yield Mark(utc(boundary_s - every_s), name, of)
        current_s = boundary_s
        closing.see(batch)
        if len(batch):
            yield batch
    if current_s is None:
        return
    yield Mark(utc(current_s), name, of)
    last_s = closing.mark_s()
    if last_s is not None and last_s > current_s:
        yield Mark(utc(last_s), name, of)


def refuse_ahead(
    batch: ReadingBatch, registry: StationRegistry, now_s: float, *, place: str = "", source: str = ""
) -> tuple[ReadingBatch, list[Rejected]]:
    """Split off the readings that end more than ``AHEAD_S`` after now."""
    ahead = batch.time_s > now_s + AHEAD_S
    if not ahead.any():
        return batch, []
    refused: list[Rejected] = []
    for key, raw in to_messages(batch.take(ahead), registry, most=1):
        problem = ReadingError(
            f"a reading of station {key.decode()} ends later than now, {utc(math.floor(now_s)).isoformat()}",
            place=place,
            field="time",
            remedy="set the clock of the logger; is local time sent as UTC, or the other way round?",
        )
        refused.append(rejected(Reason.CLOCK_AHEAD, problem, raw, source))
    return batch.take(~ahead), refused


async def live(
    sources: Sequence[Source],
    registry: StationRegistry,
    clock: Clock,
    *,
    mark_every_s: float = 60.0,
    hold_s: float = HOLD_S,
    name: str = "gateway",
    of: int = 1,
) -> AsyncGenerator[Arrival | Mark]:
    """Everything the sources hand over, as it comes, with a mark every ``mark_every_s``. Runs until closed.

    A mark says what the slowest source has handed over, but is never more than ``hold_s`` behind the clock. The
    consumer must make durable what came before a mark before it passes the mark on, and acknowledge arrivals then.

    Raises:
        Exception: whatever a source raised; a source that fails is a defect and must not fall silent unseen.
    """
    queue: asyncio.Queue[Arrival | Mark | Exception] = asyncio.Queue(maxsize=64)
    tasks = [asyncio.create_task(_pump(source, registry, clock, queue)) for source in sources]
    tasks.append(asyncio.create_task(_tick(sources, clock, queue, mark_every_s, hold_s, name, of)))
    try:
        while True:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(
    source: Source, registry: StationRegistry, clock: Clock, queue: asyncio.Queue[Arrival | Mark | Exception]
) -> None:
    try:
        async for arrival in source.arrivals():
            checked = _checked(arrival, registry, clock.now_s())
            if len(checked.loaded.batch):
                SOURCE_LAST_SUCCESS.labels(source.name).set(clock.now_s())
            await queue.put(checked)
    except Exception as error:  # noqa: BLE001 - raised again by the consumer of the queue
        await queue.put(error)


def _checked(arrival: Arrival, registry: StationRegistry, now_s: float) -> Arrival:
    loaded = arrival.loaded
    batch, ahead = refuse_ahead(loaded.batch, registry, now_s, place=arrival.place, source=arrival.source)
    if not ahead:
        return arrival
    checked = Loaded(batch, loaded.rejected + ahead, loaded.unused, loaded.notes)
    return replace(arrival, loaded=checked)


async def _tick(
    sources: Sequence[Source],
    clock: Clock,
    queue: asyncio.Queue[Arrival | Mark | Exception],
    mark_every_s: float,
    hold_s: float,
    name: str,
    of: int,
) -> None:
    latest_s = 0
    while True:
        await asyncio.sleep(mark_every_s)
        now_s = clock.now_s()
        slowest_s = min([now_s, *(source.progress_s() for source in sources)])
        mark_s = math.floor(max(slowest_s, now_s - hold_s))
        if mark_s > latest_s:
            latest_s = mark_s
            await queue.put(Mark(utc(mark_s), name, of))
