"""Connected provinces, and the levels and onsets that follow from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.components import connected, neighbours_of, regional, regional_level, regional_onset
from tests.streams.province_hours import airshed

ROW = neighbours_of(airshed("AB BC CD DE"))


@pytest.mark.parametrize(
    ("codes", "parts"),
    [("", []), ("C", ["C"]), ("ABDE", ["AB", "DE"]), ("EDCBA", ["ABCDE"]), ("ACE", ["A", "C", "E"])],
)
def test_parts_in_order_of_their_lowest_code(codes: str, parts: list[str]) -> None:
    assert ["".join(sorted(part)) for part in connected(codes, ROW)] == parts


def test_a_part_that_is_too_small_is_not_regional() -> None:
    assert regional("ABD", ROW, 2) == [frozenset("AB")]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ({"A": 2, "B": 2}, 2),
        ({"A": 3, "B": 1}, 1),  # one province alone does not raise it
        ({"A": 3, "C": 3, "B": 1}, 1),  # two that do not touch on level 3
        ({"A": 3, "B": 2, "C": 3}, 2),
        ({"A": 1, "C": 1}, 0),
        ({}, 0),
    ],
)
def test_the_level_is_the_highest_that_enough_connected_provinces_are_on(levels: dict[str, int], expected: int) -> None:
    assert regional_level(levels, ROW, 2) == expected


def test_the_onset_is_when_the_second_connected_one_began() -> None:
    assert regional_onset({"A": 10, "B": 50, "C": 40}, ROW, 2) == 50
    assert regional_onset({"A": 10, "C": 20, "B": 90}, ROW, 2) == 90
    assert regional_onset({"A": 10, "B": 10}, ROW, 2) == 10
    with pytest.raises(ValueError, match="connected"):
        regional_onset({"A": 10, "C": 20}, ROW, 2)


@given(st.sets(st.sampled_from("ABCDE")))
def test_parts_are_disjoint_cover_everything_and_do_not_touch(codes: set[str]) -> None:
    parts = connected(codes, ROW)
    assert sorted(code for part in parts for code in part) == sorted(codes)
    for part in parts:
        others = codes - part
        assert all(not ROW[code] & others for code in part)
