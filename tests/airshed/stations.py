"""Stations for tests of the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterable

from streams.airsheds import Airshed
from streams.stations import Station, StationRegistry


def three_each(airshed: Airshed, provinces: Iterable[str]) -> StationRegistry:
    """Three reference stations at one place in each of these provinces."""
    return StationRegistry(
        Station(
            code=f"S-{province}-{number}",
            name="",
            lat=21.0,
            lon=105.8,
            airshed=airshed.code,
            province=province,
            agency="",
            zone=airshed.zone,
            station_class="reference",
        )
        for province in provinces
        for number in range(3)
    )
