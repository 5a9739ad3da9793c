"""Bounces: what a mail server reports later about a mail it took (RFC 3464), and what follows from it.

A hard bounce (the mailbox or its domain does not exist) makes the address invalid; whatever else keeps a mail from
arriving (a full mailbox, a policy, too many tries) fails this delivery and says nothing about the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default as default_policy
from enum import StrEnum

from sqlalchemy import Connection, select

from notifiers.callbacks import Heard, apply_status
from notifiers.mail_status import HARD, STATUS
from notifiers.moves import Moved
from notifiers.tables import ledger

_MOST_RECIPIENTS = 20  # of a report; ours is one recipient a mail, more can only come through a list


class Outcome(StrEnum):
    """What a report says became of a mail."""

    HARD = "hard"
    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    NO_REPORT = "no-report"  # an automatic reply, a person's answer, or a report in no standard form


@dataclass(frozen=True)
class Bounce:
    """A report about one mail. ``status``: the enhanced status code, empty where there is none."""

    outcome: Outcome
    status: str = ""


def read_report(content: bytes) -> Bounce:
    """What a mail to a return path says. Never raises: whatever it is, it comes from outside."""
    try:
        mail = message_from_bytes(content, policy=default_policy)
        assert isinstance(mail, EmailMessage)
        if mail.get_content_type() != "multipart/report":
            return Bounce(Outcome.NO_REPORT)
        found = [
            _of_recipient(fields)
            for part in mail.walk()
            if part.get_content_type() == "message/delivery-status"
            for fields in _groups(part)[:_MOST_RECIPIENTS]
        ]
    except Exception:  # noqa: BLE001 - the library's parser meets forged headers with errors of many types
        return Bounce(Outcome.NO_REPORT)
    known = [bounce for bounce in found if bounce is not None]
    return min(known, key=lambda bounce: list(Outcome).index(bounce.outcome), default=Bounce(Outcome.NO_REPORT))


def apply_bounce(connection: Connection, delivery: str, bounce: Bounce) -> Moved | Heard | None:
    """Move the row that a report is about; ``None`` where the report moves nothing. Idempotent.

    The row's reason becomes the status code; a hard one is remembered for the contact (``notifiers.suppressions``).
    """
    if bounce.outcome in (Outcome.DELAYED, Outcome.NO_REPORT):
        return None
    row = connection.execute(
        select(ledger.c.provider_id).where(ledger.c.id == delivery, ledger.c.channel == "email")
    ).first()
    if row is None:
        return Moved.NO_SUCH_DELIVERY
    status = "delivered" if bounce.outcome is Outcome.DELIVERED else "failed"
    reason = "" if status == "delivered" else bounce.status or "bounced"
    return apply_status(connection, delivery, row.provider_id or f"bounced:{delivery}", status, reason)


def _groups(part: Message) -> list[Message]:
    """Per-recipient groups of fields: all but the first, which is about the whole message."""
    payload = part.get_payload()
    return [group for group in payload if isinstance(group, Message)][1:] if isinstance(payload, list) else []


def _of_recipient(fields: Message) -> Bounce | None:
    action = str(fields.get("Action", "")).partition(";")[0].strip().lower()
    found = STATUS.search(str(fields.get("Status", "")))
    status = found.group() if found else ""
    if action == "failed":
        # the remote server's own code says more than the general one that some servers put in its place
        remote = STATUS.search(str(fields.get("Diagnostic-Code", "")))
        if remote and status.endswith(".0.0"):
            status = remote.group()
        return Bounce(Outcome.HARD if status in HARD else Outcome.FAILED, status)
    if action == "delayed":
        return Bounce(Outcome.DELAYED, status)
    return Bounce(Outcome.DELIVERED, status) if action in ("delivered", "relayed", "expanded") else None
