"""One pass over a recording: through the stages of every pack, and past the yardstick. Nothing is sent or kept."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airshed import dry
from airshed.backtesting.observed import Observed
from airshed.backtesting.recording import Intake, Recording
from airshed.backtesting.tallies import Tally
from rules.model import Pack
from streams.batches import ReadingBatch
from streams.errors import InputError
from streams.screening import Limits
from streams.stations import StationRegistry, read_stations


@dataclass(frozen=True)
class Trial:
    """A pack and what it said. ``label``: what it is called beside another."""

    pack: Pack
    registry: StationRegistry
    tally: Tally
    label: str


@dataclass(frozen=True)
class Played:
    """A recording and what every pack made of it.

    Attributes:
        first_s / last_s: end of the first and last reading, epoch seconds.
        observed: by the provinces of the last pack.
    """

    trials: Sequence[Trial]
    observed: Observed
    intake: Intake
    first_s: int
    last_s: int


def trial(pack: Pack, stations: Path, label: str = "") -> Trial:
    """A pack over the stations that lie in its provinces. ``label``: by default its name and version.

    Raises:
        InputError: when none does.
    """
    registry = read_stations(stations, [pack.airshed])
    if not any(station.airshed == pack.airshed.code for station in registry.stations):
        known = ", ".join(f"{p.code} {next(iter(p.names.values()))}" for p in pack.airshed.provinces)
        raise InputError(
            f"no station lies in a province of {pack.reference}",
            place=str(stations),
            field="province",
            remedy=f"the pack's provinces are {known}",
        )
    return Trial(pack, registry, Tally(pack), label or pack.reference)


def play(recording: Recording, trials: Sequence[Trial], limits: Limits | None = None) -> Played:
    """Play a recording through every pack at once. The yardstick is laid over the provinces of the last one.

    Rows of a registry are numbered by station code, whatever the airshed: a batch serves all packs.
    """
    yardstick = trials[-1]
    observed = Observed(yardstick.pack.airshed, yardstick.registry)
    watched = _Watched(observed)
    sources = shared(watched.past(recording.chunks()), len(trials))
    runs = [_steps(one, source, limits) for one, source in zip(trials, sources, strict=True)]
    # By event time: the packs keep pace, so that no more than a piece or two of the recording is held for the slower.
    for _ in heapq.merge(*runs):
        pass
    observed.finish()
    return Played(trials, observed, recording.intake, watched.first_s or 0, watched.last_s)


def _steps(one: Trial, chunks: Iterable[ReadingBatch], limits: Limits | None) -> Iterator[float]:
    for step in dry.play(chunks, one.pack, one.registry, limits=limits):
        one.tally.add(step.outcome)
        yield step.mark.time.timestamp()


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
