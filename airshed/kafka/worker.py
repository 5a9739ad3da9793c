"""The worker: a Faust application with one agent per stage, started, watched and stopped by us."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

import faust
import structlog

from airshed.collector import calm
from airshed.kafka.agents import StageAgent
from airshed.kafka.settings import KafkaSettings, Security
from airshed.kafka.stages import StageSpec
from streams.transport.batches import FetchedBatch, Partition
from streams.transport.driver import BatchProducer
from streams.transport.tables import StateTable

log = structlog.get_logger()

SILENCE_CHECK_S = 1.0
"""How often silent sources are looked for: small against any grace, and costs nothing."""

QUEUED_BATCHES = 4
"""Fetched batches that may wait for an agent. A batch is up to ``fetch_bytes``: more would only use memory."""


class _Schema(faust.Schema[Any, Any]):
    """Messages come as fetched batches already; there is nothing to decode."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        return message.value


class Worker:
    """Runs stages over an existing cluster until told to stop.

    ``ready`` is set while the worker holds partitions and their state is recovered; ``failure`` says why it stopped
    by itself. At most one batch per stage is under way; stopping, or losing partitions, waits for it.
    """

    def __init__(self, settings: KafkaSettings, specs: Sequence[StageSpec]) -> None:
        self._settings = settings
        self.ready = asyncio.Event()
        self.failure: BaseException | None = None
        self._ended = asyncio.Event()
        self.app = _application(settings, self._resume_from)
        self._agents = [self._agent(spec) for spec in specs]
        self._locks = {agent.spec.name: asyncio.Lock() for agent in self._agents}
        self._closing = False
        self.app.on_partitions_revoked.connect(self._on_revoked)
        self.app.on_rebalance_complete.connect(self._on_complete)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then finish what is under way, commit and leave the group.

        Raises:
            Exception: whatever made the worker give up; no offset past it was committed.
        """
        calm()
        await self.app.start()
        watcher = asyncio.create_task(self._watch())
        waiting = [asyncio.create_task(event) for event in (stop.wait(), self._ended.wait(), self._crashed())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*waiting, watcher):
                task.cancel()
            await self._shut_down()
        if self.failure is not None:
            raise self.failure

    def _agent(self, spec: StageSpec) -> StageAgent:
        table = StateTable(self.app, spec.name, spec.source_partitions)
        self.app.tables.add(table)
        agent = StageAgent(spec, table, self._producer, self._settings)
        topic = self.app.topic(spec.source, schema=_Schema(), partitions=spec.source_partitions, internal=False)

        async def take(stream: Any) -> None:
            async for batch in stream.noack():
                await self._handle(agent, batch)

        self.app.agent(topic, name=spec.name, concurrency=1)(take)
        return agent

    def _resume_from(self, partition: Partition) -> int:
        by_source = {agent.spec.source: agent for agent in self._agents}
        return by_source[partition.topic].resume_from(partition.number)

    def _producer(self) -> BatchProducer:
        return cast(BatchProducer, self.app.producer)

    async def _handle(self, agent: StageAgent, batch: FetchedBatch) -> None:
        async with self._locks[agent.spec.name]:
            if not self._current(batch):
                return  # fetched before a rebalance, or while stopping: it comes again, to whoever holds it then
            try:
                await agent.handle(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops rather than skip
                self._fail(agent.spec.name, error)
        if self.failure is not None:
            # Never back to Faust: it would take the next batch, past this one.
            await asyncio.Event().wait()

    def _current(self, batch: FetchedBatch) -> bool:
        # Faust's own ``rebalancing`` is no guide: it is still set when the first batches after recovery arrive.
        in_force = batch.generation == self.app.consumer_generation_id and self.ready.is_set()
        return in_force and not self._closing and self.failure is None

    def _fail(self, stage: str, error: Exception) -> None:
        log.error("worker stops", stage=stage, error=str(error), exc_info=error)
        self.failure = self.failure or error
        self.ready.clear()
        self._ended.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SILENCE_CHECK_S)
            for agent in self._agents:
                async with self._locks[agent.spec.name]:
                    if self._closing or self.app.rebalancing or not self.ready.is_set():
                        continue
                    try:
                        await agent.look_for_silence()
                    except Exception as error:  # noqa: BLE001 - as above
                        self._fail(agent.spec.name, error)

    async def _crashed(self) -> None:
        await self.app.wait_until_stopped()
        self.failure = self.failure or self.app.crash_reason or RuntimeError("Faust stopped by itself")

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        """The group is being rebalanced: finish what is under way, commit it, and let go of all state in memory."""
        self.ready.clear()
        for lock in self._locks.values():
            async with lock:
                pass
        await self.app.consumer.commit()
        for agent in self._agents:
            agent.forget()

    async def _on_complete(self, *_: Any, **__: Any) -> None:
        self.ready.set()

    async def _shut_down(self) -> None:
        self._closing = True
        self.ready.clear()
        for lock in self._locks.values():
            async with lock:
                pass
        await self.app.stop()


async def run_worker(settings: KafkaSettings, specs: Sequence[StageSpec], stop: asyncio.Event) -> None:
    """The worker service, without health routes: works until ``stop`` is set.

    Raises:
        Exception: whatever made it stop by itself; the process should end with code 1.
    """
    await Worker(settings, specs).run(stop)


class _App(faust.App):
    """A Faust application that knows where its state ends, and leaves nothing in the folder it is started in."""

    resume_from: Callable[[Partition], int]

    def _create_directories(self) -> None:
        """None: state is in memory and in its changelog. Faust would make three, empty ones."""


def _application(settings: KafkaSettings, resume_from: Callable[[Partition], int]) -> faust.App:
    app = _App(
        settings.group,
        broker=[f"airshed://{address}" for address in settings.bootstrap],
        broker_credentials=_credentials(settings.security),
        broker_client_id=f"{settings.group}-{settings.worker}",
        consumer_group_instance_id=f"{settings.group}-{settings.worker}",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.fetch_bytes,
        broker_session_timeout=settings.session_s,
        broker_heartbeat_interval=min(3.0, settings.session_s / 4),
        broker_commit_interval=settings.commit_s,
        broker_max_poll_interval=300.0,
        producer_max_batch_size=262_144,
        producer_linger=0.0,
        stream_buffer_maxsize=QUEUED_BATCHES,
        stream_wait_empty=False,
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
        processing_guarantee="at_least_once",
    )
    app.resume_from = resume_from
    return app


def _credentials(security: Security) -> Any:
    if security.uses_sasl:
        return faust.SASLCredentials(
            username=security.username,
            password=security.password,
            mechanism=security.mechanism,
            ssl_context=security.tls_context(),
        )
    return faust.SSLCredentials(security.tls_context()) if security.uses_tls else None


def quiet() -> None:
    """Faust's and aiokafka's own logs: only what somebody must look at."""
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(logging.WARNING)
