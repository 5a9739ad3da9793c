"""Who would have been addressed: residents and plants counted by what their messages depend on, without contacts."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from notifiers.registries import ImportRules, province, rows
from streams.airsheds import Airshed
from streams.errors import InputError, RegistryError

Group = tuple[str, int]
"""Province, and the lowest level people want to hear of."""

Key = TypeVar("Key")


@dataclass(frozen=True)
class People:
    """Attributes:
    residents: number by group; plants: number by province.
    notional: no file was given: one resident (plant) in every province stands for all of them.
    refused: rows that could not be used, in words.
    """

    residents: Mapping[Group, int]
    plants: Mapping[str, int]
    notional_residents: bool = True
    notional_plants: bool = True
    refused: tuple[str, ...] = ()


def people_of(airshed: Airshed, subscribers: Path | None, facilities: Path | None) -> People:
    """Count a subscriber and a facility file; without one, one notional recipient per province.

    Raises:
        RegistryError: a file as a whole cannot be read.
    """
    rules = ImportRules([airshed])
    refused: list[str] = []
    residents: Counter[Group] = Counter({(p.code, 1): 1 for p in airshed.provinces})
    plants: Counter[str] = Counter({p.code: 1 for p in airshed.provinces})
    if subscribers is not None:
        residents = _counted(
            subscribers, ["subscriber_id", "province"], refused, lambda row, place: _group(row, place, rules)
        )
    if facilities is not None:
        plants = _counted(
            facilities, ["facility_id", "province"], refused, lambda row, place: province(row, place, rules)
        )
    return People(residents, plants, subscribers is None, facilities is None, tuple(refused))


def _group(row: Mapping[str, str], place: str, rules: ImportRules) -> Group:
    text = (row.get("level") or "1").strip()
    if not text.isdecimal() or not 1 <= int(text) <= 9:
        raise RegistryError(
            f"{text[:20]!r} is not a level", place=place, field="level", remedy="write the level's number, 1 the lowest"
        )
    return province(row, place, rules), int(text)


def _counted(
    path: Path, required: list[str], refused: list[str], parse: Callable[[Mapping[str, str], str], Key]
) -> Counter[Key]:
    counts: Counter[Key] = Counter()
    try:
        for row, place in rows(path, required):
            try:
                if isinstance(row, RegistryError):
                    raise row
                counts[parse(row, place)] += 1
            except RegistryError as error:
                refused.append(str(error))
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", place=str(path), remedy="give a CSV file in UTF-8") from None
    return counts
