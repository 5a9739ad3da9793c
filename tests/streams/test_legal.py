"""The legal track: days of 301 in a row, the same ones, in adjacent provinces; beside the levels, apart from them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.airsheds import Airshed, LegalDefinition
from streams.clock import HOUR_S
from streams.episodes import EpisodeTracker
from streams.provinces import ProvinceWatch
from streams.schemas import EpisodeEvent, Mark, ProvinceDay, ProvinceState, StationIndex
from streams.stations import StationRegistry
from tests.streams.crashes import crashing, once, undisturbed
from tests.streams.province_hours import FIRST_S, airshed, hour_s, mark, state, tracker
from tests.streams.samples import station
from tests.streams.test_provinces import record

NAMES = {"en": "serious"}
FIRST_END = 17
"""Number of the hour with which the first local day ends: the test hours begin at 07:00 in Hà Nội."""


def region(**values: Any) -> Airshed:
    """Four provinces in a row with the definition of the decree, but for ``values``."""
    return msgspec.structs.replace(airshed(), legal_track=LegalDefinition(names=NAMES, **values))


def end_of(day: int) -> int:
    """Number of the hour with which a day ends; days count from 1."""
    return FIRST_END + 24 * (day - 1)


def said_day(
    province: str, day: int, index: int | None, *, revision: int = 0, of: Airshed | None = None
) -> ProvinceDay:
    known = index is not None
    return ProvinceDay(
        airshed="test",
        province=province,
        time=mark(end_of(day)).time.replace(minute=0),
        index=index,
        highest=index,
        valid=5 if known else 0,
        known=5,
        stations=[(f"{province}0", index)] if index is not None else [],
        revision=revision,
    )


def clean_hours(number: int) -> list[ProvinceState]:
    return [state(airshed(), code, number, 60) for code in "ABCD"]


def pieces(
    table: Mapping[str, Sequence[int | None]], late: Mapping[int, Sequence[ProvinceDay]] | None = None
) -> list[Any]:
    """Hours of clean air, some of them unknown, and with each day that ends what is said of it.

    ``late``: what else is said, three hours after the end of a day.
    """
    days = max(len(column) for column in table.values())
    found: list[Any] = []
    for number in range(FIRST_END - 1, end_of(days) + 1):
        items: list[Any] = clean_hours(number) if number % 8 == 1 else []
        for day in range(1, days + 1):
            if number == end_of(day):
                items += [said_day(code, day, column[day - 1]) for code, column in sorted(table.items())]
            if number == end_of(day) + 3:
                items += (late or {}).get(day, [])
        found += [items, mark(number)]
    return found


def told(events: Sequence[Any]) -> list[str]:
    """``"3 opened AB"``: day, kind, provinces; for those who went, ``-C``."""
    lines = []
    for event in events:
        if isinstance(event, EpisodeEvent):
            assert event.track == "legal"
            day = (int(event.time.timestamp()) - hour_s(FIRST_END)) // (24 * HOUR_S) + 1
            gone = f"-{''.join(event.left)}" if event.left and event.kind != "closed" else ""
            lines.append(f"{day} {event.kind} {''.join(province.code for province in event.provinces)}{gone}")
    return lines


def story(table: Mapping[str, Sequence[int | None]], **values: Any) -> list[str]:
    return told(undisturbed(lambda memory: tracker(region(**values), memory), pieces(table)))


def test_three_days_in_two_adjacent_provinces() -> None:
    assert story({"A": [301, 301, 301, 300], "B": [350, 310, 301, 400]}) == ["3 opened AB", "4 closed AB"]


@pytest.mark.parametrize(
    ("why", "table"),
    [
        ("one below", {"A": [301, 300, 301, 301], "B": [350] * 4}),
        ("two days", {"A": [100, 301, 301], "B": [350] * 3}),
        ("one province", {"A": [500] * 6, "B": [300] * 6}),
        ("not adjacent", {"A": [500] * 6, "C": [500] * 6}),
        ("not the same days", {"A": [301, 301, 301, 100, 100], "B": [100, 100, 301, 301, 301]}),
        ("an unknown day between", {"A": [301, None, 301, 301], "B": [301] * 4}),
        ("nothing said", {"A": [301, 301], "B": [301]}),
    ],
)
def test_what_is_not_the_definition(why: str, table: Mapping[str, Sequence[int | None]]) -> None:
    days = max(map(len, table.values()))
    whole = {code: [*column, *[100] * (days - len(column))] for code, column in table.items()}
    assert story(whole) == [], why


def test_the_provincial_variant() -> None:
    assert story({"A": [301] * 4, "B": [100] * 4}, provinces=1) == ["3 opened A"]


def test_an_unknown_day_ends_nothing() -> None:
    assert story({"A": [301, 301, 301, None, None, 100], "B": [301] * 6}) == ["3 opened AB", "6 closed AB"]


def test_it_grows_and_shrinks_like_any_episode() -> None:
    table = {"A": [301] * 5 + [100], "B": [301] * 6, "C": [100, 301, 301, 301, 301, 301]}
    assert story(table) == ["3 opened AB", "4 grown ABC", "6 eased BC-A"]


def test_identity_and_words() -> None:
    events = [
        item
        for item in undisturbed(lambda memory: tracker(region(), memory), pieces({"A": [301] * 3, "B": [310] * 3}))
        if isinstance(item, EpisodeEvent)
    ]
    assert events[0].episode == "test-legal-20260112T17Z-A"
    assert (events[0].level, events[0].level_name) == (1, "serious")
    assert events[0].reason.startswith(
        "daily vn_aqi of 301 or more in 2 adjacent provinces on at least 3 calendar days in a row, exceeding since "
        "2026-01-12T17:00Z. Province A: index 301, 5 of 5 stations, level serious"
    )


def test_both_tracks_stand_side_by_side() -> None:
    stage = tracker(region())
    found = []
    for number in range(1, end_of(3) + 1):
        stage.accept([state(airshed(), code, number, 320) for code in "AB"])
        if number in map(end_of, (1, 2, 3)):
            stage.accept([said_day(code, (number - FIRST_END) // 24 + 1, 320) for code in "AB"])
        found += [item for item in stage.advance(mark(number)) if isinstance(item, EpisodeEvent)]
    assert [(event.track, event.kind) for event in found] == [("operational", "opened"), ("legal", "opened")]
    assert found[0].episode != found[1].episode


def test_a_late_day_corrects_and_a_missed_one_opens_with_the_next_day() -> None:
    table = {"A": [301, 250, 301, 301], "B": [301] * 4}
    late = {3: [said_day("A", 2, 305, revision=1)]}
    assert told(undisturbed(lambda memory: tracker(region(), memory), pieces(table, late))) == ["4 opened AB"]
    lower = {3: [said_day("A", 2, 250, revision=1)]}
    whole = {"A": [301] * 5, "B": [301] * 5}
    found = undisturbed(lambda memory: tracker(region(), memory), pieces(whole, lower))
    assert told(found) == ["3 opened AB", "4 revised AB"]
    assert "A in 1 d between" in next(item.reason for item in found if getattr(item, "kind", "") == "revised")


def test_without_a_definition_days_are_of_no_use() -> None:
    table = {"A": [500] * 5, "B": [500] * 5}
    assert told(undisturbed(lambda memory: tracker(airshed(), memory), pieces(table))) == []


def identity(event: EpisodeEvent) -> tuple[str, int]:
    return event.episode, event.transition


def days() -> st.SearchStrategy[dict[str, list[int | None]]]:
    column = st.lists(st.sampled_from([100, 301, 301, 301, None]), min_size=5, max_size=5)
    return st.fixed_dictionaries(dict.fromkeys("ABC", column))


@settings(max_examples=25, deadline=None)
@given(days(), st.randoms(use_true_random=False))
def test_killed_at_any_write_and_started_again_it_says_the_same(table: Any, random: Any) -> None:
    late = {day: [said_day(random.choice("ABC"), day, random.choice([100, 301]), revision=1)] for day in (2, 4)}
    made = pieces(table, late)

    def make(memory: MutableMapping[str, bytes]) -> EpisodeTracker:
        return tracker(region(), memory)

    assert once(crashing(make, made, lambda _: random.choice([None, 0, 1, 2, 3])), identity) == once(
        undisturbed(make, made), identity
    )


@settings(max_examples=80, deadline=None)
@given(days())
def test_it_opens_exactly_when_the_definition_holds(table: dict[str, list[int | None]]) -> None:
    """Against the text of the law, counted by hand: the first day on which two neighbours have had three in a row."""

    def three(code: str, day: int) -> bool:
        return day >= 3 and all((index or 0) >= 301 for index in table[code][day - 3 : day])

    due = [day for day in range(1, 6) if any(three(a, day) and three(b, day) for a, b in ("AB", "BC"))]
    opened = [int(line.split()[0]) for line in story(table) if "opened" in line]
    assert opened[:1] == due[:1]


# -- the days of provinces -------------------------------------------------------------------------------------------


def watch(definition: LegalDefinition, classes: Mapping[str, str], memory: Any = None) -> ProvinceWatch:
    place = msgspec.structs.replace(airshed("AB"), legal_track=definition)
    stations = [
        station(code, code[0], airshed="test", zone=place.zone, station_class=kind) for code, kind in classes.items()
    ]
    return ProvinceWatch([place], StationRegistry(stations), {} if memory is None else memory)


def day_record(station: str, index: int | None, **values: Any) -> StationIndex:
    return record(station, FIRST_END, index, product="day", **values)


def said_days(stage: ProvinceWatch, items: Sequence[StationIndex], at: Mark) -> list[tuple[str, int | None, int]]:
    stage.accept([record(item.station, FIRST_END, 60) for item in items])
    stage.accept(items)
    return [(d.province, d.index, d.revision) for d in stage.advance(at) if isinstance(d, ProvinceDay)]


FIVE = dict.fromkeys(["A0", "A1", "A2", "A3", "A4"], "reference")


@pytest.mark.parametrize(("rule", "index"), [("any", 500), ("half", 310), ("all", 90)])
def test_how_many_stations_speak_for_a_province(rule: Any, index: int) -> None:
    stage = watch(LegalDefinition(names=NAMES, stations=rule), FIVE)
    indices = [500, 320, 310, 100, 90]
    found = said_days(stage, [day_record(f"A{n}", value) for n, value in enumerate(indices)], mark(FIRST_END))
    assert found == [("A", index, 0)]


def test_low_cost_sensors_are_never_asked_and_too_few_stations_know_nothing() -> None:
    classes = {**FIVE, **dict.fromkeys(["Ax0", "Ax1", "Ax2", "Bx0"], "low-cost")}
    stage = watch(LegalDefinition(names=NAMES), classes)
    items = [day_record(code, 480) for code in ("Ax0", "Ax1", "Ax2", "Bx0")]
    items += [day_record("A0", 400), day_record("A1", 400), day_record("A2", None)]
    assert said_days(stage, items, mark(FIRST_END)) == [("A", None, 0)]


def test_a_late_record_revises_the_day_once() -> None:
    memory: dict[str, bytes] = {}
    stage = watch(LegalDefinition(names=NAMES), FIVE, memory)
    assert said_days(stage, [day_record(code, 310) for code in FIVE], mark(FIRST_END)) == [("A", 310, 0)]
    again = watch(LegalDefinition(names=NAMES), FIVE, memory)
    late = [day_record(code, 290, revision=1) for code in ("A0", "A1", "A2")]
    assert said_days(again, late, mark(FIRST_END + 1)) == [("A", 290, 1)]
    assert said_days(again, late, mark(FIRST_END + 2)) == []
    assert said_days(again, [], mark(FIRST_END + 90)) == []
    assert not [key for key in memory if key.startswith("day/")]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([None, 100, 301, 400]), min_size=10, max_size=10), st.randoms(use_true_random=False))
def test_days_survive_crashes(values: list[int | None], random: Any) -> None:
    def make(memory: MutableMapping[str, bytes]) -> ProvinceWatch:
        return watch(LegalDefinition(names=NAMES), FIVE, memory)

    codes = list(FIVE)
    early = [day_record(code, value, decided=mark(FIRST_END).time) for code, value in zip(codes, values, strict=False)]
    late = [
        day_record(code, value, revision=1, decided=mark(FIRST_END + 2).time)
        for code, value in zip(codes, values[5:], strict=True)
    ]
    hours = [[record(code, number, 60) for code in codes] for number in range(FIRST_END - 1, FIRST_END + 4)]
    made: list[Any] = []
    for offset, items in enumerate(hours):
        extra = early if offset == 1 else late if offset == 2 else []  # the late ones before their mark has passed
        made += [items + extra, mark(FIRST_END - 1 + offset)]

    def name(day: ProvinceDay) -> tuple[Any, ...]:
        return day.province, day.time, day.revision

    def only_days(said: list[Any]) -> list[Any]:
        return [item for item in said if isinstance(item, ProvinceDay)]

    disturbed = crashing(make, made, lambda _: random.choice([None, 0, 1, 2, 3, 5]))
    assert once(only_days(disturbed), name) == once(only_days(undisturbed(make, made)), name)


def test_the_first_test_day_ends_at_midnight_in_ha_noi() -> None:
    assert (FIRST_S + FIRST_END * HOUR_S + 7 * HOUR_S) % (24 * HOUR_S) == 0
