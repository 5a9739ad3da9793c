"""Marks for readings that come without any: foreign producers write readings, not progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.clock import utc
from streams.schemas import Mark

SOURCE = "derived"


def deriver(step_s: int, lateness_s: int) -> Callable[[ReadingBatch, int | None], Sequence[ReadingBatch | Mark]]:
    """A function that cuts a batch where the running maximum of its times first passes the end of a step's grace.

    The mark says the boundary and not the maximum, and lies right before the reading that passed it; so where the
    marks are does not depend on how the readings were fetched. One reading with a wrong, later time would close
    hours too early: only a gateway can know better, and whoever runs one gets its marks instead.
    """

    def derive(batch: ReadingBatch, last_s: int | None) -> Sequence[ReadingBatch | Mark]:
        if not len(batch):
            return []
        start = last_s if last_s is not None else -(1 << 62)
        highest = np.maximum.accumulate(batch.time_s)
        boundary = (highest - lateness_s) // step_s * step_s + lateness_s
        reached = np.maximum(boundary, start)
        cuts = np.flatnonzero(np.diff(reached, prepend=start) > 0)
        return _cut(batch, cuts.tolist(), reached)

    return derive


def _cut(batch: ReadingBatch, cuts: list[int], reached: NDArray[np.int64]) -> list[ReadingBatch | Mark]:
    pieces: list[ReadingBatch | Mark] = []
    begin = 0
    for cut in cuts:
        if cut > begin:
            pieces.append(batch.take(slice(begin, cut)))
        pieces.append(Mark(utc(int(reached[cut])), SOURCE, 1))
        begin = cut
    pieces.append(batch.take(slice(begin, len(batch))))
    return pieces
