"""From station hours to province hours."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.airsheds import Airshed, Detection
from streams.clock import utc
from streams.provinces import RETENTION_S, ProvinceWatch
from streams.quorum import median, province_state
from streams.schemas import Mark, ProvinceState, StationIndex, WithoutOne
from streams.stations import StationRegistry
from tests.streams.crashes import crashing, once, undisturbed
from tests.streams.province_hours import airshed, hour_s, mark
from tests.streams.samples import station

REGION = airshed("AB")
STATIONS = {"A": 5, "B": 1}


def registry(region: Airshed = REGION) -> StationRegistry:
    return StationRegistry(
        station(f"{province}{number}", province, airshed=region.code, zone=region.zone)
        for province, count in STATIONS.items()
        for number in range(count)
    )


def record(
    station: str,
    hour: int,
    index: int | None,
    *,
    revision: int = 0,
    final: bool = True,
    product: str = "hour",
    decided: datetime | None = None,
) -> StationIndex:
    return StationIndex(
        airshed="test",
        province=station[0],
        station=station,
        station_class="reference",
        time=utc(hour_s(hour)),
        product=product,  # type: ignore[arg-type]
        standard="vn_aqi",
        index=index,
        category=None,
        dominant=None,
        sub={},
        concentration={},
        trailing_24h={},
        index_24h=index,
        completeness={},
        final=final,
        revision=revision,
        decided=decided,
    )


def records(hour: int, a: Sequence[int | None], b: int | None) -> list[StationIndex]:
    return [record(f"A{n}", hour, index) for n, index in enumerate(a)] + [record("B0", hour, b)]


def watch(memory: MutableMapping[str, bytes] | None = None) -> ProvinceWatch:
    return ProvinceWatch([REGION], registry(), {} if memory is None else memory)


def said(stage: ProvinceWatch, items: Sequence[StationIndex], *marks: Mark) -> list[ProvinceState]:
    stage.accept(list(items))
    return [item for each in marks for item in stage.advance(each) if isinstance(item, ProvinceState)]


def test_one_statement_per_province_by_code_and_a_mark_behind_them() -> None:
    stage = watch()
    stage.accept(records(1, [100, 160, 170, 180, 190], 40))
    first, second, last = stage.advance(mark(1))
    assert isinstance(first, ProvinceState)
    assert isinstance(second, ProvinceState)
    assert first == ProvinceState(
        airshed="test",
        province="A",
        time=utc(hour_s(1)),
        condition="exceeding",
        level=1,
        median_index=170,
        median_index_24h=170,
        valid=5,
        known=5,
        coverage=1.0,
        single_station=False,
        stations=[("A4", 190, 190), ("A3", 180, 180), ("A2", 170, 170), ("A1", 160, 160), ("A0", 100, 100)],
        revision=0,
        reached=170,
        without_one=WithoutOne(170, 165, 165),
    )
    assert (second.province, second.condition, second.single_station) == ("B", "clean", True)
    assert last == Mark(utc(hour_s(1) + 600), "provinces")


@pytest.mark.parametrize(
    ("indices", "known", "condition", "level"),
    [
        ([150, 150, 149], 3, "exceeding", 1),
        ([150, 149, 149], 3, "clean", 0),  # a third of them
        ([150, 150, 149, 149], 4, "exceeding", 1),  # exactly half
        ([480, 149, 149, 149, 149], 5, "clean", 0),  # one station, however high
        ([480, 20], 2, "clean", 0),  # half, but one station only
        ([200, 200, 150], 3, "exceeding", 2),
        ([301, 301, 301], 3, "exceeding", 3),
        ([300], 1, "exceeding", 3),  # the only station there is
        ([300], 2, "unknown", 0),  # one of two is not enough to say anything
        ([160, 160], 5, "unknown", 0),  # 40 % of them
        ([160, 160, 20], 6, "exceeding", 1),  # 50 % of them
        ([], 5, "unknown", 0),
        ([], 0, "unknown", 0),
    ],
)
def test_when_a_province_exceeds(indices: list[int], known: int, condition: str, level: int) -> None:
    valid = [(f"s{n}", index, None) for n, index in enumerate(indices)]
    state = province_state(REGION, "A", hour_s(1), known, valid)
    assert (state.condition, state.level) == (condition, level)
    assert (state.median_index is None) == (condition == "unknown")


@given(
    indices=st.lists(st.integers(0, 400), min_size=1, max_size=9),
    unheard=st.integers(0, 3),
    needed=st.integers(1, 4),
    enter=st.integers(1, 400),
)
def test_what_was_reached_tells_for_any_threshold_whether_it_is_met(
    indices: list[int], unheard: int, needed: int, enter: int
) -> None:
    """Another pack's levels can be judged from the statement alone, without asking the stations again."""
    region = airshed("AB", detection=Detection(minimum_stations=needed))
    known = len(indices) + unheard
    valid = [(f"A{n}", index, None) for n, index in enumerate(sorted(indices, reverse=True))]
    state = province_state(region, "A", hour_s(1), known, valid)
    if state.condition == "unknown":
        assert state.reached is None
        return
    above = sum(index >= enter for index in indices)
    assert state.reached is not None
    assert (state.reached >= enter) == (above >= min(needed, known) and 2 * above >= len(indices))
    assert state.level == region.level_met(state.reached)


