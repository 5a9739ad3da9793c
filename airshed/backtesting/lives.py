"""The lives of episodes, put together from their events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streams.clock import HOUR_S, epoch_s
from streams.schemas import EpisodeEvent, Track, TransitionKind


@dataclass(frozen=True)
class Turn:
    """A transition. ``provinces``: level by code, after it (before it, at a close)."""

    time_s: int
    kind: TransitionKind
    level: int
    provinces: dict[str, int]
    reason: str


@dataclass
class Life:
    """An episode. It may be open more than once: one that resumes shortly after its close keeps its name.

    Attributes:
        stays: (province, first hour, hour in which it was no longer in), hours since 1970 by their END; ``None``:
            still in at the end of the recording.
        opened_s / closed_s: first opening and last close, epoch seconds; ``None`` while open.
    """

    name: str
    onset_s: int
    opened_s: int
    peak_level: int = 0
    population: int = 0
    track: Track = "operational"
    parent: str | None = None
    merged_into: str | None = None
    closed_s: int | None = None
    turns: list[Turn] = field(default_factory=list)
    stays: list[tuple[str, int, int | None]] = field(default_factory=list)

    @property
    def provinces(self) -> list[str]:
        """Every province that was ever in it, by code."""
        return sorted({code for code, _, _ in self.stays})

    def level_at(self, time_s: int) -> int:
        """Its level after the last transition by then; 0 before it opened and after it closed."""
        level = 0
        for turn in self.turns:
            if turn.time_s <= time_s:
                level = 0 if turn.kind in ("closed", "merged") else turn.level
        return level

    def hours(self, end_s: int) -> float:
        """Hours from opening to close, or to the end of the recording."""
        return ((self.closed_s or end_s) - self.opened_s) / HOUR_S

    def follow(self, event: EpisodeEvent) -> None:
        """Take the next event in. How an episode stands in an hour without a transition is no news."""
        if event.kind == "status":
            return
        time_s = epoch_s(event.time)
        over = event.kind in ("closed", "merged")
        if event.kind == "opened":
            self.closed_s = None
        elif over:
            self.closed_s = time_s
        self.onset_s = min(self.onset_s, epoch_s(event.onset))
        self.peak_level = max(self.peak_level, event.peak_level)
        self.population = max(self.population, event.population)
        self.parent = event.parent or self.parent
        self.merged_into = event.merged_into or self.merged_into
        levels = {province.code: province.level for province in event.provinces}
        self.turns.append(Turn(time_s, event.kind, event.level, levels, event.reason))
        if event.kind != "revised":
            self._stay(() if over else levels, time_s // HOUR_S)

    def _stay(self, members: Iterable[str], hour: int) -> None:
        inside = set(members)
        open_now = {code for code, _, until in self.stays if until is None}
        self.stays = [
            (code, since, hour if until is None and code not in inside else until) for code, since, until in self.stays
        ]
        self.stays += [(code, hour, None) for code in sorted(inside - open_now)]


class Lives:
    """All episodes, by name, in the order in which they opened."""

    def __init__(self) -> None:
        self.by_name: dict[str, Life] = {}

    def follow(self, events: Iterable[EpisodeEvent]) -> None:
        """Take events in."""
        for event in events:
            if event.episode not in self.by_name:
                life = Life(event.episode, epoch_s(event.onset), epoch_s(event.time), track=event.track)
                self.by_name[event.episode] = life
            self.by_name[event.episode].follow(event)

    def operational(self) -> list[Life]:
        """Those of the pack's levels, without the legal definition beside them."""
        return [life for life in self.by_name.values() if life.track == "operational"]

    def __iter__(self) -> Iterator[Life]:
        return iter(self.by_name.values())
