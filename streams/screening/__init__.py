"""Screening: which values may be trusted with a decision. Values are never changed; every doubt has a named reason.

Where each check of ``docs/screening.md`` lives:

* ``values``: what a single value tells (status, sentinel, range, period); such values are rejected on their way in.
* ``hours``: what a station's own hours tell when an hour is closed (stuck, spike, pair, periodic, all zero); such
  hours are *suspect*: kept, shown, and left out of every average and index that decides.
* ``neighbours``: what the stations around it tell, where all stations of an airshed come together.
"""

from __future__ import annotations

from streams.screening.limits import ClassLimits, Limits, NeighbourLimits, PollutantLimits
from streams.screening.reasons import RULES, SUSPICIONS, Suspicion
from streams.screening.values import NAMES, Screened, ScreeningReason, screen

__all__ = [
    "NAMES",
    "RULES",
    "SUSPICIONS",
    "ClassLimits",
    "Limits",
    "NeighbourLimits",
    "PollutantLimits",
    "Screened",
    "ScreeningReason",
    "Suspicion",
    "screen",
]
