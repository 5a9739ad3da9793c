"""What the scenarios stand on: the seven provinces, their networks, and the shapes of bad air."""

from __future__ import annotations

from datetime import datetime

from streams.sources.scenarios import INDOCHINA_TIME, Course

HA_NOI, THAI_NGUYEN, BAC_NINH, PHU_THO, HAI_PHONG, HUNG_YEN, NINH_BINH = "01", "19", "24", "25", "31", "33", "37"
SEVEN = frozenset((HA_NOI, THAI_NGUYEN, BAC_NINH, PHU_THO, HAI_PHONG, HUNG_YEN, NINH_BINH))

THREE_EACH = dict.fromkeys(sorted(SEVEN), 3)
"""The smallest network in which a median outvotes one wrong station."""

HOUR_S = 3600
QUARTER_S = 900
"""Where hours are only partly spoilt, or readings come within minutes: a third of the cost of five-minute values."""

STEADY_DAY: Course = ((0, 1.0), (24, 1.0))
"""No daily cycle: what crosses a level does so because of the course alone."""

CLEAN_UG_M3 = 28.0
"""A winter day after a cold surge: VN_AQI 56."""


def midnight(year: int, month: int, day: int) -> datetime:
    """The first moment of a day in Viet Nam."""
    return datetime(year, month, day, tzinfo=INDOCHINA_TIME)


def bad_air(*stretches: tuple[float, float, float], ramp_h: float = 4.0, clean: float = CLEAN_UG_M3) -> Course:
    """Clean air with stretches of bad air in it.

    Args:
        stretches: (first hour, last hour, µg/m³), in order; rise and fall take ``ramp_h`` before and after.
    """
    points: list[tuple[float, float]] = [(0.0, clean)]
    for from_h, to_h, high in stretches:
        points += [(from_h - ramp_h, clean), (from_h, high), (to_h, high), (to_h + ramp_h, clean)]
    return tuple(points)


def only(course: Course, *provinces: str) -> dict[str, Course]:
    """One course in some provinces, clean air in the others."""
    clean: Course = ((0.0, CLEAN_UG_M3),)
    return {code: course if code in provinces else clean for code in sorted(SEVEN)}
