"""What the packs that come with Airshed make of weather, and whether their borders are those on the map."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from airshed.dry import play
from airshed.pipeline import Outcome
from airshed.trials import AS_GIVEN
from rules.loading import load_pack
from rules.model import Pack
from rules.notices import Notice
from streams.batches import ReadingBatch
from streams.clock import HOUR_S, epoch_s
from streams.schemas import POLLUTANTS, EpisodeEvent
from streams.stations import StationRegistry
from tests.streams.samples import station

FIRST_S = 1_768_150_800  # 2026-01-12 00:00 in Hà Nội
STATIONS_EACH = 3


def stations(pack: Pack) -> StationRegistry:
    return StationRegistry(
        station(f"{province.code}-{number}", province.code, airshed=pack.airshed.code, zone=pack.airshed.zone)
        for province in pack.airshed.provinces
        for number in range(STATIONS_EACH)
    )


def readings(registry: StationRegistry, pm25: Mapping[str, list[float]]) -> ReadingBatch:
    """Hourly PM2.5, µg/m³, the same at all stations of a province."""
    rows = [
        (row, FIRST_S + hour * HOUR_S, value)
        for row, station in enumerate(registry.stations)
        for hour, value in enumerate(pm25[station.province], start=1)
    ]
    row, time_s, value = (np.array(column) for column in zip(*rows, strict=True))
    return ReadingBatch(
        row.astype(np.int32),
        np.full(len(rows), POLLUTANTS.index("pm25"), np.int8),
        time_s.astype(np.int64),
        np.full(len(rows), HOUR_S, np.int32),
        value.astype(np.float64),
        np.zeros(len(rows), np.int8),
    )


def judged(pack: Pack, registry: StationRegistry, batch: ReadingBatch) -> tuple[list[EpisodeEvent], list[Notice]]:
    """Everything a pack says about readings that are taken as they are."""
    whole = Outcome()
    for step in play([batch], pack, registry, limits=AS_GIVEN):
        whole.add(step.outcome)
    return whole.episodes, whole.notices


VIETNAM = load_pack("vietnam-2026")
CODES = [province.code for province in VIETNAM.airshed.provinces]


def vietnam(
    everywhere: list[float], only: Mapping[str, list[float]] | None = None
) -> tuple[list[EpisodeEvent], list[Notice]]:
    registry = stations(VIETNAM)
    return judged(VIETNAM, registry, readings(registry, dict.fromkeys(CODES, everywhere) | dict(only or {})))


def nights(*heights: float) -> list[float]:
    """µg/m³ by hour, a height for each day: high before sunrise, half of it around 15:00, as in stagnations there."""
    cycle = 0.75 - 0.25 * np.cos(2 * np.pi * (np.arange(1, 25) - 15) / 24)
    return [round(float(value), 1) for height in heights for value in height * cycle]


WASHED_OUT = [150.0, 110.0, 90.0, 80.0, 70.0, 60.0, 50.0, 40.0, 30.0] + [20.0] * 30
"""A cold surge arrives."""


@pytest.mark.parametrize(("height", "hours"), [(300.0, 5), (500.0, 3), (500.0, 5), (150.0, 6)])
def test_fireworks_over_all_seven_provinces_open_nothing(height: float, hours: int) -> None:
    """NowCast carries five hours of 500 µg/m³ over eight hours above 150 and seven above 200."""
    assert vietnam([40.0] * 48 + [height] * hours + [40.0] * 48) == ([], [])


def test_a_fire_that_one_province_breathes_for_days_opens_nothing() -> None:
    assert vietnam([40.0] * 120, {"24": [40.0] * 24 + [260.0] * 60 + [40.0] * 36}) == ([], [])


def test_hours_of_bad_air_on_a_clean_day_open_nothing() -> None:
    assert vietnam([20.0] * 48 + [90.0] * 11 + [20.0] * 48) == ([], [])


def test_a_stagnation_of_five_days_is_one_episode_recognised_early_and_ended_once() -> None:
    events, notices = vietnam(nights(45.0, 110.0, 160.0, 210.0, 240.0) + WASHED_OUT)
    assert [event.kind for event in events] == ["opened", "escalated", "eased", "closed"]
    assert len({event.episode for event in events}) == 1
    hours = [(epoch_s(event.time) - FIRST_S) // HOUR_S for event in events]
    assert 48 < hours[0] <= 72  # on the first day whose mean is above 80 µg/m³ (110 by night is 83 over the day)
    assert hours[1] <= 96
    assert [(n.rule, len(n.audience.provinces)) for n in notices] == [
        ("residents-advisory", 7),
        ("authorities-watch", 7),
        ("authorities-alert", 7),
        ("residents-advisory", 7),
        ("facilities-request-alert", 7),
        ("facilities-release-eased", 7),
        ("residents-all-clear", 7),
        ("authorities-end", 7),
    ]


def test_a_network_that_falls_silent_at_the_peak_ends_nothing() -> None:
    silent = float("nan")
    events, _ = vietnam([35.0] * 24 + nights(230.0, 230.0) + [silent] * 72)
    assert "closed" not in [event.kind for event in events]
    assert "eased" not in [event.kind for event in events]


def test_old_codes_and_former_provinces_are_known() -> None:
    found = {
        "Hải Dương": "31",
        "hải dương": "31",
        "30": "31",
        "Bắc Giang": "24",
        "27": "24",
        "Thái Bình": "33",
        "Nam Định": "37",
        "Hà Nam": "37",
        "Vĩnh Phúc": "25",
        "Hòa Bình": "25",
        "Hoà Bình": "25",
        "Bắc Kạn": "19",
        "Hanoi": "01",
        "Hà Nội": "01",
    }
    for name, code in found.items():
        province = VIETNAM.airshed.province(name)
        assert province is not None, name
        assert province.code == code, name
    assert VIETNAM.airshed.province("Quảng Ninh") is None


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "outlines"),
    [
        ("china-2024", "china_provinces"),
        ("vietnam-2026", "vietnam_34_provinces_lite"),
        ("vietnam-2026", "north_vietnam_34_layout"),
    ],
)
def test_borders_are_those_on_the_map(recorded: Path, name: str, outlines: str) -> None:
    """Provinces whose outlines come within 0.03° (3 km) of each other touch, and no others."""
    airshed = load_pack(name).airshed
    features = json.loads((recorded / "data" / "geo" / f"{outlines}.geojson").read_text(encoding="utf-8"))["features"]
    borders: dict[str, NDArray[np.float64]] = {}
    for feature in features:
        province = airshed.province(feature["properties"]["name"])
        if province is not None:
            borders[province.code] = np.concatenate(list(_points(feature["geometry"])))
    assert set(borders) == {province.code for province in airshed.provinces}
    trees = {code: cKDTree(points) for code, points in borders.items()}
    for province in airshed.provinces:
        near = {
            code
            for code, points in borders.items()
            if code != province.code and trees[province.code].query(points)[0].min() < 0.03
        }
        assert near == set(province.neighbours), province.names


def _points(geometry: dict[str, Any]) -> Iterator[NDArray[np.float64]]:
    """Points every 0.02° along all rings, degrees."""
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    for ring in (np.array(ring, float)[:, :2] for polygon in polygons for ring in polygon):
        for begin, end in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            steps = max(1, int(np.hypot(*(end - begin)) / 0.02))
            yield begin + (end - begin) * np.linspace(0, 1, steps, endpoint=False)[:, None]
