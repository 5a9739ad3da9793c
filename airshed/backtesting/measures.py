"""Measures of forecast verification from hits, false alarms and misses. ``None`` where nothing occurred to count.

a = what happened and was said (hits), c = what happened and was not (misses), d = what was said and happened, b = what
was said and did not (false alarms). Of province hours, a and d are one number; of events they are not, because one
long episode may lie over three events, and several episodes in one:
POD = a/(a+c), FAR = b/(d+b) (the false-alarm *ratio*), CSI = 1/(1/POD + 1/(1-FAR) - 1), bias = (d+b)/(a+c).
Hence with a = d: CSI = a/(a+b+c) and bias = POD/(1-FAR).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
Floats = NDArray[np.float64]
Counts = TypeVar("Counts", int, Floats)

LEAST_FOR_INTERVAL = 5
"""Fewer events than this say nothing about what another winter would bring."""

_SEED = 20260112  # any number; fixed, so that a report made again is the same

Outcome = Literal["hit", "false-alarm", "miss", "right"]
_OUTCOMES: tuple[Outcome, ...] = ("hit", "false-alarm", "miss", "right")


class Measures(msgspec.Struct, frozen=True):
    """The four measures of one table. ``None``: undefined, because no such event occurred.

    Attributes:
        hits / misses: of what happened, that which was said, and the rest.
        right / false_alarms: of what was said, that which happened, and the rest.
    """

    hits: int
    false_alarms: int
    misses: int
    right: int

    @classmethod
    def of_cells(cls, hits: int, false_alarms: int, misses: int) -> Measures:
        """Where what happened and what was said are counted in the same unit."""
        return cls(hits, false_alarms, misses, hits)

    @property
    def pod(self) -> float | None:
        """Probability of detection: the share of what happened that was recognised."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def far(self) -> float | None:
        """False-alarm ratio: the share of what was said that did not happen."""
        return _ratio(self.false_alarms, self.right + self.false_alarms)

    @property
    def csi(self) -> float | None:
        """Critical success index: hits among all that happened or was said."""
        if not self.hits * self.right:
            return 0.0 if self.misses + self.false_alarms else None
        return _ratio(self.hits * self.right, _either(self.hits, self.false_alarms, self.misses, self.right))

    @property
    def bias(self) -> float | None:
        """How much more often it was said than it happened; 1 is as often."""
        return _ratio(self.right + self.false_alarms, self.hits + self.misses)


class Interval(msgspec.Struct, frozen=True):
    """The middle 90 % of a measure over resampled weeks."""

    low: float
    high: float


@dataclass(frozen=True)
class Dated:
    """An outcome and the week in which it began: the block of the bootstrap.

    ``hit`` and ``miss`` are events of the reference, ``right`` and ``false-alarm`` are episodes.
    """

    outcome: Outcome
    week: int


def count(outcomes: Sequence[Dated]) -> Measures:
    """The table of a list of outcomes."""
    return Measures(*(sum(item.outcome == name for item in outcomes) for name in _OUTCOMES))


def intervals(outcomes: Sequence[Dated]) -> dict[str, Interval]:
    """Block bootstrap by weeks: intervals of POD, FAR and CSI, less those that nothing defines.

    Empty with too few events or weeks.

    Bad air of one week is one spell of weather, so weeks are drawn, not single events.
    """
    weeks = sorted({item.week for item in outcomes})
    events = sum(item.outcome != "right" for item in outcomes)
    if events < LEAST_FOR_INTERVAL or len(weeks) < 2:
        return {}
    tables = np.zeros((len(weeks), len(_OUTCOMES)))
    for item in outcomes:
        tables[weeks.index(item.week), _OUTCOMES.index(item.outcome)] += 1
    drawn = np.random.default_rng(_SEED).integers(0, len(weeks), (RESAMPLES, len(weeks)))
    hits, false_alarms, misses, right = tables[drawn].sum(axis=1).T
    ratios = {
        "pod": (hits, hits + misses),
        "far": (false_alarms, right + false_alarms),
        "csi": _csi(hits, false_alarms, misses, right),
    }
    return {name: _middle(part, whole) for name, (part, whole) in ratios.items() if whole.any()}


def _csi(hits: Floats, false_alarms: Floats, misses: Floats, right: Floats) -> tuple[Floats, Floats]:
    """CSI as a part and a whole; 0 of 1 where there is nothing right, of nothing where nothing occurred."""
    part = hits * right
    none = ((misses + false_alarms) > 0).astype(float)
    return part, np.where(part > 0, _either(hits, false_alarms, misses, right), none)


def _either(hits: Counts, false_alarms: Counts, misses: Counts, right: Counts) -> Counts:
    """The whole of which ``hits * right`` is the share CSI: 1/(1/POD + 1/(1-FAR) - 1), multiplied out."""
    return hits * right + hits * false_alarms + right * misses


def _middle(part: Floats, whole: Floats) -> Interval:
    ratios = part[whole > 0] / whole[whole > 0]
    low, high = np.percentile(ratios, [5, 95])
    return Interval(round(float(low), 3), round(float(high), 3))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
