"""The tables: worked values, wrong variants found in public code, and properties every standard must have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.indices import STANDARDS, Beyond, Column, Standard
from streams.schemas import POLLUTANTS

COLUMNS = [(code, column) for code, standard in STANDARDS.items() for column in standard.columns]
NAMES = [f"{code}-{column.key}" for code, column in COLUMNS]


def index_of(code: str, key: str, value: float) -> int | None:
    """Whole sub-index of a concentration in the column's own unit."""
    standard = STANDARDS[code]
    whole = standard.rounding.apply(standard.column_of_key(key).exact(np.array([value])))[0]
    return None if math.isnan(whole) else int(whole)


@pytest.mark.parametrize(
    ("code", "key", "value", "expected"),
    [
        # Decision 1459, Table 2: each row's end points, and half-way points worked by hand.
        ("vn_aqi", "pm25_24h", 0.0, 0),
        ("vn_aqi", "pm25_24h", 12.5, 25),
        ("vn_aqi", "pm25_24h", 65.0, 125),
        ("vn_aqi", "pm25_24h", 115.0, 175),
        ("vn_aqi", "pm25_24h", 300.0, 350),
        ("vn_aqi", "pm25_24h", 600.0, 500),
        ("vn_aqi", "pm10_24h", 460.0, 350),
        ("vn_aqi", "o3_1h", 600.0, 250),
        ("vn_aqi", "o3_8h", 190.0, 175),
        ("vn_aqi", "no2_1h", 450.0, 125),
        ("vn_aqi", "so2_1h", 62.5, 25),
        ("vn_aqi", "co_1h", 20_000.0, 75),
        # Ties: binary must not turn a half into less.
        ("vn_aqi", "pm25_24h", 0.25, 1),
        ("vn_aqi", "pm25_24h", 25.25, 51),
        ("vn_aqi", "pm10_24h", 51.0, 51),
        ("vn_aqi", "pm25_24h", 251.5, 302),
        # US: cut, not rounded; row ends; the line carried on above 500.
        ("us_aqi", "pm25_24h", 9.09, 50),
        ("us_aqi", "pm25_24h", 35.49, 100),
        ("us_aqi", "pm25_24h", 325.4, 500),
        ("us_aqi", "pm25_24h", 425.3, 699),
        ("us_aqi", "pm10_24h", 154.9, 100),
        ("us_aqi", "no2_1h", 53.9, 50),
        ("us_aqi", "so2_1h", 500.0, 200),
        ("us_aqi", "so2_24h", 305.0, 201),
        ("us_aqi", "o3_1h", 0.125, 101),
        ("us_aqi", "o3_8h", 0.3, 300),
        ("us_aqi_2012", "pm25_24h", 12.0, 50),
        ("us_aqi_2012", "pm25_24h", 350.4, 400),
        # China: always up.
        ("cn_aqi_2012", "pm25_24h", 75.1, 101),
        ("cn_aqi_2012", "so2_1h", 800.0, 200),
        ("cn_aqi", "pm25_24h", 60.0, 100),
        ("cn_aqi", "pm10_24h", 120.0, 100),
        ("cn_aqi", "so2_1h", 900.0, 200),
        ("cn_aqi", "o3_8h", 900.0, 300),
        ("in_naqi", "pm25_24h", 120.0, 300),
        ("in_naqi", "pm25_24h", 380.0, 500),
        ("kr_cai", "pm25_24h", 35.9, 100),
        ("kr_cai", "o3_1h", 0.031, 51),
    ],
)
def test_worked_values(code: str, key: str, value: float, expected: int) -> None:
    assert index_of(code, key, value) == expected


@pytest.mark.parametrize(
    ("code", "key", "value"),
    [
        ("vn_aqi", "o3_8h", 400.1),  # the Decision leaves such a value out
        ("cn_aqi_2012", "so2_1h", 800.1),
        ("cn_aqi_2012", "o3_8h", 800.1),
        ("us_aqi", "o3_1h", 0.1249),  # 1 h ozone says nothing below 101
        ("us_aqi", "so2_24h", 304.9),
        ("vn_aqi", "pm25_24h", math.nan),
    ],
)
def test_where_the_standard_gives_none(code: str, key: str, value: float) -> None:
    assert index_of(code, key, value) is None


@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        ("pm25_24h", 25.1, 51),  # US-style gapped rows
        ("so2_1h", 500.0, 100),  # China's 1 h column
        ("so2_1h", 650.0, 150),
        ("no2_1h", 2340.0, 300),
        ("no2_1h", 3750.0, 500),
        ("o3_1h", 100.0, 50),  # the 8 h column's first row
        ("pm25_24h", 375.0, 400),  # one segment from 250 to 500
        ("pm25_24h", 350.0, 381),
        ("pm10_24h", 500.0, 390),
    ],
)
def test_not_the_wrong_variants_in_circulation(key: str, value: float, wrong: int) -> None:
    assert index_of("vn_aqi", key, value) != wrong


