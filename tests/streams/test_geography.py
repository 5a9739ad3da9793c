"""Viet Nam's units: whole, connected as they are, called as they are called, and made by the script that is here."""

from __future__ import annotations

import json
import statistics
from importlib import resources
from pathlib import Path

import pytest

from rules.loading import load_pack
from streams.errors import InputError
from streams.geography import unit_named, vietnam
from streams.geography.borders import read_region
from streams.stations import read_stations

# Land borders of the seven provinces of the Red River working region and of Quảng Ninh, from the map.
BORDERS = {
    "Hà Nội": "Bắc Ninh, Hưng Yên, Ninh Bình, Phú Thọ, Thái Nguyên",
    "Hải Phòng": "Bắc Ninh, Hưng Yên, Quảng Ninh",
    "Bắc Ninh": "Hà Nội, Hải Phòng, Hưng Yên, Thái Nguyên, Quảng Ninh, Lạng Sơn",
    "Hưng Yên": "Hà Nội, Hải Phòng, Bắc Ninh, Ninh Bình",
    "Ninh Bình": "Hà Nội, Hưng Yên, Phú Thọ, Thanh Hóa",
    "Phú Thọ": "Hà Nội, Thái Nguyên, Tuyên Quang, Lào Cai, Sơn La, Thanh Hóa, Ninh Bình",
    "Thái Nguyên": "Hà Nội, Phú Thọ, Tuyên Quang, Cao Bằng, Lạng Sơn, Bắc Ninh",
    "Quảng Ninh": "Hải Phòng, Bắc Ninh, Lạng Sơn",
}


def test_all_34_units_made_of_all_63_provinces() -> None:
    units = vietnam()
    assert len(units) == 34
    assert len({pair for unit in units.values() for pair in unit.former}) == 63
    assert sum(unit.population for unit in units.values()) == pytest.approx(101e6, rel=0.01)


def test_borders_go_both_ways_and_hold_the_country_together() -> None:
    units = vietnam()
    for code, unit in units.items():
        assert all(code in units[other].neighbours for other in unit.neighbours)
    reached, edge = {"01"}, ["01"]
    while edge:
        new = set(units[edge.pop()].neighbours) - reached
        reached |= new
        edge += new
    assert reached == units.keys()


@pytest.mark.parametrize("name", BORDERS)
def test_the_borders_of_the_north_are_those_of_the_map(name: str) -> None:
    unit = unit_named(name)
    assert unit is not None
    assert {vietnam()[code].name for code in unit.neighbours} == set(BORDERS[name].split(", "))


def test_the_pack_names_the_same_codes_and_borders() -> None:
    provinces = load_pack("vietnam-2026").airshed.provinces
    codes = {province.code for province in provinces}
    for province in provinces:
        unit = vietnam()[province.code]
        assert unit.name == province.names["vi"]
        assert sorted(set(unit.neighbours) & codes) == sorted(province.neighbours)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("31", "31"), ("Hải Phòng", "31"), ("hai duong", "31"), ("Thành phố Hải Phòng", "31"), ("30", "31"),
        ("27", "24"), ("Bắc Giang", "24"), ("Tỉnh Vĩnh Phúc", "25"), ("17", "25"), ("10", "15"), ("ha noi", "01"),
    ],
)  # fmt: skip
def test_old_and_new_names_and_codes(text: str, code: str) -> None:
    unit = unit_named(text)
    assert unit is not None
    assert unit.code == code


@pytest.mark.parametrize("text", ["", "99", "Atlantis", "Hà"])
def test_what_is_none_of_them(text: str) -> None:
    assert unit_named(text) is None


def test_a_station_registry_may_use_any_of_these_names(tmp_path: Path) -> None:
    path = tmp_path / "stations.csv"
    path.write_text(
        "station_id,lat,lon,province\na,20.9,106.3,TỈNH HẢI DƯƠNG\nb,21.1,105.5,vinh phuc\nc,10.8,106.7,79\n"
    )
    stations = read_stations(path, [load_pack("vietnam-2026").airshed]).stations
    assert [station.province for station in stations[:2]] == ["31", "25"]
    assert stations[2].airshed == ""  # Hồ Chí Minh City is of no airshed here


def test_other_countries_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "stations.csv"
    path.write_text("station_id,lat,lon,province\na,39.9,116.4,31\n")
    assert read_stations(path, [load_pack("china-2024").airshed]).stations[0].airshed == ""


