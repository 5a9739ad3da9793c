"""The first stage as runtimes drive it: screening of single values, then the rolling index, which screens hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.index_batches import IndexBatch
from streams.rolling import IndexStage
from streams.schemas import Mark, StationIndex, StationWind
from streams.screening import NAMES, Limits, Screened, screen
from streams.screening.values import REJECTED, classes_of
from streams.wind import is_wind

Said = TypeVar("Said", StationIndex, IndexBatch)


class Intake:
    """Screening in front of the index stage; a ``Stage[ReadingBatch, StationIndex]``.

    Every row of every batch lands in exactly one outcome of ``take_counts``: a reason of screening, or one of the
    index stage's outcomes.

    Args:
        limits: for single values; by default those with which ``index`` screens hours.
    """

    def __init__(self, index: IndexStage, limits: Limits | None = None) -> None:
        self._index = index
        self._limits = limits or index.limits or Limits()
        self._classes = classes_of(index.registry.stations)
        self._counts: Counter[str] = Counter()
        self._rejected: list[tuple[int, str]] = []

    def accept(self, batch: ReadingBatch) -> Sequence[StationIndex]:
        """Take readings in; what cannot count is set aside by reason."""
        wind = is_wind(batch)
        if not wind.any():
            return self._accept_air(batch, None)
        used = self._index.winds.accept(batch.take(wind))
        self._counts.update({"counted": used, "unused": int(wind.sum()) - used})
        return self._accept_air(batch.take(~wind), np.flatnonzero(~wind))

    def _accept_air(self, batch: ReadingBatch, rows: NDArray[np.intp] | None) -> Sequence[StationIndex]:
        """``rows``: where the batch stood in the one that was accepted; ``None``: it is that one."""
        screened = screen(batch, self._limits, self._classes)
        self._counts.update({name: number for name, number in screened.counts().items() if name != "usable"})
        said = self._index.accept(screened.usable)
        original = np.flatnonzero(screened.reasons == 0)
        rejected = [(int(original[row]), reason) for row, reason in self._index.take_rejected()]
        rejected += _impossible(screened)
        self._rejected += rejected if rows is None else [(int(rows[row]), reason) for row, reason in rejected]
        self._counts.update(self._index.take_counts())
        return said

    def advance(self, mark: Mark) -> Sequence[StationIndex | StationWind | Mark]:
        """Event time has moved; closes the hours that are complete."""
        return self._with_wind(self._index.advance(mark))

    def advance_in_columns(self, mark: Mark) -> Sequence[IndexBatch | StationWind | Mark]:
        """The same without an object per record."""
        return self._with_wind(self._index.advance_in_columns(mark))

    def give_up(self, source: str) -> Sequence[StationIndex | StationWind | Mark]:
        """A gateway has been silent for longer than its grace: go on without it until it speaks again."""
        return self._with_wind(self._index.give_up(source))

    def _with_wind(self, said: Sequence[Said | Mark]) -> list[Said | StationWind | Mark]:
        """The wind of the hours closed by a mark, in front of it."""
        whole: list[Said | StationWind | Mark] = []
        for item in said:
            if isinstance(item, Mark):
                whole += self._index.winds.advance([item])
            whole.append(item)
        return whole

    def take_counts(self) -> dict[str, int]:
        """Rows by outcome since the last call."""
        counts, self._counts = dict(self._counts), Counter()
        return counts

    def take_rejected(self) -> list[tuple[int, str]]:
        """(row in the batch last accepted, reason) of rows that could not count, since the last call: too late, too
        early, contradicting others, or impossible. What a station itself calls calibration or fault is not kept."""
        rejected, self._rejected = self._rejected, []
        return rejected


_REJECTED = np.array([name in REJECTED for name in NAMES])


def _impossible(screened: Screened) -> list[tuple[int, str]]:
    if not screened.reasons.any():
        return []
    rows = np.flatnonzero(_REJECTED[screened.reasons])
    return [(row, NAMES[reason]) for row, reason in zip(rows.tolist(), screened.reasons[rows].tolist(), strict=True)]
