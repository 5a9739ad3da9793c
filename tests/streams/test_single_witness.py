"""No single station and no class of sensors but the reference stations opens an episode or holds one open.

What "without it" means: whichever station is left out, at least half of the other stations of two adjacent provinces
still say so. A station may lie as it likes, in every hour; only its silence is another matter (unknown ends nothing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.airsheds import Airshed, Detection
from streams.components import neighbours_of, regional
from streams.history import Window
from streams.provinces import ProvinceWatch
from streams.quorum import asked_of, province_state
from streams.schemas import EpisodeEvent, ProvinceState, WithoutOne
from streams.stations import Station, StationClass, StationRegistry
from tests.streams.province_hours import airshed, hour_s, mark, story_of, tracker
from tests.streams.samples import station
from tests.streams.test_provinces import record

REGION = airshed("AB BC CD BD", enter_24h=150)
PROVINCES = "ABCD"
INDICES = (60, 120, 140, 160, 210, 310)
HOURS = 36

Course = Sequence[int | None]


@dataclass(frozen=True)
class World:
    """Hourly index of every station; a station is called ``A0``, ``A1`` … (reference) or ``Ax0`` … (low-cost)."""

    courses: Mapping[str, Course]

    def stations(self, province: str) -> list[Station]:
        return [_station(code) for code in sorted(self.courses) if code[0] == province]

    def without(self, codes: set[str]) -> World:
        return World({code: course for code, course in self.courses.items() if code not in codes})

    def with_liar(self, code: str, course: Course) -> World:
        return World({**self.courses, code: course})

    def states(self, region: Airshed) -> list[list[ProvinceState]]:
        return [[self._state(region, code, number) for code in PROVINCES] for number in range(1, HOURS + 1)]

    def _state(self, region: Airshed, province: str, number: int) -> ProvinceState:
        who = asked_of(self.stations(province))
        values = [(code, self.courses[code][number - 1]) for code in sorted(who.stations)]
        known = [(code, index, _day(self.courses[code], number)) for code, index in values if index is not None]
        valid = sorted(known, key=lambda row: (-row[1], row[0]))
        return province_state(region, province, hour_s(number), len(who.stations), valid, low_cost=who.low_cost)


def _day(course: Course, number: int) -> int | None:
    """A 24-hour index of sorts: the mean of the last six known hours."""
    known = [index for index in course[max(0, number - 6) : number] if index is not None]
    return sum(known) // len(known) if len(known) > 2 else None


def _station(code: str) -> Station:
    kind: StationClass = "low-cost" if "x" in code else "reference"
    return station(code, code[0], airshed="test", zone=REGION.zone, station_class=kind)


def courses(*, silent: bool = True) -> st.SearchStrategy[Course]:
    air = st.sampled_from((None, *INDICES) if silent else INDICES)
    runs = st.lists(st.tuples(air, st.integers(1, 14)), min_size=1, max_size=5)
    return runs.map(
        lambda runs: (lambda all_hours: (all_hours * HOURS)[:HOURS])([i for i, n in runs for _ in range(n)])
    )


@st.composite
def worlds(draw: st.DrawFn, *, low_cost: bool) -> World:
    found: dict[str, Course] = {}
    for province in PROVINCES:
        shared = draw(courses())
        for number in range(draw(st.integers(0 if low_cost else 1, 4))):
            found[f"{province}{number}"] = draw(st.sampled_from([shared, shared, None])) or draw(courses())
        if low_cost:
            for number in range(draw(st.integers(0, 3))):
                found[f"{province}x{number}"] = draw(courses())
    return World(found)


def open_hours(hours: list[list[ProvinceState]]) -> tuple[set[int], set[int]]:
    """Hours in which some episode is open, and those in which one opened that was not part of another."""
    stage = tracker(REGION)
    inside: dict[str, bool] = {}
    found, opened = set(), set()
    for number, items in enumerate(hours, start=1):
        stage.accept(items)
        for event in stage.advance(mark(number)):
            if isinstance(event, EpisodeEvent):
                inside[event.episode] = event.kind not in ("closed", "merged")
                if event.kind == "opened" and event.parent is None:
                    opened.add(number)
        if any(inside.values()):
            found.add(number)
    return found, opened


def taken_at_their_word(region: Airshed, hours: list[list[ProvinceState]]) -> list[list[ProvinceState]]:
    """The same states, as if nothing more were asked than what the stations say together."""
    return [
        [
            state
            if state.median_index is None or state.reached is None
            else msgspec.structs.replace(
                state, without_one=WithoutOne(state.reached, state.median_index, state.median_index_24h)
            )
            for state in items
        ]
        for items in hours
    ]


def regional_hours(region: Airshed, hours: list[list[ProvinceState]]) -> set[int]:
    """Hours in which two adjacent provinces are on a level."""
    by_hour = {hour_s(n): {state.province: state for state in items} for n, items in enumerate(hours, start=1)}
    window = Window.before(hour_s(1), region)
    found = set()
    for number in range(1, len(hours) + 1):
        window.fold(region, lambda hour: by_hour[hour])
        if regional(window.levels(), neighbours_of(region), 2):
            found.add(number)
    return found


@settings(max_examples=60, deadline=None)
@given(worlds(low_cost=False), st.data())
def test_a_station_that_lies_opens_nothing_and_holds_nothing_open(world: World, data: st.DataObject) -> None:
    liar = data.draw(st.sampled_from(sorted(world.courses)))
    told = world.with_liar(liar, data.draw(courses(silent=False)))
    found, opened = open_hours(told.states(REGION))

    lenient = msgspec.structs.replace(REGION, detection=Detection(minimum_stations=1, together_hours=2))
    others = world.without({liar})
    # Asked for one station or for two: with two, more hours are unknown, and those end nothing.
    asked = [(region, others.states(region)) for region in (lenient, REGION)]
    assert found <= set().union(*(regional_hours(region, states) for region, states in asked))
    assert opened <= set().union(*(open_hours(taken_at_their_word(region, states))[0] for region, states in asked))


@settings(max_examples=40, deadline=None)
@given(worlds(low_cost=True))
def test_low_cost_sensors_open_nothing_and_hold_nothing_open(world: World) -> None:
    reference = world.without({code for code in world.courses if "x" in code})
    assert open_hours(world.states(REGION))[1] <= open_hours(reference.states(REGION))[0]
    assert open_hours(world.states(REGION))[0] <= regional_hours(REGION, reference.states(REGION))


BAD, FAIR, FINE = [180] * HOURS, [140] * HOURS, [60] * HOURS


def heard(**stations: Course) -> list[str]:
    """What is told about these stations; provinces without any are empty."""
    return story_of(REGION, World(stations).states(REGION))


def test_what_two_stations_of_two_provinces_say_opens_an_episode() -> None:
    assert heard(A0=BAD, A1=BAD, B0=BAD, B1=BAD) == ["4 opened 1 AB"]
    assert heard(A0=BAD, A1=BAD, A2=FAIR, B0=BAD, B1=BAD, B2=FAIR) == ["4 opened 1 AB"]


def test_two_provinces_of_one_station_make_no_episode_and_join_those_that_others_make() -> None:
    assert heard(A0=BAD, B0=BAD) == []
    assert heard(A0=BAD, A1=BAD, B0=BAD) == []
    assert heard(A0=BAD, A1=BAD, B0=BAD, B1=BAD, C0=BAD) == ["4 opened 1 ABC"]


def test_three_provinces_of_one_station_stand_in_for_each_other() -> None:
    """B, C and D touch one another: whichever station lies, the two others show an episode without it."""
    assert heard(B0=BAD, C0=BAD, D0=BAD) == ["4 opened 1 BCD"]
    assert heard(A0=BAD, A1=BAD, B0=BAD, D0=BAD) == [], "without B, nothing that touches is left"
    clears = [180] * 10 + [60] * 26
    assert heard(B0=BAD, C0=BAD, D0=clears) == ["4 opened 1 BCD", "14 closed 0 BCD"]
    falls_silent: Course = [180] * 10 + [None] * 26
    assert heard(B0=BAD, C0=BAD, D0=falls_silent) == ["4 opened 1 BCD"]


def test_a_pair_of_provinces_held_together_by_one_station_is_none() -> None:
    """A and C do not touch; what lies between them rests on one station."""
    assert heard(A0=BAD, A1=BAD, C0=BAD, C1=BAD, B0=BAD) == []
    assert heard(A0=BAD, A1=BAD, C0=BAD, C1=BAD, B0=BAD, B1=BAD) == ["4 opened 1 ABC"]


def test_low_cost_sensors_join_where_there_is_nothing_else_and_are_not_asked_where_there_is() -> None:
    sensors = {f"Bx{number}": BAD for number in range(30)}
    assert heard(A0=BAD, A1=BAD, **sensors) == []
    assert heard(B0=BAD, C0=BAD, Dx0=BAD, Dx1=BAD) == [], "cheap sensors stand in for nobody"
    assert heard(A0=BAD, A1=BAD, D0=BAD, D1=BAD, B0=FINE, B1=FINE, **sensors) == []
    assert heard(A0=BAD, A1=BAD, B0=BAD, B1=BAD, Cx0=BAD, Cx1=BAD) == ["4 opened 1 ABC"]
    assert heard(A0=BAD, A1=BAD, B0=BAD, B1=BAD, Bx0=FINE, Bx1=FINE, Bx2=FINE) == ["4 opened 1 AB"]


def test_a_level_rests_on_two_provinces_as_well() -> None:
    worse = [320] * HOURS
    assert heard(A0=worse, A1=worse, B0=BAD, B1=BAD, C0=worse) == ["4 opened 1 ABC"]


def test_a_station_that_sticks_does_not_keep_an_episode_open() -> None:
    """Both stations of B clear at hour 11; one of them then shows 480 for the rest of time."""
    clears, sticks = [180] * 10 + [60] * 26, [180] * 10 + [480] * 26
    assert heard(A0=BAD, A1=BAD, B0=clears, B1=clears) == ["4 opened 1 AB", "14 closed 0 AB"]
    assert heard(A0=BAD, A1=BAD, B0=clears, B1=sticks) == ["4 opened 1 AB", "14 closed 0 AB"]


def test_silence_keeps_it_open_however_few_are_silent() -> None:
    """No all-clear from missing data."""
    falls_silent: Course = [180] * 10 + [None] * 26
    assert heard(A0=BAD, A1=BAD, B0=[180] * 10 + [60] * 26, B1=falls_silent) == ["4 opened 1 AB"]


def test_low_cost_records_do_not_reach_the_median_of_a_province_with_reference_stations() -> None:
    stations = [_station(code) for code in ("A0", "A1", "Ax0", "Ax1", "Ax2", "Bx0", "Bx1")]
    stage = ProvinceWatch([REGION], StationRegistry(stations), {})
    stage.accept([record(station.code, 1, 300 if "x" in station.code else 60) for station in stations])
    first, second, *_ = (item for item in stage.advance(mark(1)) if isinstance(item, ProvinceState))
    assert (first.basis, first.median_index, first.known, first.valid) == ("reference", 60, 2, 2)
    assert (second.basis, second.median_index, second.without_one) == ("low-cost", 300, None)
