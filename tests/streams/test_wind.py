"""Wind explains an episode and decides nothing."""

from __future__ import annotations

import math
from collections.abc import MutableMapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.batches import ReadingBatch
from streams.clock import HOUR_S, utc
from streams.components import neighbours_of
from streams.encoding import to_messages
from streams.errors import ReadingError
from streams.intake import Intake
from streams.provinces import ProvinceWatch
from streams.rolling import IndexStage
from streams.schemas import MEASURED, EpisodeEvent, Mark, ProvinceWind, StationWind
from streams.stations import StationRegistry
from streams.units import to_base
from streams.wind import wind_of
from streams.wire import decode_messages
from tests.streams.crashes import crashing, once, undisturbed
from tests.streams.province_hours import airshed, hour_s, mark, states, tracker
from tests.streams.samples import station
from tests.streams.test_episode_properties import REGION, Story, make, stories

SPEED, WAY = MEASURED.index("wind_speed"), MEASURED.index("wind_from_deg")
CODES = ("A0", "A1", "B0")


def registry() -> StationRegistry:
    return StationRegistry(
        station(code, code[0], lon=105.0 + ord(code[0]) - ord("A"), airshed="test") for code in CODES
    )


def readings(*rows: tuple[str, int, float, float], minutes: int = 0) -> ReadingBatch:
    """(station, hour, speed, from): two readings each, at the end of the hour or so many minutes before it."""
    flat = [(code, hour, name, v) for code, hour, speed, way in rows for name, v in ((SPEED, speed), (WAY, way))]
    return ReadingBatch(
        np.array([registry().row(code) for code, _, _, _ in flat], np.int32),
        np.array([name for _, _, name, _ in flat], np.int8),
        np.array([hour_s(hour) - 60 * minutes for _, hour, _, _ in flat], np.int64),
        np.full(len(flat), 600, np.int32),
        np.array([value for *_, value in flat], np.float64),
        np.zeros(len(flat), np.int8),
    )


def intake(memory: MutableMapping[str, bytes]) -> Intake:
    return Intake(IndexStage(registry(), [airshed("AB")], memory, provisional=False))


