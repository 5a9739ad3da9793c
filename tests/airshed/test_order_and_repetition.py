"""Duplicated, shuffled and late input: the same final index, province states and episodes, through all stages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from airshed.pipeline import Pipeline
from rules.loading import load_pack
from streams.batches import ReadingBatch
from streams.clock import HOUR_S, epoch_s, utc
from streams.gateway import Slice, replay_arrivals
from streams.schemas import Mark, ProvinceState, StationIndex
from streams.stations import StationRegistry
from tests.airshed.stations import three_each

PACK = load_pack("vietnam-2026")
LATENESS_S = PACK.airshed.detection.lateness_s
PROVINCES = ("01", "24", "33")
START_S = 1_768_150_800  # 12 January 2026, 00:00 in Hà Nội
HOURS = 84
END = utc(START_S + (HOURS + 8) * HOUR_S + LATENESS_S)  # a mark after the last late reading
LATEST_LATE_S = 5 * HOUR_S
"""Late data still revise what was said: the windows keep the hours behind it that they need (about eleven)."""


def registry() -> StationRegistry:
    return three_each(PACK.airshed, PROVINCES)


def stagnation(chance: np.random.Generator) -> ReadingBatch:
    """Hourly PM2.5 of nine stations: a day of clean air, a day and a half of bad air, a day of clean air."""
    stations, hours = len(PROVINCES) * 3, np.arange(1, HOURS + 1)
    level = np.interp(hours, [0, 18, 24, 54, 60, HOURS], [25, 30, 180, 190, 20, 15])
    values = np.round(level * chance.uniform(0.9, 1.1, (stations, HOURS)), 1)
    return ReadingBatch(
        np.repeat(np.arange(stations, dtype=np.int32), HOURS),
        np.zeros(stations * HOURS, np.int8),
        np.tile(START_S + hours * HOUR_S, stations).astype(np.int64),
        np.full(stations * HOURS, HOUR_S, np.int32),
        values.ravel(),
        np.zeros(stations * HOURS, np.int8),
    )


@dataclass
class Said:
    """What the stages said in the end: the latest revision of everything."""

    index: dict[Any, Any]
    provinces: dict[Any, Any]
    episodes: list[Any]
    notices: list[Any]


def said(readings: ReadingBatch, arrival_s: np.ndarray[Any, Any]) -> Said:
    """Play readings in the order in which they arrive."""
    order = np.argsort(arrival_s, kind="stable")
    states: dict[str, dict[str, bytes]] = {}
    pipeline = Pipeline(PACK, registry(), lambda name: states.setdefault(name, {}), mode="exercise")
    moments, starts = np.unique(arrival_s[order], return_index=True)
    groups = np.split(order, starts[1:])
    slices = (Slice(int(moment), readings.take(rows)) for moment, rows in zip(moments, groups, strict=True))
    result = Said({}, {}, [], [])
    batches: list[ReadingBatch] = []
    for item in [*replay_arrivals(slices, lateness_s=LATENESS_S), Mark(END)]:
        if not isinstance(item, Mark):
            batches.append(item)
            continue
        for outcome in (*map(pipeline.accept, batches), pipeline.advance(item)):
            result.index.update(_latest(outcome.stations))
            result.provinces.update(_latest(outcome.provinces))
            result.episodes += outcome.episodes
            result.notices += outcome.notices
        batches = []
    return result


def _latest(items: Iterable[StationIndex | ProvinceState]) -> dict[Any, Any]:
    found = {}
    for item in items:
        if isinstance(item, StationIndex) and item.final and epoch_s(item.time) <= START_S + HOURS * HOUR_S:
            content = (item.index, item.dominant, item.sub, item.concentration, item.trailing_24h, item.index_24h)
            found[item.station, item.time, item.product] = content
        elif isinstance(item, ProvinceState) and epoch_s(item.time) <= START_S + HOURS * HOUR_S:
            found[item.province, item.time] = (item.condition, item.level, item.median_index, item.valid, item.stations)
    return found


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_repetition_and_disorder_within_the_lateness_change_nothing(seed: int) -> None:
    chance = np.random.Generator(np.random.PCG64(seed))
    readings = stagnation(chance)
    expected = said(readings, readings.time_s)
    assert {event.kind for event in expected.episodes} >= {"opened", "closed"}

    again = chance.integers(0, len(readings), len(readings) // 5)
    doubled = readings.take(np.concatenate((np.arange(len(readings)), again)))
    delayed = doubled.time_s + chance.integers(0, LATENESS_S + 1, len(doubled))
    found = said(doubled, delayed)
    assert found == expected


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.02, 0.3))
def test_late_data_end_in_the_same_index_and_the_same_province_states(seed: int, share: float) -> None:
    """Beyond the lateness decisions have been taken: they are followed by corrections, not rewritten."""
    chance = np.random.Generator(np.random.PCG64(seed))
    readings = stagnation(chance)
    expected = said(readings, readings.time_s)
    late = chance.random(len(readings)) < share
    delay = np.where(late, chance.integers(LATENESS_S + 1, LATEST_LATE_S, len(readings)), 0)
    found = said(readings, readings.time_s + delay)
    assert found.index == expected.index
    assert found.provinces == expected.provinces
    assert [e.kind for e in found.episodes if e.kind in ("opened", "closed")] == ["opened", "closed"]
