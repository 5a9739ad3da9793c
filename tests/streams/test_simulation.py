"""The simulated January: the same for the same seed, and shaped like one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streams.batches import ReadingBatch
from streams.clock import epoch_s
from streams.gateway import replay_arrivals
from streams.schemas import POLLUTANTS, STATUSES, Mark
from streams.screening import screen
from streams.sources.invented import NAMES
from streams.sources.scenario_library import SCENARIOS
from streams.sources.scenarios import STAGNATION, Disturbance
from streams.sources.simulation import Simulation, simulate
from streams.sources.tidy import read_tidy
from streams.stations import read_stations
from tests.streams.samples import rows_of

PM25 = POLLUTANTS.index("pm25")


@pytest.fixture(scope="module")
def january() -> Simulation:
    return simulate(2026)


def hourly(of: Simulation, province: str) -> np.ndarray:
    """Median PM2.5 of a province's usable readings by hour since the start, µg/m³."""
    usable = screen(of.readings).usable
    provinces = np.array([station.province for station in of.stations])
    mine = (usable.pollutant == PM25) & (provinces[usable.station] == province)
    hour = (usable.time_s[mine] - epoch_s(of.scenario.start) - 1) // 3600
    values = usable.value[mine]
    return np.array([np.median(values[hour == number]) for number in range(of.scenario.days * 24)])


def test_same_seed_same_readings_other_seed_other_readings(january: Simulation) -> None:
    again, other = simulate(2026), simulate(7)
    assert rows_of(again.readings) == rows_of(january.readings)
    assert (again.arrival_s == january.arrival_s).all()
    assert (again.stations, again.facilities, again.subscribers) == (
        january.stations,
        january.facilities,
        january.subscribers,
    )
    assert rows_of(other.readings.take(slice(100))) != rows_of(january.readings.take(slice(100)))
    assert other.subscribers != january.subscribers


def test_sixty_stations_in_seven_provinces_every_five_minutes(january: Simulation) -> None:
    assert len(january.stations) == 60
    assert {station.province for station in january.stations} == set(NAMES)
    assert len({(station.lat, station.lon) for station in january.stations}) == 60
    assert all(20.0 < station.lat < 22.5 and 105.2 < station.lon < 107.0 for station in january.stations)
    assert set(january.readings.period_s.tolist()) == {300}
    assert (january.readings.time_s % 300 == 0).all()
    assert len(
        {d["phone"] for d in january.subscribers if d["phone"]} | {f["phone"] for f in january.facilities}
    ) == sum(1 for row in (*january.subscribers, *january.facilities) if row["phone"])


def test_clean_then_growth_then_a_peak_in_neighbouring_provinces_then_clean_for_thirty_hours(
    january: Simulation,
) -> None:
    """PM2.5 of 50 / 80 / 150 / 250 µg/m³ are VN_AQI 100 / 150 / 200 / 300."""
    courses = {province: hourly(january, province) for province in NAMES}
    for province, course in courses.items():
        assert course[:30].max() < 50, province
        assert course[-40:].max() < 35, province
        assert course[96:148].max() > 100, province
    for neighbours in ("01", "24", "33"):  # Hà Nội, Bắc Ninh and Hưng Yên border each other
        assert 190 < courses[neighbours].max() < 250
    hours_above_150 = sum((courses["01"] > 150) & (courses["24"] > 150))
    assert hours_above_150 >= 24


def test_it_spreads_from_ha_noi_and_bac_ninh(january: Simulation) -> None:
    reached = {province: int(np.argmax(hourly(january, province) > 80)) for province in NAMES}
    assert {"01", "24"} == set(sorted(reached, key=lambda province: reached[province])[:2])
    assert reached["33"] - reached["01"] >= 6
    assert min(reached[province] for province in ("19", "25", "31", "37")) - reached["01"] >= 20


def test_nights_are_worse_than_afternoons(january: Simulation) -> None:
    course = hourly(january, "01")[72:144].reshape(3, 24)
    assert (course[:, 2:8].mean(axis=1) > 1.3 * course[:, 13:15].mean(axis=1)).all()


def test_the_surge_washes_the_north_east_first(january: Simulation) -> None:
    cleared = {province: 144 + int(np.argmax(hourly(january, province)[144:] < 50)) for province in NAMES}
    assert cleared["19"] < cleared["24"] < cleared["01"] < cleared["37"]


