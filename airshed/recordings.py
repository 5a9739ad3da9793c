"""Recorded readings, read whole, and what a replay of them has to report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from streams.clock import SystemClock
from streams.errors import InputError
from streams.gateway import refuse_ahead
from streams.sources.arrivals import Loaded
from streams.sources.files import FileReader, load_path
from streams.stations import StationRegistry


@dataclass
class Report:
    """What a replay did."""

    readings: int
    rejected: int
    unused: int
    resumed_at: int = 0
    seconds: float = 0.0
    events: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipients:
    """Registries of whom to address; ``None``: nobody."""

    subscribers: Path | None
    facilities: Path | None


def load_readings(path: Path, registry: StationRegistry) -> Loaded:
    """Read a file or folder of recorded readings; those that end in the future are refused.

    Raises:
        InputError: when there is nothing that can be replayed.
    """
    loaded = load_path(path, FileReader(registry=registry, source=path.name))
    batch, ahead = refuse_ahead(loaded.batch, registry, SystemClock().now_s(), place=str(path), source=path.name)
    if not len(batch):
        first = f": {loaded.rejected[0].message}" if loaded.rejected else ""
        raise InputError(f"no reading in it can be used{first}", place=str(path), remedy="is --stations its registry?")
    return Loaded(batch, loaded.rejected + ahead, loaded.unused, loaded.notes)
