"""One channel at work: claim what may go, hand it to the courier, and turn to another channel when this one is down."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, runtime_checkable

from sqlalchemy import Connection

from notifiers import claims, operators, switch
from notifiers.claims import Claimant, Taken
from notifiers.composer import Composer
from notifiers.courier import Courier
from notifiers.deliveries import Mode
from notifiers.failpoints import failpoint
from notifiers.fallback import divert
from notifiers.messages import Channel, M
from notifiers.operators import Occasion, OperatorEvent
from notifiers.settings import DispatchSettings
from notifiers.writer import Writer
from streams.clock import Clock
from streams.metrics import DELIVERIES

__all__ = ["DispatchSettings", "Lane"]

_BACK_AFTER_S = 900.0
"""How long the second provider keeps a channel before the first one is tried again: outages of providers take from some
minutes to hours, and each try that fails costs those who wait ``fallback_after_s``."""

_REFILL = 4
"""Rows are claimed when a fourth of the places is free: one claim for many rows, and still no place long empty."""


@runtime_checkable
class TwoProviders(Protocol):
    """A channel with a second provider behind it."""

    second_in_use: bool

    def use_second(self, yes: bool) -> None: ...


class Lane(Generic[M]):
    """Everything one dispatcher does for one channel."""

    def __init__(
        self,
        channel: Channel[M],
        accepts: type[M],
        mode: Mode,
        composer: Composer,
        writer: Writer,
        clock: Clock,
        machine: Clock,
        worker: str,
        settings: DispatchSettings,
        chance: random.Random,
    ) -> None:
        self.channel: Channel[M] = channel
        self.courier: Courier[M] = Courier(channel, accepts, mode, writer, machine, worker, settings, chance)
        self._claimant = Claimant(mode, channel.name, worker, settings.lease_s, settings.guard)
        self._composer, self._writer = composer, writer
        self._clock, self._machine = clock, machine
        self._settings = settings
        self._stopped = False
        self._turn = 0
        self._second_since_s = 0.0
        self.fallback: Lane[M] | None = None
        """The lane that takes the urgent messages when this one is down; set by the dispatcher."""

    async def work(self, stopping: Callable[[], bool]) -> int:
        """Send and look up until nothing is due (or, once ``stopping``, until what is under way has ended).

        Returns the number of rows that came to an end: a row that only went back to be tried again is no progress.
        Raises what the database raises, after what is under way has ended: a send that is cut off would be unknown.
        """
        await self._turn_aside()
        ended_before = self.courier.ended
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                jobs = [] if stopping() else await self._take(len(running))
                running |= {asyncio.create_task(job) for job in jobs}
                if not running:
                    return self.courier.ended - ended_before
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        except asyncio.CancelledError:
            for task in running:
                task.cancel()
            raise
        except Exception:
            if running:
                await asyncio.wait(running)
            raise

    async def _turn_aside(self) -> None:
        """When the channel has been down for long: another provider, or another channel for what is urgent."""
        breaker, now_s = self.courier.breaker, self._machine.now_s()
        second = self.channel if isinstance(self.channel, TwoProviders) else None
        if second is not None and second.second_in_use and now_s - self._second_since_s >= _BACK_AFTER_S:
            second.use_second(False)
            breaker.succeeded()  # what the second one met says nothing about the first
            says = "messages go through the first provider again"
            operators.tell(OperatorEvent(occasion=Occasion.CHANNEL_BACK, about=self.channel.name, says=says))
        if breaker.open_for_s(now_s) < self._settings.fallback_after_s or not breaker.is_open:
            return
        if second is not None and not second.second_in_use:
            second.use_second(True)
            self._second_since_s = now_s
            breaker.succeeded()  # what failed was the other provider
            says = "messages go through the second provider"
            operators.tell(OperatorEvent(occasion=Occasion.FALLBACK, about=self.channel.name, says=says))
            return
        if self.fallback is None or self.fallback.courier.breaker.is_open:
            return
        moved = 0
        while more := await self._writer.write(self._divert):
            moved += more
            failpoint("after-diversion")
        if moved:
            says = f"{moved} urgent messages go by {self.fallback.channel.name}"
            operators.tell(OperatorEvent(occasion=Occasion.FALLBACK, about=self.channel.name, says=says))

    def _divert(self, connection: Connection) -> int:
        assert self.fallback is not None
        if switch.position(connection).stopped:
            return 0
        return divert(connection, self._claimant.mode, self.channel.name, self.fallback.channel.name)

    async def _take(self, running: int) -> list[Coroutine[Any, Any, None]]:
        """Jobs for the free places: look-ups first, because a lost answer is the one thing that is already late."""
        now_s = self._machine.now_s()
        free = self.courier.free(now_s, running)
        if free <= 0 or (running and (self.channel.concurrency - running) * _REFILL < self.channel.concurrency):
            return []
        failpoint("before-claim")
        lookups = await self._writer.write(lambda db: claims.take_unknown(db, self._claimant, free, now_s))
        free -= len(lookups)
        taken = await self._claim(free, now_s) if free else Taken()
        if not taken.rows and not lookups:
            return [_nothing()] if taken.put_aside else []
        failpoint("after-claim")
        composed = await asyncio.to_thread(self._composer.compose, lookups + taken.rows, self._clock.now_s())
        jobs = [self.courier.look_up(row, composed[row.id]) for row in lookups]
        return jobs + [self.courier.send(row, composed[row.id]) for row in taken.rows]

    async def _claim(self, limit: int, machine_s: float) -> Taken:
        only_urgent, now_s = self.courier.only_urgent(machine_s), self._clock.now_s()
        self._turn += 1
        turn = self._turn
        taken = await self._writer.write(
            lambda db: claims.take(db, self._claimant, limit, machine_s, now_s, only_urgent=only_urgent, turn=turn)
        )
        for state, number in taken.put_aside.items():
            DELIVERIES.labels(self.channel.name, state).inc(number)
        if taken.stopped is not self._stopped:
            self._stopped = taken.stopped
            occasion = Occasion.STOPPED if taken.stopped else Occasion.RESUMED
            operators.tell(OperatorEvent(occasion=occasion, about="dispatch", says=taken.position))
        for storm in taken.storms:
            waits = "they wait for `airshed notices release`" if storm.held else "they are urgent and go out"
            says = f"{storm.messages} messages, more than {storm.threshold}: {waits}"
            operators.tell(OperatorEvent(occasion=Occasion.STORM_GUARD, about=storm.notice, says=says))
        return taken


async def _nothing() -> None:
    """Stands for a claim that ended at once, so that the next one is made."""
