"""NowCast and the day's statistics: worked values and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.indices.averaging import max_1h_of_day, max_8h_of_day, mean_of, nowcast

NAN = math.nan
VALUES = st.one_of(st.just(NAN), st.floats(0, 1000).map(lambda value: round(value, 1)))
HOURS = st.lists(VALUES, min_size=12, max_size=12)


def cast(*hours: float) -> float:
    """NowCast of hours given oldest first; the front is filled with missing ones."""
    return float(nowcast(np.array([[NAN] * (12 - len(hours)) + list(hours)]))[0])


def test_worked_values() -> None:
    assert cast(20.0, 10.0) == pytest.approx((10 + 0.5 * 20) / 1.5)
    assert cast(8.0, NAN, 10.0) == pytest.approx((10 + 0.8**2 * 8) / (1 + 0.8**2)), "a missing hour keeps its place"
    assert cast(*[0.0] * 11, 100.0) == pytest.approx(100 / (2 - 2**-11)), "always divided by the weights"
    assert cast(NAN, 30.0, 30.0, NAN) == 30.0


def test_two_of_the_latest_three() -> None:
    assert math.isnan(cast(*[50.0] * 10, NAN, NAN))
    assert math.isnan(cast(*[50.0] * 9, NAN, 50.0, NAN))
    assert cast(*[50.0] * 9, 50.0, NAN, 50.0) == 50.0


def test_clean_air_is_zero_and_below_zero_counts_as_zero() -> None:
    assert cast(*[0.0] * 12) == 0.0
    assert cast(*[-3.0] * 12) == 0.0
    assert cast(*[-3.0] * 11, 10.0) == cast(*[0.0] * 11, 10.0)


@settings(max_examples=300, deadline=None)
@given(HOURS)
def test_it_lies_between_the_extremes(hours: list[float]) -> None:
    result = cast(*hours)
    if not math.isnan(result):
        assert np.nanmin(hours) <= result <= np.nanmax(hours)


@settings(deadline=None)
@given(st.floats(0.1, 1000))
def test_a_constant_stays(value: float) -> None:
    assert cast(*[value] * 12) == value


@settings(max_examples=200, deadline=None)
@given(HOURS, st.integers(0, 8))
def test_a_missing_old_hour_never_makes_it_undefined(hours: list[float], place: int) -> None:
    hours[9:] = [10.0 if math.isnan(hour) else hour for hour in hours[9:]]
    hours[place] = NAN
    assert not math.isnan(cast(*hours))


@settings(max_examples=100, deadline=None)
@given(st.lists(HOURS, min_size=1, max_size=20))
def test_stations_do_not_touch_each_other(rows: list[list[float]]) -> None:
    """Bit by bit the same alone and in a crowd: decisions must not depend on how stations are spread over workers."""
    together = nowcast(np.array(rows))
    alone = np.array([nowcast(np.array([row]))[0] for row in rows])
    np.testing.assert_array_equal(together, alone)


def test_eight_hours_reach_back_into_the_day_before() -> None:
    day = [10.0] * 24
    before = [100.0] * 7
    assert max_8h_of_day(np.array([before + day]), 18, 6)[0] == pytest.approx((7 * 100 + 10) / 8)


def test_completeness_of_a_day() -> None:
    hours = np.full((2, 31), 20.0)
    hours[1, :8] = NAN  # 23 hours of the day are there, and 18 of its 24 windows have six hours
    assert max_8h_of_day(hours, 18, 6).tolist() == [20.0, 20.0]
    hours[1, :9] = NAN
    assert math.isnan(max_8h_of_day(hours, 18, 6)[1])
    assert mean_of(hours[:, -24:], 18).tolist() == [20.0, 20.0]
    hours[1, -5:] = NAN
    assert math.isnan(mean_of(hours[:, -24:], 18)[1])
    assert math.isnan(max_1h_of_day(hours[:, -24:], 18)[1])


def test_a_mean_below_zero_is_zero() -> None:
    assert mean_of(np.array([[-1.0, -2.0]]), 1)[0] == 0.0
    assert mean_of(np.array([[-1.0, 3.0]]), 1)[0] == 1.0