def test_the_file_is_what_the_script_makes() -> None:
    """To four decimals of overlap: other versions of the geometry library may round otherwise."""
    shapely = pytest.importorskip("shapely")
    pytest.importorskip("vietnamadminunits")
    from tools.vietnam import TARGET, derive, read_communes

    made = {feature["properties"]["code"]: feature for feature in derive(read_communes())}
    kept = {f["properties"]["code"]: f for f in json.loads(TARGET.read_text(encoding="utf-8"))["features"]}
    assert made.keys() == kept.keys()
    for code, feature in made.items():
        assert feature["properties"] == kept[code]["properties"]
        one, other = (shapely.geometry.shape(f["geometry"]) for f in (feature, kept[code]))
        assert one.intersection(other).area / one.union(other).area > 0.9999


def test_outlines_lie_over_published_ones(recorded: Path) -> None:
    """Intersection over union. Quảng Ninh is a bay of two thousand islands; Khánh Hòa has its peninsulas."""
    shapely = pytest.importorskip("shapely")
    published = json.loads((recorded / "data/geo/vietnam_34_provinces_lite.geojson").read_text(encoding="utf-8"))
    theirs = {f["properties"]["name"]: shapely.geometry.shape(f["geometry"]).buffer(0) for f in published["features"]}
    overlap = {}
    for unit in vietnam().values():
        ours = shapely.geometry.shape({"type": "MultiPolygon", "coordinates": unit.outline}).buffer(0)
        other = theirs[unit.name]
        overlap[unit.name] = ours.intersection(other).area / ours.union(other).area
    assert min(overlap.values()) > 0.5, overlap
    assert statistics.median(overlap.values()) > 0.87, overlap
    assert all(overlap[name] > 0.8 for name in BORDERS if name != "Quảng Ninh"), overlap


# -- any other region ------------------------------------------------------------------------------------------------


def square(name: str, west: float, south: float, **properties: object) -> dict[str, object]:
    """A square of a tenth of a degree, about 11 km."""
    east, north = west + 0.1, south + 0.1
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "properties": {"name": name, **properties},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def region(tmp_path: Path, *features: object) -> Path:
    path = tmp_path / "region.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def test_borders_come_from_outlines_that_run_side_by_side(tmp_path: Path) -> None:
    """B lies half a kilometre off A; C touches B at a corner only; D lies apart and names its neighbour itself."""
    path = region(
        tmp_path,
        square("A", 10.0, 50.0, code="a"),
        square("B", 10.105, 50.0, code="b", population=5),
        square("C", 10.205, 50.1, code="c"),
        square("D", 11.0, 50.0, code="d", neighbours=["c"]),
    )
    units = read_region(path)
    assert [(unit.code, unit.neighbours, unit.population) for unit in units] == [
        ("a", ["b"], 0),
        ("b", ["a"], 5),
        ("c", [], 0),
        ("d", ["c"], 0),
    ]


def test_a_file_that_cannot_be_used_says_where(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"feature 2: properties\.name: has no name"):
        read_region(region(tmp_path, square("A", 10.0, 50.0), square("", 11.0, 50.0)))
    point = {"type": "Feature", "properties": {"name": "P"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
    with pytest.raises(InputError, match="is a Point"):
        read_region(region(tmp_path, point))
    with pytest.raises(InputError, match="cannot be read"):
        read_region(tmp_path / "nothing.geojson")


def test_the_borders_of_chinese_provinces_are_found_in_a_published_file(recorded: Path) -> None:
    units = read_region(recorded / "data/geo/china_provinces.geojson", tolerance_km=3.0)
    found = {unit.name: unit.neighbours for unit in units}
    assert found["Beijing"] == ["Hebei", "Tianjin"]
    assert found["Shanxi"] == ["Hebei", "Henan", "Inner Mongolia", "Shaanxi"]
    assert found["Hainan"] == []


def test_the_derived_borders_are_found_in_the_derived_outlines(tmp_path: Path) -> None:
    text = (resources.files("streams") / "geography" / "vietnam.geojson").read_bytes()
    whole = json.loads(text)
    for feature in whole["features"]:
        del feature["properties"]["neighbours"]
    path = tmp_path / "region.geojson"
    path.write_text(json.dumps(whole), encoding="utf-8")
    differing = [unit.name for unit in read_region(path) if unit.neighbours != vietnam()[unit.code].neighbours]
    assert differing == []
