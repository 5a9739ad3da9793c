"""The stages from a reading to a notice, put together; what the local runtime calls directly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from airshed.counting import count_decisions, count_index_values, count_readings, count_said
from airshed.reigns import report_reigns
from rules.engine import RuleEngine
from rules.model import Pack
from rules.notices import Notice
from rules.shelf import Shelf
from streams import metrics
from streams.airsheds import Airshed
from streams.batches import ReadingBatch
from streams.clock import epoch_s
from streams.encoding import to_messages
from streams.episodes import EpisodeTracker
from streams.index_batches import GroundsBatch, IndexBatch
from streams.intake import Intake
from streams.provinces import ProvinceWatch
from streams.rolling import IndexStage
from streams.schemas import EpisodeEvent, Mark, ProvinceDay, ProvinceState, Rejected, StationIndex, StationWind
from streams.screening import RULES, Limits
from streams.stage import State, slices
from streams.stations import StationRegistry

_Call = Callable[[Any], Sequence[Any]]


@dataclass
class Outcome:
    """What the stages said about one slice of input, in order. ``indices``: the station records, as columns."""

    indices: list[IndexBatch] = field(default_factory=list)
    provinces: list[ProvinceState] = field(default_factory=list)
    days: list[ProvinceDay] = field(default_factory=list)
    episodes: list[EpisodeEvent] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    untimely: list[tuple[int, str]] = field(default_factory=list)

    def add(self, later: Outcome) -> None:
        """Take in what was said after this."""
        self.indices += later.indices
        self.provinces += later.provinces
        self.days += later.days
        self.episodes += later.episodes
        self.notices += later.notices
        self.untimely += later.untimely

    @property
    def stations(self) -> list[StationIndex]:
        """The station records one by one. Making them takes longer than all stages together: ask once, if at all."""
        return [record for batch in self.indices for record in batch.records()]


class Judges:
    """Provinces, episodes and rules in one process, each with its own durable state.

    Args:
        pack: the base pack: of the shelf, if there is one.
        shelf: packs over time; ``None``: the base pack always.
    """

    def __init__(
        self,
        pack: Pack,
        registry: StationRegistry,
        state: Callable[[str], State],
        *,
        mode: Any,
        limits: Limits | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        airsheds = [pack.airshed]
        limits = limits or Limits()
        self.provinces = ProvinceWatch(airsheds, registry, state("provinces"), limits.neighbours, versions=shelf)
        self.episodes = EpisodeTracker(airsheds, state("episodes"), pack=pack.reference, versions=shelf)
        self.rules = RuleEngine(pack, state("rules"), mode, packs=shelf.pack if shelf else None)
        self.shelf = shelf

    def judge(self, said: Sequence[GroundsBatch | StationWind | Mark], now_s: float) -> Outcome:
        """What follows from what the first stage said at a mark. ``now_s``: the clock against which lag is measured.

        Of hours the grounds are enough; the indices of the outcome are those that came whole.
        """
        outcome = Outcome(indices=[item for item in said if isinstance(item, IndexBatch)])
        states = _drive("provinces", self.provinces.accept_columns, self.provinces.advance, said)
        _show_progress("provinces", states, now_s)
        outcome.provinces = [item for item in states if isinstance(item, ProvinceState)]
        outcome.days = [item for item in states if isinstance(item, ProvinceDay)]
        events = _drive("episodes", self.episodes.accept, self.episodes.advance, states)
        _show_progress("episodes", events, now_s)
        outcome.episodes = [item for item in events if isinstance(item, EpisodeEvent)]
        notices = _drive("rules", self.rules.accept, self.rules.advance, events)
        _show_progress("rules", notices, now_s)
        outcome.notices = [item for item in notices if not isinstance(item, Mark)]
        for told in (outcome.provinces, outcome.episodes):
            count_said(told)
        count_decisions(self.rules.take_decisions())
        report_reigns(self.episodes, self.shelf)
        return outcome


class FirstStage:
    """Screening and the index stage: what is done with readings before anything is judged."""

    def __init__(
        self,
        airsheds: Sequence[Airshed],
        registry: StationRegistry,
        state: State,
        *,
        provisional: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.index = Intake(IndexStage(registry, airsheds, state, provisional=provisional, limits=limits or Limits()))

    def accept(self, batch: ReadingBatch) -> list[tuple[int, str]]:
        """Take readings in. Returns (row, reason) of those that cannot count."""
        _timed("index", self.index.accept, batch)
        count_readings(self.index.take_counts())
        return self.index.take_rejected()

    def advance(self, mark: Mark, now_s: float) -> Sequence[IndexBatch | StationWind | Mark]:
        """Event time has moved: what is to be said of the hours that are complete, and the mark that is passed on."""
        said: Sequence[IndexBatch | StationWind | Mark] = _timed("index", self.index.advance_in_columns, mark)
        metrics.EVENT_TIME.labels("gateway").set(epoch_s(mark.time))
        _show_progress("index", said, now_s)
        count_readings(self.index.take_counts())
        count_index_values(item for item in said if isinstance(item, IndexBatch))
        return said


class Pipeline:
    """All stages in one process. Arguments as of :class:`Judges`."""

    def __init__(
        self,
        pack: Pack,
        registry: StationRegistry,
        state: Callable[[str], State],
        *,
        mode: Any,
        provisional: bool = False,
        limits: Limits | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self._first = FirstStage([pack.airshed], registry, state("index"), provisional=provisional, limits=limits)
        self._judges = Judges(pack, registry, state, mode=mode, limits=limits, shelf=shelf)
        self.episodes = self._judges.episodes

    def accept(self, batch: ReadingBatch) -> Outcome:
        """Take screened readings in. Nothing is decided before the next mark."""
        return Outcome(untimely=self._first.accept(batch))

    def advance(self, mark: Mark, now_s: float | None = None) -> Outcome:
        """Event time has moved: decide every complete step, through all stages.

        ``now_s``: the clock against which lag is measured, UTC epoch seconds; in a replay the mark is the clock.
        """
        clock_s = epoch_s(mark.time) if now_s is None else now_s
        return self._judges.judge(self._first.advance(mark, clock_s), clock_s)


def _drive(name: str, accept: _Call, advance: _Call, items: Iterable[Any]) -> list[Any]:
    """Run a stage over what the one before it said."""
    said: list[Any] = []
    for piece in slices(items):
        if isinstance(piece, Mark):
            said += _timed(name, advance, piece)
        else:
            said += _timed(name, accept, piece)
    return said


def _show_progress(name: str, said: Iterable[Any], now_s: float) -> None:
    """How far a stage has decided, and how far that is behind the clock."""
    for item in said:
        if isinstance(item, Mark):
            metrics.EVENT_TIME.labels(name).set(epoch_s(item.time))
            metrics.EVENT_TIME_LAG.labels(name).set(now_s - epoch_s(item.time))


def _timed(name: str, call: _Call, argument: Any) -> Sequence[Any]:
    started = time.perf_counter()
    result = call(argument)
    metrics.STAGE_SECONDS.labels(name).observe(time.perf_counter() - started)
    return result


_UNTIMELY = {
    "late": "ends longer ago than the windows reach back; it can no longer change an index",
    "clock-ahead": "ends later than the gateway's clock",
    "sentinel": f"carries a number that instruments write instead of a value ({RULES})",
    "out-of-range": f"carries a value that no instrument of its class can measure ({RULES})",
    "period-too-long": f"is a mean over more than an hour ({RULES})",
}
_REMEDIES = {
    "sentinel": "look at the instrument's status; if the value is real, take it out of full_scale in [screening]",
    "out-of-range": "look at the unit and the decimal point that the feed sends",
    "period-too-long": "send hourly means or shorter ones",
}
_LOOK_AT_CLOCK = "look at the logger's clock and its connection"


def untimely(batch: ReadingBatch, rows: Sequence[tuple[int, str]], registry: StationRegistry) -> list[Rejected]:
    """Rejections, with the readings as JSON, of the rows of a batch that cannot count: untimely or impossible."""
    found = []
    for row, reason in rows:
        ((key, raw),) = to_messages(batch.take(np.array([row])), registry, most=1)
        why = _UNTIMELY.get(reason, reason)
        remedy = _REMEDIES.get(reason, _LOOK_AT_CLOCK)
        message = f"a reading of station {key.decode()} {why} ({remedy})"
        found.append(Rejected(reason=reason, message=message, place=f"station {key.decode()}", raw=raw))
    return found
