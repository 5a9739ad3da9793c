"""Levels on concentrations and on 24-hour means, with further criteria; one city that decides; the hourly status."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from streams.airsheds import Airshed, Criterion, Level
from streams.clock import utc
from streams.provinces import ProvinceWatch
from streams.quantities import medians
from streams.quorum import province_state
from streams.schemas import Mark, ProvinceState, StationIndex
from streams.stations import Station, StationRegistry
from tests.streams.province_hours import airshed, hour_s, run, series, state, states, story, told, tracker
from tests.streams.samples import station


def region(*levels: Level, silent: str = "") -> Airshed:
    """A - B with these levels; provinces in ``silent`` do not decide."""
    base = airshed("AB")
    provinces = [msgspec.structs.replace(p, decides=p.code not in silent) for p in base.provinces]
    return msgspec.structs.replace(base, levels=list(levels), provinces=provinces)


def level(name: str, enter: float, leave: float, hours: int, **more: object) -> Level:
    values = {"quantity": "pm25_1h", "exit_hours": 1} | more
    return Level(name=name, names={"en": name}, enter=enter, exit=leave, enter_hours=hours, **values)


KOREA = region(level("advisory", 75, 35, 2), level("warning", 150, 75, 2))


def hours(place: Airshed, table: Mapping[str, str], *, quantity: str = "pm25_1h") -> list[list[ProvinceState]]:
    """Both provinces have these medians of a quantity; the index stays at 40."""
    columns = {code: series(text) for code, text in table.items()}
    length = len(columns["A"])
    return [
        [
            province_state(place, code, hour_s(number), 5, *_stations(code, column[number - 1], quantity))
            for code, column in columns.items()
        ]
        for number in range(1, length + 1)
    ]


def _stations(code: str, value: int | None, quantity: str) -> tuple[list[tuple[str, int, int | None]], list[dict]]:
    rows = [(f"{code}{n}", 40, 40) for n in range(5)]
    return (rows, [{}] * 5) if value is None else (rows, [{quantity: float(value)}] * 5)


def test_an_hourly_concentration_enters_after_two_hours_and_leaves_below_a_lower_value() -> None:
    both = "20*3 74*2 75*2 80*3 36*5 34*1 20*4"
    assert told(run(tracker(KOREA), hours(KOREA, {"A": both, "B": both}))) == ["8 opened 1 AB", "16 closed 0 AB"]


def test_a_warning_goes_back_to_the_advisory_at_its_own_exit() -> None:
    both = "20*3 160*4 76*3 74*2 20*4"
    assert told(run(tracker(KOREA), hours(KOREA, {"A": both, "B": both}))) == [
        "6 opened 2 AB",
        "11 eased 1 AB",
        "13 closed 0 AB",
    ]


def test_hours_without_the_concentration_are_unknown_even_if_the_index_is_there() -> None:
    both = "20*3 80*4 ?*6"
    assert told(run(tracker(KOREA), hours(KOREA, {"A": both, "B": both}))) == ["6 opened 1 AB"]


BY_DAYS = region(
    level("yellow", 151, 150, 5, quantity="index", instead=[Criterion(quantity="index", enter=201)]),
    level("red", 301, 250, 1, quantity="index", also=[Criterion(quantity="index", enter=201, enter_hours=4)]),
)


@pytest.mark.parametrize(
    ("both", "expected"),
    [
        ("160*4 40*6", []),
        ("160*6 40*6", ["6 opened 1 AB", "7 closed 0 AB"]),  # on for two hours together
        ("40 210*2 40*6", ["3 opened 1 AB", "4 closed 0 AB"]),  # the other way in, at once
        ("210 310*2 40*6", ["2 opened 1 AB", "4 closed 0 AB"]),  # not yet four hours above 200
        ("210*2 310*2 40*6", ["2 opened 1 AB", "4 escalated 2 AB", "5 closed 0 AB"]),
        ("310*2 ?*2 310*2 40*3", ["2 opened 1 AB", "6 escalated 2 AB", "7 closed 0 AB"]),  # silence stands still
        ("310*3 40 310*3 40*3", ["2 opened 1 AB", "4 closed 0 AB", "6 opened 1 AB", "8 closed 0 AB"]),
    ],
)
def test_all_of_also_and_any_of_instead(both: str, expected: list[str]) -> None:
    assert story({"A": both, "B": both}, BY_DAYS) == expected


def test_an_exit_of_a_further_criterion_must_be_reached_too() -> None:
    coarse = Criterion(quantity="pm10_1h", enter=150, enter_hours=2, exit=100)
    place = region(level("advisory", 75, 35, 2, instead=[coarse]))
    stations = [("A1", 40, 40)] * 5

    def hour(number: int, fine: float, dust: float) -> list[ProvinceState]:
        values = [{"pm25_1h": fine, "pm10_1h": dust}] * 5
        return [province_state(place, code, hour_s(number), 5, stations, values) for code in "AB"]

    course = [(20, 20), (20, 160), (20, 170), (20, 180), (20, 101), (20, 99), (20, 20)]
    events = run(tracker(place), [hour(number, *values) for number, values in enumerate(course, start=1)])
    assert told(events) == ["4 opened 1 AB", "6 closed 0 AB"]


def test_what_is_never_measured_holds_no_level_on() -> None:
    coarse = Criterion(quantity="pm10_1h", enter=150)
    place = region(level("advisory", 75, 35, 2, instead=[coarse]))
    both = "20*3 80*4 20*2"
    assert told(run(tracker(place), hours(place, {"A": both, "B": both}))) == ["6 opened 1 AB", "8 closed 0 AB"]


def test_another_way_in_keeps_the_level_on_while_it_is_met() -> None:
    lasting = Criterion(quantity="index", enter=160, enter_hours=4)
    place = region(level("alert", 301, 250, 1, quantity="index", instead=[lasting]))
    assert story({"A": "165*7 159*2", "B": "165*7 159*2"}, place) == ["5 opened 1 AB", "8 closed 0 AB"]


def test_only_the_city_that_decides_is_put_on_a_level() -> None:
    place = region(level("stage", 201, 180, 2, quantity="index_24h"), silent="B")
    alone = msgspec.structs.replace(place.detection, minimum_provinces=1)
    place = msgspec.structs.replace(place, detection=alone)
    assert state(place, "B", 1, 40, day=450).level == 0
    assert state(place, "A", 1, 40, day=210).level == 1
    day = {"A": [100] * 2 + [210] * 4, "B": [450] * 6}
    table = [[state(place, code, n + 1, 40, day=day[code][n]) for code in "AB"] for n in range(6)]
    assert told(run(tracker(place), table)) == ["5 opened 1 A"]


def test_medians_leave_out_what_too_few_stations_have() -> None:
    two = [{"pm25_1h": 10.0}, {"pm25_1h": 30.5}]
    assert medians(two, KOREA, 2, 4) == {"pm25_1h": 20.25}
    assert medians(two, KOREA, 2, 5) == {}  # 40 % of the stations
    assert medians([{}, {"pm25_1h": 9.0}], KOREA, 2, 2) == {}


def test_every_hour_of_an_open_episode_is_told_where_rules_wait_for_time() -> None:
    base = airshed("AB BC")
    hourly = msgspec.structs.replace(base, detection=msgspec.structs.replace(base.detection, hourly_status=True))
    table = {"A": "160*6 40*4", "B": "160*6 40*4", "C": "40*10"}
    assert story(table, base) == ["4 opened 1 AB", "10 closed 0 AB"]
    events = run(tracker(hourly), states(hourly, table))
    assert told(events) == ["4 opened 1 AB", *(f"{hour} status 1 AB" for hour in range(4, 10)), "10 closed 0 AB"]
    assert [event.transition for event in events] == list(range(1, 9))
    assert events[1].airshed_levels == {"A": 1, "B": 1}


def test_the_watch_takes_concentrations_from_the_records() -> None:
    stations = [station(f"{code}{n}", code, airshed="test", zone="Asia/Seoul") for code in "AB" for n in range(3)]
    watch = ProvinceWatch([KOREA], StationRegistry(stations), {})
    watch.accept([record(station, 70.0 + 5 * number) for number, station in enumerate(stations[:3])])
    said = [item for item in watch.advance(Mark(utc(hour_s(1) + 600))) if isinstance(item, ProvinceState)]
    assert [(item.province, item.medians, item.level) for item in said] == [("A", {"pm25_1h": 75.0}, 1), ("B", {}, 0)]


def record(station: Station, value: float) -> StationIndex:
    return StationIndex(
        airshed="test",
        province=station.province,
        station=station.code,
        station_class="reference",
        time=utc(hour_s(1)),
        product="hour",
        standard="vn_aqi",
        index=40,
        category=None,
        dominant=None,
        sub={},
        concentration={},
        trailing_24h={},
        index_24h=None,
        completeness={},
        final=True,
        revision=0,
        means_1h={"pm25": value},
    )
