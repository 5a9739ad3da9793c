"""What a source hands over, and what a source is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

from streams.batches import ReadingBatch
from streams.schemas import Rejected


@dataclass(frozen=True)
class Loaded:
    """What a file held: every reading of it is in ``batch``, in ``rejected`` or in ``unused``.

    ``notes`` are doubts, for a log, about readings that were used all the same.
    """

    batch: ReadingBatch
    rejected: list[Rejected]
    unused: int
    notes: list[str] = field(default_factory=list)


def _nothing_to_remember() -> None: ...


@dataclass(frozen=True)
class Arrival:
    """Something a live source hands over.

    The receiver calls ``acknowledge`` when readings and rejections are durable, or just before they become so in the
    same transaction as the source's state; until then the source, started anew, would hand them over again. When the
    transaction has been committed it calls ``durable``: a sender who waits for that is told only now. Both may be
    called from the thread that iterates the source only.
    """

    source: str
    place: str
    loaded: Loaded
    acknowledge: Callable[[], None] = _nothing_to_remember
    durable: Callable[[], None] = _nothing_to_remember


class Source(Protocol):
    """A live feed."""

    @property
    def name(self) -> str:
        """Name for people, labels and marks."""
        ...

    def arrivals(self) -> AsyncIterator[Arrival]:
        """Everything that comes, until cancelled. Bad input is in the arrivals; an exception is a defect."""
        ...

    def progress_s(self) -> float:
        """UTC epoch seconds: what had come in by then has been handed over."""
        ...
