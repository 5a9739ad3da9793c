"""Contacts that a provider refuses for good: remembered by their keyed hash, so that nobody writes to them again.

A new number or address of the same person has another hash and is written to. What the provider says about one
message (too long, filtered) is none of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from notifiers.database import insert
from notifiers.mail_status import HARD
from notifiers.tables import facilities, ledger, subscribers, suppressions

REFUSED_FOR_GOOD: Mapping[str, str] = {
    "21211": "invalid-contact",
    "21614": "invalid-contact",
    "30005": "invalid-contact",
    "30006": "invalid-contact",
    "21610": "opted-out",
    **dict.fromkeys(HARD, "invalid-contact"),
}
"""Reasons of failed rows that are about the contact, and the reason that rows to it are suppressed with afterwards.
The provider's codes: ``notifiers/channels/twilio_codes.py``; those of mail: ``notifiers/mail_status.py``."""


def remember(connection: Connection, delivery: str, reason: str, now_s: float) -> None:
    """Remember the contact of a delivery that has failed, if the reason is about the contact."""
    if reason not in REFUSED_FOR_GOOD:
        return
    row = connection.execute(
        select(ledger.c.registry, ledger.c.recipient, ledger.c.channel).where(ledger.c.id == delivery)
    ).one()
    table = {"residents": subscribers, "facilities": facilities}.get(row.registry)
    if table is None or f"{row.channel}_hash" not in table.c:
        return
    (key,) = table.primary_key.columns
    contact = connection.execute(select(table.c[f"{row.channel}_hash"]).where(key == row.recipient)).scalar()
    if contact is not None:
        refused = insert(connection, suppressions).values(
            channel=row.channel, contact_hash=contact, reason=REFUSED_FOR_GOOD[reason], since_s=now_s
        )
        connection.execute(refused.on_conflict_do_nothing(index_elements=["channel", "contact_hash"]))
