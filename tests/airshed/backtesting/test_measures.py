"""POD, FAR, CSI and bias: published figures, identities, and no number where nothing occurred."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airshed.backtesting.measures import Dated, Measures, Outcome, count, intervals

counts = st.integers(0, 200)


def test_the_ozone_forecasts_of_philadelphia_2007_to_2008() -> None:
    """POD 0.76 and FAR 0.28 were published with CSI 0.59 and bias 1.04, from counts that are not."""
    table = Measures.of_cells(hits=76, false_alarms=30, misses=24)  # 30 / (76 + 30) = 0.283
    assert table.pod == pytest.approx(0.76)
    assert table.far == pytest.approx(0.28, abs=0.005)
    assert table.csi == pytest.approx(0.59, abs=0.01)
    assert table.bias == pytest.approx(1.04, abs=0.025)


@given(st.integers(1, 200), counts, counts)
def test_identities(hits: int, false_alarms: int, misses: int) -> None:
    table = Measures.of_cells(hits, false_alarms, misses)
    assert table.pod is not None
    assert table.far is not None
    assert table.csi == pytest.approx(1 / (1 / table.pod + 1 / (1 - table.far) - 1))
    assert table.csi == hits / (hits + false_alarms + misses)
    assert table.bias == pytest.approx(table.pod / (1 - table.far))


@pytest.mark.parametrize(
    ("table", "pod", "far", "csi", "bias"),
    [
        (Measures.of_cells(0, 0, 0), None, None, None, None),
        (Measures.of_cells(0, 0, 3), 0.0, None, 0.0, 0.0),
        (Measures.of_cells(0, 2, 0), None, 1.0, 0.0, None),
        (Measures.of_cells(4, 0, 0), 1.0, 0.0, 1.0, 1.0),
    ],
)
def test_what_never_occurred_has_no_measure(
    table: Measures, pod: float | None, far: float | None, csi: float | None, bias: float | None
) -> None:
    assert (table.pod, table.far, table.csi, table.bias) == (pod, far, csi, bias)


def outcomes(*pairs: tuple[Outcome, int]) -> list[Dated]:
    return [Dated(outcome, week) for outcome, week in pairs]


def test_counting() -> None:
    told = outcomes(("hit", 1), ("miss", 1), ("false-alarm", 2), ("hit", 3), ("right", 1))
    assert count(told) == Measures(hits=2, false_alarms=1, misses=1, right=1)


def test_what_happened_and_what_was_said_are_each_counted_in_their_own_unit() -> None:
    """Three events under one long episode, and one episode astray: half of what was said did not happen."""
    table = Measures(hits=3, false_alarms=1, misses=1, right=1)
    assert (table.pod, table.far, table.bias) == (0.75, 0.5, 0.5)
    assert table.csi == pytest.approx(1 / (1 / 0.75 + 1 / 0.5 - 1))


def test_intervals_hold_the_measure_and_need_events() -> None:
    few = outcomes(*[("hit", week) for week in range(4)], *[("right", week) for week in range(4)])
    assert intervals(few) == {}
    same_week = outcomes(*[("hit", 7)] * 9)
    assert intervals(same_week) == {}
    right = outcomes(*[("right", week) for week in range(8)])
    mixed = right + outcomes(*[("hit", week) for week in range(8)], *[("miss", week) for week in range(8, 12)])
    found = intervals(mixed)
    assert found["pod"].low < 8 / 12 < found["pod"].high
    assert (found["far"].low, found["far"].high) == (0.0, 0.0)
    assert intervals(mixed) == found
    sure = outcomes(*[("hit", week) for week in range(12)], *[("right", week) for week in range(12)])
    assert (intervals(sure)["csi"].low, intervals(sure)["csi"].high) == (1.0, 1.0)


def test_a_pack_that_never_spoke_has_no_interval_of_its_false_alarms() -> None:
    found = intervals(outcomes(*[("miss", week) for week in range(9)]))
    assert {name: (interval.low, interval.high) for name, interval in found.items()} == {"pod": (0, 0), "csi": (0, 0)}


def test_weeks_are_drawn_not_events() -> None:
    """Ten misses of one spell are one chance in another winter, so the interval is wide."""
    one_spell = outcomes(*[("miss", 1)] * 10, *[("hit", week) for week in range(2, 12)])
    spread = outcomes(*[("miss", week) for week in range(20, 30)], *[("hit", week) for week in range(2, 12)])
    wide, narrow = intervals(one_spell)["pod"], intervals(spread)["pod"]
    assert wide.high - wide.low > narrow.high - narrow.low
