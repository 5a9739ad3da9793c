"""The episodes of a pack held against the reference: events matched with events, and hours with hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from airshed.backtesting.lives import Life
from airshed.backtesting.measures import Dated, Interval, Measures, count, intervals
from airshed.backtesting.reference import Cells, Event
from streams.clock import HOUR_S

TOLERANCE_HOURS = 24
"""An episode and a reference event within a day of each other, in a common province, are the same weather."""

_WEEK_HOURS = 7 * 24


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A reference event and the episode that belongs to it.

    Attributes:
        lead_h: hours from the opening of the episode to the first hour of the event; negative: opened later.
        duration_error_h: how much longer the episode was open than the event lasted.
        iou: of province hours, intersection over union.
    """

    event: str
    episode: str
    lead_h: int
    duration_error_h: int
    iou: float


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """How a pack's episodes agree with the reference.

    Attributes:
        definition: of the reference, in words.
        events: by events; ``cells``: by province hours, where CSI is the intersection over union.
        intervals: of the measures by events, 90 %, over resampled weeks; empty with too few events.
        missed / false_alarms: names of reference events without an episode, of episodes without an event.
    """

    definition: str
    events: Measures
    cells: Measures
    intervals: dict[str, Interval]
    matches: list[Match]
    missed: list[str]
    false_alarms: list[str]


@dataclass(frozen=True)
class Frame:
    """Where cells are counted: ``hours`` rows from ``first`` (hours since 1970), a column per province of ``codes``."""

    first: int
    hours: int
    codes: Sequence[str]

    def event(self, life: Life) -> Event:
        """An episode as cells: every hour a province was in it, from the hour it was told. Other provinces are left."""
        column = {code: number for number, code in enumerate(self.codes)}
        cells: list[np.ndarray] = []
        for code, since, until in life.stays:
            if code in column:
                last = min(until if until is not None else self.first + self.hours, self.first + self.hours)
                rows = np.arange(max(since - self.first, 0), last - self.first)
                cells.append(rows * len(self.codes) + column[code])
        flat = np.unique(np.concatenate(cells)) if cells else np.empty(0, np.intp)
        first = life.opened_s // HOUR_S - self.first
        last = (life.closed_s // HOUR_S - self.first - 1) if life.closed_s else self.hours - 1
        members = frozenset((flat % len(self.codes)).tolist())
        return Event(life.name, first, max(last, first), members, flat)


def verify(
    definition: str, references: Sequence[Event], lives: Sequence[Life], frame: Frame, known: Cells
) -> Verification:
    """Hold the episodes of a pack against the reference events.

    Args:
        known: cells that count: those in which the reference knows the air.
    """
    episodes = [frame.event(life) for life in lives if life.merged_into is None]
    episodes = [_with_absorbed(episode, lives, frame) for episode in episodes]
    pairs = {event.name: _partner(event, episodes) for event in references}
    found = {episode.name for event in references for episode in episodes if _same_weather(event, episode)}
    outcomes = [
        Dated("hit" if pairs[event.name] else "miss", (frame.first + event.first) // _WEEK_HOURS)
        for event in references
    ]
    strays = [episode for episode in episodes if episode.name not in found]
    outcomes += [
        Dated("right" if episode.name in found else "false-alarm", (frame.first + episode.first) // _WEEK_HOURS)
        for episode in episodes
    ]
    matches = [_match(event, partner) for event in references if (partner := pairs[event.name])]
    return Verification(
        definition=definition,
        events=count(outcomes),
        cells=_cells(references, episodes, known),
        intervals=intervals(outcomes),
        matches=matches,
        missed=[event.name for event in references if pairs[event.name] is None],
        false_alarms=[episode.name for episode in strays],
    )


def _with_absorbed(episode: Event, lives: Sequence[Life], frame: Frame) -> Event:
    """An episode together with those that were merged into it: to those who were told they are one."""
    parts, names, before = [episode], {episode.name}, 0
    while before < len(names):  # what was merged may have taken others in before
        before = len(names)
        absorbed = [life for life in lives if life.merged_into in names and life.name not in names]
        parts += map(frame.event, absorbed)
        names |= {life.name for life in absorbed}
    return Event(
        episode.name,
        min(part.first for part in parts),
        episode.last,
        frozenset().union(*(part.provinces for part in parts)),
        np.unique(np.concatenate([part.cells for part in parts])),
    )


def _same_weather(event: Event, episode: Event) -> bool:
    near = episode.first <= event.last + TOLERANCE_HOURS and event.first <= episode.last + TOLERANCE_HOURS
    return near and bool(event.provinces & episode.provinces)


def _partner(event: Event, episodes: Sequence[Event]) -> Event | None:
    """The episode that shares most province hours with an event; of equals the earliest."""
    suitors = [episode for episode in episodes if _same_weather(event, episode)]
    return max(
        suitors, key=lambda episode: (len(np.intersect1d(event.cells, episode.cells)), -episode.first), default=None
    )


def _match(event: Event, episode: Event) -> Match:
    shared = len(np.intersect1d(event.cells, episode.cells))
    union = len(event.cells) + len(episode.cells) - shared
    return Match(
        event=event.name,
        episode=episode.name,
        lead_h=event.first - episode.first,
        duration_error_h=episode.hours - event.hours,
        iou=round(shared / union, 3) if union else 0.0,
    )


def _cells(references: Sequence[Event], episodes: Sequence[Event], known: Cells) -> Measures:
    happened, said = np.zeros(known.size, bool), np.zeros(known.size, bool)
    for event in references:
        happened[event.cells] = True
    for episode in episodes:
        said[episode.cells] = True
    counts = known.reshape(-1)
    return Measures.of_cells(
        int((happened & said & counts).sum()), int((said & ~happened & counts).sum()), int((happened & ~said).sum())
    )
