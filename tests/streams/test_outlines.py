"""Outlines of any region from a GeoJSON: whose they are, what lies in them, and what is answered to a bad file."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from rules.loading import load_pack
from streams.errors import ConfigurationError
from streams.geography import vietnam
from streams.geography.outlines import MOST_POINTS, Outlines, read_outlines, vietnamese
from tests.streams.test_geography import region, square

FRANCE = load_pack("france").airshed
TWO = msgspec.structs.replace(FRANCE, provinces=FRANCE.provinces[:2])  # Paris and the north-west of Seine-et-Marne
PARIS = square("Paris", 2.3, 48.8)
MARNE = square("whatever", 2.4, 48.8, code="77N")


def refused(tmp_path: Path, *features: object) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read_outlines(region(tmp_path, *features), TWO)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def codes(outlines: Outlines, lat: float, lon: float, radius_km: float) -> list[str]:
    return [unit.code for unit in outlines.within(lat, lon, radius_km)]


def test_features_belong_to_provinces_by_code_or_name_and_others_are_left_alone(tmp_path: Path) -> None:
    outlines = read_outlines(region(tmp_path, square("Atlantis", 0.0, 48.0), MARNE, PARIS), TWO)
    assert codes(outlines, 48.85, 2.35, 1.0) == ["75"]
    assert codes(outlines, 48.85, 2.35, 5.0) == ["75", "77N"]
    assert codes(outlines, 48.05, 0.05, 5.0) == []
    paris = outlines.of("75", ["Paris"])
    assert paris is not None
    assert paris.outline[0][0][0] == (2.3, 48.8)
    assert outlines.of("01", ["Hà Nội"]) is None


def test_the_eleven_of_another_country_is_not_viet_nams() -> None:
    assert vietnamese().of("11", ["Seoul", "서울"]) is None
    assert vietnamese().of("11", [vietnam()["11"].name]) is not None


def test_fine_outlines_are_drawn_in_steps_of_a_hundred_metres(tmp_path: Path) -> None:
    fine = square("Paris", 2.3, 48.8)
    ring = [[2.3 + n * 1e-5, 48.8] for n in range(10_001)] + [[2.4, 48.9], [2.3, 48.9], [2.3, 48.8]]
    fine["geometry"] = {"type": "MultiPolygon", "coordinates": [[ring], [[[2.5, 48.9]] * 4]]}
    outlines = read_outlines(region(tmp_path, fine, MARNE), TWO)
    (polygon,) = outlines.unit("75").outline
    assert 100 < len(polygon[0]) < 110
    assert polygon[0][0] == polygon[0][-1]


def test_everything_that_is_missing_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, square("Atlantis", 0.0, 48.0)) == [
        "region.geojson: features: no feature is province '75' of the rule pack "
        "(give one with the code '75' or the name 'Paris' in its properties)",
        "region.geojson: features: no feature is province '77N' of the rule pack (give one with the code '77N' or "
        "the name 'North-west Seine-et-Marne' or 'Seine-et-Marne nord-ouest' in its properties)",
    ]


def test_two_features_of_one_province(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, PARIS, MARNE, square("Île de la Cité", 2.3, 48.8, code="75"))
    assert problem.startswith("region.geojson: feature 3: properties: is 75 as well, like feature 1 (make one feature")


@pytest.mark.parametrize(
    ("coordinates", "says"),
    [
        ([[[260_000, 6_250_000]] * 4], "hold 260000, 6.25e+06, which is no longitude and latitude (give WGS 84"),
        ([[[2.3, 48.8], [2.4, 48.8], [2.4, 48.9], [2.3, 48.9]]], "hold a ring of 4 positions that is not closed"),
        ([[[2.3, 48.8], [2.3, 48.8]]], "hold a ring of 2 positions that is not closed (give a Polygon"),
        ([[2.3, 48.8], [2.4, 48.8]], "are no list of rings of positions, as a Polygon has"),
        ([[["2.3", "48.8"]] * 4], "are no list of rings of positions, as a Polygon has"),
        ([], "have no ring"),
        (None, "are no list of rings of positions, as a Polygon has"),
    ],
)
def test_a_feature_that_is_no_outline(tmp_path: Path, coordinates: object, says: str) -> None:
    broken = {**MARNE, "geometry": {"type": "Polygon", "coordinates": coordinates}}
    (problem,) = refused(tmp_path, PARIS, broken)
    assert problem.startswith(f"region.geojson: feature 2: geometry.coordinates: {says}")


def test_far_too_many_points(tmp_path: Path) -> None:
    zigzag = [[2.3 + n % 2 / 100, 48.8 + n / 1e6 * 2] for n in range(MOST_POINTS)]
    rough = {**PARIS, "geometry": {"type": "Polygon", "coordinates": [[*zigzag, zigzag[0]]]}}
    (problem,) = refused(tmp_path, rough, MARNE)
    assert problem.startswith("region.geojson: features: 50006 points, most of them (50001) of '75' (simplify")


def test_no_geojson_at_all(tmp_path: Path) -> None:
    path = tmp_path / "region.geojson"
    for text in ("{", json.dumps({"type": "FeatureCollection"}), "[]"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=r"cannot be read: .*give a GeoJSON FeatureCollection"):
            read_outlines(path, TWO)
    assert refused(tmp_path) == ["region.geojson: has no features (give one feature for every province)"]


def test_a_published_file_serves_the_chinese_pack(recorded: Path) -> None:
    china = load_pack("china-2024").airshed
    outlines = read_outlines(recorded / "data" / "geo" / "china_provinces.geojson", china)
    beijing = china.province("Beijing")
    assert beijing is not None
    assert codes(outlines, 39.9, 116.4, 10.0) == [beijing.code]
