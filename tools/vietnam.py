"""Derives ``streams/geography/vietnam.geojson``: the 34 units of Viet Nam since 1 July 2025, with outlines and borders.

    python -m tools.vietnam          # writes the file anew; the same input gives the same bytes

Source: the commune tables of ``vietnamadminunits`` (PyPI, MIT licence, 1.0.4 of October 2025), read as the SQLite file
it carries. It has a centre and a bounding box for each of the 10 040 communes before the reform, and says which of the
63 provinces went into which of the 34. There are no outlines in it, so they are derived: the Voronoi cells of the
commune centres, dissolved by province, clipped to the communes' boxes, which follow the coast within a commune.
Populations are the statistical office's averages of 2024, in thousands, by the new units.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shapely import MultiPoint, Point, STRtree, box, set_precision, union_all, voronoi_polygons
from shapely.geometry import mapping

TARGET = Path(__file__).parent.parent / "streams" / "geography" / "vietnam.geojson"

BORDER_KM = 3.0
"""Shorter common edges are corners, or accidents of the derivation: the shortest true border here is far longer."""

KM_PER_DEGREE = 108.0
"""Mean over both directions at 16° N: 110.6 km northwards, 107 km eastwards."""

GRID_DEGREES = 0.001
SIMPLER_DEGREES = 0.01
"""About a kilometre: much finer than the derivation itself, and a tenth of the size."""

WITNESSES = 2
"""Nearest communes of today that are asked where a commune of before lies. With one, those on a border go missing."""

AROUND_DEGREES, FURTHEST_DEGREES, WIDEST_DEGREES = 0.06, 0.15, 0.3
"""Land around the centre of a commune of today; how far from its centre the box of a former one is believed; and how
wide such a box may be. Chosen by the overlap with published outlines: less leaves holes in the mountains, more puts
provinces into the sea."""

MAINLAND = box(102.0, 8.0, 110.0, 23.5)
"""The Paracel and Spratly communes lie hundreds of kilometres out; a cell across the sea would say nothing."""

POPULATION_THOUSAND = {
    "An Giang": 3679.3,
    "Bắc Ninh": 3509.2,
    "Cao Bằng": 558.5,
    "Cà Mau": 2140.7,
    "Cần Thơ": 3207.0,
    "Gia Lai": 3153.4,
    "Huế": 1178.6,
    "Hà Nội": 8717.6,
    "Hà Tĩnh": 1329.8,
    "Hưng Yên": 3208.5,
    "Hải Phòng": 4102.7,
    "Hồ Chí Minh": 13608.8,
    "Khánh Hòa": 1882.0,
    "Lai Châu": 495.5,
    "Lào Cai": 1656.6,
    "Lâm Đồng": 3324.4,
    "Lạng Sơn": 814.0,
    "Nghệ An": 3472.3,
    "Ninh Bình": 3818.7,
    "Phú Thọ": 3663.7,
    "Quảng Ngãi": 1861.7,
    "Quảng Ninh": 1396.5,
    "Quảng Trị": 1584.0,
    "Sơn La": 1330.6,
    "Thanh Hóa": 3764.2,
    "Thái Nguyên": 1694.5,
    "Tuyên Quang": 1731.7,
    "Tây Ninh": 2959.0,
    "Vĩnh Long": 3367.5,
    "Điện Biên": 656.7,
    "Đà Nẵng": 2819.9,
    "Đắk Lắk": 2831.4,
    "Đồng Nai": 4427.7,
    "Đồng Tháp": 3397.2,
}


def main() -> None:
    """Write the file."""
    TARGET.write_text(text_of(derive(read_communes())), encoding="utf-8")


def database() -> Path:
    """The SQLite file inside the package; the package itself need not be imported."""
    found = find_spec("vietnamadminunits")
    if found is None or found.origin is None:
        raise SystemExit("vietnamadminunits is not installed: pip install -e '.[dev]'")
    return Path(found.origin).parent / "data" / "dataset.db"


def read_communes() -> list[dict[str, Any]]:
    """The communes before the reform, each with the unit it belongs to now."""
    path = database()
    merged = json.loads((path.parent / "converter_2025.json").read_text(encoding="utf-8"))["DICT_PROVINCE"]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        new = {
            row["provinceKey"]: dict(row)
            for row in connection.execute("select distinct provinceKey, provinceCode, provinceShort from admin_units")
        }
        now = connection.execute(
            "select provinceKey, wardLat, wardLon from admin_units where wardLat is not null order by wardCode"
        ).fetchall()
        old = connection.execute(
            "select provinceKey, provinceCode, provinceShort, wardLat, wardLon, wardBounds from admin_units_legacy "
            "where wardLat is not null order by wardCode, wardLat"
        ).fetchall()
    unit_of = {former: new[key] for key, formers in merged.items() for former in formers}
    today = [{**dict(row), "wardBounds": None, "unit": new[row["provinceKey"]]} for row in now]
    before = [{**dict(row), "unit": unit_of[row["provinceKey"]]} for row in old]
    return [*today, *_in_place(before, today)]


def _in_place(communes: list[dict[str, Any]], today: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Without those that were looked up wrongly: hundreds have the place of a namesake in another province.

    Kept are those with a commune of today of the same unit among the ``WITNESSES`` nearest.
    """
    points = [_place(commune) for commune in today]
    tree = STRtree(points)
    for commune in communes:
        near = tree.query(_place(commune).buffer(0.3))
        ranked = sorted(near.tolist(), key=lambda number: points[number].distance(_place(commune)))[:WITNESSES]
        if commune["unit"] in [today[number]["unit"] for number in ranked]:
            yield commune


