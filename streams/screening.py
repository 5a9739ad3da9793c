"""Screening: which readings of a batch may count. Values are never changed; what is set aside is counted by reason.

Every check looks at a whole batch at once and answers with the rows it objects to. A new check is a function and a
line in ``CHECKS``; the first check that objects names the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.schemas import POLLUTANTS, STATUSES

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

_PM = tuple(POLLUTANTS.index(name) for name in ("pm25", "pm10"))


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds of screening. Concentrations in µg/m³.

    Attributes:
        missing_codes: numbers that stand for "no value" whatever the pollutant: -999 and -9999 in public archives.
        pm_full_scale: what beta-attenuation monitors write when a critical parameter fails: their full scale,
            985 or 1000 exactly; 999 is its common three-digit form in data loggers.
        lowest / highest: range by pollutant, in the order of ``POLLUTANTS``. PM down to -15 is instrument noise
            around zero and is kept, or means would be biased. PM2.5 to 1000 and PM10 to 2000 is what the instruments
            can measure; dust storms have been seen near 2000. Gases: a little below zero is noise again; the upper
            ends are about twice the highest breakpoint of VN_AQI's hourly table (CO 100 mg/m³).
        longest_period_s: an hour; a longer mean says nothing about any single hour.
    """

    missing_codes: tuple[float, ...] = (-9999.0, -999.0)
    pm_full_scale: tuple[float, ...] = (985.0, 999.0, 1000.0)
    lowest: tuple[float, ...] = (-15.0, -15.0, -20.0, -20.0, -20.0, -1_000.0)
    highest: tuple[float, ...] = (1_000.0, 2_000.0, 1_600.0, 4_000.0, 5_500.0, 200_000.0)
    longest_period_s: int = 3600

    def __post_init__(self) -> None:
        if not len(self.lowest) == len(self.highest) == len(POLLUTANTS):
            raise ValueError(f"lowest and highest need {len(POLLUTANTS)} numbers, in the order {POLLUTANTS}")
        if any(low >= high for low, high in zip(self.lowest, self.highest, strict=True)):
            raise ValueError("lowest must lie below highest for every pollutant")


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


Check = Callable[[ReadingBatch, Limits], NDArray[np.bool_]]


def _has_status(status: str) -> Check:
    code = STATUSES.index(status)
    return lambda batch, _: batch.status == code


def _is_sentinel(batch: ReadingBatch, limits: Limits) -> NDArray[np.bool_]:
    # Exact comparison on purpose: 984.9 is a measurement, 985 is what a broken monitor writes.
    of_pm = np.isin(batch.pollutant, _PM) & np.isin(batch.value, limits.pm_full_scale)
    return of_pm | np.isin(batch.value, limits.missing_codes)


def _is_out_of_range(batch: ReadingBatch, limits: Limits) -> NDArray[np.bool_]:
    lowest = np.array(limits.lowest)[batch.pollutant]
    highest = np.array(limits.highest)[batch.pollutant]
    return ~((batch.value >= lowest) & (batch.value <= highest))


CHECKS: tuple[tuple[ScreeningReason, Check], ...] = (
    ("calibrating", _has_status("calibrating")),
    ("fault", _has_status("fault")),
    ("no-value", lambda batch, _: np.isnan(batch.value)),
    ("sentinel", _is_sentinel),
    ("out-of-range", _is_out_of_range),
    ("period-too-long", lambda batch, limits: batch.period_s > limits.longest_period_s),
)


def screen(batch: ReadingBatch, limits: Limits | None = None) -> Screened:
    """Set aside what must not count. Pure: the same batch gives the same answer, whatever came before."""
    limits = limits or Limits()
    reasons = np.zeros(len(batch), np.int8)
    for reason, check in reversed(CHECKS):
        reasons[check(batch, limits)] = NAMES.index(reason)
    usable = batch if not reasons.any() else batch.take(reasons == 0)
    return Screened(usable, reasons)