@pytest.mark.parametrize(("code", "column"), COLUMNS, ids=NAMES)
def test_rows_follow_each_other(code: str, column: Column) -> None:
    for below, above in zip(column.rows, column.rows[1:], strict=False):
        assert below[0] < below[1] <= above[0]
        assert below[2] < below[3] <= above[2] <= below[3] + 1
        if column.resolution is None:
            assert (below[1], below[3]) == (above[0], above[2])
        else:
            assert round((above[0] - below[1]) * 10**column.resolution) == 1, "no concentration falls between rows"


@pytest.mark.parametrize(("code", "column"), COLUMNS, ids=NAMES)
@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1.5), step=st.floats(0, 0.2))
def test_more_is_never_less(code: str, column: Column, place: float, step: float) -> None:
    top = column.rows[-1][1]
    lower, higher = column.exact(np.array([place * top, (place + step) * top]))
    # Where a column hands over to another (O3 8 h above 400 in Viet Nam) it says nothing instead of less.
    assert higher >= lower or math.isnan(lower) or (math.isnan(higher) and column.beyond is Beyond.NOTHING)


@pytest.mark.parametrize(("code", "column"), COLUMNS, ids=NAMES)
@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1))
def test_nothing_jumps(code: str, column: Column, place: float) -> None:
    """Continuous tables have no jump at all; gapped ones jump by a grid step of the steepest row, and 1, at most."""
    value = column.rows[0][0] + place * (column.rows[-1][1] - column.rows[0][0])
    hair = 1e-7 * column.rows[-1][1]
    before, after = column.exact(np.array([value, value + hair]))
    steepest = max((row[3] - row[2]) / (row[1] - row[0]) for row in column.rows)
    allowed = steepest * hair if column.resolution is None else max(1.0, steepest * 10.0**-column.resolution)
    assert math.isnan(after) or abs(after - before) <= allowed + 1e-6


@pytest.mark.parametrize("standard", STANDARDS.values(), ids=STANDARDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_raising_one_pollutant_never_lowers_the_index(standard: Standard, data: st.DataObject) -> None:
    row = [data.draw(st.one_of(st.just(math.nan), st.floats(0, 500))) for _ in POLLUTANTS]
    raised = list(row)
    place = data.draw(st.integers(0, len(row) - 1))
    raised[place] = 0.0 if math.isnan(row[place]) else row[place] + data.draw(st.floats(0, 100))
    index, _ = standard.combine(np.array([row, raised]))
    assert index[1] >= index[0] or math.isnan(index[0])


@pytest.mark.parametrize("standard", STANDARDS.values(), ids=STANDARDS)
def test_categories_cover_the_scale_without_gaps(standard: Standard) -> None:
    assert standard.categories[0].low == 0
    for below, above in zip(standard.categories, standard.categories[1:], strict=False):
        assert above.low == below.high + 1
        assert standard.category(below.high) is below
        assert standard.category(above.low) is above
    assert standard.category(10_000) is standard.categories[-1]
    assert all({standard.language, "en"} <= category.names.keys() for category in standard.categories)


@pytest.mark.parametrize("standard", STANDARDS.values(), ids=STANDARDS)
def test_every_recipe_names_a_column(standard: Standard) -> None:
    for pollutant, recipe in standard.hourly.items():
        assert [standard.column_of_key(key).pollutant for _, key in recipe] == [pollutant] * len(recipe)
    for key in standard.daily:
        assert standard.column_of_key(key).key == key
    assert set(standard.hourly) == set(POLLUTANTS)


def test_gases_alone_make_no_vietnamese_index() -> None:
    gases = np.array([[math.nan, math.nan, 480.0, 120.0, 90.0, 60.0]])
    index, dominant = STANDARDS["vn_aqi"].combine(gases)
    assert math.isnan(index[0])
    assert dominant[0] == -1


def test_an_indian_index_needs_three_pollutants_one_of_them_dust() -> None:
    nan = math.nan
    rows = [[60.0, nan, 50.0, nan, nan, nan], [60.0, nan, 50.0, 40.0, nan, nan], [nan, nan, 50.0, 40.0, 30.0, 20.0]]
    index, _ = STANDARDS["in_naqi"].combine(np.array(rows))
    assert index.tolist()[1] == 60
    assert np.isnan(index[[0, 2]]).all()


def test_a_korean_index_rises_with_the_number_of_bad_pollutants() -> None:
    nan = math.nan
    rows = [[120.0, 90.0, nan, nan, nan, nan], [120.0, 110.0, nan, nan, nan, nan], [120.0, 110.0, 101.0, nan, nan, nan]]
    index, _ = STANDARDS["kr_cai"].combine(np.array(rows))
    assert index.tolist() == [120, 170, 195]


def test_advice_of_the_decision_is_there_for_both_audiences_in_both_languages() -> None:
    for category in STANDARDS["vn_aqi"].categories:
        assert {audience: set(texts) for audience, texts in category.advice.items()} == {
            "general": {"vi", "en"},
            "sensitive": {"vi", "en"},
        }