def _place(commune: dict[str, Any]) -> Point:
    return Point(round(commune["wardLon"], 5), round(commune["wardLat"], 5))


def derive(communes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The units as GeoJSON features, by code."""
    outlines = _outlines(communes)
    neighbours = _neighbours(outlines)
    units = {_code(commune): commune["unit"]["provinceShort"] for commune in communes}
    return [
        {
            "type": "Feature",
            "properties": {
                "code": code,
                "name": units[code],
                "population": round(POPULATION_THOUSAND[units[code]] * 1000),
                "neighbours": neighbours[code],
                "former": _former(communes, code),
            },
            "geometry": mapping(set_precision(outlines[code].simplify(SIMPLER_DEGREES), GRID_DEGREES)),
        }
        for code in sorted(outlines)
    ]


def text_of(features: list[dict[str, Any]]) -> str:
    """The file: one feature a line, so that a change can be read."""
    lines = (json.dumps(feature, ensure_ascii=False, separators=(",", ":")) for feature in features)
    return '{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n"


def _outlines(communes: list[dict[str, Any]]) -> dict[str, Any]:
    points: dict[tuple[float, float], str] = {}
    boxes = []
    for commune in communes:
        place = _place(commune)
        if MAINLAND.contains(place):
            points.setdefault((place.x, place.y), _code(commune))
            boxes += _box(commune["wardBounds"], place)
    land = union_all(boxes).buffer(0.01).buffer(-0.01)
    cells = list(voronoi_polygons(MultiPoint(list(points)), extend_to=MAINLAND).geoms)
    tree = STRtree(cells)
    by_code = defaultdict(list)
    for place, code in points.items():
        by_code[code].append(cells[tree.nearest(Point(place))])
    return {code: union_all(own).intersection(land) for code, own in sorted(by_code.items())}


def _box(text: str | None, place: Point) -> list[Any]:
    """The box of a commune, as far as it is one: some are those of places of the same name elsewhere."""
    if not text:
        return [place.buffer(AROUND_DEGREES)]
    (south, west), (north, east) = ([float(number) for number in corner.split(",")] for corner in text.split("–"))
    found = box(west, south, east, north)
    sound = found.contains(place) and max(north - south, east - west) < WIDEST_DEGREES
    return [found.intersection(place.buffer(FURTHEST_DEGREES))] if sound else []


def _neighbours(outlines: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {code: [] for code in outlines}
    for one in outlines:
        for other in outlines:
            if one != other and _common_km(outlines[one], outlines[other]) >= BORDER_KM:
                found[one].append(other)
    return found


def _common_km(one: Any, other: Any) -> float:
    if not one.intersects(other):
        return 0.0
    return float(one.boundary.intersection(other.boundary).length) * KM_PER_DEGREE


def _former(communes: list[dict[str, Any]], code: str) -> list[list[str]]:
    """Code and name of the provinces of before the reform that went into a unit."""
    found = {
        (c["provinceCode"], c["provinceShort"]) for c in communes if c["wardBounds"] is not None and _code(c) == code
    }
    return [list(pair) for pair in sorted(found)]


def _code(commune: dict[str, Any]) -> str:
    return str(commune["unit"]["provinceCode"])


if __name__ == "__main__":
    main()
