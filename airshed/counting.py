"""What the stages say, as metrics: one place for both runtimes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from streams import metrics
from streams.index_batches import IndexBatch
from streams.schemas import EpisodeEvent, ProvinceState, StationIndex


def count_readings(outcomes: dict[str, int]) -> None:
    """Rows by what became of them."""
    for name, number in outcomes.items():
        metrics.READINGS.labels(name).inc(number)


def count_index_values(batches: Iterable[IndexBatch]) -> None:
    """Station records as columns, by kind."""
    for batch in batches:
        present = ~np.isnan(batch.content.index)
        there = int(np.count_nonzero(present))
        revised = int(np.count_nonzero(batch.revisions[present]))
        kinds = {"none": len(batch) - there}
        kinds |= {"final": there - revised, "revised": revised} if batch.occasion.final else {"provisional": there}
        for kind, number in kinds.items():
            if number:
                metrics.INDEX_VALUES.labels(kind).inc(number)


def count_said(said: Iterable[Any]) -> None:
    """Station records, province states and episode events; anything else is passed over."""
    for item in said:
        if isinstance(item, StationIndex):
            metrics.INDEX_VALUES.labels(_index_kind(item)).inc()
        elif isinstance(item, ProvinceState):
            level = -1 if item.condition == "unknown" else item.level
            metrics.PROVINCE_LEVEL.labels(item.airshed, item.province).set(level)
        elif isinstance(item, EpisodeEvent):
            _count_event(item)


def count_decisions(decisions: Iterable[Any]) -> None:
    """What the rules decided, by kind of notice and named reason."""
    for decision in decisions:
        metrics.NOTICES.labels(decision.kind, decision.reason).inc()


def _count_event(event: EpisodeEvent) -> None:
    metrics.EPISODES.labels(event.kind).inc()
    if event.kind == "opened":
        metrics.EPISODES_OPEN.labels(event.airshed).inc()
    elif event.kind in ("closed", "merged"):
        metrics.EPISODES_OPEN.labels(event.airshed).dec()


def _index_kind(station: StationIndex) -> str:
    if station.index is None:
        return "none"
    if not station.final:
        return "provisional"
    return "revised" if station.revision else "final"
