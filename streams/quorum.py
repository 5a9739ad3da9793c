"""What the stations of a province say together about one hour.

Two answers are given. The first is that of the stations as they are: a level is exceeded when at least half of them,
and no fewer than ``minimum_stations``, are at or above its entry threshold. The second is what stands *without any
single one of them*: more than half are at or above it, so that at least half of the others are, whichever one is left
out; the medians are those without the highest value. A cross-provincial episode rests on the second alone, so that no
single station can open it or hold it open.

Silence is another matter: a station that says nothing can make an hour unknown, and unknown hours end nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from streams.airsheds import Airshed
from streams.clock import utc
from streams.quantities import medians
from streams.schemas import ProvinceState, WithoutOne
from streams.stations import Station

EVIDENCE = 10
"""Stations named in a statement. The ten highest explain any median of a province to a person; a list of a hundred
would make every event of an episode tens of kilobytes."""

Row = tuple[str, int, int | None]  # station, index, 24-hour index


@dataclass(frozen=True)
class Asked:
    """The stations of a province that are asked about its air."""

    stations: frozenset[str]
    low_cost: bool


def asked_of(stations: Sequence[Station]) -> Asked:
    """The reference stations of a province; low-cost sensors where it has none.

    Many cheap sensors share a make, a firmware and a weakness (humidity): together they are one witness.
    """
    reference = frozenset(station.code for station in stations if station.station_class == "reference")
    return Asked(reference or frozenset(station.code for station in stations), low_cost=not reference)


def province_state(
    airshed: Airshed,
    province: str,
    hour_s: int,
    known: int,
    valid: Sequence[Row],
    concentrations: Sequence[Mapping[str, float]] = (),
    *,
    low_cost: bool = False,
) -> ProvinceState:
    """What the stations of a province say about one hour; revision 0.

    Where the province has fewer than ``minimum_stations``, all of them are asked.

    Args:
        known: stations in the registry that can be asked.
        valid: (station, index, 24-hour index) of those with an index in this hour, highest first.
        concentrations: of the same stations, those that the levels look at.
        low_cost: they are low-cost sensors.
    """
    indices = [index for _, index, _ in valid]
    days = sorted([day for _, _, day in valid if day is not None])
    here, reached = _hour(airshed, province, known, indices, days, concentrations)
    level = 0 if reached is None else airshed.level_met(reached)
    return ProvinceState(
        airshed=airshed.code,
        province=province,
        time=utc(hour_s),
        condition="unknown" if reached is None else "exceeding" if level else "clean",
        level=level,
        median_index=here.hourly,
        median_index_24h=here.daily,
        valid=len(valid),
        known=known,
        coverage=round(len(valid) / known, 4) if known else 0.0,
        single_station=known == 1,
        stations=list(valid[:EVIDENCE]),
        revision=0,
        medians=here.concentrations,
        basis="low-cost" if low_cost else "reference",
        reached=reached,
        without_one=None
        if low_cost or reached is None
        else _left_over(airshed, province, known, indices, days, concentrations),
    )


def without_one(state: ProvinceState | None) -> ProvinceState | None:
    """The statement about an hour as it would be without any single station; ``None`` where that is unknown."""
    if state is None or state.without_one is None:
        return None
    return msgspec.structs.replace(state, **msgspec.structs.asdict(state.without_one))


class _Medians(NamedTuple):
    """Of the stations of a province, in one hour."""

    hourly: int | None
    daily: int | None
    concentrations: dict[str, float]


def _hour(
    airshed: Airshed,
    province: str,
    known: int,
    indices: Sequence[int],
    days: Sequence[int],
    concentrations: Sequence[Mapping[str, float]],
) -> tuple[_Medians, float | None]:
    """The hour and what it reaches, ``None`` with too few stations. Orders as of :func:`_left_over`."""
    needed = min(airshed.detection.minimum_stations, known)
    if not indices or len(indices) < needed or len(indices) < airshed.detection.minimum_coverage * known:
        return _Medians(None, None, {}), None
    found = medians(concentrations, airshed, needed, known) if concentrations else {}
    here = _Medians(median(indices), median(days) if days else None, found)
    return here, _reached(airshed, province, here, indices[max(needed, (len(indices) + 1) // 2) - 1])


def _left_over(
    airshed: Airshed,
    province: str,
    known: int,
    indices: Sequence[int],
    days: Sequence[int],
    concentrations: Sequence[Mapping[str, float]],
) -> WithoutOne | None:
    """The hour without the highest value of each kind. ``days``: lowest first; ``indices``: highest first."""
    detection, others = airshed.detection, len(indices) - 1
    if others < 1 or others < detection.minimum_coverage * (known - 1):
        return None
    index, found = median(indices[1:]), medians(concentrations, airshed, 1, known - 1, 1) if concentrations else {}
    rest = _Medians(index, median(days[:-1]) if len(days) > 1 else None, found)
    needed = max(2, min(detection.minimum_stations, known), len(indices) // 2 + 1)
    reached = _reached(airshed, province, rest, indices[needed - 1])
    return None if reached is None else WithoutOne(reached, index, rest.daily, rest.concentrations)


def _reached(airshed: Airshed, province: str, hour: _Medians, shared: int) -> float | None:
    """The highest entry threshold that an hour would meet; ``None`` when that is not known.

    On the hourly index as many stations as are needed must be at or above it; on another quantity the median. A
    province that does not decide reaches nothing.

    Args:
        shared: the index that as many stations as are needed have, or a higher one.
    """
    if not all(one.decides for one in airshed.provinces if one.code == province):
        return 0
    quantity = airshed.levels[0].quantity if airshed.levels else "index"
    if quantity == "index":
        return shared
    return hour.daily if quantity == "index_24h" else hour.concentrations.get(quantity)


def median(values: Sequence[int]) -> int:
    """Median of whole numbers, rounded half up."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle] + 1) // 2
