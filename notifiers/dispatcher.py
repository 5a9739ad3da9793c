"""The dispatcher: brings planned rows to their providers, survives both their failures and its own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifiers import holding, reports, upkeep
from notifiers.composer import Composer
from notifiers.database import reading
from notifiers.deliveries import Delivery
from notifiers.failpoints import failpoint
from notifiers.following import FollowUp
from notifiers.lane import Lane
from notifiers.ledger import Mode
from notifiers.messages import ActualMessage, Channel, M
from notifiers.settings import DispatchSettings
from notifiers.writer import Writer
from streams.clock import Clock, SystemClock
from streams.metrics import DELIVERIES, DELIVERIES_PENDING

_log = structlog.get_logger(__name__)

OnChange = Callable[[list[Delivery]], Awaitable[None]]
"""Told of deliveries that changed; when it returns they are confirmed as published. What it was told but had not
confirmed before a crash comes again, so it must take repeats."""

_EXPIRE_EVERY_S = 10.0  # beside a long list: a look at every planned row, which takes a tenth of a second per million
_RECOVER_EVERY_S = 30.0  # how often leases of other, perhaps dead, dispatchers are looked at


class Dispatcher(Generic[M]):
    """Sends what is planned in one mode. Any number may work on one ledger, each under a name of its own.

    Build and use it inside one event loop. ``clock`` is the clock of ``valid_until`` (event time in a replay);
    ``machine`` is the clock of leases and back-off, which are matters of this machine.
    """

    def __init__(
        self,
        engine: Engine,
        channels: Sequence[Channel[M]],
        composer: Composer,
        *,
        accepts: type[M],
        clock: Clock,
        worker: str,
        settings: DispatchSettings | None = None,
        on_change: OnChange | None = None,
        machine: Clock | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._mode: Mode = "actual" if accepts is ActualMessage else "exercise"
        self._clock, self._machine = clock, machine or SystemClock()
        self._worker = worker
        self._settings = settings or DispatchSettings()
        self._on_change = on_change
        self._writer = Writer(engine)
        chance = chance or random.Random()
        self._lanes: list[Lane[M]] = [
            Lane(
                channel,
                accepts,
                self._mode,
                composer,
                self._writer,
                clock,
                self._machine,
                worker,
                self._settings,
                chance,
            )
            for channel in channels
        ]
        by_name = {lane.channel.name: lane for lane in self._lanes}
        for name, other in self._settings.fallbacks.items():
            if name in by_name and other in by_name:
                by_name[name].fallback = by_name[other]
        self._follow_up = FollowUp(self._mode, self._settings.escalations, set(by_name))
        self._recovered_s: float | None = None
        self._escalated_s: float | None = None
        self._expired_s = 0.0
        self.alive_s = time.monotonic()
        """When the dispatcher last came round, on the monotonic clock; it does several times a minute unless stuck."""

    async def drain(self, patience_s: float = 60.0) -> dict[str, int]:
        """Work until nothing is left to send or to look up, at most ``patience_s`` beyond the last thing done.

        Returns what is still pending by state; all zero when everything has come to its end.
        """
        loop = asyncio.get_running_loop()
        last_done = loop.time()
        while True:
            if await self._cycle(lambda: False):
                last_done = loop.time()
                continue
            left = await self._pending()
            if not any(left.values()):
                return left
            if loop.time() - last_done > patience_s:
                _log.warning("messages are left over", **left)
                return left
            await asyncio.sleep(min(self._settings.poll_s, 0.1))

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then finish what is under way and return.

        Survives a database that is away and an ``on_change`` that fails: both are tried again, less and less often.
        """
        failures = 0
        while not stop.is_set():
            try:
                await self._cycle(stop.is_set)
                await self._pending()
                failures = 0
            except SQLAlchemyError as error:
                failures += 1
                _log.error("database cannot be used", error=type(error).__name__, remedy="check database.url")
            except Exception as error:  # noqa: BLE001 - whatever it is, other messages must still go out
                failures += 1
                _log.error("dispatching failed, will go on", error=type(error).__name__, detail=str(error)[:200])
            wait_s = min(self._settings.poll_s * 2 ** min(failures, 6), 30.0)
            try:
                await asyncio.wait_for(stop.wait(), wait_s)
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Give up connections and the writing thread. Does not wait for anything to be sent."""
        for lane in self._lanes:
            await lane.channel.close()
        await asyncio.to_thread(self._writer.close)

    async def _cycle(self, stopping: Callable[[], bool]) -> int:
        """Work until no lane has anything to do. A lane that has ended looks again while others are still busy: what
        is urgent on one channel must not wait for a long list on another. Returns the rows that came to an end.

        Every lane comes to its end before an error of one is raised: two cycles must not overlap on a lane.
        """
        await self._keep_up()
        ended, errors = 0, list[BaseException]()
        running = {asyncio.create_task(lane.work(stopping)): lane for lane in self._lanes}
        while running:
            done, _ = await asyncio.wait(running, timeout=self._settings.poll_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del running[task]
                error = task.exception()
                errors += [error] if error else []
                ended += 0 if error else task.result()
            if done or errors or stopping():
                continue
            try:
                await self._keep_up(beside=True)
            except Exception as error:  # noqa: BLE001 - raised below, when the lanes have come to their end
                errors.append(error)
            resting = [lane for lane in self._lanes if lane not in running.values()]
            running |= {asyncio.create_task(lane.work(stopping)): lane for lane in resting}
        if errors:
            raise errors[0]
        await self._publish()
        return ended

    async def _keep_up(self, *, beside: bool = False) -> None:
        """What must go on however long a list is: now, or ``beside`` the sending, less often."""
        await self._recover()
        self.alive_s = time.monotonic()
        now_s = self._machine.now_s()
        if not beside or now_s - self._expired_s >= _EXPIRE_EVERY_S:
            self._expired_s = now_s
            await self._expire()
        await self._escalate()

    async def _escalate(self) -> None:
        now_s = self._clock.now_s()
        if not self._settings.escalations or (self._escalated_s is not None and now_s - self._escalated_s < 1.0):
            return
        await self._writer.write(lambda db: self._follow_up.turn(db, now_s))
        failpoint("after-escalation")
        self._escalated_s = now_s

    async def _recover(self) -> None:
        """At the first call take back this worker's own rows, later those whose holder let the lease run out."""
        now_s = self._machine.now_s()
        if self._recovered_s is not None and now_s - self._recovered_s < _RECOVER_EVERY_S:
            return
        worker = self._worker if self._recovered_s is None else None
        lookup_after_s = max((lane.channel.lookup_after_s for lane in self._lanes), default=0.0)
        back = await self._writer.write(lambda db: upkeep.recover(db, worker, now_s, lookup_after_s))
        self._recovered_s = now_s
        if any(back.values()):
            _log.info("rows of a dead dispatcher taken back", **back)

    async def _expire(self) -> None:
        now_s = self._clock.now_s()
        by_channel = await self._writer.write(lambda db: upkeep.expire(db, self._mode, now_s))
        await self._writer.write(lambda db: holding.release(db, self._mode, now_s))
        for channel, number in by_channel.items():
            DELIVERIES.labels(channel, "expired").inc(number)

    async def _pending(self) -> dict[str, int]:
        def read() -> dict[str, int]:
            with reading(self._engine) as connection:
                return reports.pending(connection, self._mode)

        counted = await asyncio.to_thread(read)
        for state, number in counted.items():
            DELIVERIES_PENDING.labels(state).set(number)
        return counted

    async def _publish(self) -> None:
        if self._on_change is None:
            return
        while told := await asyncio.to_thread(self._unpublished):
            await self._on_change([delivery for delivery, _ in told])
            confirmed = [(delivery.id, revision) for delivery, revision in told]
            await self._writer.write(partial(reports.mark_published, told=confirmed))

    def _unpublished(self) -> list[tuple[Delivery, int]]:
        with reading(self._engine) as connection:
            return reports.unpublished(connection, self._mode)
