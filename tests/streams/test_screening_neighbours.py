"""Stations against the stations around them: who is suspect, who survives, and that a repeated call says the same."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from streams.airsheds import Airshed, Detection, Province
from streams.clock import utc
from streams.provinces import ProvinceWatch
from streams.schemas import Mark, ProvinceState, StationIndex
from streams.screening import NeighbourLimits, neighbours
from streams.screening.neighbours import Neighbours
from streams.stations import Station, StationRegistry
from tests.streams.crashes import crashing, once, undisturbed
from tests.streams.samples import station

HOUR = 3600
START_S = 490_000 * HOUR
CODES = [f"S{n}" for n in range(9)]
PROVINCES = {code: "01" if number < 5 else "02" for number, code in enumerate(CODES)}


def at(code: str, lat: float, lon: float) -> Station:
    return station(code, PROVINCES.get(code, "01"), lat=lat, lon=lon, airshed="delta")


STATIONS = StationRegistry(
    at(code, 21.0 + number % 3 * 0.1, 105.8 + number // 3 * 0.1) for number, code in enumerate(CODES)
)
DELTA = Airshed(
    code="delta",
    names={"en": "Delta"},
    standard="vn_aqi",
    zone="Asia/Ho_Chi_Minh",
    provinces=[
        Province(code="01", names={"en": "One"}, neighbours=["02"]),
        Province(code="02", names={"en": "Two"}, neighbours=["01"]),
    ],
    levels=[],
    detection=Detection(),
)


def record(code: str, hour: int, index: int) -> StationIndex:
    return StationIndex(
        airshed="delta",
        province=PROVINCES[code],
        station=code,
        station_class="reference",
        time=utc(START_S + hour * HOUR),
        product="hour",
        standard="vn_aqi",
        index=index,
        category=None,
        dominant="pm25",
        sub={},
        concentration={},
        trailing_24h={},
        index_24h=None,
        completeness={},
        final=True,
        revision=0,
    )


Course = list[dict[str, int]]  # by hour, index by station


def indices(values: dict[str, int]) -> NDArray[np.int64]:
    return np.array([values.get(code, -1) for code in CODES])


def pieces(course: Course) -> list[list[StationIndex] | Mark]:
    found: list[list[StationIndex] | Mark] = []
    for hour, values in enumerate(course, start=1):
        found += [[record(code, hour, index) for code, index in values.items()], Mark(utc(START_S + hour * HOUR + 600))]
    return found


def watch(state: dict[str, bytes]) -> ProvinceWatch:
    return ProvinceWatch([DELTA], STATIONS, state, NeighbourLimits())


def suspects(course: Course) -> list[tuple[int, str]]:
    """(hour from 1, station) not asked."""
    said = undisturbed(watch, pieces(course))
    states = [item for item in said if isinstance(item, ProvinceState)]
    return [(int(state.time.timestamp() - START_S) // HOUR, code) for state in states for code in state.suspect]


def around(level: int, hour: int) -> dict[str, int]:
    return {code: level + (number * 7 + hour * 3) % 11 for number, code in enumerate(CODES)}


def test_a_station_unlike_all_others_for_half_a_day_is_suspect() -> None:
    course = [{**around(60, hour), "S4": 320} for hour in range(14)]
    assert suspects(course) == [(12, "S4"), (13, "S4"), (14, "S4")]


def test_a_dead_inlet_amid_smog_is_suspect_as_well() -> None:
    assert suspects([{**around(260, hour), "S0": 20} for hour in range(12)]) == [(12, "S0")]


def test_the_first_station_that_a_plume_reaches_survives() -> None:
    # The plume comes from the west: a row of three stations every four hours, S0 alone three hours before all others.
    def level(number: int, hour: int) -> int:
        arrives = 5 if number == 0 else 8 + number // 3 * 4
        return 300 if hour >= arrives else 60

    course = [{code: level(number, hour) + hour % 5 for number, code in enumerate(CODES)} for hour in range(40)]
    lonely = Neighbours(STATIONS.stations, NeighbourLimits()).lonely(indices(course[6]))
    assert lonely == {"S0": 1}, "it does look like an outlier"
    assert suspects(course) == []


def test_a_fire_beside_a_station_burns_down_before_it_is_suspect() -> None:
    course = [{**around(60, hour), "S4": 60 if hour % 24 > 10 else 400} for hour in range(48)]
    assert suspects(course) == []


def test_a_run_ends_when_the_side_changes_or_the_station_agrees() -> None:
    course = [{**around(160, hour), "S4": 5 if hour % 11 else 162} for hour in range(30)]
    assert suspects(course) == []
    course = [{**around(160, hour), "S4": 5 if hour < 10 else 400} for hour in range(20)]
    assert suspects(course) == []


def test_silence_neither_ends_a_run_nor_adds_to_it() -> None:
    course = [{**around(60, hour), "S4": 320} for hour in range(14)]
    del course[5]["S4"]
    assert suspects(course) == [(13, "S4"), (14, "S4")]


@pytest.mark.parametrize(
    ("limits", "lonely"),
    [
        (NeighbourLimits(), {"S4": 1}),
        (NeighbourLimits(num_min=9), {}),  # only eight are around
        (NeighbourLimits(radius_km=1), {}),
        (NeighbourLimits(threshold=11), {}),
        (NeighbourLimits(min_std=80), {}),
    ],
)
def test_every_limit_counts(limits: NeighbourLimits, lonely: dict[str, int]) -> None:
    assert Neighbours(STATIONS.stations, limits).lonely(indices({**around(60, 0), "S4": 320})) == lonely


def test_distances_are_those_of_the_globe() -> None:
    # Hà Nội (21.0285, 105.8542) to Hải Phòng (20.8449, 106.6881): 88.9 km
    pair = [at("S0", 21.0285, 105.8542), at("S1", 20.8449, 106.6881)]
    near = [Neighbours(pair, NeighbourLimits(radius_km=km, num_min=2)).pairs for km in (88, 90)]
    assert near == [0, 2]


def apart_km(one: Station, other: Station) -> float:
    lat, lon, to_lat, to_lon = map(math.radians, (one.lat, one.lon, other.lat, other.lon))
    half = math.sin((to_lat - lat) / 2) ** 2 + math.cos(lat) * math.cos(to_lat) * math.sin((to_lon - lon) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(half))


@pytest.mark.parametrize("radius_km", [0.05, 5.0, 60.0, 21_000.0])
def test_pairs_are_those_of_all_distances(radius_km: float) -> None:
    """More stations than a block holds, some at one place, some at the poles and on both sides of the date line."""
    chance = np.random.default_rng(7)
    places = [(float(lat), float(lon)) for lat, lon in chance.normal((21.0, 105.8), 0.5, (1_040, 2))]
    places += [places[0], (90.0, 0.0), (90.0, 120.0), (-90.0, 5.0), (10.0, 179.99), (10.0, -179.99)]
    stations = [at(f"P{number}", *place) for number, place in enumerate(places)]
    some = [*range(0, 1_040, 40), *range(1_040, len(places))]
    expected = sum(
        row != other and apart_km(stations[row], stations[other]) <= radius_km
        for row in some
        for other in range(len(stations))
    )
    first, _ = neighbours._pairs(
        *(np.radians([getattr(station, name) for station in stations]) for name in ("lat", "lon")), radius_km
    )
    assert np.isin(first, some).sum() == expected


def test_a_suspect_station_neither_makes_nor_breaks_a_province() -> None:
    course = [{**around(60, hour), "S4": 320} for hour in range(12)]
    last = [s for s in undisturbed(watch, pieces(course)) if isinstance(s, ProvinceState) and s.province == "01"][-1]
    assert last.suspect == {"S4": "neighbours"}
    assert (last.valid, last.known) == (4, 5)
    assert "S4" not in {code for code, _, _ in last.stations}


def test_a_revision_of_an_hour_keeps_its_verdict() -> None:
    course = [{**around(60, hour), "S4": 320} for hour in range(12)]
    late = msgspec.structs.replace(record("S3", 12, 90), revision=1)
    said = undisturbed(watch, [*pieces(course), [late], Mark(utc(START_S + 13 * HOUR + 600))])
    (revised,) = [s for s in said if isinstance(s, ProvinceState) and s.revision == 1]
    assert revised.suspect == {"S4": "neighbours"}


@pytest.mark.parametrize("survive", [0, 1, 2, 3, 4, 5])
def test_killed_in_every_call_the_watch_says_the_same(survive: int) -> None:
    course = [{**around(60, hour), "S4": 320} for hour in range(15)]
    plan = [piece for n, piece in enumerate(pieces(course)) if not (isinstance(piece, Mark) and n % 4 == 1)]

    def identity(state: ProvinceState) -> tuple[str, str, int]:
        return state.province, state.time.isoformat(), state.revision

    calm = once(undisturbed(watch, plan), identity)
    assert once(crashing(watch, plan, lambda _: survive), identity) == calm
