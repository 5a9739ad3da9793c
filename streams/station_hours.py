"""The hours of an airshed's stations: which are closed, what was published about them, and what late data changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.airsheds import Airshed
from streams.batches import ReadingBatch
from streams.chunks import NEVER
from streams.clock import HOUR_S, utc
from streams.contents import Content
from streams.errors import RegistryError
from streams.hour_values import HOURS_BEFORE_DAY, WINDOW_HOURS, Statistics
from streams.hourly_means import HourlyMeans
from streams.index_batches import IndexBatch, Occasion
from streams.indices import STANDARDS
from streams.local_days import has_whole_hours, hours_of_day_ending
from streams.schemas import STATUSES
from streams.screening.hours import HourCase, HourScreen
from streams.screening.limits import Limits
from streams.stage import State
from streams.station_memory import Day, StationMemory
from streams.stations import Station
from streams.windows import MOST_UG_M3, RING_HOURS, Ints, Outcome, Spans, shared_out

PATIENCE_S = 2 * HOUR_S
"""How far one gateway may fall behind the most advanced one before it is no longer waited for. The ring has to hold
every hour between them: each hour of patience is one hour less for late data."""

_HOURS_OF_A_DAY = 24 + HOURS_BEFORE_DAY
_REVISED = STATUSES.index("revised")


ProductName = Literal["hour", "day"]


def hours_ahead(airshed: Airshed) -> int:
    """How many hours after the latest closed one may hold readings.

    Hour c is the latest closed while progress < (c + 1) h + lateness; the most advanced gateway is at most the
    patience further, and its readings end at most a step and the lateness after its mark.

    Raises:
        RegistryError: when the ring would not hold a day beside them.
    """
    detection = airshed.detection
    ahead = 1 + math.ceil((detection.step_s + 2 * detection.lateness_s + PATIENCE_S) / HOUR_S)
    if ahead + _HOURS_OF_A_DAY > RING_HOURS:
        raise RegistryError(
            f"waiting {detection.lateness_s} s for late readings leaves no room for a whole day in {RING_HOURS} hours",
            place=airshed.code,
            field="detection.lateness_s",
            remedy="wait two hours or less; later readings still revise what was said",
        )
    return ahead


class StationHours:
    """Bins and publications of the stations of one airshed.

    Attributes:
        closed: the latest closed hour, ``None`` before the first mark. The owner keeps it durably.
    """

    def __init__(
        self,
        airshed: Airshed,
        stations: Sequence[Station],
        state: State,
        hour_completeness: float,
        limits: Limits | None = None,
    ) -> None:
        self.airshed = airshed
        self.stations = stations
        self.closed: int | None = None
        self._lateness_s = airshed.detection.lateness_s
        self._step_s = airshed.detection.step_s
        self._ahead = hours_ahead(airshed)
        self._now: datetime | None = None  # the mark at which records are made
        self._standard = STANDARDS[airshed.standard]
        looks_at_hours = bool({"pm25_1h", "pm10_1h"} & set(airshed.concentrations))
        self._statistics = Statistics(self._standard, hour_completeness, particle_means=looks_at_hours)
        self._screen = None if limits is None else HourScreen(stations, limits)
        self._memory = StationMemory(stations, state)
        self._bins = self._memory.bins
        self._hourly = HourlyMeans(self._bins, self._statistics.needed)
        self._recheck = False
        self._everyone = np.arange(len(stations))
        self._zones = {zone: ZoneInfo(zone) for zone in sorted({s.zone for s in stations})}
        self._of_zone = {z: np.array([n for n, s in enumerate(stations) if s.zone == z]) for z in self._zones}
        self._shares = np.array([not has_whole_hours(self._zones[station.zone]) for station in stations], np.bool_)

    def restore(self, closed: int | None) -> None:
        """Carry on from the state. What late data changed since the last mark is found again by comparing all."""
        self.closed = closed
        self._memory.restore(closed, None if closed is None else closed + self._ahead)
        self._recheck = True

    # -- readings ------------------------------------------------------------------------------------------------

    def fold(self, batch: ReadingBatch, rows: Ints, station: Ints, mark_s: int | None) -> NDArray[np.int8]:
        """Take the ``rows`` of a batch in; ``station`` is the position of each in ``stations``.

        Args:
            mark_s: latest mark of any gateway; ``None`` before the first.
        """
        time_s, period_s = batch.time_s[rows], batch.period_s[rows]
        if not self._shares[station].any():
            return self._fold(batch, rows, station, time_s, period_s, mark_s)
        across, time_s, period_s = shared_out(self._shares[station], time_s, period_s)
        more_rows, more_stations = np.concatenate((rows, rows[across])), np.concatenate((station, station[across]))
        return self._fold(batch, more_rows, more_stations, time_s, period_s, mark_s)[: len(rows)]

    def _fold(
        self,
        batch: ReadingBatch,
        rows: Ints,
        station: Ints,
        time_s: Ints,
        period_s: NDArray[np.int32],
        mark_s: int | None,
    ) -> NDArray[np.int8]:
        value = batch.value[rows]
        spans = Spans(time_s, period_s, value)
        outcome = np.full(len(rows), Outcome.COUNTED, np.int8)
        if mark_s is None:
            self._make_room(spans.hour)
        newest, oldest = self._bins.newest or 0, self._bins.oldest
        ahead = spans.hour > newest
        if mark_s is not None:
            ahead |= time_s > mark_s + self._step_s + self._lateness_s
        outcome[spans.hour < oldest] = Outcome.LATE
        outcome[ahead] = Outcome.CLOCK_AHEAD
        outcome[np.abs(value) > MOST_UG_M3] = Outcome.BAD_VALUE
        outcome[~spans.fits] = Outcome.BAD_PERIOD
        good = np.flatnonzero(outcome == Outcome.COUNTED)
        if len(good) < len(rows):
            spans = Spans(time_s[good], period_s[good], value[good])
        revised = batch.status[rows[good]] == _REVISED
        outcome[good] = self._bins.fold(station[good], batch.pollutant[rows[good]], spans, revised)
        self._note_peaks(batch, rows[good], station[good], spans.hour, outcome[good])
        self._save_changed(station, spans.hour, good, outcome)
        return outcome

    def _note_peaks(
        self, batch: ReadingBatch, rows: Ints, station: Ints, hours: Ints, outcome: NDArray[np.int8]
    ) -> None:
        """Keep what may turn out to be a spike, and forget what a revision of its hour has replaced."""
        peaks = self._memory.peaks
        if self._screen is None:
            return
        short = (batch.period_s[rows] < HOUR_S) & (outcome == Outcome.COUNTED)
        replaced = outcome == Outcome.REVISED
        if short.any():
            high = np.flatnonzero(short & peaks.holds(hours))
            high = high[batch.value[rows[high]] > self._screen.spike_rise[station[high], batch.pollutant[rows[high]]]]
        else:
            high = np.empty(0, np.int64)
        gone = np.flatnonzero(replaced & peaks.holds(hours)) if replaced.any() else high[:0]
        if not len(high) and not len(gone):
            return
        end = (batch.time_s[rows[high]] + 30) // 60
        length = (batch.period_s[rows[high]].astype(np.int64) + 30) // 60
        pollutant, value = batch.pollutant[rows[high]], batch.value[rows[high]]
        peaks.add(hours[high], station[high], pollutant, (end - 1) % 60 + 1, length, value)
        peaks.forget(hours[gone], station[gone], batch.pollutant[rows[gone]])
        self._memory.save_peaks(np.unique(station[np.concatenate((high, gone))]))

    def _make_room(self, hours: Ints) -> None:
        """Before the first mark the data themselves say what the latest hour is."""
        newest = int(hours.max())
        if self._bins.newest is None or newest > self._bins.newest:
            self._memory.move_to(newest)

    def _save_changed(self, station: Ints, hours: Ints, good: Ints, outcome: NDArray[np.int8]) -> None:
        if not self._memory.kept:
            return
        changed = (outcome[good] == Outcome.COUNTED) | (outcome[good] == Outcome.REVISED)
        places = np.unique(hours[changed] % RING_HOURS * len(self.stations) + station[good][changed])
        self._memory.save(places // len(self.stations), places % len(self.stations))

    # -- marks ---------------------------------------------------------------------------------------------------

    def advance(self, progress_s: int, settle: Callable[[], None]) -> Iterator[IndexBatch]:
        """Everything to be said now that event time has come to ``progress_s``.

        Args:
            settle: makes ``closed`` durable. Called after each leg of a long way, so that no leg overwrites what
                repeating it would need.
        """
        self._now = utc(progress_s)
        target = (progress_s - self._lateness_s) // HOUR_S
        if self.closed is None:
            yield from self._start(target)
            settle()
        yield from self._revisions()
        while self.closed is not None and self.closed < target:
            # The slots up to closed + ahead are free by construction: closing them destroys no history.
            leg = range(self.closed + 1, min(self.closed + self._ahead, target) + 1)
            for hour in leg:
                yield from self._close(hour)
            self._memory.move_to(leg[-1] + self._ahead)
            self.closed = leg[-1]
            settle()

    def provisional(self, progress_s: int) -> Iterator[IndexBatch]:
        """Records of the stations whose open hours changed since the last mark."""
        assert self.closed is not None
        for hour in range(self.closed + 1, (self._bins.newest or 0) + 1):
            rows = np.flatnonzero(self._bins.touched[hour % RING_HOURS])
            if len(rows):
                elapsed = min(60, max(0, (progress_s - (hour - 1) * HOUR_S) // 60))
                content = self._statistics.hour(self._statistics.window(self._bins, self._hourly, hour, rows, elapsed))
                yield self._batch(content, rows, _first(rows), hour, "hour", final=False)

    def settled(self) -> None:
        """Everything that changed has been looked at."""
        self._bins.touched[:] = False
        self._recheck = False

    def _start(self, target: int) -> Iterator[IndexBatch]:
        """The first mark: hours that already have data are closed, nothing is said about those before."""
        self._memory.move_to(target + self._ahead)
        first = self._bins.earliest_data()
        for hour in range(target + 1 if first is None else first, target + 1):
            yield from self._close(hour)
        self.closed = target

    def _close(self, hour: int) -> Iterator[IndexBatch]:
        content = self._judged(hour, slice(None), learn=True)
        yield from self._publish(content, hour, self._everyone, _first(self._everyone))
        for zone, rows in self._of_zone.items():
            hours = hours_of_day_ending(hour, self._zones[zone])
            if hours:
                day = self._statistics.day(self._bins, self._hourly, hour, hours, rows)
                yield from self._publish_day(day, hour, hours, rows, _first(rows))

    def _judged(self, hour: int, rows: Ints | slice, *, learn: bool = False) -> Content:
        """Screen an hour, then say what is left of it. ``learn``: it is closed now, and teaches what is a habit."""
        window = self._statistics.window(self._bins, self._hourly, hour, rows)
        if self._screen is None:
            return self._statistics.hour(window)
        case = HourCase(hour, rows, window.means, window.minutes, window.verdicts[-1])
        if learn:
            places, pollutants = self._screen.dips(case)
            if len(places):
                self._memory.mark_dips(hour - 1, self._everyone[rows][places], pollutants)
        verdicts = self._screen.judge(case, self._memory.peaks, self._memory.habits)
        self._bins.flags[hour % RING_HOURS, rows] = window.verdicts[-1] = verdicts
        return self._statistics.hour(window)

    def _publish(self, content: Content, hour: int, rows: Ints, revisions: NDArray[np.uint16]) -> Iterator[IndexBatch]:
        yield self._batch(content, rows, revisions, hour, "hour")
        self._memory.publish(hour, rows, revisions, content)

    def _publish_day(
        self, content: Content, hour: int, hours: int, rows: Ints, revisions: NDArray[np.uint16]
    ) -> Iterator[IndexBatch]:
        yield self._batch(content, rows, revisions, hour, "day")
        for row, revision, checksum in zip(rows.tolist(), revisions.tolist(), content.checksum().tolist(), strict=True):
            self._memory.publish_day(row, Day(hour, hours, revision, checksum))

    # -- revisions -----------------------------------------------------------------------------------------------

    def _revisions(self) -> Iterator[IndexBatch]:
        """Closed hours, then days, whose content late data have changed; only where all their hours are at hand."""
        assert self.closed is not None
        oldest = self._bins.oldest
        hours = np.arange(oldest, self.closed + 1)
        touched = self._bins.touched[hours % RING_HOURS]
        if not (self._recheck or touched.any()):
            return
        for hour in range(oldest + WINDOW_HOURS - 1, self.closed + 1):
            at = hour - oldest
            near = _any(touched[at - WINDOW_HOURS + 1 : at + 1]) | self._recheck
            published = self._memory.revision[hour % RING_HOURS] != NEVER
            rows = np.flatnonzero(near & published)
            if len(rows):
                yield from self._revise(hour, rows, touched[at])
        near = _any(touched) | self._recheck
        days = sorted((day.hour, day.hours, row) for row, day in self._memory.days.items() if near[row])
        for (hour, length), group in groupby(days, key=lambda day: day[:2]):
            if hour - length - HOURS_BEFORE_DAY + 1 >= oldest:
                yield from self._revise_days(hour, length, np.array([row for _, _, row in group]))

    def _revise(self, hour: int, rows: Ints, touched: NDArray[np.bool_]) -> Iterator[IndexBatch]:
        slot = hour % RING_HOURS
        before = self._bins.flags[slot, rows]
        content = self._judged(hour, rows)
        # Another verdict on this hour changes the averages of the hours after it as new readings would.
        touched[rows[(self._bins.flags[slot, rows] != before).any(axis=1)]] = True
        changed = np.flatnonzero(content.checksum() != self._memory.checksums(slot, rows))
        if len(changed):
            rows = rows[changed]
            yield from self._publish(
                content.take(changed), hour, rows, self._memory.revision[slot, rows] + np.uint16(1)
            )

    def _revise_days(self, hour: int, hours: int, rows: Ints) -> Iterator[IndexBatch]:
        content = self._statistics.day(self._bins, self._hourly, hour, hours, rows)
        days = [self._memory.days[row] for row in rows.tolist()]
        changed = np.flatnonzero(content.checksum() != np.array([day.checksum for day in days], np.uint32))
        revisions = np.array([days[number].revision + 1 for number in changed.tolist()], np.uint16)
        yield from self._publish_day(content.take(changed), hour, hours, rows[changed], revisions)

    def _batch(
        self,
        content: Content,
        rows: Ints,
        revisions: NDArray[np.uint16],
        hour: int,
        product: ProductName,
        *,
        final: bool = True,
    ) -> IndexBatch:
        occasion = Occasion(self.airshed.code, self._standard, hour, product, final, self._now)
        return IndexBatch(occasion, content, self.stations, rows, revisions)


def _first(rows: Ints) -> NDArray[np.uint16]:
    """Revision 0 of each."""
    return np.zeros(len(rows), np.uint16)


def _any(touched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Stations touched in any of the hours."""
    result: NDArray[np.bool_] = np.logical_or.reduce(touched, axis=0)
    return result
