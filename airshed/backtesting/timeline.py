"""Provinces by time, as stretches of equal value: what the charts of a report draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from airshed.backtesting.findings import Yardstick
from airshed.backtesting.lives import Life
from airshed.backtesting.tallies import UNKNOWN, Tally
from airshed.backtesting.verification import Frame
from streams.clock import HOUR_S, utc

Matrix = NDArray[np.int16]
"""``(steps, provinces)``."""

DAY_WORTH = 12
"""Hours of a day that must be unknown for the day to be called so."""


@dataclass(frozen=True)
class Stretch:
    """A province with one value from ``start`` to ``end``, local wall-clock time."""

    column: int
    start: datetime
    end: datetime
    value: int


@dataclass(frozen=True)
class Course:
    """What is drawn of a stretch of time.

    Attributes:
        edges: ``steps + 1`` local moments between which the values hold.
        levels: level of the episode that a province was in, 0 = none, ``UNKNOWN``.
        classes: class of the observed median (see :func:`classes`), -1 = unknown.
        reference: province steps of a reference event.
    """

    edges: Sequence[datetime]
    levels: Matrix
    classes: Matrix
    reference: Matrix

    def stretches(self, values: Matrix, *, without: int) -> Iterator[Stretch]:
        """Stretches of equal values, except those of ``without``."""
        for column in range(values.shape[1]):
            row = 0
            for value, group in groupby(values[:, column].tolist()):
                length = len(list(group))
                if value != without:
                    yield Stretch(column, self.edges[row], self.edges[row + length], value)
                row += length


@dataclass(frozen=True)
class Timeline:
    """Everything by hour, from which days and stretches are taken.

    Attributes:
        starts: local beginning of every hour.
    """

    starts: Sequence[datetime]
    hourly: Course

    def between(self, first: int, last: int) -> Course:
        """Rows ``first`` to ``last`` by the hour."""
        whole = self.hourly
        rows = slice(max(first, 0), last + 1)
        edges = whole.edges[rows.start : last + 2]
        return Course(edges, whole.levels[rows], whole.classes[rows], whole.reference[rows])

    def daily(self, first: date, last: date) -> Course:
        """Local days, each with its highest values."""
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        rows: dict[date, list[int]] = {day: [] for day in days}
        for row, start in enumerate(self.starts):
            if start.date() in rows:
                rows[start.date()].append(row)
        whole = self.hourly
        return Course(
            [datetime.combine(day, datetime.min.time()) for day in [*days, last + timedelta(days=1)]],
            np.stack([_day_level(whole.levels[rows[day]]) for day in days]),
            np.stack([whole.classes[rows[day]].max(axis=0, initial=-1) for day in days]),
            np.stack([whole.reference[rows[day]].max(axis=0, initial=0) for day in days]),
        )

    def dates(self) -> tuple[date, date]:
        """First and last local day."""
        return self.starts[0].date(), self.starts[-1].date()


def timeline(tally: Tally, measure: Yardstick, bounds: Sequence[float], zone: ZoneInfo) -> Timeline:
    """The timeline of one pack, in the provinces of the yardstick. ``bounds``: upper ends of the classes, µg/m³."""
    frame = measure.frame
    starts = [local_start(frame.first + row, zone) for row in range(frame.hours)]
    levels = member_levels(tally.lives.operational(), frame)
    known = tally.levels.between(frame.first, frame.first + frame.hours - 1)
    for column, code in enumerate(frame.codes):
        unknown = known[:, tally.codes.index(code)] < 0 if code in tally.codes else np.ones(frame.hours, bool)
        levels[:, column][unknown & (levels[:, column] == 0)] = UNKNOWN
    reference = np.zeros(frame.hours * len(frame.codes), np.int16)
    for event in measure.events:
        reference[event.cells] = 1
    edges = [*starts, starts[-1] + timedelta(hours=1)]
    hourly = Course(edges, levels, classes(measure.day, bounds), reference.reshape(frame.hours, -1))
    return Timeline(starts, hourly)


def local_start(hour: int, zone: ZoneInfo) -> datetime:
    """Local wall-clock beginning of an hour that is numbered by its END."""
    return utc((hour - 1) * HOUR_S).astimezone(zone).replace(tzinfo=None)


def member_levels(lives: Sequence[Life], frame: Frame) -> Matrix:
    """Level, as last told, of each province in an episode; 0 outside. Of two episodes the higher."""
    levels = np.zeros((frame.hours, len(frame.codes)), np.int16)
    column = {code: number for number, code in enumerate(frame.codes)}
    for life in lives:
        turns = [turn for turn in life.turns if turn.kind != "revised"]
        ends = [turn.time_s // HOUR_S - frame.first for turn in turns[1:]] + [frame.hours]
        for turn, end in zip(turns, ends, strict=True):
            if turn.kind in ("closed", "merged"):
                continue
            rows = slice(max(turn.time_s // HOUR_S - frame.first, 0), max(end, 0))
            for code, level in turn.provinces.items():
                if code in column:
                    levels[rows, column[code]] = np.maximum(levels[rows, column[code]], max(level, 1))
    return levels


def classes(means: NDArray[np.float32], bounds: Sequence[float]) -> Matrix:
    """Class of each concentration: how many ``bounds`` it exceeds; -1 where it is unknown."""
    found = np.searchsorted(np.asarray(bounds, np.float64), means, side="left").astype(np.int16)
    found[np.isnan(means)] = -1
    return found


def _day_level(levels: Matrix) -> Matrix:
    highest: Matrix = levels.max(axis=0, initial=UNKNOWN)
    unknown = (levels == UNKNOWN).sum(axis=0) >= min(DAY_WORTH, len(levels))
    return np.where((highest <= 0) & unknown, UNKNOWN, np.maximum(highest, 0)).astype(np.int16)