@pytest.mark.parametrize(
    ("values", "expected"), [([1], 1), ([1, 2], 2), ([1, 3], 2), ([0, 1, 1, 2], 1), ([150, 151], 151), ([9, 1, 5], 5)]
)
def test_the_median_rounds_half_up(values: list[int], expected: int) -> None:
    assert median(values) == expected


def test_evidence_names_ten_stations_at_most() -> None:
    valid = [(f"s{n:02}", 200 - n, None) for n in range(25)]
    state = province_state(REGION, "A", hour_s(1), 25, valid)
    assert [code for code, _, _ in state.stations] == [f"s{n:02}" for n in range(10)]
    assert state.valid == 25


def test_provisional_and_daily_records_and_strangers_do_not_count() -> None:
    items = [
        *records(1, [60] * 5, 60),
        record("A0", 1, 480, final=False),
        record("A1", 1, 480, product="day"),
        record("A9", 1, 480),
    ]
    first, _ = said(watch(), items, mark(1))
    assert first.stations[0] == ("A0", 60, 60)
    assert first.valid == 5


def test_a_province_nobody_speaks_of_is_unknown_hour_by_hour() -> None:
    states = said(watch(), [record("B0", 2, 60)], mark(4))
    assert [(s.time, s.province, s.condition) for s in states] == [
        (utc(hour_s(hour)), province, condition)
        for hour in (2, 3, 4)
        for province, condition in (("A", "unknown"), ("B", "clean" if hour == 2 else "unknown"))
    ]
    assert (states[0].valid, states[0].known, states[0].coverage) == (0, 5, 0.0)


def test_nothing_is_said_before_all_sources_have_passed_the_hour() -> None:
    stage = watch()
    stage.accept(records(1, [60] * 5, 60))
    assert stage.advance(mark(1, "0", 3)) == []
    assert stage.advance(mark(2, "1", 3)) == []
    assert len(stage.advance(mark(1, "2", 3))) == 3


def test_a_silent_source_is_given_up_and_waited_for_again_once_it_speaks() -> None:
    stage = watch()
    stage.accept(records(1, [60] * 5, 60))
    stage.advance(mark(1, "0", 2))
    assert [getattr(item, "province", "mark") for item in stage.give_up("1")] == ["A", "B", "mark"]
    assert len(stage.advance(mark(2, "0", 2))) == 3  # nobody else is waited for
    assert stage.advance(mark(1, "1", 2)) == []
    assert stage.advance(mark(3, "0", 2)) == []  # waits for the one that is back
    assert len(stage.advance(mark(3, "1", 2))) == 3


def test_a_late_record_revises_the_hour_and_only_what_changed() -> None:
    stage = watch()
    said(stage, records(1, [60] * 5, 60), mark(1))
    said(stage, records(2, [60] * 5, 60), mark(2))
    late = [record("A0", 1, 480, revision=1), record("B0", 1, 60, revision=1)]
    states = said(stage, [*records(3, [60] * 5, 60), *late], mark(3))
    assert [(s.time, s.province, s.revision) for s in states] == [
        (utc(hour_s(1)), "A", 1),  # B's record changed nothing
        (utc(hour_s(3)), "A", 0),
        (utc(hour_s(3)), "B", 0),
    ]
    assert states[0].stations[0] == ("A0", 480, 480)
    assert said(stage, [record("A0", 1, 60, revision=0)], mark(4))[0].time == utc(hour_s(4))  # the older one is ignored


def test_an_hour_older_than_the_retention_is_closed_for_good() -> None:
    stage = watch()
    memory: dict[str, bytes] = {}
    stage = watch(memory)
    last = RETENTION_S // 3600 + 3
    for hour in range(1, last + 1):
        said(stage, records(hour, [60] * 5, 60), mark(hour))
    states = said(stage, [record("A0", 1, 480, revision=1), record("A0", 5, 480, revision=1)], mark(last + 1))
    assert [state.time for state in states if state.revision] == [utc(hour_s(5))]
    hours = {key.split("/")[2] for key in memory if key.startswith("hour/")}
    assert len(hours) <= RETENTION_S // 3600 + 1


