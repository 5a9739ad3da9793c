"""Spells: stretches of a recording in which a pack spoke or the reference saw an event. A report tells them in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from airshed.backtesting.curves import Series
from airshed.backtesting.findings import EpisodeRow, Findings, NoticeRow, ReferenceRow, Yardstick
from airshed.backtesting.lives import Life, Turn
from airshed.backtesting.running import Trial
from airshed.backtesting.timeline import Timeline
from streams.clock import HOUR_S, epoch_s

LONGEST_HOURS = 21 * 24
"""Three weeks: beyond it an hour is less than two pixels. Spells that only touch are kept apart then."""

DRAWN = 24
"""Spells that get charts, the longest first; about twice as many as a winter has. The others stand in tables alone."""

AROUND_HOURS = 24
"""What is shown before the onset and after the close: a day, so that one sees what it rose from and fell to."""


@dataclass(frozen=True)
class Told:
    """What one pack did in a spell."""

    pack: str
    episodes: list[EpisodeRow]
    turns: list[tuple[str, Turn]]
    notices: list[NoticeRow]


@dataclass(frozen=True)
class Spell:
    """Attributes:
    first / last: rows of the timeline.
    references: reference events in it.
    packs: what each pack did.
    drawn: it gets charts.
    """

    first: int
    last: int
    references: list[ReferenceRow]
    packs: list[Told]
    drawn: bool = True

    def moments(self, timeline: Timeline, frame_first: int) -> list[tuple[datetime, str]]:
        """The transitions of the first pack's episodes, for a chart."""
        return [
            (timeline.starts[turn.time_s // HOUR_S - frame_first], turn.kind)
            for _, turn in self.packs[0].turns
            if turn.kind != "revised" and 0 <= turn.time_s // HOUR_S - frame_first < len(timeline.starts)
        ]

    def series(self, measure: Yardstick, timeline: Timeline) -> list[Series]:
        """Mean over the provinces concerned of their medians: by the hour, and over the latest 24 hours."""
        codes = {code for row in self.references for code in row.provinces}
        codes |= {code for pack in self.packs for row in pack.episodes for code in row.provinces}
        columns = [number for number, code in enumerate(measure.frame.codes) if code in codes]
        rows = slice(self.first, self.last + 1)
        return [
            Series(name, _means(values[rows][:, columns], timeline.starts[rows]))
            for name, values in (("24-hour mean", measure.day), ("hourly mean", measure.hour))
        ]


def spells(found: Findings, trials: Sequence[Trial], measure: Yardstick) -> list[Spell]:
    """The spells, in order of time."""
    first = measure.frame.first
    lives = [[*one.tally.lives] for one in trials]
    ranges = [
        (life.onset_s // HOUR_S - first, _end(life, first, measure.frame.hours)) for each in lives for life in each
    ]
    ranges += [(event.first, event.last) for event in measure.events]
    merged = _merged(ranges, measure.frame.hours)
    longest = sorted(merged, key=lambda span: (span[0] - span[1], span[0]))[:DRAWN]
    return [_spell(start, end, found, lives, measure, drawn=(start, end) in longest) for start, end in merged]


def _end(life: Life, first: int, hours: int) -> int:
    return life.closed_s // HOUR_S - first if life.closed_s else hours - 1


def _merged(ranges: Sequence[tuple[int, int]], hours: int) -> list[tuple[int, int]]:
    """Ranges with a day around them; those that touch as one, unless they only touch and would grow too long."""
    cores: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        near = bool(cores) and first - cores[-1][1] <= 2 * AROUND_HOURS
        if near and (first <= cores[-1][1] or last - cores[-1][0] <= LONGEST_HOURS):
            cores[-1] = cores[-1][0], max(cores[-1][1], last)
        else:
            cores.append((first, last))
    cuts = [(before[1] + after[0]) // 2 for before, after in pairwise(cores)]
    earliest = [0, *(cut + 1 for cut in cuts)]
    latest = [*cuts, hours - 1]
    return [
        (max(first - AROUND_HOURS, start), min(last + AROUND_HOURS, end))
        for (first, last), start, end in zip(cores, earliest, latest, strict=False)
    ]


def _spell(
    start: int, end: int, found: Findings, lives: Sequence[Sequence[Life]], measure: Yardstick, *, drawn: bool
) -> Spell:
    def inside(time: datetime) -> bool:
        return start <= epoch_s(time) // HOUR_S - measure.frame.first <= end

    packs = []
    for pack, each in zip(found.packs, lives, strict=True):
        rows = [row for row in pack.episodes if inside(row.opened)]
        names = {row.name for row in rows}
        turns = [(life.name, turn) for life in each if life.name in names for turn in life.turns]
        turns.sort(key=lambda item: item[1].time_s)
        packs.append(Told(pack.pack, rows, turns, [notice for notice in pack.notices if notice.episode in names]))
    return Spell(start, end, [row for row in found.reference_events if inside(row.first)], packs, drawn)


def _means(values: np.ndarray, starts: Sequence[datetime]) -> list[tuple[datetime, float]]:
    known = ~np.isnan(values)
    sums = np.where(known, values, 0.0).sum(axis=1)
    counts = known.sum(axis=1)
    return [
        (start, float(total / number) if number else float("nan"))
        for start, total, number in zip(starts, sums, counts, strict=True)
    ]
