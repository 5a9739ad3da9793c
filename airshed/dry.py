"""Readings to notices in memory: nothing is kept, nothing is sent. Dry replays and back-tests run on it.

The stages and their order are those of the live runtimes, so what is said is the same, byte for byte. A process that
is killed starts over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from airshed.pipeline import Outcome, Pipeline, untimely
from rules.model import Pack
from rules.shelf import Shelf
from streams.batches import ReadingBatch
from streams.gateway import replay_chunks
from streams.schemas import Mark, Rejected
from streams.screening import Limits
from streams.stage import State, Unkept
from streams.stations import StationRegistry


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
    pipeline = Pipeline(pack, registry, state or (lambda stage: Unkept()), mode="exercise", limits=limits, shelf=shelf)
    detection = pack.airshed.detection
    readings, whole, rejected = 0, Outcome(), list[Rejected]()
    for item in replay_chunks(chunks, step_s=detection.step_s, lateness_s=detection.lateness_s):
        if isinstance(item, Mark):
            whole.add(pipeline.advance(item))
            yield Step(item, readings, whole, rejected)
            readings, whole, rejected = 0, Outcome(), []
        else:
            outcome = pipeline.accept(item)
            whole.add(outcome)
            readings += len(item)
            rejected += untimely(item, outcome.untimely, registry)
