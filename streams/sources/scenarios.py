"""Simulated winters: what the air does in each province, as a time table that can be read and argued about.

The scenarios that every detector should face are in ``streams.sources.scenario_library``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Literal

from streams.schemas import TransitionKind

INDOCHINA_TIME = timezone(timedelta(hours=7))

Course = tuple[tuple[float, float], ...]
"""(hours since the start, PM2.5 in µg/m³ without its daily cycle); in between, straight lines."""

DisturbanceKind = Literal[
    "calibrating",  # status 01 and the concentration of the test gas
    "full-scale",  # a beta-attenuation monitor after the failure of a critical parameter: 985 µg/m³, status 00
    "stuck",  # the first value of the interval again and again, or ``value``
    "silent",  # nothing comes
    "smoke",  # something burns beside the station: ``value`` µg/m³ more of PM2.5, a tenth more than that of PM10
    "zero-check",  # the instrument breathes filtered air and does not say so: ``value`` in place of a measurement
    "unit",  # values times ``value``: 1000 or 0.001 where one side says mg/m³ and the other reads µg/m³
    "clock",  # the station's clock is ``value`` hours ahead (negative: behind)
    "held-back",  # measured, but only handed over, all at once, at the end
]


@dataclass(frozen=True)
class Disturbance:
    """Something wrong between two moments, hours since the start; averages that end in (from, to] are concerned.

    Attributes:
        station: the code of a station, the code of a province for all of its stations, or ``*`` for everywhere.
        value: what the kind says; NaN where it says nothing.
        pollutant: the only one concerned, empty for all.
    """

    kind: DisturbanceKind
    station: str
    from_h: float
    to_h: float
    value: float = float("nan")
    pollutant: str = ""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares of all readings, 0–1.

    Attributes:
        missing: station and moment without any reading.
        duplicate: sent twice, the second time one cycle later.
        late: sent one or two cycles (5 or 10 minutes) later: still on time for a lateness of ten minutes.
    """

    missing: float = 0.01
    duplicate: float = 0.003
    late: float = 0.01


@dataclass(frozen=True, kw_only=True)
class ExpectedEpisode:
    """One episode as it should be told. Hours count from the scenario's start.

    Attributes:
        onset_h: first hour of the exceedance that led to it, as the events of the opening say.
        opened_h / closed_h: when it is first said to have opened, and last to have ended.
        provinces: all that were ever part of it.
        peak: highest level.
        tolerance_h: how far each of the three hours may be off: noise moves a crossing by an hour or two.
        kinds: transitions that must be among its own, in this order (others may lie in between).
    """

    onset_h: float
    opened_h: float
    closed_h: float
    provinces: frozenset[str]
    peak: int
    tolerance_h: float = 2.0
    kinds: tuple[TransitionKind, ...] = ("opened", "closed")


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What should become of a scenario under the levels of the pack ``vietnam-2026``, and what must not happen.

    Attributes:
        episodes: by onset, then by opening. None of them, and any episode at all is wrong.
        never: transitions that must not occur anywhere.
        quiet_h: stretches without any transition, with what would make a bad detector speak in them.
        set_aside: rejected readings by reason, at least so many; any other reason but ``late`` is wrong.
        never_exceeding: provinces no hour of which may count as exceeding.
    """

    episodes: tuple[ExpectedEpisode, ...] = ()
    never: tuple[TransitionKind, ...] = ()
    quiet_h: tuple[tuple[float, float, str], ...] = ()
    set_aside: dict[str, int] = field(default_factory=dict)
    never_exceeding: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A simulated stretch of weather over the Red River Delta.

    Attributes:
        start: first moment; the first readings end one cycle after it.
        cycle_s: how often stations report, seconds; every reading is the mean of one cycle.
        stations: how many in each province, by code.
        courses: by province code.
        daily_cycle: (local hour, factor), straight lines in between, periodic.
        noise: relative standard deviations: between stations (constant), of a province from hour to hour, of a
            single reading.
        ripple_ug_m3: added and taken away in turn, so that a course without noise does not look like a stuck
            instrument, and its mean stays exact.
        listed_as: how the station file names provinces, where it is not by their code of today.
        expected: what should become of it.
    """

    name: str
    title: str
    start: datetime
    days: int
    cycle_s: int = 300
    stations: dict[str, int]
    courses: dict[str, Course]
    daily_cycle: Course
    noise: tuple[float, float, float] = (0.08, 0.04, 0.05)
    ripple_ug_m3: float = 0.0
    disturbances: tuple[Disturbance, ...] = ()
    rates: Rates = Rates()
    listed_as: dict[str, str] = field(default_factory=dict)
    expected: Expectation = Expectation()


