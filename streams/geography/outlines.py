"""The outlines of an installation's provinces: Viet Nam's from the package, any other region's from a GeoJSON.

Public alerts draw them, and circles that residents choose are laid over them. Which provinces touch stands in the
rule pack (see ``borders``): an outline decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from streams.airsheds import Airshed, Province
from streams.errors import ConfigurationError, InputError, Problem
from streams.geography.borders import read_units
from streams.geography.nearness import Ring, distance_km
from streams.geography.units import Outline, Unit, vietnam

VIETNAMESE_SCHEME = "VN-province-2025"
"""Codes in force since 1 July 2025. Not ISO 3166-2:VN, which still has the 63 provinces of before."""
OTHER_SCHEME = "airshed.province"
"""Codes of packs for other countries."""

MOST_POINTS = 50_000
"""Of all provinces of a file together, in hundred-metre steps. An alert draws them in two languages at 15 bytes a
point, which is 1.5 MB; readers of alerts refuse large ones, and Viet Nam's 34 units need 3 800."""

_DECIMALS = 3  # as CAP polygons are written: 100 m


class Outlines:
    """Provinces with their outlines, by code. Empty for provinces of packs that nobody has outlines of."""

    def __init__(self, units: Iterable[Unit], scheme: str) -> None:
        self.scheme = scheme
        self._units = {unit.code: unit for unit in units}
        self._rings: dict[str, list[Ring]] = {}

    def of(self, code: str, names: Collection[str]) -> Unit | None:
        """The province with this code, called so; another country's ``11`` is not Viet Nam's."""
        unit = self._units.get(code)
        return unit if unit is not None and (self.scheme != VIETNAMESE_SCHEME or unit.name in names) else None

    def unit(self, code: str) -> Unit:
        """The province with this code. Raises ``KeyError``."""
        return self._units[code]

    def within(self, lat: float, lon: float, radius_km: float) -> list[Unit]:
        """The provinces whose outline is within ``radius_km`` of a point (WGS 84 degrees), the nearest first.

        A province that contains the point is at distance 0.
        """
        distances = ((distance_km(self._rings_of(unit), lat, lon), unit) for unit in self._units.values())
        near = [(km, unit.code, unit) for km, unit in distances if km <= radius_km]
        return [unit for _, _, unit in sorted(near, key=lambda found: found[:2])]

    def _rings_of(self, unit: Unit) -> list[Ring]:
        if unit.code not in self._rings:
            self._rings[unit.code] = [np.array(ring, np.float64) for polygon in unit.outline for ring in polygon]
        return self._rings[unit.code]


@cache
def vietnamese() -> Outlines:
    """Those that come with the product; good to some kilometres (see ``units``)."""
    return Outlines(vietnam().values(), VIETNAMESE_SCHEME)


def read_outlines(path: Path, airshed: Airshed) -> Outlines:
    """The outlines of an airshed's provinces from a GeoJSON. Features of other places are not looked at further.

    A feature belongs to the province whose code is its ``code``, or else whose code, name or alias is its ``name``.

    Raises:
        ConfigurationError: with everything that is wrong: file, feature, field, what was expected.
    """
    try:
        units = read_units(path)
    except InputError as error:
        raise ConfigurationError(
            [Problem(error.message, place=error.place, field=error.field, remedy=error.remedy)]
        ) from None
    problems: list[Problem] = []
    found: dict[str, tuple[int, Unit]] = {}
    for number, unit in enumerate(units, start=1):
        province = airshed.province(unit.code) or airshed.province(unit.name)
        if province is None:
            continue
        if province.code in found:
            other = found[province.code][0]
            message = f"is {province.code} as well, like feature {other}"
            remedy = "make one feature of a province, a MultiPolygon if need be"
            problems.append(Problem(message, place=f"{path}: feature {number}", field="properties", remedy=remedy))
        drawn = msgspec.structs.replace(unit, code=province.code, outline=_rounded(unit.outline))
        found[province.code] = (number, drawn)
    problems += [_missing(province, path) for province in airshed.provinces if province.code not in found]
    problems += _too_fine({code: unit for code, (_, unit) in found.items()}, path)
    if problems:
        raise ConfigurationError(problems)
    return Outlines((unit for _, unit in found.values()), OTHER_SCHEME)


def _missing(province: Province, path: Path) -> Problem:
    names = " or ".join(repr(name) for name in dict.fromkeys(province.names.values()))
    return Problem(
        f"no feature is province {province.code!r} of the rule pack",
        place=str(path),
        field="features",
        remedy=f"give one with the code {province.code!r} or the name {names} in its properties",
    )


def _too_fine(units: Mapping[str, Unit], path: Path) -> list[Problem]:
    points = {code: sum(len(ring) for polygon in unit.outline for ring in polygon) for code, unit in units.items()}
    if sum(points.values()) <= MOST_POINTS:
        return []
    most = max(points, key=lambda code: points[code])
    return [
        Problem(
            f"{sum(points.values())} points, most of them ({points[most]}) of {most!r}",
            place=str(path),
            field="features",
            remedy=f"simplify the outlines: at most {MOST_POINTS} points are taken, and 100 m is fine enough",
        )
    ]


def _rounded(outline: Outline) -> Outline:
    """To 100 m, without the points that fall together there and what shrinks to a line; the largest ring stays."""
    polygons = [[_steps(ring) for ring in polygon] for polygon in outline]
    kept = [[ring for ring in polygon if len(ring) > 3] for polygon in polygons if len(polygon[0]) > 3]
    return kept or outline


def _steps(ring: list[tuple[float, float]]) -> list[tuple[float, float]]:
    steps = [(round(lon, _DECIMALS), round(lat, _DECIMALS)) for lon, lat in ring]
    return [point for point, before in zip(steps, [None, *steps], strict=False) if point != before]