def test_a_late_record_counts_when_all_sources_have_passed_its_mark() -> None:
    """Source 0 is ahead: its revision was made at mark 3 and must not show in what is said at mark 2."""
    stage = watch()
    said(stage, records(1, [60] * 5, 60), mark(1, "0", 2), mark(1, "1", 2))
    early = record("A0", 1, 480, revision=1, decided=mark(3).time)
    stage.accept([*records(2, [60] * 5, 60), *records(3, [60] * 5, 60), early])
    stage.advance(mark(2, "0", 2))
    stage.advance(mark(3, "0", 2))
    at_two = [s for s in stage.advance(mark(2, "1", 2)) if isinstance(s, ProvinceState)]
    assert [(s.time, s.revision) for s in at_two] == [(utc(hour_s(2)), 0)] * 2
    at_three = [s for s in stage.advance(mark(3, "1", 2)) if isinstance(s, ProvinceState)]
    assert [(s.time, s.revision) for s in at_three] == [(utc(hour_s(1)), 1), *[(utc(hour_s(3)), 0)] * 2]


@st.composite
def streams_of_two_sources(draw: st.DrawFn) -> list[list[Any]]:
    """What two index partitions send: records and marks, each with revisions of earlier hours."""
    hours = draw(st.integers(4, 14))
    sources: list[list[Any]] = [[], []]
    revisions: dict[tuple[str, int], int] = {}
    codes = [station.code for station in registry().stations]
    for hour in range(1, hours + 1):
        for number, code in enumerate(codes):
            source = sources[number % 2]
            index = draw(st.sampled_from([None, 60, 150, 210]))
            if draw(st.integers(0, 9)):  # now and then the first record of an hour comes hours later
                source.append(record(code, hour, index, decided=mark(hour).time))
            if draw(st.integers(0, 4)) == 0 and hour > 1:
                past = draw(st.integers(1, hour - 1))
                revisions[code, past] = revisions.get((code, past), 0) + 1
                index = draw(st.sampled_from([None, 60, 150, 210]))
                source.append(record(code, past, index, revision=revisions[code, past], decided=mark(hour).time))
        for number, source in enumerate(sources):
            source.append(mark(hour, str(number), 2))
    return sources


def one_after_the_other(sources: list[list[Any]], choose: Any) -> list[Any]:
    """One interleaving of the sources, as slices of the calls a runtime makes."""
    left = [list(source) for source in sources]
    pieces: list[Any] = []
    while any(left):
        source = choose([source for source in left if source])
        item = source.pop(0)
        pieces.append(item if isinstance(item, Mark) else [item])
    return pieces


def identity(state: ProvinceState) -> tuple[str, str, datetime, int]:
    return state.airshed, state.province, state.time, state.revision


@settings(max_examples=60, deadline=None)
@given(streams_of_two_sources(), st.randoms(use_true_random=False))
def test_the_interleaving_of_sources_changes_nothing(sources: list[list[Any]], random: Any) -> None:
    in_turn = one_after_the_other(sources, lambda waiting: waiting[0])
    mixed = one_after_the_other(sources, random.choice)
    assert once(undisturbed(watch, mixed), identity) == once(undisturbed(watch, in_turn), identity)


@settings(max_examples=40, deadline=None)
@given(streams_of_two_sources(), st.randoms(use_true_random=False))
def test_killed_at_any_write_and_started_again_it_says_the_same(sources: list[list[Any]], random: Any) -> None:
    pieces = one_after_the_other(sources, random.choice)
    disturbed = crashing(watch, pieces, lambda _: random.choice([None, 0, 1, 2, 3, 4, 6]))
    assert once(disturbed, identity) == once(undisturbed(watch, pieces), identity)


def test_detection_settings_are_the_airsheds_own() -> None:
    strict = msgspec.structs.replace(REGION, detection=Detection(minimum_coverage=0.9, minimum_stations=3))
    valid = [(f"s{n}", 160, None) for n in range(4)]
    assert province_state(strict, "A", hour_s(1), 5, valid).condition == "unknown"
    assert province_state(strict, "A", hour_s(1), 4, valid).condition == "exceeding"
    assert province_state(strict, "A", hour_s(1), 4, [*valid[:2], ("s2", 60, None), ("s3", 60, None)]).level == 0