# Higher from 02 to 08 h under the night's inversion, lowest at 14 to 15 h in the mixed layer (Tran et al. 2020 found
# this cycle in northern Viet Nam); the amplitude is chosen so that the mean over the day stays 1.
WINTER_DAY: Course = (
    (0, 1.12),
    (2, 1.19),
    (5, 1.23),
    (8, 1.18),
    (11, 0.94),
    (14, 0.74),
    (15, 0.74),
    (18, 0.93),
    (21, 1.04),
    (24, 1.12),
)

# More than a real network has today: several stations may fail in any province and leave enough for a median.
SIXTY_STATIONS = {"01": 12, "19": 6, "24": 9, "25": 8, "31": 9, "33": 8, "37": 8}


def _one_each_morning(days: int, stations: tuple[str, ...]) -> tuple[Disturbance, ...]:
    """Calibration from 10 to 11 h, every day at another station."""
    return tuple(
        Disturbance("calibrating", stations[day % len(stations)], 24 * day + 10, 24 * day + 11) for day in range(days)
    )


# It starts in Hà Nội and Bắc Ninh, reaches Hưng Yên half a day later and the others within a day or two. The cold
# surge comes from the north-east on the seventh day: to Thái Nguyên first, to Ninh Bình nine hours later.
_HA_NOI = ((0, 26), (30, 30), (48, 62), (72, 98), (96, 150), (120, 182), (138, 188), (152, 180), (160, 18), (216, 20))
_BAC_NINH = ((0, 27), (30, 32), (48, 66), (72, 104), (96, 158), (120, 190), (136, 196), (149, 188), (157, 16))
_HUNG_YEN = ((0, 25), (36, 30), (60, 64), (84, 100), (108, 148), (126, 176), (153, 178), (161, 18), (216, 20))
_HAI_PHONG = ((0, 22), (42, 26), (72, 56), (96, 88), (120, 118), (150, 124), (158, 15), (216, 18))
_NINH_BINH = ((0, 24), (42, 28), (72, 60), (100, 96), (126, 132), (156, 138), (164, 18), (216, 20))
_PHU_THO = ((0, 22), (40, 26), (60, 50), (84, 80), (110, 112), (154, 122), (162, 16), (216, 18))
_THAI_NGUYEN = ((0, 20), (40, 24), (60, 46), (84, 76), (110, 106), (147, 112), (155, 14), (216, 16))
_CALIBRATED = ("SIM-01-03", "SIM-24-02", "SIM-33-04", "SIM-31-05", "SIM-37-01", "SIM-25-06", "SIM-19-02")

STAGNATION = Scenario(
    name="stagnation",
    title="Stagnation in January: seven provinces, five days, ended by a cold surge",
    start=datetime(2026, 1, 10, tzinfo=INDOCHINA_TIME),
    days=9,
    stations=SIXTY_STATIONS,
    courses={
        "01": _HA_NOI,
        "24": _BAC_NINH,
        "33": _HUNG_YEN,
        "31": _HAI_PHONG,
        "37": _NINH_BINH,
        "25": _PHU_THO,
        "19": _THAI_NGUYEN,
    },
    daily_cycle=WINTER_DAY,
    disturbances=(
        *_one_each_morning(9, _CALIBRATED),
        Disturbance("full-scale", "SIM-31-02", 99, 102),
        Disturbance("stuck", "SIM-01-07", 140, 190),
    ),
    expected=Expectation(
        episodes=(
            ExpectedEpisode(
                onset_h=68,
                opened_h=78,
                closed_h=171,
                provinces=frozenset(SIXTY_STATIONS),
                peak=2,
                tolerance_h=3,
                kinds=("opened", "escalated", "closed"),
            ),
        ),
        never=("split", "merged"),
        quiet_h=((120, 148, "the afternoon dip of the worst day"),),
        set_aside={"sentinel": 60},
    ),
)
