"""One agent per stage: what happens to a fetched batch, from its bytes to its finished offsets."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from airshed.kafka.limits import RejectionLimits, TooManyRejectedError, Verdict
from airshed.kafka.runner import StageRunner, Work, next_offset
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.silence import SilenceWatch
from airshed.kafka.stages import StageSpec
from streams import metrics
from streams.clock import epoch_s
from streams.errors import AirshedError
from streams.transport.batches import FetchedBatch
from streams.transport.driver import BatchProducer
from streams.transport.tables import StateTable

log = structlog.get_logger()


class LostBatchError(AirshedError):
    """A fetched batch never reached its agent. Starting the worker again reads it again; nothing was skipped."""


class StageAgent:
    """Runs a stage over the partitions this worker holds, one batch at a time.

    The order of every batch, and what a crash after each step leaves:

    1. the stage is run; nothing has left memory yet: the batch is repeated from the same state;
    2. outputs are produced and acknowledged: they will be said again, word for word, and told apart by identity;
    3. state is written to the changelog and acknowledged: what is complete in it is skipped, the rest repeated;
    4. the batch is finished and its offsets may be committed: nothing is repeated.
    """

    def __init__(
        self, spec: StageSpec, table: StateTable, producer: Callable[[], BatchProducer], settings: KafkaSettings
    ) -> None:
        self.spec = spec
        self.table = table
        self._producer = producer
        self._settings = settings
        self._runners: dict[int, StageRunner] = {}
        self._limits: dict[int, RejectionLimits] = {}
        self._silence: dict[int, SilenceWatch] = {}

    async def handle(self, batch: FetchedBatch) -> None:
        """Take one batch through all four steps.

        Raises:
            LostBatchError: the batch is not the next one; nothing was done.
            TooManyRejectedError: the input is not usable; the batch is not finished.
            Exception: a defect, or a cluster that does not answer; the worker must stop.
        """
        if not batch.turn.come():
            raise LostBatchError(f"a batch before {batch.partition.place(batch.records[0].offset)} got lost on its way")
        partition = batch.partition.number
        runner = self._runner(partition)
        started = time.perf_counter()
        work = runner.take(batch.records)
        metrics.STAGE_SECONDS.labels(self.spec.name).observe(time.perf_counter() - started)
        self._judge(partition, work)
        await self._make_durable(runner, work)
        batch.turn.finish()
        watch = self._silence.setdefault(partition, SilenceWatch(self._settings.grace_s))
        for mark in work.marks:
            watch.observe(mark, time.monotonic())

    async def look_for_silence(self) -> None:
        """Give up sources whose grace has run out. Called between batches, never during one."""
        for partition, watch in self._silence.items():
            for source in watch.silent(time.monotonic()):
                runner = self._runner(partition)
                log.warning("source given up", stage=self.spec.name, partition=partition, source=source)
                metrics.GRACE_EXPIRED.labels(self.spec.name).inc()
                await self._make_durable(runner, runner.give_up(source))

    def resume_from(self, partition: int) -> int:
        """Offset of the source at which the state of a partition ends; 0 without state."""
        return next_offset(self.table.store.slice(partition))

    def forget(self) -> None:
        """Partitions are being moved: stages are rebuilt from the table when their next batch comes."""
        self._runners.clear()
        self._silence.clear()

    def _runner(self, partition: int) -> StageRunner:
        if partition not in self._runners:
            self._runners[partition] = StageRunner(self.spec, partition, self.table.store.slice(partition))
        return self._runners[partition]

    async def _make_durable(self, runner: StageRunner, work: Work) -> None:
        await self._producer().send_all(work.outgoing)
        await self.table.write(runner.partition, work.writes)
        runner.settle()
        self._count(runner, work)

    def _judge(self, partition: int, work: Work) -> None:
        limits = self._limits.get(partition)
        if limits is None:
            chosen = self._settings
            limits = RejectionLimits(ratio=chosen.reject_ratio, run=chosen.reject_run, window=chosen.reject_window)
            self._limits[partition] = limits
        verdict = limits.count(work.taken, work.unusable)
        if verdict is not Verdict.FINE:
            raise TooManyRejectedError(
                f"{self.spec.source}/{partition}: {verdict}; the latest: {work.rejected[-1].message}. "
                "Mend the feed or the registry, then start the worker again: nothing was lost"
            )

    def _count(self, runner: StageRunner, work: Work) -> None:
        for item in work.rejected:
            metrics.REJECTED.labels(item.reason).inc()
        if self.spec.name == "index" and work.rejected:
            metrics.READINGS.labels("rejected").inc(len(work.rejected))
        if work.marks:
            metrics.EVENT_TIME.labels(self.spec.name).set(epoch_s(work.marks[-1].time))
        if self.spec.after is not None:
            self.spec.after(runner.stage, work.said)
