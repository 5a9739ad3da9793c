"""What happens to good values on their way: outages, repetitions, wrong clocks, old names."""

from __future__ import annotations

from dataclasses import replace

from streams.sources.scenario_library.ground import (
    BAC_NINH,
    HA_NOI,
    HAI_PHONG,
    HOUR_S,
    HUNG_YEN,
    QUARTER_S,
    SEVEN,
    STEADY_DAY,
    THREE_EACH,
    bad_air,
    midnight,
    only,
)
from streams.sources.scenarios import Course, Disturbance, Expectation, ExpectedEpisode, Rates, Scenario

_THREE = frozenset((HA_NOI, BAC_NINH, HUNG_YEN))
_DAYS_OF_BAD_AIR: Course = bad_air((30, 102, 130))
_EPISODE = ExpectedEpisode(onset_h=29, opened_h=44, closed_h=117, provinces=_THREE, peak=1)

OUTAGE = Scenario(
    name="outage-at-the-peak",
    title="The line to the whole network is down for six hours at the peak; then everything comes at once",
    start=midnight(2026, 3, 22),
    days=7,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(_DAYS_OF_BAD_AIR, *_THREE),
    daily_cycle=STEADY_DAY,
    disturbances=(Disturbance("held-back", "*", 70, 76),),
    expected=Expectation(
        episodes=(_EPISODE,),
        never=("eased", "split", "merged"),
        quiet_h=((66, 84, "no news is neither good nor bad news"),),
    ),
)

DISORDER = Scenario(
    name="duplicates-and-disorder",
    title="Every third reading comes ten minutes late, every fifth twice",
    start=midnight(2026, 3, 31),
    days=7,
    cycle_s=QUARTER_S,
    stations=THREE_EACH,
    courses=only(_DAYS_OF_BAD_AIR, *_THREE),
    daily_cycle=STEADY_DAY,
    rates=Rates(missing=0.01, duplicate=0.2, late=0.33),
    expected=Expectation(episodes=(_EPISODE,), never=("eased", "split", "merged", "revised")),
)

CLOCK = Scenario(
    name="clock-seven-hours-wrong",
    title="UTC sent as local time by one station, local time as UTC by another, in an episode",
    start=midnight(2026, 4, 9),
    days=7,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(_DAYS_OF_BAD_AIR, *_THREE),
    daily_cycle=STEADY_DAY,
    disturbances=(
        Disturbance("clock", "SIM-01-03", 0, 168, -7.0),
        Disturbance("clock", "SIM-33-01", 0, 168, 7.0),
    ),
    expected=Expectation(
        episodes=(replace(_EPISODE, tolerance_h=3),),  # fewer stations on time, so their noise weighs more
        never=("split", "merged"),
        set_aside={"clock-ahead": 900},
    ),
)

# Bắc Ninh was 27 and is 24 since 1 July 2025; Hải Dương (30) is part of Hải Phòng, Thái Bình (34) of Hưng Yên.
OLD_CODE = Scenario(
    name="old-province-codes",
    title="The station file has the provinces of before 1 July 2025: 27 for 24, 30 for 31, Thái Bình for Hưng Yên",
    start=midnight(2026, 4, 18),
    days=7,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(_DAYS_OF_BAD_AIR, *_THREE),
    daily_cycle=STEADY_DAY,
    listed_as={BAC_NINH: "27", HAI_PHONG: "30", HUNG_YEN: "Thái Bình"},
    expected=Expectation(
        episodes=(_EPISODE,),
        never=("eased", "split", "merged"),
        never_exceeding=SEVEN - _THREE,
    ),
)

SCENARIOS = (OUTAGE, DISORDER, CLOCK, OLD_CODE)