def test_all_kinds_of_trouble_are_in_it(january: Simulation) -> None:
    readings = january.readings
    counts = screen(readings).counts()
    assert counts["sentinel"] == pytest.approx(72, abs=4)  # three hours of PM2.5 and PM10 at one station
    assert counts["calibrating"] > 9 * 12
    calibrating = readings.status == STATUSES.index("calibrating")
    days = (readings.time_s[calibrating] - epoch_s(january.scenario.start)) // 86_400
    assert set(days.tolist()) == set(range(9))
    stuck = january.registry.row("SIM-01-07")
    hours = (readings.time_s - epoch_s(january.scenario.start)) / 3600
    during = (readings.station == stuck) & (readings.pollutant == PM25) & (hours > 141) & (hours <= 190)
    assert len(set(readings.value[during].tolist())) == 1
    expected = 60 * 2 * 12 * 24 * 9
    assert 0.98 < (readings.pollutant <= 1).sum() / expected < 1.0
    identities = set(zip(readings.station.tolist(), readings.pollutant.tolist(), readings.time_s.tolist(), strict=True))
    assert 1000 < len(readings) - len(identities) < 1500


def test_late_readings_are_out_of_order_but_on_time(january: Simulation) -> None:
    lateness_s = january.arrival_s - january.readings.time_s
    identity = (january.readings.station.astype(np.int64) * 10 + january.readings.pollutant) * 10**11
    _, first = np.unique(identity + january.readings.time_s, return_index=True)
    assert lateness_s.min() == 0
    assert lateness_s[first].max() == 600
    assert (lateness_s > 0).mean() > 0.005
    assert (np.diff(january.arrival_s) >= 0).all()
    assert (np.diff(january.readings.time_s) < 0).any()


def test_slices_cover_every_reading_and_replay_marks_them(january: Simulation) -> None:
    items = list(replay_arrivals(january.slices()))
    batches = [item for item in items if isinstance(item, ReadingBatch)]
    assert sum(len(batch) for batch in batches) == len(january.readings)
    marks = [epoch_s(item.time) for item in items if isinstance(item, Mark)]
    start_s = epoch_s(january.scenario.start)
    assert {mark for mark in marks if mark % 3600 == 600} == {start_s + 600 + hour * 3600 for hour in range(9 * 24 + 1)}


def test_a_disturbance_touches_its_station_and_hours_only() -> None:
    quiet = replace(STAGNATION, days=1, disturbances=())
    silent = replace(quiet, disturbances=(Disturbance("silent", "SIM-24-01", 6, 12),))
    before, after = simulate(1, quiet), simulate(1, silent)
    row = after.registry.row("SIM-24-01")

    def during(of: Simulation) -> np.ndarray:
        hours = (of.readings.time_s - epoch_s(of.scenario.start)) / 3600
        return np.asarray((of.readings.station == row) & (hours > 6) & (hours <= 12))

    assert during(before).sum() > 100
    assert during(after).sum() == 0

    def others(of: Simulation) -> set[tuple[float | None, ...]]:
        return set(rows_of(of.readings.take(~during(of))))

    assert others(before) == others(after)


def test_it_can_be_written_and_read_as_files(tmp_path: Path) -> None:
    short = simulate(3, replace(STAGNATION, days=1, disturbances=()))
    short.write(tmp_path)
    registry = read_stations(tmp_path / "stations.csv", [])
    assert [station.code for station in registry.stations] == [station.code for station in short.stations]
    loaded = read_tidy(tmp_path / "readings.csv.gz", registry)
    assert loaded.rejected == []
    assert rows_of(loaded.batch) == rows_of(short.readings)
    head = (tmp_path / "subscribers.csv").read_text(encoding="utf-8").splitlines()
    assert head[0] == "subscriber_id,language,province,level,channels,email,phone"
    assert len(head) == 201
    facilities = (tmp_path / "facilities.csv").read_text(encoding="utf-8").splitlines()
    assert facilities[0] == "facility_id,name,kind,province,lat,lon,language,email,phone"
    assert len(facilities) == 11


def test_nobody_real_is_addressed(january: Simulation) -> None:
    for row in (*january.subscribers, *january.facilities):
        assert not row["email"] or row["email"].endswith("@example.invalid")
        assert not row["phone"] or row["phone"].startswith("+8490000")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_can_be_played(name: str) -> None:
    scenario = SCENARIOS[name]
    assert set(scenario.courses) >= set(scenario.stations)
    assert len(simulate(1, replace(scenario, days=1, disturbances=())).readings) > 1000
