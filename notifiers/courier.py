"""One message on its way: wait for its start, write the attempt down, send, settle; or ask what became of it."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Generic, cast

import structlog
from sqlalchemy import Connection, RootTransaction

from notifiers import ledger, operators, pacing, switch
from notifiers.callbacks import STATE_OF_CALL, STATE_OF_STATUS, apply_status
from notifiers.composer import UNREADABLE
from notifiers.deliveries import DeliveryState, Mode
from notifiers.errors import ChannelDownError, MissingKeyError, UnsendableError
from notifiers.failpoints import failpoint
from notifiers.guard import URGENT
from notifiers.ledger import SECOND_TRY_CODES, UNKNOWABLE, Claimed, Phase
from notifiers.messages import Absent, Channel, Found, M, SmsText
from notifiers.moves import Moved
from notifiers.operators import Occasion, OperatorEvent
from notifiers.pace import Breaker
from notifiers.pacing import Limit, Start
from notifiers.settings import ChannelPace, DispatchSettings
from notifiers.undelivered import SecondTries
from notifiers.writer import Writer
from streams.clock import Clock
from streams.errors import DeliveryError, PermanentDeliveryError, RetryableDeliveryError, UnknownDeliveryError
from streams.metrics import DELIVERIES, PROVIDER_SECONDS

_log = structlog.get_logger(__name__)

_MINUTE_S = 60.0


class Courier(Generic[M]):
    """Brings claimed rows of one channel to their end. Keeps the channel's breaker and knows how full the minute is."""

    def __init__(
        self,
        channel: Channel[M],
        accepts: type[M],
        mode: Mode,
        writer: Writer,
        machine: Clock,
        worker: str,
        settings: DispatchSettings,
        chance: random.Random,
    ) -> None:
        self.channel: Channel[M] = channel
        self.breaker = Breaker(settings.outage)
        self.pace = settings.paces.get(channel.name, ChannelPace(per_second=channel.per_second))
        self.ended = 0
        self._accepts: type[M] = accepts
        self._mode, self._worker = mode, worker
        self._writer, self._machine = writer, machine
        self._settings, self._chance = settings, chance
        self._next_start_s = 0.0
        self._full_until_s = 0.0
        self._asked_in: RootTransaction | None = None
        self._stopped = False

    def free(self, machine_s: float, running: int) -> int:
        """How many more messages may be begun: what the breaker, the channel and its pace allow within a second.

        No more are claimed than can start soon: what lies claimed cannot be overtaken by something urgent.
        """
        free = min(self.channel.concurrency - running, self.breaker.allowed(machine_s, self.channel.concurrency))
        rates = [rate for rate in (self.pace.per_second, self.pace.segments_per_second) if rate > 0]
        if rates and free > 0:
            soon_s = machine_s + 1.0 - self._next_start_s
            free = min(free, max(1, int(min(rates) * soon_s)) if soon_s >= 0 else 0)
        return free

    def only_urgent(self, machine_s: float) -> bool:
        """Whether the ceiling of this minute is reached."""
        return machine_s < self._full_until_s

    async def send(self, row: Claimed, composed: object) -> None:
        """Send a claimed row and write down what came of it."""
        if isinstance(composed, UnsendableError):
            await self._not_composed(row, composed)
            return
        message = self._checked(composed)
        parts = message.content.parts if isinstance(message.content, SmsText) else 1
        if not await self._started(row, parts):
            return
        begun = await self._writer.write(lambda db: self._begin(db, row, message.digest))
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
            if self.breaker.succeeded():
                _tell(Occasion.CHANNEL_BACK, self.channel.name)
            await self.settle(row, "sent", "accepted", provider_id=receipt.provider_id, parts=parts)
            failpoint("after-settle")
        finally:
            PROVIDER_SECONDS.labels(self.channel.name).observe(time.perf_counter() - started)

    async def look_up(self, row: Claimed, composed: object) -> None:
        """Ask the provider what became of a message whose answer was lost."""
        failpoint("before-reconcile")
        if isinstance(composed, MissingKeyError):
            await self._not_asked(row, composed.reason)
            return
        if isinstance(composed, UnsendableError):
            await self.settle(row, "unknown", UNKNOWABLE)
            return
        message = self._checked(composed)
        parts = message.content.parts if isinstance(message.content, SmsText) else 1
        try:
            answer = await self.channel.reconcile(message, self._taken)
        except RetryableDeliveryError as error:
            await self._not_asked(row, error.code)
            return
        except Exception as error:  # noqa: BLE001 - a defect in a channel: asked again later, like any that failed
            _log.error("defect in a channel", delivery=row.id, channel=self.channel.name, error=type(error).__name__)
            await self._not_asked(row, "defect")
            return
        _log.info("lost answer looked up", delivery=row.id, channel=self.channel.name, answer=type(answer).__name__)
        if isinstance(answer, Found):
            state = (STATE_OF_CALL if row.channel == "voice" else STATE_OF_STATUS).get(answer.status, "sent")
            reason = answer.error_code or ("accepted" if state == "sent" else answer.status)
            if reason in SECOND_TRY_CODES:
                await self._not_delivered(row, answer)
            else:
                await self.settle(row, state, reason, provider_id=answer.provider_id, parts=parts)
        elif isinstance(answer, Absent) or self._settings.policy.get(row.kind, "leave") == "resend":
            await self.settle(row, "planned", "absent" if isinstance(answer, Absent) else "resend", due_s=0.0)
        else:
            await self.settle(row, "unknown", UNKNOWABLE)
        failpoint("after-reconcile")

    async def _not_delivered(self, row: Claimed, found: Found) -> None:
        """What was looked up has ended by a code that is not the end: as if a callback had told it."""
        how, now_s = self._settings, self._machine.now_s()
        tries = SecondTries(how.policy, how.fallbacks, how.again_after_s)
        said = (found.provider_id, found.status, found.error_code)
        moved = await self._writer.write(lambda db: apply_status(db, row.id, *said, tries=tries, now_s=now_s))
        self.ended += 1
        if moved is Moved.APPLIED:
            DELIVERIES.labels(self.channel.name, "failed").inc()

    async def _not_asked(self, row: Claimed, code: str) -> None:
        wait_s = self._settings.backoff.wait_s(row.attempts, self._chance)
        await self.settle(row, "unknown", code, due_s=self._machine.now_s() + wait_s)

    async def _not_composed(self, row: Claimed, error: UnsendableError) -> None:
        """It fails; but without any key nothing does: the channel waits until there is one."""
        _log.error("message cannot be composed", delivery=row.id, reason=error.reason, detail=str(error))
        if isinstance(error, MissingKeyError):
            await self._failed(row, ChannelDownError(str(error), code=error.reason, remedy=error.remedy), 0)
            return
        await self.settle(row, "failed", error.reason)
        if error.reason == UNREADABLE:
            _tell(Occasion.UNREADABLE, self.channel.name, f"delivery {row.id} of {row.recipient} is the newest")

    async def settle(self, row: Claimed, state: DeliveryState, reason: str, **more: Any) -> None:
        """Settle, and count it if it happened."""
        now_s = self._machine.now_s()
        moved = await self._writer.write(lambda db: ledger.settle(db, row, state, reason, now_s, **more))
        if moved is Moved.APPLIED and state != "planned":
            self.ended += state != "unknown" or reason == UNKNOWABLE
            if reason == UNKNOWABLE:
                _tell(Occasion.UNKNOWABLE, f"{self.channel.name}, {row.kind}", f"delivery {row.id} is the newest")
            DELIVERIES.labels(self.channel.name, state).inc()
        elif moved is Moved.FENCED:
            _log.warning("late result of a row that was taken away", delivery=row.id, state=state, reason=reason)

    async def _started(self, row: Claimed, parts: int) -> bool:
        """Wait for the start of a message. False when there is none for it soon: the row goes back."""
        limits = self._limits(parts)
        if not limits:
            return True
        urgent, now_s = row.priority <= URGENT, self._machine.now_s()
        start = await self._writer.write(lambda db: pacing.reserve(db, limits, now_s, urgent=urgent))
        self._next_start_s = start.at_s
        if start.minute_is_full:
            self._full_until_s = (now_s // _MINUTE_S + 1) * _MINUTE_S
            self._tell_ceiling()
            if not urgent:
                await self.settle(row, "planned", "ceiling", due_s=self._full_until_s)
                return False
        return await self._waited(row, start)

    async def _waited(self, row: Claimed, start: Start) -> bool:
        wait_s = start.at_s - self._machine.now_s()
        if wait_s > self._settings.lease_s / 2:  # others have filled the queue: rather later than with a lost lease
            await self.settle(row, "planned", "pace", due_s=start.at_s)
            return False
        await asyncio.sleep(max(wait_s, 0.0))
        return True

    def _limits(self, parts: int) -> list[Limit]:
        pace, key = self.pace, f"{self._mode}:{self.channel.name}"
        limits = []
        if pace.per_second > 0 or pace.per_minute > 0:
            limits.append(Limit(key, pace.per_second, pace.per_minute))
        if pace.segments_per_second > 0:
            limits.append(Limit(f"{key}:{self.channel.sender}", pace.segments_per_second, units=parts))
        return limits

    def _begin(self, connection: Connection, row: Claimed, content: str) -> Moved:
        """Mark the attempt, unless all sending has been stopped since the row was claimed."""
        now_s = self._machine.now_s()
        if self._is_stopped(connection):
            ledger.settle(connection, row, "planned", "stopped", now_s, due_s=now_s)
            return Moved.FENCED
        phase, lease_s = cast(Phase, self.channel.phase), self._settings.lease_s
        return ledger.begin(connection, row, self._worker, phase, now_s, content, lease_s=lease_s)

    def _is_stopped(self, connection: Connection) -> bool:
        """Whether all sending is stopped; asked once for all that begins in one transaction."""
        transaction = connection.get_transaction()
        if transaction is not self._asked_in:
            self._asked_in, self._stopped = transaction, switch.position(connection).stopped
        return self._stopped

    async def _enter_data(self, row: Claimed) -> None:
        now_s, lease_s = self._machine.now_s(), self._settings.lease_s
        entered = await self._writer.write(lambda db: ledger.enter_data(db, row, now_s, lease_s=lease_s))
        if entered is not Moved.APPLIED:  # a dispatcher that was paused too long: nothing has gone out yet, nor will it
            raise RetryableDeliveryError("the row was taken away", code="fenced")
        failpoint("after-data-mark")

    async def _failed(self, row: Claimed, error: DeliveryError, parts: int) -> None:
        now_s = self._machine.now_s()
        if isinstance(error, ChannelDownError):
            if self.breaker.failed(now_s, self._chance):
                _tell(Occasion.CHANNEL_DOWN, self.channel.name, f"provider code {error.code}", error.remedy)
            await self.settle(row, "planned", error.code, due_s=now_s)
        elif isinstance(error, UnknownDeliveryError):
            due_s = now_s + self.channel.lookup_after_s
            await self.settle(row, "unknown", error.code, due_s=due_s, parts=parts)
        elif isinstance(error, RetryableDeliveryError):
            due_s = now_s + self._settings.backoff.wait_s(row.attempts + 1, self._chance)
            await self.settle(row, "planned", error.code, due_s=due_s)
        else:
            assert isinstance(error, PermanentDeliveryError), error
            await self.settle(row, "failed", error.code, parts=parts)

    async def _taken(self, provider_ids: list[str]) -> set[str]:
        return await self._writer.write(lambda db: ledger.taken_ids(db, provider_ids))

    def _tell_ceiling(self) -> None:
        per_minute = self.pace.per_minute
        _tell(Occasion.CEILING, self.channel.name, f"{per_minute} messages in one minute; urgent ones go on")

    def _checked(self, composed: object) -> M:
        """The message as the type this lane may send; another mode's can only come here by a defect."""
        if not isinstance(composed, self._accepts):
            raise TypeError(f"a lane for {self._accepts.__name__} was given {type(composed).__name__}")
        return composed


def _tell(occasion: Occasion, about: str, says: str = "", remedy: str = "") -> None:
    operators.tell(OperatorEvent(occasion=occasion, about=about, says=says, remedy=remedy))
