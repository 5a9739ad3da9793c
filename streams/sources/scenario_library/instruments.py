"""Instruments that say what is not so. None of it may open, hold or end an episode."""

from __future__ import annotations

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
from streams.sources.scenarios import Disturbance, Expectation, ExpectedEpisode, Scenario

STUCK = Scenario(
    name="stuck-at-300",
    title="One station in each of two adjacent provinces writes 300 µg/m³ for three days",
    start=midnight(2026, 2, 20),
    days=6,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(((0, 45),), *SEVEN),
    daily_cycle=STEADY_DAY,
    disturbances=(
        Disturbance("stuck", "SIM-01-02", 24, 96, 300.0, "pm25"),
        Disturbance("stuck", "SIM-24-01", 24, 96, 300.0, "pm25"),
    ),
    expected=Expectation(never_exceeding=SEVEN),
)

FULL_SCALE = Scenario(
    name="full-scale-985",
    title="Every particle monitor of two adjacent provinces writes its full scale, 985, for twenty hours",
    start=midnight(2026, 2, 28),
    days=4,
    cycle_s=QUARTER_S,
    stations=THREE_EACH,
    courses=only(((0, 45),), *SEVEN),
    daily_cycle=STEADY_DAY,
    disturbances=(
        Disturbance("full-scale", HA_NOI, 30.5, 50.5),
        Disturbance("full-scale", BAC_NINH, 30.5, 50.5),
    ),
    expected=Expectation(never_exceeding=SEVEN, set_aside={"sentinel": 900}),
)

# The same weather with and without the calibrations, so the same story: an hour about which nothing is known stops
# the counting and does not start it anew. The zero check says nothing of itself, one station at a time.
_BAD_FOR_THREE_DAYS = bad_air((30, 102, 125))
CALIBRATION = Scenario(
    name="calibration-hour",
    title="During an episode all stations of a province are calibrated from 10 to 11 h, and one is zeroed daily",
    start=midnight(2026, 3, 6),
    days=7,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(_BAD_FOR_THREE_DAYS, HA_NOI, BAC_NINH, HUNG_YEN),
    daily_cycle=STEADY_DAY,
    disturbances=(
        *(Disturbance("calibrating", HA_NOI, 24 * day + 10, 24 * day + 11) for day in range(7)),
        *(Disturbance("zero-check", "SIM-33-02", 24 * day + 10, 24 * day + 11, 0.5) for day in range(7)),
    ),
    expected=Expectation(
        episodes=(
            ExpectedEpisode(
                onset_h=30, opened_h=43, closed_h=117, provinces=frozenset((HA_NOI, BAC_NINH, HUNG_YEN)), peak=1
            ),
        ),
        never=("eased", "split", "merged"),
    ),
)

CO_UNIT = Scenario(
    name="co-unit-error",
    title="CO in µg/m³ under the name of mg/m³ in two provinces, and the other way round in a third",
    start=midnight(2026, 3, 15),
    days=4,
    cycle_s=HOUR_S,
    stations=THREE_EACH,
    courses=only(((0, 45),), *SEVEN),
    daily_cycle=STEADY_DAY,
    disturbances=(
        Disturbance("unit", HA_NOI, 24, 72, 1000.0, "co"),
        Disturbance("unit", BAC_NINH, 24, 72, 1000.0, "co"),
        Disturbance("unit", HUNG_YEN, 24, 72, 0.001, "co"),
    ),
    expected=Expectation(never_exceeding=SEVEN, set_aside={"out-of-range": 180}),
)

SCENARIOS = (STUCK, FULL_SCALE, CALIBRATION, CO_UNIT)
