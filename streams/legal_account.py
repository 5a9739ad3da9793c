"""What the legal definition has counted up to an hour: days, provinces, values, and what was missing for a case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from streams.airsheds import Airshed, LegalDefinition, Province
from streams.clock import epoch_s
from streams.components import connected, neighbours_of
from streams.schemas import ProvinceDay


class CountedDay(msgspec.Struct, frozen=True):
    """One day of a province: its end, the index that counts (``None``: unknown), and the stations behind it."""

    end: datetime
    index: int | None
    valid: int
    known: int
    stations: list[tuple[str, int]]


class CountedProvince(msgspec.Struct, frozen=True):
    """A province: its latest days, oldest first, how many of them count in a row, and what is missing."""

    code: str
    name: str
    days: list[CountedDay]
    in_a_row: int
    missing: str


class LegalAccount(msgspec.Struct, frozen=True):
    """Attributes:
    definition: the law's words as numbers.
    groups: connected provinces that have all their days.
    missing: why there is no case, empty when there is one.
    """

    definition: str
    provinces: list[CountedProvince]
    groups: list[list[str]]
    missing: str


def account(airshed: Airshed, days: Iterable[ProvinceDay], until_s: int, only: str = "") -> LegalAccount | None:
    """What had been counted when the hour ``until_s`` (epoch seconds) was decided; ``None`` without a definition.

    ``only``: code of the one province that is to be shown; the others are counted all the same.
    """
    definition = airshed.legal_track
    if definition is None:
        return None
    latest: dict[tuple[str, int], ProvinceDay] = {}
    for day in days:
        place = (day.province, epoch_s(day.time))
        if place[1] <= until_s and (place not in latest or latest[place].revision < day.revision):
            latest[place] = day
    ends = sorted({end_s for _, end_s in latest})[-definition.days :]
    counted = [_province(province, definition, ends, latest) for province in airshed.provinces]
    whole = [province.code for province in counted if province.in_a_row >= definition.days]
    groups = [sorted(group) for group in connected(whole, neighbours_of(airshed))]
    enough = [group for group in groups if len(group) >= definition.provinces]
    return LegalAccount(
        f"a daily index of {definition.index} on {definition.days} days in a row in {definition.provinces} "
        f"adjacent province{'s' * (definition.provinces > 1)} ({definition.stations} of the reference stations)",
        [province for province in counted if only in ("", province.code)],
        groups,
        "" if enough else _missing(definition, counted, groups),
    )


def _province(
    province: Province, definition: LegalDefinition, ends: list[int], latest: Mapping[tuple[str, int], ProvinceDay]
) -> CountedProvince:
    said = [latest.get((province.code, end_s)) for end_s in ends]
    days = [CountedDay(d.time, d.index, d.valid, d.known, list(d.stations)) for d in said if d is not None]
    in_a_row = 0
    for day in reversed(said):
        if day is None or day.index is None or day.index < definition.index:
            break
        in_a_row += 1
    missing = ""
    if in_a_row < definition.days:
        breaking = said[-1 - in_a_row] if in_a_row < len(said) else None
        missing = f"{in_a_row} of {definition.days} days"
        if breaking is not None and breaking.index is None:
            missing += f"; before them a day is unknown ({breaking.valid} of {breaking.known} stations have an index)"
        elif breaking is not None:
            missing += f"; before them a day at {breaking.index}, under {definition.index}"
    return CountedProvince(province.code, next(iter(province.names.values()), ""), days, in_a_row, missing)


def _missing(definition: LegalDefinition, counted: list[CountedProvince], groups: list[list[str]]) -> str:
    if groups:
        return f"{max(map(len, groups))} adjacent provinces, {definition.provinces} are asked for"
    longest = max((province.in_a_row for province in counted), default=0)
    return f"no province has {definition.days} days in a row; the most is {longest}"
