"""What a single value tells. Every check looks at a whole batch at once and answers with the rows it objects to.

A new check is a function and a line in ``CHECKS``; the first check that objects names the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.schemas import STATUSES
from streams.screening.limits import ClassLimits, Limits
from streams.stations import Station

ScreeningReason = Literal[
    "usable",
    "calibrating",  # the station says so; the numbers are those of the test gas
    "fault",  # the station says so
    "no-value",  # the station sent the time without a value
    "sentinel",  # a number that instruments write instead of a value
    "out-of-range",  # physically or technically impossible
    "period-too-long",  # a mean over more than the hour it would be counted in
]
NAMES: tuple[ScreeningReason, ...] = (
    "usable",
    "calibrating",
    "fault",
    "no-value",
    "sentinel",
    "out-of-range",
    "period-too-long",
)
"""What the reason number of a row means."""

REJECTED: tuple[ScreeningReason, ...] = ("sentinel", "out-of-range", "period-too-long")
"""Reasons after which the reading is kept among the rejected ones. The others are what a station says of itself in
the ordinary course of a day: they are counted."""

CLASSES = ("reference", "low-cost")
Classes = NDArray[np.int8]
"""``(n_stations,)``: position in ``CLASSES`` by row of the registry."""


def classes_of(stations: Sequence[Station]) -> Classes:
    """The class of each station, as the checks want it."""
    return np.array([CLASSES.index(station.station_class) for station in stations] or [0], np.int8)


@dataclass(frozen=True)
class Screened:
    """What screening says about a batch.

    Attributes:
        usable: the rows that may count, unchanged and in their order.
        reasons: ``(n,) int8`` for every row of the batch that was screened, position in ``NAMES``.
    """

    usable: ReadingBatch
    reasons: NDArray[np.int8]

    def counts(self) -> dict[str, int]:
        """Rows by reason, reasons that occur only; they add up to the rows screened."""
        numbers = np.bincount(self.reasons, minlength=len(NAMES)).tolist()
        return {name: count for name, count in zip(NAMES, numbers, strict=True) if count}


@dataclass(frozen=True)
class _Tables:
    """Limits as arrays: ``(classes, pollutants)``, so that a batch looks its own up at once.

    ``full_scale`` is one row of codes per (class, pollutant), filled up with NaN, which equals nothing. ``between``:
    the highest code below zero and the lowest of the others; there is no code between them.
    """

    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    full_scale: NDArray[np.float64]
    between: tuple[float, float]


@lru_cache(maxsize=8)
def _tables(limits: Limits) -> _Tables:
    classes: list[ClassLimits] = [limits.of_class(name) for name in CLASSES]
    each = [one.of_pollutants() for one in classes]
    most = max(1, *(len(pollutant.full_scale) for one in each for pollutant in one))
    padding = (np.nan,) * most
    codes = [*limits.missing_codes, *(code for one in each for pollutant in one for code in pollutant.full_scale)]
    below, above = [code for code in codes if code < 0], [code for code in codes if code >= 0]
    return _Tables(
        np.array([[pollutant.lowest for pollutant in one] for one in each]),
        np.array([[pollutant.highest for pollutant in one] for one in each]),
        np.array([[(*pollutant.full_scale, *padding)[:most] for pollutant in one] for one in each]),
        (max(below, default=-np.inf), min(above, default=np.inf)),
    )


@dataclass(frozen=True)
class _Case:
    """A batch with the place of each row's limits in the tables."""

    batch: ReadingBatch
    limits: Limits
    tables: _Tables
    where: tuple[NDArray[np.int8] | int, NDArray[np.int8]]


Check = Callable[[_Case], NDArray[np.bool_]]


def _has_status(status: str) -> Check:
    code = STATUSES.index(status)
    return lambda case: case.batch.status == code


def _is_sentinel(case: _Case) -> NDArray[np.bool_]:
    # Exact comparison on purpose: 984.9 is a measurement, 985 is what a broken monitor writes.
    value = case.batch.value
    found = np.zeros(len(value), np.bool_)
    # Codes are far out; most values lie between them and need not be compared with each.
    below, above = case.tables.between
    near = np.flatnonzero((value <= below) | (value >= above))
    if len(near):
        class_of, pollutant = case.where
        own = case.tables.full_scale[class_of if isinstance(class_of, int) else class_of[near], pollutant[near]]
        each = value[near, np.newaxis]
        found[near] = (each == case.limits.missing_codes).any(axis=1) | (each == own).any(axis=1)
    return found


def _is_out_of_range(case: _Case) -> NDArray[np.bool_]:
    value = case.batch.value
    inside: NDArray[np.bool_] = (value >= case.tables.lowest[case.where]) & (value <= case.tables.highest[case.where])
    return ~inside


CHECKS: tuple[tuple[ScreeningReason, Check], ...] = (
    ("calibrating", _has_status("calibrating")),
    ("fault", _has_status("fault")),
    ("no-value", lambda case: np.isnan(case.batch.value)),
    ("sentinel", _is_sentinel),
    ("out-of-range", _is_out_of_range),
    ("period-too-long", lambda case: case.batch.period_s > case.limits.longest_period_s),
)


def screen(batch: ReadingBatch, limits: Limits | None = None, classes: Classes | None = None) -> Screened:
    """Set aside what must not count. Pure: the same batch gives the same answer, whatever came before.

    Args:
        classes: of the registry's stations; without it all are reference stations.
    """
    limits = limits or Limits()
    class_of = 0 if classes is None or not classes.any() else classes[batch.station]
    case = _Case(batch, limits, _tables(limits), (class_of, batch.pollutant))
    reasons = np.zeros(len(batch), np.int8)
    for reason, check in reversed(CHECKS):
        reasons[check(case)] = NAMES.index(reason)
    usable = batch if not reasons.any() else batch.take(reasons == 0)
    return Screened(usable, reasons)