def hours_of(said: Sequence[Any]) -> list[tuple[str, int, float, float, float]]:
    return [
        (item.station, (int(item.time.timestamp()) - hour_s(0)) // HOUR_S, item.speed, item.east, item.north)
        for item in said
        if isinstance(item, StationWind)
    ]


def test_the_hour_of_a_station_is_the_mean_vector_of_its_readings() -> None:
    """From the west at 4 m/s, then from the north at 2: the air moves east and south."""
    stage = intake({})
    stage.accept(readings(("A0", 1, 4.0, 270.0), minutes=30))
    stage.accept(readings(("A0", 1, 2.0, 0.0), ("B0", 2, 3.0, 90.0)))
    assert hours_of(stage.advance(mark(1))) == [("A0", 1, 3.0, 2.0, -1.0)]
    assert hours_of(stage.advance(mark(2))) == [("B0", 2, 3.0, -3.0, 0.0)]


@pytest.mark.parametrize(
    ("speed", "way"), [(math.nan, 90.0), (3.0, math.nan), (-1.0, 90.0), (80.0, 90.0), (3.0, 400.0)]
)
def test_what_no_instrument_measures_is_left_out(speed: float, way: float) -> None:
    stage = intake({})
    stage.accept(readings(("A0", 1, speed, way)))
    assert hours_of(stage.advance(mark(1))) == []


def test_what_comes_after_its_hour_was_closed_is_left_out() -> None:
    stage = intake({})
    stage.accept(readings(("A0", 1, 4.0, 270.0)))
    stage.advance(mark(1))
    stage.accept(readings(("A0", 1, 9.0, 90.0)))
    assert hours_of(stage.advance(mark(2))) == []
    assert stage.take_counts() == {"counted": 2, "unused": 2}


def test_wind_takes_no_part_in_an_index() -> None:
    stage = intake({})
    batch = readings(("A0", 1, 4.0, 270.0))
    said = [
        item for item in (*stage.accept(batch), *stage.advance(mark(1))) if not isinstance(item, Mark | StationWind)
    ]
    assert [getattr(item, "index", None) for item in said] == [None] * len(said)


def test_it_travels_as_any_reading() -> None:
    batch = readings(("A0", 1, 4.5, 270.0), ("A1", 1, 0.0, 0.0))
    payloads = [value for _, value in to_messages(batch, registry())]
    found = decode_messages(payloads, str, registry()).batch
    for name in ("station", "pollutant", "time_s", "value"):
        assert getattr(found, name).tolist() == getattr(batch, name).tolist()
    assert b'"unit":"m/s"' in payloads[0]


def test_units_of_wind() -> None:
    assert to_base("wind_speed", "km/h") * 36 == pytest.approx(10)
    assert to_base("wind_from_deg", "°") == 1
    with pytest.raises(ReadingError, match="unknown unit 'ug/m3'"):
        to_base("wind_speed", "ug/m3")


def test_provinces_without_wind_say_where_they_lie() -> None:
    stage = ProvinceWatch([airshed("AB")], registry(), {})
    items = _played(intake({}), [readings(("A0", 1, 4.0, 270.0), ("A1", 1, 2.0, 270.0)), mark(1)])
    stage.accept([item for item in items if not isinstance(item, Mark)])
    found = [item for item in stage.advance(mark(1)) if isinstance(item, ProvinceWind)]
    assert [(w.province, w.speed, w.east, w.north, w.lon) for w in found] == [
        ("A", 3.0, 3.0, 0.0, 105.0),
        ("B", None, None, None, 106.0),
    ]
    assert not [item for item in stage.advance(mark(2)) if isinstance(item, ProvinceWind)]


def _played(stage: Any, pieces: Sequence[Any]) -> list[Any]:
    return [item for p in pieces for item in (stage.advance(p) if isinstance(p, Mark) else stage.accept(p))]


# -- what an episode is told -----------------------------------------------------------------------------------------

ROW = airshed("AB BC CD")  # from west to east


def province_wind(code: str, number: int, speed: float | None, way: float = 0.0) -> ProvinceWind:
    east = None if speed is None else round(-speed * math.sin(math.radians(way)), 2)
    north = None if speed is None else round(-speed * math.cos(math.radians(way)), 2)
    return ProvinceWind(
        airshed="test",
        province=code,
        time=utc(hour_s(number)),
        speed=speed,
        east=east,
        north=north,
        lat=21.0,
        lon=105.0 + ord(code) - ord("A"),
    )


def seen(provinces: str, now: int, *winds: ProvinceWind) -> Any:
    by_hour: dict[int, dict[str, ProvinceWind]] = {}
    for wind in winds:
        by_hour.setdefault(int(wind.time.timestamp()), {})[wind.province] = wind
    return wind_of(list(provinces), neighbours_of(ROW), hour_s(now), lambda hour: by_hour.get(hour, {}))


def test_where_it_comes_from_and_over_whom() -> None:
    everywhere = [province_wind(code, 1, 3.0, 250.0) for code in "ABCD"]
    assert seen("BC", 1, *everywhere).from_deg == 250
    assert seen("BC", 1, *everywhere).upwind == ["A"]
    from_east = [province_wind(code, 1, 3.0, 80.0) for code in "ABCD"]
    assert seen("BC", 1, *from_east).upwind == ["D"]
    from_north = [province_wind(code, 1, 3.0, 0.0) for code in "ABCD"]
    assert seen("BC", 1, *from_north).upwind == []


def test_calm_air_has_no_direction() -> None:
    """Also where the winds of two provinces cancel each other."""
    assert seen("B", 1, province_wind("B", 1, 0.9, 90.0)).calm
    against = seen("BC", 1, province_wind("B", 1, 3.0, 90.0), province_wind("C", 1, 3.0, 270.0))
    assert (against.calm, against.from_deg, against.upwind, against.speed) == (True, None, [], 3.0)


@pytest.mark.parametrize(
    ("hours", "speed", "stagnant"), [(5, 1.0, None), (6, 1.0, True), (24, 1.9, True), (24, 2.0, False)]
)
def test_stagnation_is_judged_on_a_day_of_which_a_quarter_is_known(
    hours: int, speed: float, stagnant: bool | None
) -> None:
    winds = [province_wind("B", 30 - age, speed, 0.0) for age in range(hours)]
    winds += [province_wind("B", 30 - age, 20.0, 0.0) for age in range(24, 30)]  # yesterday's storm
    assert seen("B", 30, *winds).stagnant is stagnant


def test_silence_of_the_feed_is_no_calm() -> None:
    assert seen("B", 1, province_wind("A", 1, 3.0, 90.0), province_wind("B", 1, None)) is None


def test_events_carry_the_wind_of_their_hour() -> None:
    stage = tracker(ROW)
    found = []
    for number, items in enumerate(states(ROW, {"A": "60*9", "B": "160*9", "C": "160*9", "D": "60*9"}), start=1):
        stage.accept([*items, *(province_wind(code, number, 1.5, 260.0) for code in "ABCD")])
        found += [item for item in stage.advance(mark(number)) if isinstance(item, EpisodeEvent)]
    wind = found[0].wind
    assert wind is not None
    assert (wind.speed, wind.calm, wind.from_deg, wind.upwind, wind.stagnant) == (1.5, False, 260, ["A"], None)


@settings(max_examples=25, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_with_and_without_wind_the_same_is_decided(story: Story, random: Any) -> None:
    def told(*, windy: bool) -> list[EpisodeEvent]:
        stage = make({})
        said: list[Any] = []
        for items, number in story.hours():
            winds = [province_wind(c, number, random.choice([None, 0.5, 9.0]), random.randint(0, 359)) for c in "ABCDE"]
            stage.accept([*items, *winds] if windy else items)
            said += [item for item in stage.advance(mark(number)) if isinstance(item, EpisodeEvent)]
        return said

    assert REGION.code == "test"
    assert [msgspec.structs.replace(event, wind=None) for event in told(windy=True)] == told(windy=False)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CODES), st.integers(1, 6), st.sampled_from([1.0, 4.0])), max_size=12),
    st.randoms(use_true_random=False),
)
def test_killed_at_any_write_and_started_again_it_says_the_same(rows: list[Any], random: Any) -> None:
    pieces: list[Any] = []
    for number in range(1, 7):
        due = [(code, hour, speed, 90.0) for code, hour, speed in rows if hour in (number, number + 1)]
        pieces += [readings(*due)] if due else []
        pieces.append(mark(number))

    def identity(item: StationWind) -> tuple[Any, ...]:
        return item.station, item.time

    def winds(said: list[Any]) -> list[Any]:
        return [item for item in said if isinstance(item, StationWind)]

    disturbed = crashing(intake, pieces, lambda _: random.choice([None, 0, 1, 2, 4, 9]))
    assert once(winds(disturbed), identity) == once(winds(undisturbed(intake, pieces)), identity)
