"""Averages of hourly means that the standards ask for.

Every function works hour by hour on columns of stations: the operations and their order are the same for one
station and for ten thousand, so results do not depend on how stations are grouped.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOWCAST_HOURS = 12
HOURS_OF_8H_DAY = 31
"""24 windows of 8 hours, each labelled by its last hour; the 01:00 window reaches back to 18:00 of the day before."""


def nowcast(hours: Floats) -> Floats:
    """The PM NowCast: a mean of 12 hours that leans towards the newest when the air changes quickly.

    Weights are w⁰, w¹ … from the newest hour back, w = max(Cmin/Cmax, 1/2) of the hours that exist, and the sum is
    always divided by the weights used (Decision 1459/QĐ-TCMT prints its w = 1/2 form without a divisor, which is
    0.02 % low for a full window and badly low with gaps). A missing hour keeps its place.

    Args:
        hours: ``(n, 12) float64`` hourly means in any unit, oldest first; NaN = missing; below zero counts as zero.

    Returns:
        ``(n,) float64`` in the same unit, not cut or rounded; NaN unless two of the latest three hours exist;
        0 where every hour is 0.
    """
    latest_first = np.maximum(np.asarray(hours, np.float64)[:, ::-1], 0.0)
    highest = np.fmax.reduce(latest_first, axis=1)
    lowest = np.fmin.reduce(latest_first, axis=1)
    ratio = np.divide(lowest, highest, out=np.ones_like(highest), where=highest > 0.0)
    w = np.maximum(ratio, 0.5)
    there, filled = _filled(latest_first)
    weight = np.ones_like(w)
    total, weights = np.zeros_like(w), np.zeros_like(w)
    for age in range(latest_first.shape[1]):
        total += weight * filled[:, age]
        weights += weight * there[:, age]
        weight = weight * w
    enough = np.add.reduce(there[:, :3], axis=1, dtype=np.int8) >= 2
    result = np.divide(total, weights, out=np.full_like(w, np.nan), where=enough)
    # A weighted mean lies between its extremes; summing in binary may leave them by one unit in the last place.
    clamped: Floats = np.minimum(np.maximum(result, lowest), highest)
    return clamped


def mean_of(hours: Floats, needed: int) -> Floats:
    """The mean of the hours that exist, summed oldest first.

    Args:
        hours: ``(n, k) float64`` hourly means; NaN = missing.
        needed: how many must exist.

    Returns:
        ``(n,) float64``, NaN where fewer exist; never below zero.
    """
    there, filled = _filled(np.asarray(hours, np.float64))
    return mean_from(added(filled.T), np.add.reduce(there, axis=1, dtype=np.int8), needed)


def means_of(hours: Floats, needed: int) -> Floats:
    """The same as :func:`mean_of` of several series per station at once.

    Args:
        hours: ``(k, n, series) float64``, oldest first; NaN = missing.

    Returns:
        ``(n, series) float64``.
    """
    return mean_from(*sums_of(hours), needed)


def sums_of(hours: Floats) -> tuple[Floats, NDArray[np.int8]]:
    """Sum of the hours that exist, oldest first, and how many exist; along the first axis."""
    there = ~np.isnan(hours)
    return added(np.where(there, hours, 0.0)), np.add.reduce(there, axis=0, dtype=np.int8)


def added(hours: Iterable[Floats]) -> Floats:
    """The sum of arrays of one shape, first to last: not ``sum``, whose order of adding depends on the shape."""
    each = iter(hours)
    total = next(each) + 0.0  # as the sum that begins with zero: it is never negative zero
    for hour in each:
        total += hour
    return total


def mean_from(total: Floats, count: NDArray[np.int8], needed: int) -> Floats:
    """The mean of so many hours, NaN where fewer exist than needed; never below zero."""
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count >= max(needed, 1))
    positive: Floats = np.maximum(mean, 0.0)
    return positive


def _filled(hours: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Which hours exist, and the hours with zeros for the missing ones; a column of stations lies together in memory,
    because the sums walk from column to column."""
    columns = np.asfortranarray(hours)
    there = ~np.isnan(columns)
    return there, np.where(there, columns, 0.0)


def max_1h_of_day(hours: Floats, needed: int) -> Floats:
    """The highest hourly mean of the day's hours ``(n, 23…25)``, NaN where fewer than ``needed`` exist."""
    count = (~np.isnan(hours)).sum(axis=1)
    return np.where(count >= needed, np.fmax.reduce(hours, axis=1), np.nan)


def max_8h_of_day(hours: Floats, needed: int, needed_of_8: int) -> Floats:
    """The highest 8 h mean of a day.

    Args:
        hours: ``(n, 31) float64``: the day's 24 hours preceded by the last 7 of the day before, oldest first
            (30 or 32 columns on days of 23 or 25 hours); NaN = missing.
        needed: 8 h windows that must be valid.
        needed_of_8: hours that a window needs to be valid.

    Returns:
        ``(n,) float64``, NaN where too few windows are valid.
    """
    windows = [mean_of(hours[:, end - 8 : end], needed_of_8) for end in range(8, hours.shape[1] + 1)]
    return max_1h_of_day(np.stack(windows, axis=1), needed)
