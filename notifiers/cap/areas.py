"""Provinces as CAP areas: name, outline, code."""

from __future__ import annotations

from functools import cache

from notifiers.cap.model import Area
from rules.notices import NoticeProvince
from streams.geography import Unit, vietnam

PROVINCE_SCHEME = "VN-province-2025"
"""Codes in force since 1 July 2025. Not ISO 3166-2:VN, which still has the 63 provinces of before."""
_OTHER_SCHEME = "airshed.province"  # codes of packs for other countries


def area(province: NoticeProvince, language: str) -> Area:
    """The area of a province; with its outline where it is one of Viet Nam's."""
    name = province.names.get(language) or next(iter(province.names.values()), province.code)
    unit = vietnam().get(province.code)
    if unit is None or unit.name not in (province.names.get("vi"), name):
        return Area(description=name, geocodes=((_OTHER_SCHEME, province.code),))
    return Area(description=name, polygons=_polygons(province.code), geocodes=((PROVINCE_SCHEME, unit.code),))


@cache
def _polygons(code: str) -> tuple[str, ...]:
    unit: Unit = vietnam()[code]
    return tuple(" ".join(f"{lat:.3f},{lon:.3f}" for lon, lat in polygon[0]) for polygon in unit.outline)
