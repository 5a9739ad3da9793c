"""Measures of forecast verification from hits, false alarms and misses. ``None`` where nothing occurred to count.

a = hits, b = false alarms, c = misses:
POD = a/(a+c), FAR = b/(a+b) (the false-alarm *ratio*), CSI = a/(a+b+c), bias = (a+b)/(a+c).
Hence CSI = 1/(1/POD + 1/(1-FAR) - 1) and bias = POD/(1-FAR).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

RESAMPLES = 2000
LEAST_FOR_INTERVAL = 5
"""Fewer events than this say nothing about what another winter would bring."""

_SEED = 20260112  # any number; fixed, so that a report made again is the same

Outcome = Literal["hit", "false-alarm", "miss"]


class Measures(msgspec.Struct, frozen=True):
    """The four measures of one table. ``None``: undefined, because no such event occurred."""

    hits: int
    false_alarms: int
    misses: int

    @property
    def pod(self) -> float | None:
        """Probability of detection: the share of what happened that was recognised."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def far(self) -> float | None:
        """False-alarm ratio: the share of what was said that did not happen."""
        return _ratio(self.false_alarms, self.hits + self.false_alarms)

    @property
    def csi(self) -> float | None:
        """Critical success index: hits among all that happened or was said."""
        return _ratio(self.hits, self.hits + self.false_alarms + self.misses)

    @property
    def bias(self) -> float | None:
        """How much more often it was said than it happened; 1 is as often."""
        return _ratio(self.hits + self.false_alarms, self.hits + self.misses)


class Interval(msgspec.Struct, frozen=True):
    """The middle 90 % of a measure over resampled weeks."""

    low: float
    high: float


@dataclass(frozen=True)
class Dated:
    """An outcome and the week in which it began: the block of the bootstrap."""

    outcome: Outcome
    week: int


def count(outcomes: Sequence[Dated]) -> Measures:
    """The table of a list of outcomes."""
    number = {name: sum(item.outcome == name for item in outcomes) for name in ("hit", "false-alarm", "miss")}
    return Measures(number["hit"], number["false-alarm"], number["miss"])


def intervals(outcomes: Sequence[Dated]) -> dict[str, Interval]:
    """Block bootstrap by weeks: intervals of POD, FAR and CSI; empty with too few events or weeks.

    Bad air of one week is one spell of weather, so weeks are drawn, not single events.
    """
    weeks = sorted({item.week for item in outcomes})
    if len(outcomes) < LEAST_FOR_INTERVAL or len(weeks) < 2:
        return {}
    tables = np.zeros((len(weeks), 3))
    for item in outcomes:
        tables[weeks.index(item.week), ("hit", "false-alarm", "miss").index(item.outcome)] += 1
    drawn = np.random.default_rng(_SEED).integers(0, len(weeks), (RESAMPLES, len(weeks)))
    hits, false_alarms, misses = tables[drawn].sum(axis=1).T
    return {
        "pod": _middle(hits, hits + misses),
        "far": _middle(false_alarms, hits + false_alarms),
        "csi": _middle(hits, hits + false_alarms + misses),
    }


def _middle(part: np.ndarray, whole: np.ndarray) -> Interval:
    ratios = part[whole > 0] / whole[whole > 0]
    low, high = np.percentile(ratios, [5, 95])
    return Interval(round(float(low), 3), round(float(high), 3))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
