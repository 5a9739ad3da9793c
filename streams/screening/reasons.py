"""The named reasons for which an hour of a pollutant is suspect, and which hours each of them takes out."""

from __future__ import annotations

from enum import IntEnum

RULES = "screening-1"
"""Version of the rules of this package. Raise it when the same data and the same limits would give another verdict:
records carry it, so that a verdict of last winter can be told from one of today."""


class Suspicion(IntEnum):
    """Why an hour is suspect. Stored in four bits, so there is room for fifteen."""

    NONE = 0
    ALL_ZERO = 1
    """Every channel says exactly zero: the logger writes zeros when its instruments do not answer."""
    FLATLINE = 2
    """The same value hour after hour: the instrument, or the line to it, is stuck."""
    PAIR = 3
    """PM2.5 above PM10, of which it is a part, for hours: channels swapped, or one of them wrong."""
    SPIKE = 4
    """A single short value far above the rest of its hour, gone with the next one."""
    PERIODIC = 5
    """A dip at the same hour of the day, day after day: a zero check of the instrument that is not reported."""
    SPIKE_BEFORE = 6
    """The hour BEFORE this one ended with a spike, or was one; it is left out from now on. This hour is fine."""

    @property
    def text(self) -> str:
        """As records, metrics and pages write it."""
        return SUSPICIONS[self]


SUSPICIONS: tuple[str, ...] = tuple(member.name.lower().replace("_", "-") for member in Suspicion)
"""Text of each number."""

FLAT_HOURS = 12
"""Equal hours that make a flatline; a flatline takes out all of them, not only the one that completed it."""

PAIR_HOURS = 3
"""Hours for which PM2.5 must lie above PM10; all of them are taken out."""

REACH: dict[Suspicion, tuple[int, int]] = {
    Suspicion.ALL_ZERO: (0, 0),
    Suspicion.FLATLINE: (0, FLAT_HOURS - 1),
    Suspicion.PAIR: (0, PAIR_HOURS - 1),
    Suspicion.SPIKE: (0, 0),
    Suspicion.PERIODIC: (0, 0),
    Suspicion.SPIKE_BEFORE: (1, 1),
}
"""Hours before the one that carries the reason that are taken out: from, to. What was already said about them
stands (nobody could know better then); every average computed from now on leaves them out."""
