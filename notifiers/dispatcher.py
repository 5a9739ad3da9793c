"""The dispatcher: brings planned rows to their providers, survives both their failures and its own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Generic

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from notifiers import holding, upkeep
from notifiers.composer import Composer
from notifiers.deliveries import Mode
from notifiers.failpoints import failpoint
from notifiers.following import FollowUp
from notifiers.lane import Lane
from notifiers.messages import ActualMessage, Channel, M
from notifiers.publisher import OnChange, Publisher
from notifiers.settings import DispatchSettings
from notifiers.writer import Writer
from streams.clock import Clock, SystemClock
from streams.metrics import DELIVERIES

__all__ = ["Dispatcher", "OnChange"]

_log = structlog.get_logger(__name__)

_EXPIRE_EVERY_S = 10.0
_EXPIRE_REST = 30.0
"""Times as long as it took does expiring rest beside a long list: it looks at every planned row, which is half a second
and more for a million. Nothing that is over goes out meanwhile: it is not claimed any more."""
_FORGET_EVERY_S = 600.0  # what is kept for a day may be kept ten minutes longer
_RECOVER_EVERY_S = 30.0  # how often leases of other, perhaps dead, dispatchers are looked at
_AFTER_ERROR_S = 2.0  # what has failed rests so long while the others go on: a deadlock is over by then

_PUBLISH_EVERY = 4
"""Looks for new rows from one publication of changes to the next: one transaction for many rows, some seconds late."""


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
        self._mode: Mode = "actual" if accepts is ActualMessage else "exercise"
        self._clock, self._machine = clock, machine or SystemClock()
        self._worker = worker
        self._settings = settings or DispatchSettings()
        self._writer = Writer(engine)
        self._publisher = Publisher(engine, self._mode, self._writer, on_change)
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
        self._expire_at_s = 0.0
        self._forgotten_s: float | None = None
        self.alive_s = time.monotonic()
        """When the dispatcher last came round, on the monotonic clock; it does several times a minute unless stuck."""

    async def drain(self, patience_s: float = 60.0) -> dict[str, int]:
        """Work until nothing is left to send or to look up, at most ``patience_s`` beyond the last thing done.

        Returns what is still pending by state; all zero when everything has come to its end.
        """
        loop = asyncio.get_running_loop()
        last_done = loop.time()
        while True:
            ended = await self._cycle(lambda: False)
            await self._publisher.publish()
            if ended:
                last_done = loop.time()
                continue
            left = await self._publisher.count()
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
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._publisher.run(ended, _PUBLISH_EVERY * self._settings.poll_s))
            await self._send(stop)
            ended.set()

    async def _send(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                await self._cycle(stop.is_set)
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

        What fails - a lane, or the keeping up - rests for a moment while everything else goes on. Every lane comes to
        its end before the first error is raised: two cycles must not overlap on a lane.
        """
        ended, troubles = 0, _Troubles()
        await self._kept_up(troubles)
        running = {asyncio.create_task(lane.work(stopping)): lane for lane in self._lanes}
        while running:
            done, _ = await asyncio.wait(running, timeout=self._settings.poll_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                lane = running.pop(task)
                if error := task.exception():
                    troubles.had(lane.channel.name, error)
                else:
                    ended += task.result()
            if done or stopping():
                continue
            await self._kept_up(troubles, beside=True)
            resting = [lane for lane in self._lanes if lane not in running.values()]
            ready = [lane for lane in resting if not troubles.hold(lane.channel.name)]
            running |= {asyncio.create_task(lane.work(stopping)): lane for lane in ready}
        if troubles.first is not None:
            raise troubles.first
        return ended

    async def _kept_up(self, troubles: _Troubles, *, beside: bool = False) -> None:
        if troubles.hold("keeping up"):
            return
        try:
            await self._keep_up(beside=beside)
        except Exception as error:  # noqa: BLE001 - raised when the lanes have come to their end: messages go first
            troubles.had("keeping up", error)

    async def _keep_up(self, *, beside: bool = False) -> None:
        """What must go on however long a list is: now, or ``beside`` the sending, less often."""
        await self._recover()
        self.alive_s = time.monotonic()
        if not beside or time.monotonic() >= self._expire_at_s:
            took_s = await self._expire()
            self._expire_at_s = time.monotonic() + max(_EXPIRE_EVERY_S, _EXPIRE_REST * took_s)
        await self._escalate()
        await self._forget()

    async def _forget(self) -> None:
        now_s = self._machine.now_s()
        if self._forgotten_s is not None and now_s - self._forgotten_s < _FORGET_EVERY_S:
            return
        self._forgotten_s = now_s
        until_s = self._clock.now_s()
        while dropped := await self._writer.write(lambda db: upkeep.forget(db, until_s)):
            _log.info("sign-ups that nobody confirmed are forgotten", codes=dropped)

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

    async def _expire(self) -> float:
        """Returns the seconds it took of the database's time."""
        now_s = self._clock.now_s()

        def expired(connection: Connection) -> tuple[dict[str, int], float]:
            started_s = time.monotonic()
            return upkeep.expire(connection, self._mode, now_s), time.monotonic() - started_s

        by_channel, took_s = await self._writer.write(expired)
        await self._writer.write(lambda db: holding.release(db, self._mode, now_s))
        for channel, number in by_channel.items():
            DELIVERIES.labels(channel, "expired").inc(number)
        return took_s


class _Troubles:
    """What has failed in one cycle, and until when it rests."""

    def __init__(self) -> None:
        self.first: BaseException | None = None
        self._until_s: dict[str, float] = {}

    def had(self, what: str, error: BaseException) -> None:
        _log.error("the dispatcher goes on without it for a moment", failed=what, error=type(error).__name__)
        self.first = self.first or error
        self._until_s[what] = time.monotonic() + _AFTER_ERROR_S

    def hold(self, what: str) -> bool:
        return time.monotonic() < self._until_s.get(what, 0.0)
