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

import msgspec

from streams.airsheds import Airshed
from streams.clock import utc
from streams.quantities import medians, value_of
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
    needed = min(airshed.detection.minimum_stations, known)
    unknown = not valid or len(valid) < needed or len(valid) < airshed.detection.minimum_coverage * known
    days = [day for _, _, day in valid if day is not None]
    said = ProvinceState(
        airshed=airshed.code,
        province=province,
        time=utc(hour_s),
        condition="unknown",
        level=0,
        median_index=None if unknown else median([index for _, index, _ in valid]),
        median_index_24h=median(days) if days and not unknown else None,
        valid=len(valid),
        known=known,
        coverage=round(len(valid) / known, 4) if known else 0.0,
        single_station=known == 1,
        stations=list(valid[:EVIDENCE]),
        revision=0,
        medians={} if unknown or not concentrations else medians(concentrations, airshed, needed, known),
        basis="low-cost" if low_cost else "reference",
    )
    indices = [index for _, index, _ in valid]
    reached = None if unknown else _reached(airshed, said, indices, max(needed, (len(indices) + 1) // 2))
    if reached is None:
        return said
    level = airshed.level_met(reached)
    return msgspec.structs.replace(
        said,
        condition="exceeding" if level else "clean",
        level=level,
        reached=reached,
        without_one=None if low_cost else _left_over(airshed, said, indices, days, concentrations),
    )


def without_one(state: ProvinceState | None) -> ProvinceState | None:
    """The statement about an hour as it would be without any single station; ``None`` where that is unknown."""
    if state is None or state.without_one is None:
        return None
    return msgspec.structs.replace(state, **msgspec.structs.asdict(state.without_one))


def _left_over(
    airshed: Airshed,
    said: ProvinceState,
    indices: Sequence[int],
    days: Sequence[int],
    concentrations: Sequence[Mapping[str, float]],
) -> WithoutOne | None:
    others = len(indices) - 1
    if others < 1 or others < airshed.detection.minimum_coverage * (said.known - 1):
        return None
    rest = msgspec.structs.replace(
        said,
        median_index=median(indices[1:]),
        median_index_24h=median(sorted(days)[:-1]) if len(days) > 1 else None,
        medians=medians(concentrations, airshed, 1, said.known - 1, leave_out=1) if concentrations else {},
    )
    needed = max(2, min(airshed.detection.minimum_stations, said.known), len(indices) // 2 + 1)
    reached = _reached(airshed, rest, indices, needed)
    if reached is None or rest.median_index is None:
        return None
    return WithoutOne(reached, rest.median_index, rest.median_index_24h, rest.medians)


def _reached(airshed: Airshed, state: ProvinceState, indices: Sequence[int], needed: int) -> float | None:
    """The highest entry threshold that an hour would meet; ``None`` when that is not known.

    On the hourly index as many stations as are needed must be at or above it; on another quantity the median. A
    province that does not decide reaches nothing.

    Args:
        indices: highest first, no fewer than ``needed``.
    """
    if not all(province.decides for province in airshed.provinces if province.code == state.province):
        return 0
    quantity = airshed.levels[0].quantity if airshed.levels else "index"
    if quantity != "index":
        return value_of(state, quantity)
    return indices[needed - 1]


def median(values: Sequence[int]) -> int:
    """Median of whole numbers, rounded half up."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle] + 1) // 2
