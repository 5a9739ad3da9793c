"""What levels are defined on beside the hourly index: concentrations of a station, and their medians in a province."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.airsheds import Airshed, Quantity
from streams.schemas import ProvinceState, StationIndex

DECIMALS = 4
"""Of medians, as of the concentrations they are made of."""


def concentrations_of(item: StationIndex, wanted: Sequence[Quantity]) -> dict[str, float]:
    """Those of the wanted concentrations that a record has, µg/m³."""
    found: dict[str, float] = {}
    for quantity in wanted:
        pollutant, _, period = quantity.partition("_")
        value = (item.means_1h if period == "1h" else item.trailing_24h).get(pollutant)
        if value is not None:
            found[quantity] = value
    return found


def medians(
    stations: Sequence[Mapping[str, float]], airshed: Airshed, needed: int, known: int, leave_out: int = 0
) -> dict[str, float]:
    """Median of each concentration over the stations, without those that too few stations have.

    Args:
        stations: concentrations of each station that is asked.
        needed: fewest stations that may speak for the province; ``known``: stations it has.
        leave_out: how many of the highest values are not looked at; ``known`` and ``needed`` are of the rest.
    """
    found: dict[str, float] = {}
    for quantity in airshed.concentrations:
        values = sorted(station[quantity] for station in stations if quantity in station)
        values = values[: len(values) - leave_out] if leave_out else values
        if values and len(values) >= max(needed, airshed.detection.minimum_coverage * known):
            middle = len(values) // 2
            value = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
            found[quantity] = round(value, DECIMALS)
    return found


def value_of(state: ProvinceState, quantity: Quantity) -> float | None:
    """What a statement says about a quantity; ``None`` when it is not known."""
    if quantity == "index":
        return state.median_index
    return state.median_index_24h if quantity == "index_24h" else state.medians.get(quantity)
