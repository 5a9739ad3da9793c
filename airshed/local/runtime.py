"""The local runtime: takes slices of input through every stage, one database transaction each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from airshed.local import store
from airshed.pipeline import Outcome, Pipeline, untimely
from rules.model import Pack
from rules.notices import Notice
from rules.shelf import Shelf
from streams import metrics
from streams.batches import ReadingBatch
from streams.schemas import EpisodeEvent, Mark, Rejected
from streams.screening import Limits
from streams.stations import StationRegistry

Heard = Callable[[sa.Connection, EpisodeEvent], None]
"""Keeps, in the caller's transaction, how an episode stands now; idempotent."""

Plan = Callable[[sa.Connection, Notice], int]
"""Writes the ledger rows of a notice in the caller's transaction; idempotent; returns the rows written."""

STAGES = ("index", "provinces", "episodes", "rules")


class LocalRuntime:
    """One process, one database.

    ``take`` is atomic: after a crash at any point a new runtime on the same database carries on as if the slice had
    been taken wholly or not at all. Calls must come from one thread, one at a time. An exception out of ``take``
    leaves memory ahead of the database: drop the runtime and make a new one.
    """

    def __init__(
        self,
        engine: sa.Engine,
        pack: Pack,
        registry: StationRegistry,
        *,
        mode: Any,
        plan: Plan | None = None,
        heard: Heard | None = None,
        extra_states: Sequence[str] = (),
        provisional: bool = False,
        limits: Limits | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        store.metadata.create_all(engine)
        self._engine = engine
        self._plan, self._heard = plan, heard
        self._registry = registry
        with engine.connect() as connection:
            self.states = {name: store.StageState(name, connection) for name in (*STAGES, *extra_states)}
        self.pipeline = Pipeline(
            pack, registry, self.states.__getitem__, mode=mode, provisional=provisional, limits=limits, shelf=shelf
        )

    def take(
        self,
        batches: Sequence[ReadingBatch] = (),
        mark: Mark | None = None,
        rejected: Sequence[Rejected] = (),
        progress: tuple[str, store.Progress] | None = None,
        now_s: float | None = None,
    ) -> Outcome:
        """Take readings and then, maybe, a mark; keep what was said, what was refused and how far the input is."""
        outcomes = [self.pipeline.accept(batch) for batch in batches]
        refused = [*rejected]
        for batch, outcome in zip(batches, outcomes, strict=True):
            refused += untimely(batch, outcome.untimely, self._registry)
        if mark is not None:
            outcomes.append(self.pipeline.advance(mark, now_s))
        whole = Outcome()
        for outcome in outcomes:
            whole.add(outcome)
        with self._engine.begin() as connection:
            self._keep(connection, whole, refused)
            if progress is not None:
                store.write_progress(connection, *progress)
        metrics.READINGS.labels("rejected").inc(len(rejected))
        for item in refused:
            metrics.REJECTED.labels(item.reason).inc()
        return whole

    def _keep(self, connection: sa.Connection, outcome: Outcome, rejected: Sequence[Rejected]) -> None:
        for batch in outcome.indices:
            if batch.occasion.final:
                store.log_events(connection, "index.stations", batch.records())
        store.log_events(connection, "index.provinces", outcome.provinces)
        store.log_events(connection, "index.days", outcome.days)
        store.log_events(connection, "episodes", outcome.episodes)
        store.log_events(connection, "notices", outcome.notices)
        store.log_rejected(connection, rejected)
        if self._heard is not None:
            for event in outcome.episodes:
                self._heard(connection, event)
        if self._plan is not None:
            for notice in outcome.notices:
                self._plan(connection, notice)
        for state in self.states.values():
            state.flush(connection)
