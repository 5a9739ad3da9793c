"""The first half of a back-test: from recorded readings to the station indices of every pack, and to the yardstick."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from airshed.backtesting.observed import Observed
from airshed.backtesting.recording import Intake, Recording
from airshed.dry import IndexStep, indexed
from streams.airsheds import Airshed
from streams.batches import ReadingBatch
from streams.screening import Limits
from streams.stations import StationRegistry


@dataclass(frozen=True)
class Lane:
    """What of a pack the first half needs."""

    airshed: Airshed
    registry: StationRegistry


@dataclass(frozen=True)
class Handed:
    """A step of one of the packs. ``lane``: its number."""

    lane: int
    step: IndexStep


@dataclass(frozen=True)
class Seen:
    """What is known at the end.

    Attributes:
        observed: what was in the air, by the provinces of the last pack.
        first_s / last_s: end of the first and last reading, epoch seconds.
    """

    observed: Observed
    intake: Intake
    first_s: int
    last_s: int


def feed(recording: Recording, lanes: Sequence[Lane], limits: Limits | None = None) -> Generator[Handed | Seen]:
    """The steps of every pack by event time, then what was seen.

    Rows of a registry are numbered by station code, whatever the airshed: a batch serves all packs.
    """
    observed = Observed(lanes[-1].airshed, lanes[-1].registry)
    watched = _Watched(observed)
    sources = shared(watched.past(recording.chunks()), len(lanes))
    runs = [
        _steps(number, indexed(source, lane.airshed, lane.registry, limits=limits))
        for number, (lane, source) in enumerate(zip(lanes, sources, strict=True))
    ]
    # By event time: the packs keep pace, so that no more than a piece or two of the recording is held for the slower.
    yield from heapq.merge(*runs, key=lambda handed: handed.step.mark.time)
    observed.finish()
    yield Seen(observed, recording.intake, watched.first_s or 0, watched.last_s)


def _steps(lane: int, steps: Iterable[IndexStep]) -> Iterator[Handed]:
    return (Handed(lane, step) for step in steps)


def shared(items: Iterator[ReadingBatch], number: int) -> list[Iterator[ReadingBatch]]:
    """The same items for several readers; what all of them have had is let go at once (``itertools.tee`` keeps 57)."""
    waiting: list[deque[ReadingBatch]] = [deque() for _ in range(number)]

    def reader(own: deque[ReadingBatch]) -> Iterator[ReadingBatch]:
        while True:
            if not own:
                item = next(items, None)
                if item is None:
                    return
                for queue in waiting:
                    queue.append(item)
                del item
            yield own.popleft()

    return [reader(queue) for queue in waiting]


class _Watched:
    """Lets the yardstick see the readings on their way."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self.first_s: int | None = None
        self.last_s = 0

    def past(self, chunks: Iterable[ReadingBatch]) -> Iterator[ReadingBatch]:
        for batch in chunks:
            self.first_s = self.first_s if self.first_s is not None else int(batch.time_s.min())
            self.last_s = max(self.last_s, int(batch.time_s.max()))
            self._observed.accept(batch)
            yield batch
