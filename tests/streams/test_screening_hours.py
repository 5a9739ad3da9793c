"""Hours of one station under suspicion: what is flagged, what stays, and that restarts and batches change nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from streams.clock import epoch_s, utc
from streams.rolling import IndexStage
from streams.schemas import Mark, StationIndex
from streams.screening import Limits
from streams.windows import RING_HOURS
from tests.streams.rolling_cases import HOUR, LATENESS, START_H, History, Row, airshed, batch, history, registry
from tests.streams.test_rolling_properties import Recording

STEP = 300
Series = Sequence[float | None]
VARIED = [60.0, 63.0, 58.0, 66.0, 71.0, 69.0, 64.0, 61.0, 57.0, 55.0, 59.0, 62.0]


def hourly(values: Series, pollutant: str = "pm25", first: int = 0) -> list[Row]:
    """One row per hour, the first one ending ``first + 1`` hours after the start."""
    ends = range(START_H + first + 1, START_H + first + 1 + len(values))
    return [
        ("A", pollutant, end * HOUR, HOUR, value) for end, value in zip(ends, values, strict=True) if value is not None
    ]


def of_minutes(values: Series, pollutant: str = "pm25") -> list[Row]:
    """One row per five minutes from the start on."""
    start = START_H * HOUR
    return [
        ("A", pollutant, start + (n + 1) * STEP, STEP, value) for n, value in enumerate(values) if value is not None
    ]


def records(rows: Sequence[Row], limits: Limits | None = None, restart: bool = False) -> list[StationIndex]:
    """Final hour records of station A when every row comes in its hour, revision 0 only."""
    stations, state = registry(["A"]), {}
    stage = IndexStage(stations, [airshed()], state, provisional=False, limits=limits or Limits())
    stage.advance(Mark(utc(START_H * HOUR + LATENESS)))
    found: list[StationIndex] = []
    last = -(-max(row[2] for row in rows) // HOUR)
    for hour in range(START_H + 1, last + 1):
        if restart:
            stage = IndexStage(stations, [airshed()], state, provisional=False, limits=limits or Limits())
        stage.accept(batch([row for row in rows if (hour - 1) * HOUR < row[2] <= hour * HOUR], stations))
        said = stage.advance(Mark(utc(hour * HOUR + LATENESS)))
        found += [item for item in said if isinstance(item, StationIndex) and item.product == "hour"]
    return found


def suspects(rows: Sequence[Row], limits: Limits | None = None) -> dict[int, dict[str, str]]:
    """Hours after the start (1 = the first) with what is suspect in them."""
    return {epoch_s(item.time) // HOUR - START_H: item.suspect for item in records(rows, limits) if item.suspect}


# -- stuck -----------------------------------------------------------------------------------------------------------


def test_twelve_equal_hours_are_a_flatline_and_eleven_are_not() -> None:
    assert suspects(hourly([*VARIED, *[88.0] * 11, 90.0])) == {}
    assert suspects(hourly([*VARIED, *[88.0] * 14])) == {hour: {"pm25": "flatline"} for hour in (24, 25, 26)}


def test_sixteen_equal_hours_of_a_day_are_a_flatline_though_interrupted() -> None:
    broken = [*[88.0] * 8, 91.0, *[88.0] * 7, None, 88.0]
    assert suspects(hourly(broken)) == {18: {"pm25": "flatline"}}


def test_an_instrument_that_has_recovered_may_meet_the_old_value_again() -> None:
    assert 22 not in suspects(hourly([*[8.0] * 16, 13.0, 8.0, 4.0, 10.0, 12.0, 8.0]))


@pytest.mark.parametrize(("pollutant", "value"), [("pm25", 2.0), ("so2", 8.0), ("co", 1_500.0), ("no2", 0.0)])
def test_clean_air_at_the_resolution_of_the_instrument_is_not_a_flatline(pollutant: str, value: float) -> None:
    assert suspects(hourly([value] * 20, pollutant)) == {}


def test_a_flatline_takes_all_its_hours_out_of_what_follows() -> None:
    found = records(hourly([*VARIED, *[300.0] * 12, *VARIED]))
    at_flat = found[23]
    assert (at_flat.index, at_flat.withheld, at_flat.screening) == (None, {"pm25": 300.0}, "screening-1")
    # Two good hours after it make a NowCast again, of good hours only; the 24 h mean needs 18 and waits for them.
    assert found[25].concentration["pm25"] < 66
    assert found[25].trailing_24h == {}
    assert found[22].suspect == {}, "what was said when nobody could know stands"


def test_what_a_flatline_took_out_stays_out_when_the_run_has_left_the_window_in_part() -> None:
    rows = hourly([*VARIED, *[300.0] * 18, *VARIED, *VARIED])
    # At hour 46 the latest 24 hours begin with eight stuck ones (23-30); they were condemned as hours 24-30 closed.
    assert records(rows)[45].trailing_24h == {}
    assert records(rows)[47].trailing_24h["pm25"] == pytest.approx(sum([*VARIED, *VARIED][:18]) / 18, abs=0.01)


# -- spike -----------------------------------------------------------------------------------------------------------


def minutes_with(at: dict[int, float], hours: int = 4, level: float = 60.0) -> list[Row]:
    values = [level + (n * 7 % 5) for n in range(12 * hours)]
    for place, value in at.items():
        values[place] = value
    return of_minutes(values)


def test_a_single_high_value_that_returns_is_a_spike() -> None:
    assert suspects(minutes_with({29: 500.0})) == {3: {"pm25": "spike"}}


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ({29: 200.0}, "not 150 above"),
        ({29: 180.0}, "not three times"),
        ({29: 500.0, 30: 520.0, 31: 480.0}, "a plume: it persists for three steps"),
        ({35: 500.0, 36: 510.0, 37: 490.0}, "a plume across the end of the hour"),
    ],
)
def test_what_is_no_spike(at: dict[int, float], why: str) -> None:
    assert suspects(minutes_with(at)) == {}, why


def test_the_last_value_of_an_hour_is_judged_with_the_next_hour() -> None:
    rows = minutes_with({35: 700.0})
    assert suspects(rows) == {4: {"pm25": "spike-before"}}
    third, fourth = records(rows)[2:]
    assert third.concentration["pm25"] > 80, "nobody could know yet"
    assert fourth.concentration["pm25"] < 66, "the spike is left out from now on"
    assert fourth.withheld == {}


def test_of_hourly_values_a_lonely_hour_is_a_spike_once_the_next_is_known() -> None:
    assert suspects(hourly([60.0, 61.0, 700.0, 62.0, 60.0])) == {4: {"pm25": "spike-before"}}
    assert suspects(hourly([60.0, 61.0, 700.0, 690.0, 60.0])) == {}


def test_at_a_high_level_a_spike_must_be_three_times_as_high() -> None:
    assert suspects(minutes_with({29: 700.0}, level=300.0)) == {}
    assert suspects(minutes_with({29: 980.0}, level=300.0)) == {3: {"pm25": "spike"}}


def test_a_revised_hour_has_no_spike_left() -> None:
    stations = registry(["A"])
    stage = IndexStage(stations, [airshed()], {}, provisional=False, limits=Limits())
    stage.advance(Mark(utc(START_H * HOUR + LATENESS)))
    stage.accept(batch(minutes_with({5: 800.0}, hours=1), stations))
    (first, *_) = stage.advance(Mark(utc((START_H + 1) * HOUR + LATENESS)))
    assert isinstance(first, StationIndex)
    assert first.suspect == {"pm25": "spike"}
    stage.accept(batch([("A", "pm25", (START_H + 1) * HOUR, HOUR, 61.0)], stations, ["revised"]))
    (again, *_) = stage.advance(Mark(utc((START_H + 2) * HOUR + LATENESS)))
    assert isinstance(again, StationIndex)
    assert (again.revision, again.suspect, again.withheld) == (1, {}, {})


# -- pair, zero, habit -----------------------------------------------------------------------------------------------


def test_pm25_above_pm10_for_three_hours_makes_both_suspect() -> None:
    rows = hourly([90.0, 92.0, 95.0], "pm25") + hourly([60.0, 61.0, 63.0], "pm10")
    assert suspects(rows) == {3: {"pm25": "pair", "pm10": "pair"}}
    assert records(rows)[-1].index is None
    rows = hourly([66.0, 69.0, 71.0, 65.0], "pm25") + hourly([60.0, 61.0, 63.0, 60.0], "pm10")
    assert suspects(rows) == {}, "within the tolerance of two instruments"


def test_zero_in_every_channel_is_a_logger_and_zero_in_one_is_air() -> None:
    rows = hourly([60.0, 0.0], "pm25") + hourly([80.0, 0.0], "pm10") + hourly([30.0, 0.0], "o3")
    assert suspects(rows) == {2: {"pm25": "all-zero", "pm10": "all-zero", "o3": "all-zero"}}
    rows = hourly([60.0, 50.0], "pm25") + hourly([3.0, 0.0], "o3")
    assert suspects(rows) == {}


def daily_dip(days: int) -> list[float]:
    return [2.0 if hour % 24 == 3 else 80.0 + hour * 5 % 17 for hour in range(24 * days)]


def test_a_dip_at_the_same_hour_is_a_habit_from_the_fourth_day_on() -> None:
    assert suspects(hourly(daily_dip(6))) == {24 * day + 4: {"pm25": "periodic"} for day in (3, 4, 5)}


def test_dips_at_changing_hours_are_no_habit() -> None:
    values = [2.0 if hour % 25 == 3 else 80.0 + hour * 5 % 17 for hour in range(24 * 6)]
    assert suspects(hourly(values)) == {}


def test_the_afternoon_minimum_is_no_dip() -> None:
    day = [90.0, 70.0, 40.0, 20.0, 15.0, 20.0, 45.0, 70.0, 85.0, 90.0, 95.0, 99.0]
    assert suspects(hourly([value + n % 3 for n, value in enumerate(day * 12)])) == {}


# -- classes, switches, restarts -------------------------------------------------------------------------------------


def test_without_limits_every_hour_counts() -> None:
    stations = registry(["A"])
    stage = IndexStage(stations, [airshed()], {}, provisional=False)
    stage.advance(Mark(utc(START_H * HOUR + LATENESS)))
    stage.accept(batch(hourly([88.0] * 14)[:1], stations))
    (first, *_) = stage.advance(Mark(utc((START_H + 1) * HOUR + LATENESS)))
    assert isinstance(first, StationIndex)
    assert (first.suspect, first.screening) == ({}, "")


def test_a_restart_before_every_hour_changes_nothing() -> None:
    values = [2.0 if n // 12 % 24 == 3 else 80.0 + n * 5 % 17 for n in range(12 * 24 * 5)]
    values[12 * 50 + 4] = values[12 * 60 + 11] = 900.0
    rows = of_minutes(values)
    assert records(rows) == records(rows, restart=True)
    assert len(suspects(rows)) == 4


SEEDS = st.integers(0, 2**32)
QUICK = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def screened(state: dict[str, bytes]) -> IndexStage:
    return IndexStage(registry(), [airshed()], state, provisional=False, limits=Limits())


def call(stage: IndexStage, item: list[Row] | int) -> list[StationIndex | Mark]:
    return list(stage.advance(Mark(utc(item))) if isinstance(item, int) else stage.accept(batch(item, registry())))


def drive(story: History, state: dict[str, bytes], *, restart: bool = False) -> list[StationIndex | Mark]:
    stage, said = screened(state), []
    for item in story.calls:
        if restart:
            stage = screened(state)
        said += call(stage, item)
    return said


def troubled(seed: int) -> History:
    """A random history in which some values are spikes, zeros or stuck."""
    story = history(seed)
    calls = [item if isinstance(item, int) else [_troubled(row, seed) for row in item] for item in story.calls]
    return History(calls)


def _troubled(row: Row, seed: int) -> Row:
    station, pollutant, end, period, value = row
    kind = (seed + end // period * 7919) % 97
    if kind == 0:
        return station, pollutant, end, period, abs(value) * 4 + 400.0
    if kind in (1, 2):
        return station, pollutant, end, period, 0.0
    if seed % 3 == 0 and end // HOUR % 48 > 20:
        return station, pollutant, end, period, 77.0
    return row


@QUICK
@given(SEEDS)
def test_neither_batches_nor_restarts_change_a_verdict(seed: int) -> None:
    story = troubled(seed)
    state: dict[str, bytes] = {}
    other: dict[str, bytes] = {}
    third: dict[str, bytes] = {}
    said = drive(story, state)
    assert said == drive(story.split(seed), other)
    assert said == drive(story, third, restart=True)
    assert state == other == third


@QUICK
@given(SEEDS)
def test_a_call_cut_off_after_any_write_is_repeated_to_the_same_end(seed: int) -> None:
    story, state = troubled(seed), Recording()
    stage = screened(state)
    chosen = {(seed + n * 7919) % len(story.calls) for n in range(12)}
    for number, item in enumerate(story.calls):
        before = dict(state)
        state.writes.clear()
        said = call(stage, item)
        cuts = {0, 1, len(state.writes) - 1, (seed + number) % (len(state.writes) + 1)} if number in chosen else set()
        for kept in sorted(cut for cut in cuts if cut >= 0):
            left = {**before, **dict(state.writes[:kept])}
            again = call(screened(left), item)
            assert left == state, f"call {number}, {kept} of {len(state.writes)} writes kept"
            assert again == [one for one in said if one in again]


def test_the_state_of_a_station_stays_within_four_kilobytes() -> None:
    state: dict[str, bytes] = {}
    stage = IndexStage(registry(["A"]), [airshed()], state, provisional=False, limits=Limits())
    stage.advance(Mark(utc(START_H * HOUR + LATENESS)))
    for hour in range(1, 24 * 9):
        rows = []
        for pollutant in ("pm25", "pm10", "o3", "no2", "so2", "co"):
            dips = hour % 2 and pollutant != "pm25"
            values = [0.1 if dips else 5_000.0 if pollutant == "co" else 400.0 + n for n in range(12)]
            ends = [(START_H + hour - 1) * HOUR + (n + 1) * STEP for n in range(12)]
            rows += [("A", pollutant, end, STEP, value) for end, value in zip(ends, values, strict=True)]
        stage.accept(batch(rows, registry(["A"])))
        stage.advance(Mark(utc((START_H + hour) * HOUR + LATENESS)))
    sizes = {key: len(key) + len(value) for key, value in state.items() if key.startswith("A")}
    assert sizes["A:peaks"] > 50
    assert sizes["A:habits"] > 50
    assert len(sizes) == RING_HOURS + 3
    assert sum(sizes.values()) <= 4_096
