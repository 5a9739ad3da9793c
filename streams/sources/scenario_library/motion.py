"""Bad air that belongs to one place, moves, comes apart and grows together again."""

from __future__ import annotations

from streams.sources.scenario_library.ground import (
    BAC_NINH,
    HA_NOI,
    HAI_PHONG,
    HOUR_S,
    HUNG_YEN,
    PHU_THO,
    SEVEN,
    STEADY_DAY,
    THAI_NGUYEN,
    THREE_EACH,
    bad_air,
    midnight,
    only,
)
from streams.sources.scenarios import Course, Disturbance, Expectation, ExpectedEpisode, Scenario

FIRE = Scenario(
    name="single-station-fire",
    title="A waste dump burns beside one station for thirty hours; the air of the province is fair",
    start=midnight(2025, 11, 12),
    days=5,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(((0, 40),), *SEVEN),
    daily_cycle=STEADY_DAY,
    disturbances=(Disturbance("smoke", "SIM-01-02", 30, 60, 380.0),),
    expected=Expectation(never_exceeding=SEVEN),
)

PLUME = Scenario(
    name="industrial-plume",
    title="Steelworks fill one province for three days; its neighbours stay clean",
    start=midnight(2025, 11, 19),
    days=6,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(bad_air((30, 102, 210)), THAI_NGUYEN),
    daily_cycle=STEADY_DAY,
    expected=Expectation(never_exceeding=SEVEN - {THAI_NGUYEN}),
)

# The sea breeze of a weak high moves a stagnant pool from the coast inland, about forty kilometres a day. Hải Phòng
# and Hà Nội share no border: only the provinces between them make it one episode.
_COAST_TO_CAPITAL = {
    HAI_PHONG: bad_air((16, 60, 125)),
    HUNG_YEN: bad_air((24, 84, 125)),
    BAC_NINH: bad_air((36, 104, 125)),
    HA_NOI: bad_air((56, 130, 125)),
}
MOVING = Scenario(
    name="moving-inland",
    title="A pool of bad air moves from Hải Phòng over Hưng Yên and Bắc Ninh to Hà Nội",
    start=midnight(2025, 11, 27),
    days=8,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(bad_air()) | _COAST_TO_CAPITAL,
    daily_cycle=STEADY_DAY,
    expected=Expectation(
        episodes=(
            ExpectedEpisode(
                onset_h=23,
                opened_h=36,
                closed_h=118,
                provinces=frozenset(_COAST_TO_CAPITAL),
                peak=1,
                kinds=("opened", "grown", "eased", "closed"),
            ),
        ),
        never=("split", "merged"),
    ),
)

# Bắc Ninh is the only bridge between the north-west (Thái Nguyên, Phú Thọ) and the coast (Hải Phòng, Hưng Yên) while
# Hà Nội and Ninh Bình are clean; rain washes it for a day and a half.
_BRIDGE: Course = bad_air((20, 60, 120), (92, 150, 120))
_SIDES: Course = bad_air((20, 150, 120))
SPLIT = Scenario(
    name="split-and-rejoin",
    title="The province in the middle clears for a day and a half, then fills again",
    start=midnight(2026, 2, 9),
    days=9,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(_SIDES, THAI_NGUYEN, PHU_THO, HAI_PHONG, HUNG_YEN) | {BAC_NINH: _BRIDGE},
    daily_cycle=STEADY_DAY,
    expected=Expectation(
        episodes=(
            ExpectedEpisode(
                onset_h=20,
                opened_h=33,
                closed_h=165,
                provinces=frozenset((THAI_NGUYEN, PHU_THO, BAC_NINH, HAI_PHONG, HUNG_YEN)),
                peak=1,
                kinds=("opened", "split", "grown", "closed"),
            ),
            ExpectedEpisode(
                onset_h=20,
                opened_h=74,
                closed_h=104,
                provinces=frozenset((HAI_PHONG, HUNG_YEN)),
                peak=1,
                kinds=("opened", "merged"),
            ),
        ),
    ),
)

SCENARIOS = (FIRE, PLUME, MOVING, SPLIT)
