"""The 34 provinces and cities of Viet Nam since 1 July 2025 (Resolution 202/2025/QH15), from a file in the package.

The file is derived from commune centres (``tools/vietnam.py`` says how and from what): outlines are good to some
kilometres, and poorer where the coast is a bay full of islands. Borders are those of the outlines.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib import resources
from typing import Any

import msgspec

Outline = list[list[list[tuple[float, float]]]]
"""Polygons of rings of (lon, lat), WGS 84 degrees; the first ring of a polygon is its edge, others are holes."""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A province, or a city of that rank.

    Attributes:
        code: official code since 1 July 2025; ``name`` with diacritics, ``plain`` without.
        population: mean of 2024.
        neighbours: codes of units with a common land border.
        former: (code, name) of the provinces of before that went into it, itself among them.
    """

    code: str
    name: str
    population: int
    neighbours: list[str]
    former: list[tuple[str, str]]
    outline: Outline = []

    @property
    def plain(self) -> str:
        """The name without diacritics."""
        return plain_text(self.name)

    @property
    def aliases(self) -> list[str]:
        """Everything else it may be called: former codes and names, with and without diacritics."""
        former = [text for code, name in self.former for text in (code, name, plain_text(name))]
        return sorted({self.plain, *former} - {self.name, self.code})


@cache
def vietnam() -> dict[str, Unit]:
    """The units by code."""
    raw = (resources.files("streams") / "geography" / "vietnam.geojson").read_bytes()
    features = msgspec.json.decode(raw)["features"]
    return {unit.code: unit for unit in map(_unit, features)}


@cache
def unit_named(text: str) -> Unit | None:
    """The unit with this code or name, of today or of before; case, diacritics and spaces do not matter.

    Where a former code is now that of another unit, today's meaning counts.
    """
    wanted = _folded(text)
    units = vietnam().values()
    for names in (lambda unit: (unit.code, unit.name), lambda unit: unit.aliases):
        for unit in units:
            if wanted in {_folded(name) for name in names(unit)}:
                return unit
    return None


def plain_text(text: str) -> str:
    """Without diacritics: ``Đắk Lắk`` → ``Dak Lak``."""
    apart = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(character for character in apart if not unicodedata.combining(character))


def _folded(text: str) -> str:
    words = plain_text(text).casefold().split()
    return "".join(words).removeprefix("thanhpho").removeprefix("tinh")


def _unit(feature: dict[str, Any]) -> Unit:
    shape = feature["geometry"]
    polygons = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
    return msgspec.convert({**feature["properties"], "outline": polygons}, Unit)
