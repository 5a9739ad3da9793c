"""What a provider says later about a message it took: repeated, disordered, sometimes before its own answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, update

from notifiers import suppressions
from notifiers.deliveries import DeliveryState
from notifiers.inbound import first_time
from notifiers.ledger import SECOND_TRY_CODES, ended_id
from notifiers.moves import Moved, end_attempt
from notifiers.tables import heard, ledger
from notifiers.transitions import sources
from notifiers.undelivered import Next, SecondTries, reason_of

STATE_OF_STATUS: dict[str, DeliveryState] = {
    "accepted": "sent",
    "scheduled": "sent",
    "queued": "sent",
    "sending": "sent",
    "sent": "sent",
    "partially_delivered": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
"""Twilio's message statuses. ``delivered`` is the carrier's acknowledgement, not proof that somebody read it."""

STATE_OF_CALL: dict[str, DeliveryState] = {
    "queued": "sent",
    "initiated": "sent",
    "ringing": "sent",
    "in-progress": "sent",
    "answered": "sent",
    "completed": "delivered",
    "busy": "failed",
    "no-answer": "failed",
    "failed": "failed",
    "canceled": "failed",
}
"""Twilio's call statuses. ``completed`` says that somebody, or a mailbox, took the call; only a digit says who."""
ACKNOWLEDGED = "acknowledged"
"""Reason of a call whose recipient pressed the digit."""


class Heard(StrEnum):
    """What came of a callback beyond moving the row."""

    UNKNOWN_STATUS = "unknown-status"
    OTHER_DIGIT = "other-digit"
    OTHER_MESSAGE = "other-message"  # the provider holds a second message for this delivery: tell an operator
    TRIES_AGAIN = "tries-again"  # it was not delivered, and is planned once more


def apply_status(
    connection: Connection,
    delivery: str,
    provider_id: str,
    status: str,
    error_code: str = "",
    states: Mapping[str, DeliveryState] = STATE_OF_STATUS,
    *,
    tries: SecondTries | None = None,
    now_s: float | None = None,
) -> Moved | Heard:
    """Move a delivery forward by a provider's status. Idempotent, and independent of the order of arrival.

    A row that is not ``sending`` any more but planned, claimed or unknown is settled too: the callback proves that
    the provider has the message. Raising the epoch fences off whoever was about to send it again. A message that could
    not be delivered may be tried once more (:mod:`notifiers.undelivered`).

    Args:
        tries: how the installation goes on after an undelivered message; as by default if not given.
        now_s: machine time; now if not given.
    """
    state = states.get(status)
    if state is None:
        return Heard.UNKNOWN_STATUS
    now_s = time.time() if now_s is None else now_s
    row = connection.execute(select(ledger).where(ledger.c.id == delivery).with_for_update()).first()
    if row is None:
        return Moved.NO_SUCH_DELIVERY
    if row.provider_id not in (None, provider_id):
        # of a message that ended undelivered before the second try began: an echo, unless it says that it has arrived
        return Moved.BACKWARD if state != "delivered" and _has_ended(connection, provider_id) else Heard.OTHER_MESSAGE
    if row.state == state and row.provider_id == provider_id:
        return Moved.ALREADY_THERE
    if row.state not in sources("callback", state) or (state != "delivered" and _has_ended(connection, provider_id)):
        return Moved.BACKWARD
    following = Next.NOTHING
    undelivered = state == "failed" and error_code in SECOND_TRY_CODES
    if undelivered:
        following = (tries or SecondTries()).follow(connection, row, error_code, now_s)
        first_time(connection, ended_id(provider_id), now_s)
    # what was accepted and then not delivered has ended after all
    end_attempt(connection, delivery, state, error_code or status, now_s, overwrite=undelivered)
    if following is Next.AGAIN:
        return Heard.TRIES_AGAIN
    _settle(connection, row, state, provider_id, reason_of(following, error_code) or _reason(state, status))
    if state == "failed":
        suppressions.remember(connection, delivery, error_code, now_s)
    return Moved.APPLIED


def _reason(state: DeliveryState, status: str) -> str:
    return "accepted" if state == "sent" else status


def _settle(connection: Connection, row: Row[Any], state: DeliveryState, provider_id: str, reason: str) -> None:
    fence = 1 if row.state not in ("sending", "sent") else 0  # nobody is to send it again
    connection.execute(
        update(ledger)
        .where(ledger.c.id == row.id)
        .values(
            state=state,
            reason=reason,
            provider_id=provider_id,
            epoch=ledger.c.epoch + fence,
            revision=ledger.c.revision + 1,
            phase="",
        )
    )


def _has_ended(connection: Connection, provider_id: str) -> bool:
    found = select(heard.c.id).where(heard.c.id == ended_id(provider_id))
    return connection.execute(found).first() is not None


def acknowledged(connection: Connection, delivery: str, provider_id: str) -> Moved | Heard:
    """Note that the recipient of a call has pressed the digit: the one thing that proves a person has heard it.

    The digit comes during the call; the call's own end, told later, changes nothing any more.
    """
    moved = apply_status(connection, delivery, provider_id, "completed", ACKNOWLEDGED, STATE_OF_CALL)
    if moved is Moved.ALREADY_THERE or moved is Moved.BACKWARD:  # the end of the call was told before its digit
        heard = update(ledger).where(ledger.c.id == delivery, ledger.c.provider_id == provider_id)
        heard = heard.where(ledger.c.state == "delivered", ledger.c.reason != ACKNOWLEDGED)
        changed = connection.execute(heard.values(reason=ACKNOWLEDGED, revision=ledger.c.revision + 1))
        return Moved.APPLIED if changed.rowcount else moved
    return moved
