"""Screening: which readings may count, by reason, without changing any."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.schemas import POLLUTANTS, STATUSES
from streams.screening import NAMES, ClassLimits, Limits, NeighbourLimits, PollutantLimits, screen
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
    of_pm25 = PollutantLimits(lowest=-15, highest=1000, full_scale=(5000.0,))
    assert screen(rows, Limits(reference=ClassLimits(pm25=of_pm25))).counts() == {"usable": 1}
    of_pm25 = PollutantLimits(lowest=-15, highest=500)
    assert screen(rows, Limits(reference=ClassLimits(pm25=of_pm25))).counts() == {"out-of-range": 1}


def test_each_class_of_station_has_its_own_limits() -> None:
    rows = batch((0, 1768179600, -3.0), (1, 1768179600, -3.0), (0, 1768179600, 985.0), (1, 1768179600, 985.0))
    low_cost = np.array([0, 1], np.int8)
    names = [NAMES[reason] for reason in screen(rows, None, low_cost).reasons]
    assert names == ["usable", "out-of-range", "sentinel", "usable"]


def test_limits_are_read_from_a_configuration_piece_by_piece() -> None:
    text = b"[reference.pm25]\nlowest = -20\nhighest = 900\n[neighbours]\nradius_km = 30"
    limits = msgspec.toml.decode(text, type=Limits)
    assert (limits.reference.pm25.highest, limits.reference.pm10.highest) == (900, 2000)
    assert (limits.neighbours.radius_km, limits.neighbours.num_min) == (30, 5)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (PollutantLimits, {"lowest": 5, "highest": 5}),
        (PollutantLimits, {"lowest": 0, "highest": 5, "spike_factor": 0.5}),
        (PollutantLimits, {"lowest": 0, "highest": 5, "spike_rise": 0}),
        (NeighbourLimits, {"num_min": 1}),
        (NeighbourLimits, {"radius_km": 0}),
    ],
)
def test_impossible_limits_are_refused(kind: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"lowest|spike|neighbours"):
        kind(**wrong)


def test_an_empty_batch_is_fine() -> None:
    assert screen(batch()).counts() == {}
    assert len(NAMES) <= np.iinfo(np.int8).max
