"""Provinces as CAP areas: name, outline, code."""

from __future__ import annotations

from functools import cache

from notifiers.cap.model import Area
from rules.notices import NoticeProvince
from streams.geography.outlines import OTHER_SCHEME, Outlines
from streams.geography.units import Unit


def area(province: NoticeProvince, language: str, outlines: Outlines) -> Area:
    """The area of a province; with its outline where there is one."""
    name = province.names.get(language) or next(iter(province.names.values()), province.code)
    unit = outlines.of(province.code, (province.names.get("vi", name), name))
    if unit is None:
        return Area(description=name, geocodes=((OTHER_SCHEME, province.code),))
    return Area(description=name, polygons=_polygons(outlines, unit.code), geocodes=((outlines.scheme, unit.code),))


@cache
def _polygons(outlines: Outlines, code: str) -> tuple[str, ...]:
    unit: Unit = outlines.unit(code)
    return tuple(" ".join(f"{lat:.3f},{lon:.3f}" for lon, lat in polygon[0]) for polygon in unit.outline)
