"""Stations for tests of the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterable

from streams.airsheds import Airshed
from streams.stations import StationRegistry
from tests.streams.samples import station


def three_each(airshed: Airshed, provinces: Iterable[str]) -> StationRegistry:
    """Three reference stations at one place in each of these provinces."""
    return StationRegistry(
        station(f"S-{province}-{number}", province, airshed=airshed.code, zone=airshed.zone)
        for province in provinces
        for number in range(3)
    )
