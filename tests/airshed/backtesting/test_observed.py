"""Province medians straight from the readings, against the definition written out."""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Literal

import numpy as np
import pytest

from airshed.backtesting.observed import Observed
from streams.batches import ReadingBatch
from streams.clock import HOUR_S
from streams.schemas import STATUSES
from tests.airshed.test_order_and_repetition import PACK, registry
from tests.streams.samples import batch

FIRST = 1_768_150_800 // HOUR_S
STATIONS = registry()
HANOI = [row for row, station in enumerate(STATIONS.stations) if station.province == "01"]


def observed(*batches: ReadingBatch) -> Observed:
    result = Observed(PACK.airshed, STATIONS)
    for one in batches:
        result.accept(one)
    result.finish()
    return result


def hourly(values: dict[tuple[int, int], float]) -> ReadingBatch:
    """By (hour, station)."""
    rows = sorted((hour, station, value) for (hour, station), value in values.items())
    return batch(*((station, (FIRST + hour) * HOUR_S, value) for hour, station, value in rows), period_s=HOUR_S)


def slow(values: dict[tuple[int, int], float], hour: int) -> tuple[float, float]:
    """Median hourly mean and median 24-hour mean of Hà Nội, by the book."""
    now = [values[hour, station] for station in HANOI if (hour, station) in values]
    days = []
    for station in HANOI:
        day = [values[h, station] for h in range(hour - 23, hour + 1) if (h, station) in values]
        if len(day) >= 18:
            days.append(statistics.fmean(day))
    nan = float("nan")
    return (
        statistics.median(now) if 2 * len(now) >= len(HANOI) else nan,
        statistics.median(days) if 2 * len(days) >= len(HANOI) else nan,
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pieces", [1, 5])
def test_as_written_out(seed: int, pieces: int) -> None:
    chance = np.random.default_rng(seed)
    values = {
        (hour, station): round(float(chance.uniform(5, 200)), 1)
        for hour in range(90)
        for station in range(len(STATIONS))
        if chance.random() < 0.8 and not 40 <= hour < 43
    }
    whole = hourly(values)
    cuts = np.array_split(np.arange(len(whole)), pieces)
    result = observed(*(whole.take(cut) for cut in cuts))
    hours, days = result.hour.between(FIRST, FIRST + 89), result.day.between(FIRST, FIRST + 89)
    for hour in range(90):
        expected = slow(values, hour)
        assert (float(hours[hour, 0]), float(days[hour, 0])) == pytest.approx(expected, rel=1e-6, nan_ok=True), hour


def test_an_hour_needs_three_quarters_of_itself() -> None:
    def minutes(count: int) -> float:
        rows = [(station, FIRST * HOUR_S + 300 * step, 60.0) for station in HANOI for step in range(1, count + 1)]
        return float(observed(batch(*sorted(rows, key=lambda row: row[1]))).hour.between(FIRST + 1, FIRST + 1)[0, 0])

    assert minutes(9) == 60.0
    assert math.isnan(minutes(8))


def given(value: float, status: Literal["measuring", "revised"] = "measuring", stations: int = 99) -> ReadingBatch:
    """The hour as some stations of Hà Nội told it."""
    one = batch(*((station, FIRST * HOUR_S, value) for station in HANOI[:stations]), period_s=HOUR_S)
    return dataclasses.replace(one, status=np.full(len(one), STATUSES.index(status), np.int8))


@pytest.mark.parametrize(
    ("told", "medians"),
    [
        ([given(900.0), given(20.0, "revised")], 20.0),
        ([given(20.0, "revised"), given(900.0)], 20.0),  # the original comes late: the revision stands
        ([given(900.0), given(500.0, "revised"), given(20.0, "revised")], 20.0),
        ([given(60.0), given(60.0)], 60.0),
        ([given(60.0), given(90.0)], 60.0),  # a repeat changes nothing
        ([given(60.0), given(985.0, "revised")], 60.0),  # what cannot be replaces nothing
    ],
)
def test_a_revision_replaces_the_value_and_a_repeat_changes_nothing(told: list[ReadingBatch], medians: float) -> None:
    assert observed(*told).hour.between(FIRST, FIRST)[0, 0] == medians


def test_a_repeat_does_not_count_double() -> None:
    """Nine of twelve readings are three quarters of an hour; six of them twice are half of one."""
    rows = [(station, FIRST * HOUR_S + 300 * step, 60.0) for step in range(1, 7) for station in HANOI for _ in "ab"]
    assert math.isnan(observed(batch(*rows)).hour.between(FIRST + 1, FIRST + 1)[0, 0])


@pytest.mark.parametrize("value", [985.0, 1000.0, -15.1, float("nan")])
def test_numbers_that_instruments_write_when_they_fail_do_not_count(value: float) -> None:
    values = {(0, station): 60.0 for station in HANOI[1:]} | {(0, HANOI[0]): value}
    assert observed(hourly(values)).hour.between(FIRST, FIRST)[0, 0] == 60.0


def test_calibration_does_not_count() -> None:
    calibrating = batch(*((station, FIRST * HOUR_S, 300.0) for station in HANOI), period_s=HOUR_S)
    status = np.full(len(calibrating), STATUSES.index("calibrating"), np.int8)
    columns = (calibrating.station, calibrating.pollutant, calibrating.time_s, calibrating.period_s, calibrating.value)
    assert observed(ReadingBatch(*columns, status)).hour.span() is None


def test_a_reading_of_1970_fills_nothing_in_between() -> None:
    strange = batch((HANOI[0], 3600, 10.0), *((s, FIRST * HOUR_S, 60.0) for s in HANOI), period_s=HOUR_S)
    result = observed(strange)
    assert result.hour.between(FIRST, FIRST)[0, 0] == 60.0
    assert len(result.hour._days) == 2
