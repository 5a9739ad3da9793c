"""Replays in memory: the same words as the runtime that keeps everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from airshed import dry
from airshed.local import store
from airshed.local.runtime import LocalRuntime
from airshed.pipeline import Outcome
from notifiers.database import connect
from streams.airsheds import Quantity
from streams.batches import ReadingBatch
from streams.gateway import replay
from streams.index_batches import IndexBatch, flattened
from streams.intake import Intake
from streams.provinces import ProvinceWatch
from streams.rolling import IndexStage
from streams.schemas import Mark, StationIndex
from streams.screening import Limits
from tests.airshed.test_order_and_repetition import PACK, registry, stagnation

Said = dict[str, list[bytes]]


def encoded(outcome: Outcome) -> Said:
    parts = {
        "stations": [item for item in outcome.stations if item.final],
        "provinces": outcome.provinces,
        "episodes": outcome.episodes,
        "notices": outcome.notices,
    }
    return {name: [msgspec.json.encode(item) for item in items] for name, items in parts.items()}


def dry_words(chunks: Sequence[ReadingBatch]) -> Said:
    whole = Outcome()
    for step in dry.play(chunks, PACK, registry()):
        whole.add(step.outcome)
    return encoded(whole)


def runtime_words(folder: Path, batch: ReadingBatch) -> Said:
    engine = connect(f"sqlite:///{folder / 'state.sqlite'}")
    runtime = LocalRuntime(engine, PACK, registry(), mode="exercise")
    detection = PACK.airshed.detection
    for item in replay(batch, step_s=detection.step_s, lateness_s=detection.lateness_s):
        if isinstance(item, Mark):
            runtime.take(mark=item)
        else:
            runtime.take([item])
    streams = {"stations": "index.stations", "provinces": "index.provinces", "episodes": "episodes"}
    with engine.connect() as connection:
        return {name: list(store.logged_lines(connection, streams.get(name, name))) for name in (*streams, "notices")}


def test_the_same_words_as_the_durable_runtime(tmp_path: Path) -> None:
    batch = stagnation(np.random.default_rng(1))
    said = dry_words([batch])
    assert said["episodes"]
    assert said["notices"]
    assert said == runtime_words(tmp_path, batch)


@pytest.mark.parametrize("quantity", ["index", "pm25_1h", "pm10_24h"])
def test_columns_and_records_lead_to_the_same_states(quantity: Quantity) -> None:
    """What the Kafka runtime does with records, and what one process does with columns."""
    batch = stagnation(np.random.default_rng(4))
    batch.value[batch.time_s % 7 == 0] = np.nan  # some hours without an index
    levels = [msgspec.structs.replace(level, quantity=quantity) for level in PACK.airshed.levels]
    airsheds, limits = [msgspec.structs.replace(PACK.airshed, levels=levels)], Limits()
    by_columns: list[dict[str, bytes]] = [{}, {}]
    by_records: list[dict[str, bytes]] = [{}, {}]
    columns_index, records_index = (
        Intake(IndexStage(registry(), airsheds, states[0], limits=limits)) for states in (by_columns, by_records)
    )
    columns_watch, records_watch = (
        ProvinceWatch(airsheds, registry(), states[1], limits.neighbours) for states in (by_columns, by_records)
    )
    for item in replay(batch):
        if not isinstance(item, Mark):
            columns_index.accept(item)
            records_index.accept(item)
            continue
        said = columns_index.advance_in_columns(item)
        records = records_index.advance(item)
        assert flattened(said) == records
        columns_watch.accept_columns([piece for piece in said if isinstance(piece, IndexBatch)])
        records_watch.accept([record for record in records if isinstance(record, StationIndex)])
        assert columns_watch.advance(item) == records_watch.advance(item)
    assert by_columns == by_records


@pytest.mark.parametrize("pieces", [2, 7])
def test_chunks_of_a_recording_change_nothing(pieces: int) -> None:
    batch = stagnation(np.random.default_rng(2))
    ordered = batch.take(np.argsort(batch.time_s, kind="stable"))
    cuts = np.array_split(np.arange(len(batch)), pieces)
    assert dry_words([ordered.take(cut) for cut in cuts]) == dry_words([batch])


def test_readings_that_cannot_count_are_told_with_their_step() -> None:
    batch = stagnation(np.random.default_rng(3))
    spoilt = batch.value.copy()
    spoilt[5] = 5e8
    steps = list(dry.play([ReadingBatch(*(*_columns(batch)[:4], spoilt, batch.status))], PACK, registry()))
    assert sum(step.readings for step in steps) == len(batch)
    assert [item.reason for step in steps for item in step.rejected] == ["out-of-range"]


def _columns(batch: ReadingBatch) -> tuple[np.ndarray, ...]:
    return (batch.station, batch.pollutant, batch.time_s, batch.period_s, batch.value, batch.status)
