"""Screening: which readings may count, by reason, without changing any."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.schemas import POLLUTANTS, STATUSES
from streams.screening import NAMES, Limits, screen
from tests.streams.samples import batch, rows_of


@pytest.mark.parametrize(
    ("pollutant", "value", "status", "period_s", "reason"),
    [
        ("pm25", 55.7, "measuring", 300, "usable"),
        ("pm25", 55.7, "revised", 3600, "usable"),
        ("pm25", 0.0, "measuring", 300, "usable"),
        ("pm25", -14.9, "measuring", 300, "usable"),  # noise around zero; means would be biased without it
        ("pm25", -15.1, "measuring", 300, "out-of-range"),
        ("pm25", 400.0, "calibrating", 300, "calibrating"),
        ("pm25", 0.0, "fault", 300, "fault"),
        ("pm25", 985.0, "fault", 300, "fault"),
        ("pm25", 985.0, "measuring", 300, "sentinel"),
        ("pm10", 985.0, "measuring", 300, "sentinel"),
        ("pm10", 1000.0, "measuring", 300, "sentinel"),
        ("pm10", 999.0, "measuring", 300, "sentinel"),
        ("pm10", 984.9, "measuring", 300, "usable"),  # a dust storm has no exact 985
        ("so2", 985.0, "measuring", 300, "usable"),
        ("so2", 1000.0, "measuring", 300, "usable"),
        ("pm25", -999.0, "measuring", 300, "sentinel"),
        ("o3", -9999.0, "measuring", 300, "sentinel"),
        ("pm25", 1000.1, "measuring", 300, "out-of-range"),
        ("pm10", 1999.0, "measuring", 300, "usable"),
        ("pm10", 2000.1, "measuring", 300, "out-of-range"),
        ("co", 30_000.0, "measuring", 300, "usable"),
        ("co", 1_500_000.0, "measuring", 300, "out-of-range"),  # µg sent as mg
        ("pm25", math.nan, "measuring", 300, "no-value"),
        ("pm25", math.inf, "measuring", 300, "out-of-range"),
        ("pm25", 55.7, "measuring", 3600, "usable"),
        ("pm25", 55.7, "measuring", 86_400, "period-too-long"),
    ],
)
def test_each_reading_has_its_reason(pollutant: str, value: float, status: str, period_s: int, reason: str) -> None:
    rows = batch(
        (0, 1768179600, value),
        pollutant=POLLUTANTS.index(pollutant),
        status=STATUSES.index(status),
        period_s=period_s,
    )
    screened = screen(rows)
    assert screened.counts() == {reason: 1}
    assert len(screened.usable) == (reason == "usable")


@given(st.lists(st.sampled_from([1.0, -999.0, 985.0, 5000.0, math.nan, 12.5]), max_size=40))
def test_every_row_has_one_reason_and_none_is_changed(values: list[float]) -> None:
    rows = batch(*((0, 1768179600 + i, value) for i, value in enumerate(values)))
    before = rows_of(rows)
    screened = screen(rows)
    assert rows_of(rows) == before
    assert sum(screened.counts().values()) == len(values)
    assert rows_of(screened.usable) == [
        row for row, reason in zip(before, screened.reasons, strict=True) if reason == 0
    ]


def test_limits_are_settings() -> None:
    rows = batch((0, 1768179600, 985.0))
    assert screen(rows, Limits(pm_full_scale=(5000.0,))).counts() == {"usable": 1}
    assert screen(rows, Limits(highest=(500.0, *[1e6] * 5), pm_full_scale=())).counts() == {"out-of-range": 1}


@pytest.mark.parametrize("wrong", [{"lowest": (0.0,)}, {"lowest": (2000.0,) * 6}])
def test_impossible_limits_are_refused(wrong: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match="lowest"):
        Limits(**wrong)  # type: ignore[arg-type]


def test_an_empty_batch_is_fine() -> None:
    assert screen(batch()).counts() == {}
    assert len(NAMES) <= np.iinfo(np.int8).max
