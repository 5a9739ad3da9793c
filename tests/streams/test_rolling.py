"""The rolling index as time tables: what is said at which mark."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from streams.airsheds import Airshed, Detection
from streams.clock import epoch_s, utc
from streams.errors import RegistryError
from streams.indices import STANDARDS
from streams.intake import Intake
from streams.rolling import IndexStage
from streams.schemas import POLLUTANTS, Mark, StationIndex
from streams.stations import StationRegistry
from streams.windows import RING_HOURS
from tests.streams.rolling_cases import HOUR, LATENESS, Row, airshed, batch, registry

MIDNIGHT = int(datetime(2026, 1, 10, 17, tzinfo=UTC).timestamp())  # local midnight in Hà Nội


def hourly(first: int, values: list[float], station: str = "A", pollutant: str = "pm25") -> list[Row]:
    """Hourly readings; the first ends an hour after ``first``."""
    return [(station, pollutant, first + (n + 1) * HOUR, HOUR, value) for n, value in enumerate(values)]


class Timetable:
    """A stage with one station, fed by hand."""

    def __init__(self, *, standard: str = "vn_aqi", provisional: bool = False, start: int = MIDNIGHT) -> None:
        self.stations = registry(["A"])
        self.state: dict[str, bytes] = {}
        self.stage = IndexStage(self.stations, [airshed(standard)], self.state, provisional=provisional)
        self.at(start + LATENESS)

    def read(self, *rows: Row, statuses: list[str] | None = None) -> dict[str, int]:
        assert self.stage.accept(batch(rows, self.stations, statuses)) == []
        return self.stage.take_counts()

    def at(self, time_s: int) -> list[StationIndex]:
        said = self.stage.advance(Mark(utc(time_s), source="gateway"))
        assert said == [] or said[-1] == Mark(utc(time_s), source="0", of=1)
        return [item for item in said if isinstance(item, StationIndex)]


def test_an_hour_is_said_once_its_lateness_has_passed() -> None:
    table = Timetable()
    table.read(*hourly(MIDNIGHT - HOUR, [30.0, 30.0]))
    assert table.at(MIDNIGHT + HOUR + LATENESS - 1) == []
    (record,) = table.at(MIDNIGHT + HOUR + LATENESS)
    assert record == StationIndex(
        airshed="delta",
        province="01",
        station="A",
        station_class="reference",
        time=utc(MIDNIGHT + HOUR),
        product="hour",
        standard="vn_aqi",
        index=60,
        category="Trung bình",
        dominant="pm25",
        sub={"pm25": 60},
        concentration={"pm25": 30.0},
        trailing_24h={},
        index_24h=None,
        completeness={"pm25": 1.0},
        final=True,
        revision=0,
        decided=utc(MIDNIGHT + HOUR + LATENESS),
    )


def test_a_silent_station_is_said_to_have_no_index() -> None:
    (record,) = Timetable().at(MIDNIGHT + HOUR + LATENESS)
    assert (record.index, record.category, record.dominant, record.sub, record.completeness) == (
        None,
        None,
        None,
        {},
        {},
    )


def test_gases_alone_give_sub_indices_but_no_vietnamese_index() -> None:
    table = Timetable()
    table.read(("A", "so2", MIDNIGHT + HOUR, HOUR, 2100.0))
    (record,) = table.at(MIDNIGHT + HOUR + LATENESS)
    assert (record.index, record.dominant, record.sub) == (None, None, {"so2": 400})


def test_a_negative_hour_counts_as_clean() -> None:
    table = Timetable()
    table.read(*hourly(MIDNIGHT - HOUR, [-2.0, 10.0]))
    (record,) = table.at(MIDNIGHT + HOUR + LATENESS)
    assert record.concentration["pm25"] == round(10 / 1.5, 4)


def test_the_first_mark_says_the_hours_that_came_before_it() -> None:
    stations = registry(["A"])
    stage = IndexStage(stations, [airshed()], {}, provisional=False)
    stage.accept(batch(hourly(MIDNIGHT, [30.0, 40.0]), stations))
    said = stage.advance(Mark(utc(MIDNIGHT + 2 * HOUR + LATENESS)))
    hours = [item.time for item in said if isinstance(item, StationIndex)]
    assert hours == [utc(MIDNIGHT + HOUR), utc(MIDNIGHT + 2 * HOUR)]


def test_late_data_revise_what_was_said_and_only_that() -> None:
    table = Timetable()
    for hour in (1, 2, 4):
        table.at(MIDNIGHT + (hour - 1) * HOUR + LATENESS)
        table.read(*hourly(MIDNIGHT + (hour - 1) * HOUR, [30.0]))
    table.at(MIDNIGHT + 4 * HOUR + LATENESS)
    table.read(*hourly(MIDNIGHT + 2 * HOUR, [90.0]))  # hour 3, two hours late
    said = table.at(MIDNIGHT + 5 * HOUR + LATENESS)
    assert [((r.time - utc(MIDNIGHT)).seconds // HOUR, r.revision) for r in said] == [(3, 1), (4, 1), (5, 0)]
    assert said[0].index == 124, "(90 + 30/2 + 30/4) / 1.75 = 64.2857"
    table.read(*hourly(MIDNIGHT + 2 * HOUR, [90.0]))
    assert [r.revision for r in table.at(MIDNIGHT + 6 * HOUR + LATENESS)] == [0], "a repeat revises nothing"


def test_a_late_reading_too_few_to_count_revises_only_the_completeness() -> None:
    table = Timetable()
    table.at(MIDNIGHT + HOUR + LATENESS)
    table.read(("A", "pm25", MIDNIGHT + 300, 300, 50.0))
    revised, following = table.at(MIDNIGHT + 2 * HOUR + LATENESS)
    assert (revised.revision, revised.index, revised.completeness) == (1, None, {"pm25": round(5 / 60, 4)})
    assert following.revision == 0


def test_a_day_runs_from_one_to_midnight_local_time() -> None:
    # 100 in the hour that ends at local midnight belongs to the day before; the day's own mean is 10.
    table = Timetable(start=MIDNIGHT - HOUR)
    days = []
    for n, row in enumerate(hourly(MIDNIGHT - HOUR, [100.0, *[10.0] * 24, 500.0])):
        table.read(row)
        days += [r for r in table.at(MIDNIGHT + n * HOUR + LATENESS) if r.product == "day"]
    first, second = days
    assert (first.time, first.index) == (utc(MIDNIGHT), None)
    assert (second.time, second.index, second.concentration) == (utc(MIDNIGHT + 24 * HOUR), 20, {"pm25_24h": 10.0})
    assert second.completeness == {"pm25": 1.0}
    assert second.trailing_24h == {"pm25": 10.0}


def test_a_revised_day_is_said_again() -> None:
    table = Timetable()
    for n, row in enumerate(hourly(MIDNIGHT, [10.0] * 24)):
        if n != 20:
            table.read(row)
        table.at(row[2] + LATENESS)
    table.read(("A", "pm25", MIDNIGHT + 21 * HOUR, HOUR, 130.0))
    said = table.at(MIDNIGHT + 25 * HOUR + LATENESS)
    (day,) = [r for r in said if r.product == "day"]
    assert (day.time, day.revision, day.concentration) == (utc(MIDNIGHT + 24 * HOUR), 1, {"pm25_24h": 15.0})


def test_within_the_hour_values_are_provisional() -> None:
    table = Timetable(provisional=True)
    table.read(*hourly(MIDNIGHT - HOUR, [30.0]))
    table.at(MIDNIGHT + LATENESS + 1)
    table.read(*[("A", "pm25", MIDNIGHT + 300 * n, 300, 40.0) for n in range(1, 5)])
    (record,) = table.at(MIDNIGHT + 1200)
    assert (record.time, record.final, record.index) == (utc(MIDNIGHT + HOUR), False, 71)
    assert record.completeness == {"pm25": round(20 / 60, 4)}
    assert table.at(MIDNIGHT + 1300) == [], "nothing new, nothing said"


def test_every_reading_has_one_outcome_and_refusals_a_reason() -> None:
    table = Timetable()
    table.at(MIDNIGHT + 48 * HOUR + LATENESS)
    now = MIDNIGHT + 49 * HOUR
    rows: list[Row] = [
        ("A", "pm25", now, HOUR, 30.0),
        ("A", "pm25", now, HOUR, 30.0),
        ("A", "pm25", now, 600, 30.0),
        ("A", "pm10", now, 600, 30.0),
        ("A", "pm10", now, HOUR, 30.0),
        ("A", "o3", now + 2 * HOUR, HOUR, 30.0),
        ("A", "o3", now - 40 * HOUR, HOUR, 30.0),
        ("A", "o3", now, 7200, 30.0),
        ("A", "o3", now, HOUR, 1e9),
        ("A", "o3", now, HOUR, math.nan),
        ("A", "o3", now, HOUR, 30.0),
        ("A", "pm10", now, 600, 31.0),
        ("elsewhere", "pm10", now, HOUR, 30.0),
    ]
    statuses = ["measuring"] * len(rows)
    statuses[10], statuses[11] = "calibrating", "revised"
    counts = table.read(*rows, statuses=statuses)
    assert counts == {"counted": 2, "duplicate": 2, "conflict": 2, "late": 1, "rejected": 3, "unused": 3}
    assert sum(counts.values()) == len(rows)
    assert table.stage.take_rejected() == [
        (4, "overlap"),
        (5, "clock-ahead"),
        (6, "late"),
        (7, "bad-period"),
        (8, "bad-value"),
        (11, "partial-revision"),
    ]
    assert table.stage.take_rejected() == []
    assert table.stage.take_counts() == {}


def test_a_month_of_silence_is_gone_through_and_forgets_the_old_air() -> None:
    table = Timetable()
    table.read(*hourly(MIDNIGHT, [300.0]))
    table.at(MIDNIGHT + HOUR + LATENESS)
    said = table.at(MIDNIGHT + 720 * HOUR + LATENESS)
    assert len([r for r in said if r.product == "hour"]) == 719
    assert {r.index for r in said} == {None}
    table.read(*hourly(MIDNIGHT + 720 * HOUR, [30.0]))
    assert [r.sub for r in table.at(MIDNIGHT + 721 * HOUR + LATENESS)] == [{}], "one hour of three is too few"


def test_a_partition_says_only_what_is_its_own() -> None:
    stations = registry(["A", "B"])
    stage = IndexStage(stations, [airshed()], {}, keep=lambda code: code == "B", source="7", of=8, provisional=False)
    stage.advance(Mark(utc(MIDNIGHT + LATENESS)))
    stage.accept(
        batch([("A", "pm25", MIDNIGHT + HOUR, HOUR, 9.0), ("B", "pm25", MIDNIGHT + HOUR, HOUR, 9.0)], stations)
    )
    said = stage.advance(Mark(utc(MIDNIGHT + HOUR + LATENESS)))
    assert [item.station for item in said if isinstance(item, StationIndex)] == ["B"]
    assert said[-1] == Mark(utc(MIDNIGHT + HOUR + LATENESS), "7", 8)
    assert stage.take_counts() == {"counted": 1, "unused": 1}


def test_the_slower_of_two_gateways_is_waited_for_two_hours_at_most() -> None:
    stations = registry(["A"])
    stage = IndexStage(stations, [airshed()], {}, provisional=False)

    def marks(source: str, hour: int) -> list[int]:
        said = stage.advance(Mark(utc(MIDNIGHT + hour * HOUR + LATENESS), source, 2))
        return [(epoch_s(i.time) - MIDNIGHT - LATENESS) // HOUR for i in said if isinstance(i, Mark)]

    assert marks("a", 0) == []
    assert marks("b", 1) == [0]
    assert marks("b", 2) == []
    assert marks("b", 3) == [1]
    assert marks("a", 2) == [2]
    said = stage.give_up("a")
    assert [epoch_s(i.time) for i in said if isinstance(i, Mark)] == [MIDNIGHT + 3 * HOUR + LATENESS]


@pytest.mark.parametrize("standard", STANDARDS)
def test_every_standard_runs_for_two_days(standard: str) -> None:
    table = Timetable(standard=standard)
    rng = np.random.default_rng(1)
    values = {"pm25": 60.0, "pm10": 110.0, "o3": 80.0, "no2": 40.0, "so2": 20.0, "co": 900.0}
    records: list[StationIndex] = []
    for hour in range(1, 49):
        now = MIDNIGHT + hour * HOUR
        table.read(*[("A", p, now, HOUR, round(float(v * rng.uniform(0.8, 1.2)), 1)) for p, v in values.items()])
        records += table.at(now + LATENESS)
    days = [r for r in records if r.product == "day"]
    assert len(days) == 2
    last = records[-2]
    assert set(last.sub) == set(values)
    # US PM10 of 110 lies at 78, Korea's PM2.5 of 60 at 198: every table puts this air between clean and hazardous.
    for record in (last, *days):
        assert record.index is not None
        assert 60 < record.index < 300
    assert last.index_24h is not None
    assert last.index == max(last.sub.values()) + (record_bonus(standard, last))


def record_bonus(standard: str, record: StationIndex) -> int:
    high = sum(value >= 101 for value in record.sub.values())
    return {2: 50, 3: 75}.get(high, 0) if standard == "kr_cai" else 0


KOLKATA_MIDNIGHT = MIDNIGHT + 90 * 60  # 18:30 UTC


def kolkata() -> tuple[StationRegistry, IndexStage]:
    """One station in India, whose hours are decided forty minutes after those of UTC."""
    plain = airshed("in_naqi", "Asia/Kolkata")
    late = Airshed(
        code=plain.code,
        names=plain.names,
        standard=plain.standard,
        zone=plain.zone,
        provinces=plain.provinces,
        levels=[],
        detection=Detection(lateness_s=2400),
    )
    stations = registry(["A"], zone="Asia/Kolkata")
    return stations, IndexStage(stations, [late], {}, provisional=False)


def test_hours_of_a_half_hour_clock_are_shared_out_between_those_of_utc() -> None:
    """The hour to 19:30 UTC goes half into the hour to 19:00, which is decided at 19:40 and so waits for nobody."""
    stations, stage = kolkata()
    stage.accept(batch(hourly(KOLKATA_MIDNIGHT - HOUR, [10.0, 30.0]), stations))
    assert stage.take_counts() == {"counted": 2}
    stage.accept(batch(hourly(KOLKATA_MIDNIGHT - HOUR, [10.0, 30.0]), stations))
    assert stage.take_counts() == {"duplicate": 2}
    said = stage.advance(Mark(utc(KOLKATA_MIDNIGHT + HOUR // 2 + 2400)))
    hours = [item for item in said if isinstance(item, StationIndex) and item.product == "hour"]
    assert [(item.time, item.completeness["pm25"]) for item in hours] == [
        (utc(KOLKATA_MIDNIGHT - HOUR // 2), 0.5),
        (utc(KOLKATA_MIDNIGHT + HOUR // 2), 1.0),
    ]


def test_other_stations_have_their_hours_within_those_of_utc() -> None:
    table = Timetable()
    assert table.read(("A", "pm25", MIDNIGHT + HOUR // 2, HOUR, 10.0)) == {"rejected": 1}


def test_a_day_of_a_half_hour_clock_is_the_24_hours_that_end_in_it() -> None:
    """From 23:30 to 23:30: half an hour of the 100 before the day, 23 and a half hours of 40."""
    stations, stage = kolkata()
    days: list[StationIndex] = []
    for hour, value in enumerate([100.0] * 24 + [40.0] * 24 + [200.0] * 2, start=1 - 24):
        end = KOLKATA_MIDNIGHT + hour * HOUR
        stage.accept(batch([("A", name, end, HOUR, value) for name in ("pm25", "pm10", "no2")], stations))
        said = stage.advance(Mark(utc(end - HOUR // 2 + 2400)))
        days += [item for item in said if isinstance(item, StationIndex) and item.product == "day"]
    assert [(item.time, item.revision) for item in days] == [
        (utc(KOLKATA_MIDNIGHT - HOUR // 2), 0),
        (utc(KOLKATA_MIDNIGHT + 24 * HOUR - HOUR // 2), 0),
    ]
    assert days[1].concentration["pm25_24h"] == pytest.approx((0.5 * 100 + 23.5 * 40) / 24)
    assert days[1].completeness["pm25"] == 1.0


def test_a_lateness_that_leaves_no_room_for_a_day_is_refused() -> None:
    plain = airshed()
    slow = Airshed(
        code=plain.code,
        names=plain.names,
        standard=plain.standard,
        zone=plain.zone,
        provinces=plain.provinces,
        levels=[],
        detection=Detection(lateness_s=4 * HOUR),
    )
    with pytest.raises(RegistryError, match="leaves no room"):
        IndexStage(registry(["A"]), [slow], {})


def test_days_of_23_and_25_hours() -> None:
    """Berlin, where clocks change; a day closes 23 or 25 hours after the one before."""
    stations = registry(["A"], zone="Europe/Berlin")
    for month, day, hours in ((3, 29, 23), (10, 25, 25)):
        stage = IndexStage(stations, [airshed(zone="Europe/Berlin")], {}, provisional=False)
        start = int(datetime(2026, month, day, tzinfo=UTC).timestamp()) - (1 if hours == 23 else 2) * HOUR
        stage.advance(Mark(utc(start + LATENESS)))
        said: list[StationIndex | Mark] = []
        for hour in range(1, hours + 1):
            stage.accept(batch([("A", "pm25", start + hour * HOUR, HOUR, float(hour))], stations))
            said += stage.advance(Mark(utc(start + hour * HOUR + LATENESS)))
        (record,) = [i for i in said if isinstance(i, StationIndex) and i.product == "day"]
        assert epoch_s(record.time) == start + hours * HOUR
        assert record.concentration == {"pm25_24h": (hours + 1) / 2}


def test_state_is_within_four_kilobytes_per_station() -> None:
    table = Timetable()
    for hour in range(1, 60):
        now = MIDNIGHT + hour * HOUR
        table.read(*[("A", p, now, HOUR, 50.0) for p in ("pm25", "pm10", "o3", "no2", "so2", "co")])
        table.at(now + LATENESS)
    assert sum(len(value) for key, value in table.state.items() if key != "progress") <= 4096


def test_the_intake_gives_a_silent_gateway_up() -> None:
    """A runtime asks the stage it drives, which is the intake: without this a silent gateway would stop every hour."""
    stage = Intake(IndexStage(registry(["A"]), [airshed("vn_aqi")], {}, provisional=False))
    for gateway in ("one", "two"):
        stage.advance(Mark(utc(MIDNIGHT + LATENESS), gateway, 2))
    stage.take_counts()
    assert stage.advance(Mark(utc(MIDNIGHT + HOUR + LATENESS), "one", 2)) == []
    said = stage.give_up("two")
    assert said[-1] == Mark(utc(MIDNIGHT + HOUR + LATENESS), "0", 1)


def test_a_station_with_six_pollutants_takes_four_kilobytes_of_state_with_its_keys() -> None:
    code = "cnemc-1001A"  # eleven letters
    stations, state = registry([code]), dict[str, bytes]()
    stage = IndexStage(stations, [airshed()], state, provisional=False)
    for hour in range(RING_HOURS + 1):
        rows = [(code, name, MIDNIGHT + hour * HOUR, HOUR, 40.0 + hour) for name in POLLUTANTS]
        stage.accept(batch(rows, stations))
        stage.advance(Mark(utc(MIDNIGHT + hour * HOUR + LATENESS)))
    mine = {key: value for key, value in state.items() if key.startswith(code)}
    assert len(mine) == RING_HOURS + 1  # the hours and the day
    assert sum(len(key) + len(value) for key, value in mine.items()) <= 4_096
