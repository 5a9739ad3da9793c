"""The rolling index stage: from readings to the index of every station, hour by hour and day by day.

Readings are folded into hour bins when they come; everything is said at marks, so that neither the sizes of batches
nor their order within the lateness matter. An hour is closed when a mark passes its end by the airshed's lateness;
what comes later revises what was said, as long as the hours it needs are still in the ring (about half a day).

State: ``<station><slot>`` and ``<station>:day`` (see ``streams.station_memory``), and ``progress``, written last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.airsheds import Airshed
from streams.batches import ReadingBatch
from streams.clock import utc
from streams.hour_values import HOUR_COMPLETENESS
from streams.index_batches import IndexBatch, flattened
from streams.schemas import POLLUTANTS, STATUSES, Mark, StationIndex
from streams.screening.limits import Limits
from streams.stage import State
from streams.station_hours import PATIENCE_S, StationHours
from streams.stations import Station, StationRegistry
from streams.watermark import Watermark
from streams.wind import WindHours
from streams.windows import Outcome

PROGRESS = "progress"

_USABLE_STATUS = np.array([status in ("measuring", "revised") for status in STATUSES])


class _Progress(msgspec.Struct):
    """Durable progress: ``said_s`` the time of the latest mark passed on, ``closed`` the latest hour by airshed."""

    watermark: Watermark = msgspec.field(default_factory=Watermark)
    first_s: int | None = None
    said_s: int | None = None
    closed: dict[str, int] = {}


class IndexStage:
    """Implements ``streams.stage.Stage[ReadingBatch, StationIndex]``.

    Args:
        registry: stations; batches carry row numbers of it. Stations outside ``airsheds`` get no records.
        state: durable state of this stage and partition.
        source / of: name of this partition of readings, and how many there are, for the marks passed on.
        keep: which station codes this partition is responsible for; all by default.
        provisional: whether values of open hours are said at every mark.
        hour_completeness: share of an hour that must be covered by readings for its mean to be valid.
        limits: with which closed hours are screened; ``None``: every hour counts as it was measured.
    """

    def __init__(
        self,
        registry: StationRegistry,
        airsheds: Sequence[Airshed],
        state: State,
        *,
        source: str = "0",
        of: int = 1,
        keep: Callable[[str], bool] | None = None,
        provisional: bool = True,
        hour_completeness: float = HOUR_COMPLETENESS,
        limits: Limits | None = None,
    ) -> None:
        self._state = state
        self.registry = registry
        self.limits = limits
        self._source, self._of, self._provisional = source, of, provisional
        self._counts: Counter[str] = Counter()
        self._rejected: list[tuple[int, str]] = []
        self._area_of = np.full(len(registry) + 1, -1, np.int64)
        self._place_of = np.full(len(registry) + 1, -1, np.int64)
        self._areas: list[StationHours] = []
        for number, airshed in enumerate(airsheds):
            stations = self._stations_of(registry, airshed, number, keep)
            self._areas.append(StationHours(airshed, stations, state, hour_completeness, limits))
        saved = state.get(PROGRESS)
        self._progress = _Progress() if saved is None else msgspec.json.decode(saved, type=_Progress)
        for area in self._areas:
            area.restore(self._progress.closed.get(area.airshed.code))
        self.winds = WindHours(airsheds, registry, state, self._progress.closed)

    def _stations_of(
        self, registry: StationRegistry, airshed: Airshed, number: int, keep: Callable[[str], bool] | None
    ) -> list[Station]:
        stations: list[Station] = []
        for row, station in enumerate(registry.stations):
            if station.airshed == airshed.code and (keep is None or keep(station.code)):
                self._area_of[row], self._place_of[row] = number, len(stations)
                stations.append(station)
        return stations

    # -- readings ------------------------------------------------------------------------------------------------

    def accept(self, batch: ReadingBatch) -> Sequence[StationIndex]:
        """Fold readings into their hours. Says nothing; asks ``take_counts`` and ``take_rejected`` be read after."""
        outcome = np.full(len(batch), Outcome.UNUSED, np.int8)
        known = (batch.station >= 0) & (batch.pollutant >= 0) & (batch.pollutant < len(POLLUTANTS))
        usable = np.isfinite(batch.value) & _USABLE_STATUS[batch.status] & known
        area_of = self._area_of[batch.station]
        for number, area in enumerate(self._areas):
            rows = np.flatnonzero(usable & (area_of == number))
            if len(rows):
                started = area.closed is not None
                outcome[rows] = area.fold(
                    batch, rows, self._place_of[batch.station[rows]], self._latest_mark_s() if started else None
                )
        self._count(outcome)
        return []

    def _count(self, outcome: NDArray[np.int8]) -> None:
        for kind, number in zip(Outcome, np.bincount(outcome, minlength=len(Outcome)).tolist(), strict=True):
            if number:
                self._counts[kind.counted_as] += number
        refused = np.flatnonzero(outcome > Outcome.DUPLICATE)
        self._rejected = [
            (row, Outcome(kind).reason or "")
            for row, kind in zip(refused.tolist(), outcome[refused].tolist(), strict=True)
        ]

    def take_counts(self) -> dict[str, int]:
        """Readings by outcome since the last call: counted, duplicate, conflict, late, rejected, unused.

        Every row of every batch is in exactly one of them. Counts are for metrics: they are not durable.
        """
        counts, self._counts = dict(self._counts), Counter()
        return counts

    def take_rejected(self) -> list[tuple[int, str]]:
        """Rows of the latest batch that could not be used, with the named reason, so that their bytes can be kept.

        A repeated call may refuse again a revision that it applied the first time (``partial-revision``): the value
        it replaced is not kept, so the two cannot be told apart.
        """
        rejected, self._rejected = self._rejected, []
        return rejected

    # -- marks ---------------------------------------------------------------------------------------------------

    def advance(self, mark: Mark) -> Sequence[StationIndex | Mark]:
        """Close the hours that are now complete, revise what late readings changed, and pass the mark on."""
        return flattened(self.advance_in_columns(mark))

    def advance_in_columns(self, mark: Mark) -> list[IndexBatch | Mark]:
        """The same without an object per record."""
        watermark = msgspec.json.decode(msgspec.json.encode(self._progress.watermark), type=Watermark)
        watermark.observe(mark)
        return self._moved(watermark)

    def give_up(self, source: str) -> Sequence[StationIndex | Mark]:
        """Stop waiting for a silent gateway until it speaks again."""
        watermark = msgspec.json.decode(msgspec.json.encode(self._progress.watermark), type=Watermark)
        watermark.give_up(source)
        return flattened(self._moved(watermark))

    def _moved(self, watermark: Watermark) -> list[IndexBatch | Mark]:
        first_s = self._progress.first_s
        latest_s = max(watermark.times.values(), default=None)
        if first_s is None:
            first_s = latest_s
        said: list[IndexBatch | Mark] = []
        reached_s = _reached(watermark, first_s, latest_s)
        said_s = self._progress.said_s
        if reached_s is not None and (said_s is None or reached_s > said_s):
            for area in self._areas:
                said += self._advance_area(area, reached_s)
            said.append(Mark(utc(reached_s), self._source, self._of))
            said_s = reached_s
        # Only now does the mark count as taken in: progress written on the way still holds the old watermark.
        self._progress = _Progress(watermark, first_s, said_s, self._progress.closed)
        self._save_progress()
        return said

    def _advance_area(self, area: StationHours, reached_s: int) -> list[IndexBatch]:
        def settle() -> None:
            assert area.closed is not None
            self._progress.closed[area.airshed.code] = area.closed
            self._save_progress()

        said = list(area.advance(reached_s, settle))
        if self._provisional:
            said += area.provisional(reached_s)
        area.settled()
        return said

    def _latest_mark_s(self) -> int | None:
        return max(self._progress.watermark.times.values(), default=None)

    def _save_progress(self) -> None:
        self._state[PROGRESS] = msgspec.json.encode(self._progress)


def _reached(watermark: Watermark, first_s: int | None, latest_s: int | None) -> int | None:
    """The slowest gateway, but no further behind the fastest than the patience."""
    if first_s is None or latest_s is None:
        return None
    forced = latest_s - PATIENCE_S
    if watermark.reached is None:
        return forced if forced >= first_s else None
    return max(watermark.reached, forced)
