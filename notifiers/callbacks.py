"""What a provider says later about a message it took: repeated, disordered, sometimes before its own answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import Connection, select, update

from notifiers import suppressions
from notifiers.deliveries import DeliveryState
from notifiers.ledger import Moved
from notifiers.tables import ledger
from notifiers.transitions import sources

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


def apply_status(
    connection: Connection,
    delivery: str,
    provider_id: str,
    status: str,
    error_code: str = "",
    states: Mapping[str, DeliveryState] = STATE_OF_STATUS,
) -> Moved | Heard:
    """Move a delivery forward by a provider's status. Idempotent, and independent of the order of arrival.

    A row that is not ``sending`` any more but planned, claimed or unknown is settled too: the callback proves that
    the provider has the message. Raising the epoch fences off whoever was about to send it again.
    """
    state = states.get(status)
    if state is None:
        return Heard.UNKNOWN_STATUS
    locked = select(ledger.c.state, ledger.c.provider_id).where(ledger.c.id == delivery).with_for_update()
    row = connection.execute(locked).first()
    if row is None:
        return Moved.NO_SUCH_DELIVERY
    if row.provider_id not in (None, provider_id):
        return Heard.OTHER_MESSAGE
    if row.state == state and row.provider_id == provider_id:
        return Moved.ALREADY_THERE
    if row.state not in sources("callback", state):
        return Moved.BACKWARD
    fence = 1 if row.state not in ("sending", "sent") else 0  # nobody is to send it again
    connection.execute(
        update(ledger)
        .where(ledger.c.id == delivery)
        .values(
            state=state,
            reason=error_code or ("accepted" if state == "sent" else status),
            provider_id=provider_id,
            epoch=ledger.c.epoch + fence,
            revision=ledger.c.revision + 1,
            phase="",
        )
    )
    if state == "failed":
        suppressions.remember(connection, delivery, error_code, time.time())
    return Moved.APPLIED


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
