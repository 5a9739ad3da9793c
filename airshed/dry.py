"""Readings to notices in memory: nothing is kept, nothing is sent. Dry replays and back-tests run on it.

The stages and their order are those of the live runtimes, so what is said is the same, byte for byte. A process that
is killed starts over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from airshed.pipeline import FirstStage, Judges, Outcome, untimely
from rules.model import Pack
from rules.shelf import Shelf
from streams.airsheds import Airshed
from streams.batches import ReadingBatch
from streams.clock import epoch_s
from streams.gateway import replay_chunks
from streams.index_batches import GroundsBatch
from streams.schemas import Mark, Rejected, StationWind
from streams.screening import Limits
from streams.stage import State, Unkept
from streams.stations import StationRegistry


@dataclass(frozen=True)
class IndexStep:
    """What the first stage made of everything between two marks; ``said``: its words, the rest as of ``Step``."""

    mark: Mark
    readings: int
    said: Sequence[GroundsBatch | StationWind | Mark]
    rejected: list[Rejected]


@dataclass(frozen=True)
class Step:
    """Everything between two marks.

    Attributes:
        mark: the event time at which the step was decided.
        readings: taken in since the mark before.
        outcome: what the stages said.
        rejected: readings of this step that could not be used, with their bytes as JSON.
    """

    mark: Mark
    readings: int
    outcome: Outcome
    rejected: list[Rejected]


def play(
    chunks: Iterable[ReadingBatch],
    pack: Pack,
    registry: StationRegistry,
    *,
    limits: Limits | None = None,
    state: Callable[[str], State] | None = None,
    shelf: Shelf | None = None,
) -> Iterator[Step]:
    """Play recorded readings on event time, as an exercise, one step at a time.

    Memory: one chunk, and what the stages remember; it does not grow with the length of the recording.

    Args:
        chunks: the recording in pieces by ascending time (months, files); rows within a piece in any order. What
            overlaps a piece before it counts as late, as it would live. ``[batch]`` for a recording held whole.
        limits: of screening; by default those of the code.
        state: state of a stage by its name; by default one that is never resumed.
        shelf: packs over time, of which ``pack`` is the base; ``None``: ``pack`` always.
    """
    state_of = state or _unkept
    judged = judging(pack, registry, limits=limits, state=state, shelf=shelf)
    for step in indexed(chunks, pack.airshed, registry, limits=limits, state=state_of("index")):
        yield judged(step)


def indexed(
    chunks: Iterable[ReadingBatch],
    airshed: Airshed,
    registry: StationRegistry,
    *,
    limits: Limits | None = None,
    state: State | None = None,
) -> Iterator[IndexStep]:
    """The first half: readings to station indices. Arguments as of :func:`play`."""
    stage = FirstStage([airshed], registry, Unkept() if state is None else state, limits=limits)
    readings, rejected = 0, list[Rejected]()
    detection = airshed.detection
    for item in replay_chunks(chunks, step_s=detection.step_s, lateness_s=detection.lateness_s):
        if isinstance(item, Mark):
            yield IndexStep(item, readings, stage.advance(item, epoch_s(item.time)), rejected)
            readings, rejected = 0, []
        else:
            rejected += untimely(item, stage.accept(item), registry)
            readings += len(item)


def judging(
    pack: Pack,
    registry: StationRegistry,
    *,
    limits: Limits | None = None,
    state: Callable[[str], State] | None = None,
    shelf: Shelf | None = None,
) -> Callable[[IndexStep], Step]:
    """The second half: what takes the steps of :func:`indexed`, in order, on to notices. Arguments as of that."""
    judges = Judges(pack, registry, state or _unkept, mode="exercise", limits=limits, shelf=shelf)

    def judged(step: IndexStep) -> Step:
        return Step(step.mark, step.readings, judges.judge(step.said, epoch_s(step.mark.time)), step.rejected)

    return judged


def _unkept(_stage: str) -> State:
    return Unkept()
