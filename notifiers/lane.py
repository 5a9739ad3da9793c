"""One channel at work: claim, compose, write down, send, settle; and look up what was left unknown."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, cast

import structlog
from sqlalchemy import Connection

from notifiers import ledger
from notifiers.callbacks import STATE_OF_CALL, STATE_OF_STATUS
from notifiers.composer import Composer
from notifiers.deliveries import DeliveryState
from notifiers.errors import ChannelDownError, UnsendableError
from notifiers.failpoints import failpoint
from notifiers.ledger import UNKNOWABLE, Claimed, Mode, Moved, Phase
from notifiers.messages import Absent, Channel, Found, M, SmsText
from notifiers.pace import Backoff, Breaker, Rate
from notifiers.writer import Writer
from streams.clock import Clock
from streams.errors import DeliveryError, PermanentDeliveryError, RetryableDeliveryError, UnknownDeliveryError
from streams.metrics import DELIVERIES, PROVIDER_SECONDS

_log = structlog.get_logger(__name__)

UnknownPolicy = Literal["leave", "resend"]
"""What to do when nobody can tell whether a message arrived: ``leave`` it to an operator (never twice), or
``resend`` it (never lost; a mail carries the same Message-ID, so that most programmes show it once)."""

DEFAULT_POLICY: dict[str, UnknownPolicy] = {
    "advisory": "leave",
    "bulletin": "leave",
    "instruction": "resend",
    "request": "resend",
    "order-draft": "resend",
    "all-clear": "resend",
}


@dataclass(frozen=True)
class DispatchSettings:
    """How a dispatcher works.

    Attributes:
        lease_s: how long a claimed row is held; must exceed the longest time a send can take.
        poll_s: pause between looks for new rows when there is nothing to do.
        backoff / outage: waits after one message was refused for now / the whole channel was down.
        policy: by kind of notice, what happens to a message nobody can ask about.
    """

    lease_s: float = 120.0
    poll_s: float = 0.5
    backoff: Backoff = field(default_factory=Backoff)
    outage: Backoff = field(default_factory=lambda: Backoff(first_s=2.0, longest_s=60.0))
    policy: dict[str, UnknownPolicy] = field(default_factory=lambda: dict(DEFAULT_POLICY))


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
        self._accepts: type[M] = accepts
        self._mode, self._worker = mode, worker
        self._composer, self._writer = composer, writer
        self._clock, self._machine = clock, machine
        self._settings, self._chance = settings, chance
        self._breaker = Breaker(settings.outage)
        self._rate = Rate(channel.per_second)
        self._ended = 0

    async def work(self, stopping: Callable[[], bool]) -> int:
        """Send and look up until nothing is due (or, once ``stopping``, until what is under way has ended).

        Returns the number of rows that came to an end: a row that only went back to be tried again is no progress.
        Raises what the database raises.
        """
        ended_before = self._ended
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                jobs = [] if stopping() else await self._take(self.channel.concurrency - len(running))
                running |= {asyncio.create_task(job) for job in jobs}
                if not running:
                    return self._ended - ended_before
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in running:
                task.cancel()

    async def _take(self, free: int) -> list[Any]:
        """Jobs for the free places: look-ups first, because a lost answer is the one thing that is already late."""
        now_s = self._machine.now_s()
        free = min(free, self._breaker.allowed(now_s, self.channel.concurrency))
        if free <= 0:
            return []
        failpoint("before-claim")
        lookups = await self._writer.write(lambda db: ledger.claim_unknown(db, limit=free, **self._claim(now_s)))
        free -= len(lookups)
        rows, untold = await self._writer.write(lambda db: self._claim_rows(db, free, now_s)) if free else ([], 0)
        DELIVERIES.labels(self.channel.name, "suppressed").inc(untold)
        if not rows and not lookups:
            return [_nothing()] if untold else []
        failpoint("after-claim")
        composed = await asyncio.to_thread(self._composer.compose, lookups + rows, self._clock.now_s())
        jobs = [self._look_up(row, composed[row.id]) for row in lookups]
        return jobs + [self._send(row, composed[row.id]) for row in rows]

    def _claim(self, now_s: float) -> dict[str, Any]:
        return {
            "mode": self._mode,
            "channel": self.channel.name,
            "worker": self._worker,
            "lease_s": self._settings.lease_s,
            "machine_s": now_s,
        }

    def _claim_rows(self, connection: Connection, limit: int, now_s: float) -> tuple[list[Claimed], int]:
        rows = ledger.claim(connection, limit=limit, **self._claim(now_s))
        untold = [row for row in rows if row.kind == "all-clear" and not ledger.was_told(connection, row)]
        for row in untold:
            ledger.settle(connection, row, "suppressed", "not-told", now_s)
        return [row for row in rows if row not in untold], len(untold)

    async def _send(self, row: Claimed, composed: object) -> None:
        if isinstance(composed, UnsendableError):
            _log.error("message cannot be composed", delivery=row.id, reason=composed.reason, detail=str(composed))
            await self._settle(row, "failed", composed.reason)
            return
        message = self._checked(composed)
        parts = message.content.parts if isinstance(message.content, SmsText) else 1
        await asyncio.sleep(self._rate.wait_s(self._machine.now_s()))
        phase = cast(Phase, self.channel.phase)
        begun = await self._writer.write(
            lambda db: ledger.begin(db, row, self._worker, phase, self._machine.now_s(), message.digest)
        )
        if begun is not Moved.APPLIED:
            _log.warning("row was taken away before sending", delivery=row.id, reason=str(begun))
            return
        failpoint("after-sending-mark")
        started = time.perf_counter()
        try:
            receipt = await self.channel.send(message, lambda: self._enter_data(row))
        except DeliveryError as error:
            await self._failed(row, error, parts)
        except Exception as error:  # noqa: BLE001 - a defect in a channel: the message may be out; its text may hold a contact
            _log.error("defect in a channel", delivery=row.id, channel=self.channel.name, error=type(error).__name__)
            await self._failed(row, UnknownDeliveryError("defect", code="defect"), parts)
        else:
            failpoint("after-accept")
            if self._breaker.succeeded():
                _log.info("channel is back", channel=self.channel.name)
            await self._settle(row, "sent", "accepted", provider_id=receipt.provider_id, parts=parts)
            failpoint("after-settle")
        finally:
            PROVIDER_SECONDS.labels(self.channel.name).observe(time.perf_counter() - started)

    async def _enter_data(self, row: Claimed) -> None:
        entered = await self._writer.write(lambda db: ledger.enter_data(db, row))
        if entered is not Moved.APPLIED:  # a dispatcher that was paused too long: nothing has gone out yet, nor will it
            raise RetryableDeliveryError("the row was taken away", code="fenced")
        failpoint("after-data-mark")

    async def _failed(self, row: Claimed, error: DeliveryError, parts: int) -> None:
        now_s = self._machine.now_s()
        if isinstance(error, ChannelDownError):
            if self._breaker.failed(now_s, self._chance):
                _log.error("channel is down", channel=self.channel.name, code=error.code, remedy=error.remedy)
            await self._settle(row, "planned", error.code, due_s=now_s)
        elif isinstance(error, UnknownDeliveryError):
            due_s = now_s + self.channel.lookup_after_s
            await self._settle(row, "unknown", error.code, due_s=due_s, parts=parts)
        elif isinstance(error, RetryableDeliveryError):
            due_s = now_s + self._settings.backoff.wait_s(row.attempts + 1, self._chance)
            await self._settle(row, "planned", error.code, due_s=due_s)
        else:
            assert isinstance(error, PermanentDeliveryError), error
            await self._settle(row, "failed", error.code, parts=parts)

    async def _look_up(self, row: Claimed, composed: object) -> None:
        failpoint("before-reconcile")
        if isinstance(composed, UnsendableError):
            await self._settle(row, "unknown", UNKNOWABLE)
            return
        message = self._checked(composed)
        parts = message.content.parts if isinstance(message.content, SmsText) else 1
        try:
            answer = await self.channel.reconcile(message, self._taken)
        except RetryableDeliveryError as error:
            wait_s = self._settings.backoff.wait_s(row.attempts, self._chance)
            await self._settle(row, "unknown", error.code, due_s=self._machine.now_s() + wait_s)
            return
        _log.info("lost answer looked up", delivery=row.id, channel=self.channel.name, answer=type(answer).__name__)
        if isinstance(answer, Found):
            state = (STATE_OF_CALL if row.channel == "voice" else STATE_OF_STATUS).get(answer.status, "sent")
            reason = answer.error_code or ("accepted" if state == "sent" else answer.status)
            await self._settle(row, state, reason, provider_id=answer.provider_id, parts=parts)
        elif isinstance(answer, Absent) or self._settings.policy.get(row.kind, "leave") == "resend":
            await self._settle(row, "planned", "absent" if isinstance(answer, Absent) else "resend", due_s=0.0)
        else:
            await self._settle(row, "unknown", UNKNOWABLE)
        failpoint("after-reconcile")

    async def _taken(self, provider_ids: list[str]) -> set[str]:
        return await self._writer.write(lambda db: ledger.taken_ids(db, provider_ids))

    async def _settle(self, row: Claimed, state: DeliveryState, reason: str, **more: Any) -> None:
        """Settle, and count it if it happened."""
        now_s = self._machine.now_s()
        moved = await self._writer.write(lambda db: ledger.settle(db, row, state, reason, now_s, **more))
        if moved is Moved.APPLIED and state != "planned":
            self._ended += state != "unknown" or reason == UNKNOWABLE
            DELIVERIES.labels(self.channel.name, state).inc()
        elif moved is Moved.FENCED:
            _log.warning("late result of a row that was taken away", delivery=row.id, state=state, reason=reason)

    def _checked(self, composed: object) -> M:
        """The message as the type this lane may send; another mode's can only come here by a defect."""
        if not isinstance(composed, self._accepts):
            raise TypeError(f"a lane for {self._accepts.__name__} was given {type(composed).__name__}")
        return composed


async def _nothing() -> None:
    """Stands for a claim that ended at once, so that the next one is made."""
