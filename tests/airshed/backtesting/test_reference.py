"""The plain reference definition, against one that is plainer still: hour by hour, province by province."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from airshed.backtesting.reference import PAUSE_HOURS, TOGETHER_HOURS, Event, Reference, concentration, reference_of
from rules.loading import load_pack
from streams.airsheds import Airshed, Level, Province
from streams.errors import InputError

BORDERS = {"a": ["b"], "b": ["a", "c"], "c": ["b"], "d": []}
AIRSHED = Airshed(
    code="x",
    names={"en": "x"},
    standard="vn_aqi",
    zone="UTC",
    provinces=[Province(code=code, names={"en": code}, neighbours=list(near)) for code, near in BORDERS.items()],
    levels=[Level(name="alert", names={"en": "alert"}, enter=150, exit=130, enter_hours=6, exit_hours=12)],
)
CODES = list(BORDERS)


def slow_cells(over: NDArray[np.bool_]) -> set[tuple[int, int]]:
    """(hour, province) in which a pair has been over together for six hours or will have been."""
    cells = set()
    for one, other in [(0, 1), (1, 2)]:
        for start in range(len(over) - TOGETHER_HOURS + 1):
            if over[start : start + TOGETHER_HOURS][:, [one, other]].all():
                cells |= {(hour, p) for hour in range(start, start + TOGETHER_HOURS) for p in (one, other)}
    return cells


def slow_events(over: NDArray[np.bool_]) -> set[frozenset[tuple[int, int]]]:
    cells = slow_cells(over)
    both = {(hour, pair) for hour in range(len(over)) for pair in ((0, 1), (1, 2))}
    together = {
        (hour, pair)
        for hour, pair in both
        if any(
            over[start : start + TOGETHER_HOURS][:, list(pair)].all()
            for start in range(max(0, hour - TOGETHER_HOURS + 1), min(hour, len(over) - TOGETHER_HOURS) + 1)
        )
    }

    def linked(a: tuple[int, int], b: tuple[int, int]) -> bool:
        if a[1] == b[1]:
            return abs(a[0] - b[0]) <= PAUSE_HOURS + 1
        return a[0] == b[0] and (a[0], (min(a[1], b[1]), max(a[1], b[1]))) in together

    events, waiting = set(), set(cells)
    while waiting:
        group, edge = set(), [waiting.pop()]
        while edge:
            cell = edge.pop()
            group.add(cell)
            near = {other for other in waiting if linked(cell, other)}
            waiting -= near
            edge += near
        events.add(frozenset(group))
    return events


def cells_of(event: Event) -> frozenset[tuple[int, int]]:
    return frozenset((int(cell) // len(CODES), int(cell) % len(CODES)) for cell in event.cells)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 70))
def test_as_the_slow_definition_says(seed: int, hours: int) -> None:
    """Random spells, long enough to be events, short enough to make pauses of every length."""
    chance = np.random.default_rng(seed)
    over = np.repeat(chance.random((hours // 4 + 1, len(CODES))) < 0.6, 4, axis=0)[:hours]
    means = np.where(over, 90.0, 20.0).astype(np.float32)
    events = Reference(80.0).events(means, AIRSHED)
    assert {cells_of(event) for event in events} == slow_events(over)
    for event in events:
        hours_of = [hour for hour, _ in cells_of(event)]
        assert (event.first, event.last) == (min(hours_of), max(hours_of))
    assert [event.name for event in events] == [f"R{number}" for number in range(1, len(events) + 1)]
    assert [event.first for event in events] == sorted(event.first for event in events)


def means(**courses: list[float]) -> NDArray[np.float32]:
    longest = max(len(course) for course in courses.values())
    padded = {code: course + [0.0] * (longest - len(course)) for code, course in courses.items()}
    return np.array([padded.get(code, [0.0] * longest) for code in CODES], np.float32).T


@pytest.mark.parametrize(
    ("day_means", "number"),
    [
        (means(a=[80.0] * 6, b=[80.0] * 6), 1),
        (means(a=[80.0] * 5, b=[80.0] * 5), 0),
        (means(a=[79.9] * 6, b=[80.0] * 6), 0),
        (means(a=[90.0] * 9, c=[90.0] * 9), 0),  # no common border
        (means(b=[90.0] * 9, d=[90.0] * 9), 0),
        (means(a=[90.0] * 6 + [float("nan")] * 6, b=[90.0] * 12), 1),
        (means(a=[90.0] * 6 + [0.0] * 24 + [90.0] * 6, b=[90.0] * 6 + [0.0] * 24 + [90.0] * 6), 1),
        (means(a=[90.0] * 6 + [0.0] * 25 + [90.0] * 6, b=[90.0] * 6 + [0.0] * 25 + [90.0] * 6), 2),
    ],
)
def test_by_the_pencil(day_means: NDArray[np.float32], number: int) -> None:
    assert len(Reference(80.0).events(day_means, AIRSHED)) == number


def test_the_level_is_the_concentration_of_the_lowest_threshold() -> None:
    """150 is 80 µg/m³ in Viet Nam (Decision 1459, Table 5) and 115 in China (HJ 633-2012); 151 lies a step above."""
    assert reference_of(AIRSHED).level_ug_m3 == 80.0
    assert reference_of(load_pack("vietnam-2026").airshed).level_ug_m3 == pytest.approx(81.4)
    assert reference_of(load_pack("china-2024").airshed).level_ug_m3 == pytest.approx(115.7)
    assert reference_of(AIRSHED, 60.0).level_ug_m3 == 60.0
    assert "60 µg/m³" in Reference(60.0).sentence()


def test_levels_on_concentrations_are_taken_as_they_are() -> None:
    level = msgspec.structs.replace(AIRSHED.levels[0], quantity="pm25_24h", enter=75.5)
    assert concentration(level, "vn_aqi") == 75.5
    with pytest.raises(InputError, match="--reference"):
        concentration(msgspec.structs.replace(level, quantity="pm10_24h"), "vn_aqi")


def test_where_one_province_is_enough_one_is_enough() -> None:
    alone = means(a=[90.0] * 6, d=[90.0] * 9)
    events = Reference(80.0, provinces=1).events(alone, AIRSHED)
    assert [(event.hours, event.provinces) for event in events] == [(6, {0}), (9, {3})]
    together = Reference(80.0, provinces=1).events(means(a=[90.0] * 6, b=[90.0] * 9), AIRSHED)
    assert [(event.hours, event.provinces) for event in together] == [(9, {0, 1})]
    assert Reference(80.0, provinces=1).events(means(a=[90.0] * 5), AIRSHED) == []


def test_a_level_beyond_the_table_asks_for_a_concentration() -> None:
    beyond = Level(name="x", names={"en": "x"}, enter=501, exit=300, enter_hours=1, exit_hours=1)
    with pytest.raises(InputError, match="--reference"):
        concentration(beyond, "vn_aqi")
