"""What an installation, a replay or an export has recorded, and what its tracker knew at any hour of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from airshed.dry import play
from airshed.local import store
from airshed.recordings import load_readings
from notifiers.database import connect
from rules.model import Pack
from rules.shelf import Shelf
from streams.airsheds import Airshed
from streams.clock import HOUR_S, epoch_s, utc
from streams.episodes import EpisodeTracker
from streams.errors import InputError
from streams.levels import Standing
from streams.schemas import EpisodeEvent, Mark, ProvinceDay, ProvinceState
from streams.stations import read_stations
from streams.versions import Reign

_DATABASE = "airshed.sqlite"
_EPISODES, _PROVINCES, _DAYS = "episodes.jsonl", "provinces.jsonl", "days.jsonl"


@dataclass
class Record:
    """What was said about the provinces, and the episodes that followed.

    Attributes:
        states: in the order in which they were said; revisions after what they revise.
        days: what was said about days, for the legal track; empty in records of before there were any.
    """

    states: list[ProvinceState]
    events: list[EpisodeEvent]
    days: list[ProvinceDay] = field(default_factory=list)

    @property
    def pack(self) -> str:
        """Name and version of the pack that decided; empty when there was no episode."""
        return self.events[-1].pack if self.events else ""


@dataclass
class Retold:
    """What the tracker knew when it had decided an hour.

    Attributes:
        hour_s: that hour, epoch seconds.
        airshed: as the pack describes it.
        counted: hours by province.
        states: what was said about the hour, by province.
        events: every transition up to and with this hour; those of the legal track where days are known.
        reign: the pack in force, and what has been activated.
    """

    hour_s: int
    airshed: Airshed
    counted: Mapping[str, Standing] = field(default_factory=dict)
    states: dict[str, ProvinceState] = field(default_factory=dict)
    events: list[EpisodeEvent] = field(default_factory=list)
    reign: Reign = field(default_factory=Reign)


def read_record(path: Path) -> Record:
    """The record in a database, or in the folder of a replay, a demonstration or an export.

    Raises:
        InputError: when there is none.
    """
    if path.is_file() and path.suffix in (".sqlite", ".db"):
        return _from_database(path)
    if (path / _DATABASE).is_file():
        return _from_database(path / _DATABASE)
    if (path / _EPISODES).is_file() and (path / _PROVINCES).is_file():
        return _from_files(path)
    remedy = "give the --out folder of airshed replay or export, an airshed.sqlite, or readings with --stations"
    raise InputError(
        f"is no record: it has neither {_DATABASE} nor {_EPISODES} and {_PROVINCES}", place=str(path), remedy=remedy
    )


def record_of_readings(readings: Path, stations: Path, pack: Pack, advanced: Callable[[int], None]) -> Record:
    """Readings through the stages, in memory. ``advanced`` hears how many have been taken in since it last did."""
    registry = read_stations(stations, [pack.airshed])
    record = Record([], [])
    for step in play([load_readings(readings, registry).batch], pack, registry):
        record.states += step.outcome.provinces
        record.days += step.outcome.days
        record.events += step.outcome.episodes
        advanced(step.readings)
    return record


def retell(record: Record, pack: Pack, until_s: int, shelf: Shelf | None = None) -> Retold:
    """Let the tracker of a pack, or of the packs of a shelf, decide the hours of a record anew, up to ``until_s``."""
    airshed = pack.airshed
    tracker = EpisodeTracker([airshed], {}, pack=pack.reference, versions=shelf)
    days = latest_days(record.days)
    told = Retold(0, airshed)
    for hour_s, states in steps(state for state in record.states if state.airshed == airshed.code):
        if hour_s > until_s:
            break
        tracker.accept([*states, *days.get(hour_s, ())])
        said = tracker.advance(Mark(utc(hour_s + airshed.detection.lateness_s)))
        told.events += [event for event in said if isinstance(event, EpisodeEvent)]
        told.hour_s = hour_s
        told.states = {state.province: state for state in states if epoch_s(state.time) == hour_s}
    told.counted = tracker.counted(airshed.code)
    told.reign = tracker.reigns.get(airshed.code, Reign())
    return told


def latest_days(days: Iterable[ProvinceDay]) -> dict[int, list[ProvinceDay]]:
    """What is known of each day in the end, by the end of the day in epoch seconds.

    When a revision was said is not written down: the law's days are retold as they stand now.
    """
    known: dict[tuple[int, str], ProvinceDay] = {}
    for day in sorted(days, key=lambda day: day.revision):
        known[epoch_s(day.time), day.province] = day
    found: dict[int, list[ProvinceDay]] = {}
    for (end_s, _), day in sorted(known.items()):
        found.setdefault(end_s, []).append(day)
    return found


def steps(states: Iterable[ProvinceState]) -> Iterator[tuple[int, list[ProvinceState]]]:
    """Statements by the hour that was decided with them: revisions of older hours come before its own."""
    together: list[ProvinceState] = []
    newest_s = 0
    decided: set[str] = set()  # provinces whose first statement about the newest hour is in this step
    for state in states:
        hour_s = epoch_s(state.time)
        if decided and (hour_s != newest_s or state.province in decided):
            yield newest_s, together
            together, decided = [], set()
        if hour_s > newest_s or decided:
            decided.add(state.province)
        newest_s = max(newest_s, hour_s)
        together.append(state)
    if together:
        yield newest_s, together


def _from_database(path: Path) -> Record:
    with connect(f"sqlite:///{path}").connect() as connection:
        logged = [store.logged_lines(connection, name) for name in ("index.provinces", "episodes", "index.days")]
        return _record(*logged, place=path)


def _from_files(folder: Path) -> Record:
    days = folder / _DAYS
    return _record(
        (folder / _PROVINCES).read_bytes().splitlines(),
        (folder / _EPISODES).read_bytes().splitlines(),
        days.read_bytes().splitlines() if days.is_file() else [],
        place=folder,
    )


def _record(provinces: Iterable[bytes], episodes: Iterable[bytes], days: Iterable[bytes], *, place: Path) -> Record:
    states = [msgspec.json.decode(line, type=ProvinceState) for line in provinces]
    if not states:
        raise InputError("nothing has been decided yet", place=str(place), remedy="wait for the first full hour")
    events = [msgspec.json.decode(line, type=EpisodeEvent) for line in episodes]
    return Record(states, events, [msgspec.json.decode(line, type=ProvinceDay) for line in days])


def last_hour_s(record: Record) -> int:
    """The last decided hour, epoch seconds."""
    return max(epoch_s(state.time) for state in record.states) // HOUR_S * HOUR_S
