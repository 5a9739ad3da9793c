"""Who would have been addressed: residents and plants counted by what their messages depend on, without contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streams.airsheds import Airshed

Group = tuple[str, int]
"""Province, and the lowest level people want to hear of."""


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
        InputError: a file as a whole cannot be read.
        RegistryError: it is not UTF-8, or lacks columns.
    """
    residents: Mapping[Group, int] = {(p.code, 1): 1 for p in airshed.provinces}
    plants: Mapping[str, int] = {p.code: 1 for p in airshed.provinces}
    if subscribers is None and facilities is None:
        return People(residents, plants)
    from airshed.backtesting.people_files import Files  # the database behind registries takes a second to import

    files = Files(airshed)
    if subscribers is not None:
        residents = files.residents(subscribers)
    if facilities is not None:
        plants = files.plants(facilities)
    return People(residents, plants, subscribers is None, facilities is None, tuple(files.refused))
