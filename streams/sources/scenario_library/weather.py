"""Weather over the whole region: clean weeks, stagnations, and what lies at the edge of an episode."""

from __future__ import annotations

from dataclasses import replace

from streams.sources.scenario_library.ground import (
    BAC_NINH,
    HA_NOI,
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
from streams.sources.scenarios import STAGNATION, WINTER_DAY, Course, Expectation, ExpectedEpisode, Rates, Scenario

CLEAN_WEEK = Scenario(
    name="clean-week",
    title="Seven days after a cold surge: fair nights, clean afternoons, no episode",
    start=midnight(2025, 11, 3),
    days=7,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(((0, 25), (100, 42), (168, 30)), *SEVEN),
    daily_cycle=WINTER_DAY,
    expected=Expectation(never_exceeding=SEVEN),
)

FIVE_DAYS = Scenario(
    name="five-day-stagnation",
    title="Seven provinces, five days, with clean-looking afternoons in between",
    start=midnight(2026, 1, 10),
    days=9,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=STAGNATION.courses,
    daily_cycle=WINTER_DAY,
    expected=replace(STAGNATION.expected, set_aside={}),  # hourly, and no instrument fails
)

_TWICE_10 = bad_air((20, 50, 125), (78, 110, 125))
_TWICE_40 = bad_air((20, 50, 125), (110, 142, 125))
_PAIR = frozenset((HA_NOI, BAC_NINH))

PAUSE_10H = Scenario(
    name="pause-of-10-hours",
    title="Two stretches of bad air, the second begins ten hours after the first was over: one episode resumes",
    start=midnight(2025, 12, 1),
    days=7,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(_TWICE_10, *_PAIR),
    daily_cycle=STEADY_DAY,
    expected=Expectation(
        episodes=(
            ExpectedEpisode(
                onset_h=20, opened_h=34, closed_h=124, provinces=_PAIR, peak=1, kinds=("opened", "closed") * 2
            ),
        ),
    ),
)
PAUSE_40H = Scenario(
    name="pause-of-40-hours",
    title="Two stretches of bad air, forty hours between the end of one and the start of the other: two episodes",
    start=midnight(2025, 12, 9),
    days=8,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(_TWICE_40, *_PAIR),
    daily_cycle=STEADY_DAY,
    expected=Expectation(
        episodes=(
            ExpectedEpisode(onset_h=20, opened_h=35, closed_h=64, provinces=_PAIR, peak=1),
            ExpectedEpisode(onset_h=110, opened_h=125, closed_h=156, provinces=_PAIR, peak=1),
        ),
    ),
)


def _swinging(from_h: int, to_h: int, low: float, high: float, period_h: int) -> Course:
    """Up and down in equal times, starting low."""
    half = period_h / 2
    return tuple((from_h + n * half, high if n % 2 else low) for n in range(int((to_h - from_h) / half) + 1))


# Swings of twelve hours about 80 µg/m³ (150): NowCast follows half of them, so no nine hours in a row exceed. Then a
# real rise; then swings between about 130 and 160, which neither enter (nine hours at 151) nor leave (twelve hours
# below 130); then the end.
_AT_THE_LEVEL: Course = (
    (0, 28.0),
    (8, 60.0),
    *_swinging(12, 72, 70.0, 90.0, 8),
    (76, 130.0),
    (104, 130.0),
    *_swinging(110, 164, 72.0, 92.0, 8),
    (170, 28.0),
)
OSCILLATING = Scenario(
    name="oscillating",
    title="Values about the level for days: opens once when it is clearly exceeded, ends once",
    start=midnight(2025, 12, 19),
    days=9,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(_AT_THE_LEVEL, HA_NOI, BAC_NINH, HUNG_YEN),
    daily_cycle=STEADY_DAY,
    noise=(0.02, 0.0, 0.01),
    expected=Expectation(
        episodes=(
            ExpectedEpisode(
                onset_h=72, opened_h=82, closed_h=178, provinces=frozenset((HA_NOI, BAC_NINH, HUNG_YEN)), peak=1
            ),
        ),
        never=("eased", "split", "merged", "escalated"),
        quiet_h=((0, 78, "about the level"), (100, 170, "between the two thresholds")),
    ),
)


def _steps(*steps: tuple[float, float]) -> Course:
    """(from hour, value) held until the next step."""
    points: list[tuple[float, float]] = []
    for hour, value in steps:
        if points:
            points.append((hour, points[-1][1]))
        points.append((hour + 0.001, value))
    return tuple(points)


# VN_AQI by hand: 80.0 -> 150, 81.4 -> 151, 150.0 -> 200, 150.4 -> 200.4, 152.0 -> 201, 250.5 -> 300.5. So 80.0 is not
# yet "xấu", 150.0 and 150.4 not yet "rất xấu". At 250.5 the ripple of a tenth rounds to 300 and 301 in turn.
EXACT = Scenario(
    name="exact-boundaries",
    title="80.0, 81.4, 150.0, 150.4, 152.0 and 250.5 µg/m³: on the edges of the levels, without noise",
    start=midnight(2026, 1, 22),
    days=10,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(
        _steps((0, 80.0), (48, 81.4), (84, 150.0), (108, 150.4), (132, 152.0), (156, 250.5), (190, 20.0)), *SEVEN
    ),
    daily_cycle=STEADY_DAY,
    noise=(0.0, 0.0, 0.0),
    ripple_ug_m3=0.1,
    rates=Rates(missing=0.0, duplicate=0.0, late=0.0),
    expected=Expectation(
        episodes=(
            ExpectedEpisode(
                onset_h=54,
                opened_h=64,
                closed_h=204,
                provinces=SEVEN,
                peak=2,
                kinds=("opened", "escalated", "closed"),
            ),
        ),
        quiet_h=((0, 50, "150 is not above 150"), (78, 132, "200 is not above 200"), (150, 190, "300 is not 301")),
    ),
)

YEAR_CHANGE = Scenario(
    name="year-change",
    title="An episode over midnight, in Viet Nam and in UTC, from one year into the next",
    start=midnight(2025, 12, 29),
    days=7,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(bad_air((44, 104, 140)), HA_NOI, BAC_NINH, HUNG_YEN),
    daily_cycle=STEADY_DAY,
    expected=Expectation(
        episodes=(
            ExpectedEpisode(
                onset_h=43, opened_h=55, closed_h=119, provinces=frozenset((HA_NOI, BAC_NINH, HUNG_YEN)), peak=1
            ),
        ),
        never=("split", "merged", "eased"),
    ),
)

FIREWORKS = Scenario(
    name="fireworks",
    title="Five hours of fireworks in all seven provinces around midnight",
    start=midnight(2026, 2, 3),
    days=4,
    cycle_s=QUARTER_S,
    stations=THREE_EACH,
    courses=only(((0, 32), (46, 34), (48, 300), (51, 320), (53, 60), (56, 36), (96, 30)), *SEVEN),
    daily_cycle=STEADY_DAY,
    expected=Expectation(),
)

SCENARIOS = (CLEAN_WEEK, FIVE_DAYS, PAUSE_10H, PAUSE_40H, OSCILLATING, EXACT, YEAR_CHANGE, FIREWORKS)
