"""One pass over a recording: through the stages of every pack, and past the yardstick. Nothing is sent or kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from airshed.backtesting.beside import beside, worth_a_process
from airshed.backtesting.feed import Lane, Seen, feed
from airshed.backtesting.observed import Observed
from airshed.backtesting.recording import Intake, Recording
from airshed.backtesting.tallies import Tally
from airshed.dry import judging
from rules.model import Pack
from streams.errors import InputError
from streams.screening import Limits
from streams.stations import StationRegistry, read_stations


@dataclass(frozen=True)
class Trial:
    """A pack and what it said. ``label``: what it is called beside another."""

    pack: Pack
    registry: StationRegistry
    tally: Tally
    label: str


@dataclass(frozen=True)
class Played:
    """A recording and what every pack made of it.

    Attributes:
        first_s / last_s: end of the first and last reading, epoch seconds.
        observed: by the provinces of the last pack.
    """

    trials: Sequence[Trial]
    observed: Observed
    intake: Intake
    first_s: int
    last_s: int


def trial(pack: Pack, stations: Path, label: str = "") -> Trial:
    """A pack over the stations that lie in its provinces. ``label``: by default its name and version.

    Raises:
        InputError: when none does.
    """
    registry = read_stations(stations, [pack.airshed])
    if not any(station.airshed == pack.airshed.code for station in registry.stations):
        known = ", ".join(f"{p.code} {next(iter(p.names.values()))}" for p in pack.airshed.provinces)
        raise InputError(
            f"no station lies in a province of {pack.reference}",
            place=str(stations),
            field="province",
            remedy=f"the pack's provinces are {known}",
        )
    return Trial(pack, registry, Tally(pack), label or pack.reference)


def play(recording: Recording, trials: Sequence[Trial], limits: Limits | None = None) -> Played:
    """Play a recording through every pack at once. The yardstick is laid over the provinces of the last one."""
    lanes = [Lane(one.pack.airshed, one.registry) for one in trials]
    judges = [judging(one.pack, one.registry, limits=limits) for one in trials]
    seen: Seen | None = None
    fed = (beside if worth_a_process(recording) else feed)(recording, lanes, limits)
    with closing(fed):  # ends the other process at once, whatever happens here
        for item in fed:
            if isinstance(item, Seen):
                seen = item
            else:
                trials[item.lane].tally.add(judges[item.lane](item.step).outcome)
    assert seen is not None, "a feed ends with what was seen"
    return Played(trials, seen.observed, seen.intake, seen.first_s, seen.last_s)
