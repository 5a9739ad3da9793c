"""Codes that prove a contact: asked for on a page, sent to the contact itself, given back on the page.

A code's message is a row of the ledger like every other (registry ``confirmations``), so lease, pace, unknown
answers, callbacks and expiry are the ledger's: it goes out at most once, and its time of use ends with the code.
The row has no notice.

No code is stored. It is derived from the id of its row by a key from outside the database. (The digest of the words
that went out stands with the attempt, as for every message; a million codes can be tried against it, within the
quarter of an hour for which a code is good.)
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import Connection, delete, exists, select, update
from sqlalchemy import insert as plain_insert

from notifiers.contacts import Vault
from notifiers.deliveries import ChannelName, Mode
from notifiers.places import drop_places
from notifiers.tables import confirmations, ledger, subscribers

REGISTRY = "confirmations"
KIND = "confirmation"
Purpose = Literal["sign-up", "manage"]

VALID_S = 15 * 60
"""How long a code is good: long enough for a slow SMS (most arrive within a minute), short for a stolen phone."""
KEPT_S = 24 * 3600
"""How long an unconfirmed request, contact and all, is kept: until then a new code can be asked for."""
MOST_TRIES = 5
"""Wrong codes before a code is dead. With three codes an hour a guesser needs five years for even odds: this many tries
at each that was sent to the contact, and those are counted by contact, whoever asks. Tries are counted by code, not by
contact: else a stranger could use up those of the contact's owner."""
_PRIORITY = 2  # after emergencies and requests, before advisories: somebody sits before the page and waits
_NEVER_TOLD = 1_000_000  # of ``published``: what became of a code is told to nobody outside


class Checked(StrEnum):
    """What came of a code."""

    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"  # its time is over, or there were too many tries; a new one can be asked for
    UNKNOWN = "unknown-request"  # nothing was asked for, or so long ago that it is forgotten


@dataclass(frozen=True)
class Asked:
    """One contact of one request."""

    id: str
    request: str
    purpose: Purpose
    subscriber_id: str
    channel: ChannelName
    contact_hash: str
    language: str
    created_s: int
    is_confirmed: bool


def ask(
    connection: Connection,
    vault: Vault,
    asked: Asked,
    contact: str,
    *,
    mode: Mode,
    send: bool = True,
) -> None:
    """Keep a request and plan its message, in the caller's transaction.

    ``send=False`` keeps it without a message: what the page shows must not depend on whether a contact is known.
    """
    connection.execute(
        plain_insert(confirmations).values(
            id=asked.id,
            request=asked.request,
            purpose=asked.purpose,
            subscriber_id=asked.subscriber_id,
            channel=asked.channel,
            contact=vault.seal(contact),
            contact_hash=asked.contact_hash,
            language=asked.language,
            tries=0,
            created_s=asked.created_s,
            expires_s=asked.created_s + VALID_S,
            confirmed_s=None,
        )
    )
    if send:
        connection.execute(plain_insert(ledger).values(**_ledger_row(asked, mode)))


def new_id() -> str:
    """A random id."""
    return str(uuid.uuid4())


def _ledger_row(asked: Asked, mode: Mode) -> dict[str, Any]:
    return {
        "id": asked.id,
        "notice": "",
        "mode": mode,
        "episode": asked.request,
        "kind": KIND,
        "registry": REGISTRY,
        "recipient": asked.id,
        "channel": asked.channel,
        "language": asked.language,
        "state": "planned",
        "reason": "",
        "phase": "",
        "parts": 0,
        "priority": _PRIORITY,
        "notice_time_s": asked.created_s,
        "valid_until_s": asked.created_s + VALID_S,
        "due_s": 0.0,
        "attempts": 0,
        "provider_id": None,
        "worker": "",
        "epoch": 0,
        "lease_until_s": 0.0,
        "revision": 0,
        "published": _NEVER_TOLD,
    }


def asked_in(connection: Connection, request: str, channel: str | None = None) -> list[Asked]:
    """The contacts of a request, one per channel: the newest where a code was asked for again."""
    table = confirmations
    query = select(table).where(table.c.request == request).order_by(table.c.channel.desc(), table.c.created_s)
    newest = {
        row.channel: Asked(
            id=row.id,
            request=row.request,
            purpose=row.purpose,
            subscriber_id=row.subscriber_id,
            channel=row.channel,
            contact_hash=row.contact_hash,
            language=row.language,
            created_s=row.created_s,
            is_confirmed=row.confirmed_s is not None,
        )
        for row in connection.execute(query)
        if channel in (None, row.channel)
    }
    return list(newest.values())


def sealed_contact(connection: Connection, confirmation: str) -> bytes | None:
    """The contact a confirmation is for, as it is stored."""
    found: bytes | None = connection.execute(
        select(confirmations.c.contact).where(confirmations.c.id == confirmation)
    ).scalar_one_or_none()
    return found


def check(connection: Connection, vault: Vault, request: str, channel: str, code: str, now_s: float) -> Checked:
    """Whether ``code`` is that of one of the request's messages on the channel. A wrong one counts against each.

    A code that was right stays right until it expires: people press twice. One that was kept without a message is
    never right: nobody can know it, and each would be one more that a guess may hit. Else it is like the others.
    """
    table = confirmations
    has_message = exists().where(ledger.c.id == table.c.id, ledger.c.registry == REGISTRY).label("has_message")
    rows = connection.execute(
        select(table.c.id, table.c.tries, table.c.expires_s, has_message)
        .where(table.c.request == request, table.c.channel == channel)
        .with_for_update()
    ).all()
    if not rows:
        return Checked.UNKNOWN
    live = [row for row in rows if row.expires_s >= now_s and row.tries < MOST_TRIES]
    if not live:
        return Checked.EXPIRED
    given = "".join(code.split())
    for row in live:
        is_it = hmac.compare_digest(code_of(vault, row.id).encode(), given.encode("utf-8", "replace"))
        if is_it and row.has_message:
            connection.execute(update(table).where(table.c.id == row.id).values(confirmed_s=int(now_s)))
            return Checked.RIGHT
    ids = [row.id for row in live]
    connection.execute(update(table).where(table.c.id.in_(ids)).values(tries=table.c.tries + 1))
    return Checked.WRONG


def code_of(vault: Vault, confirmation: str) -> str:
    """The six digits."""
    return vault.code(f"confirmation:{confirmation}")


def forget(connection: Connection, now_s: float) -> int:
    """Drop what nobody confirmed in time, with the contacts in it. Returns how many requests for a code there were."""
    table = confirmations
    over = connection.execute(
        select(table.c.id, table.c.subscriber_id).where(table.c.expires_s < int(now_s) - KEPT_S + VALID_S).limit(1000)
    ).all()
    if not over:
        return 0
    people = {row.subscriber_id for row in over if row.subscriber_id}
    pending = connection.execute(
        select(subscribers.c.subscriber_id).where(
            subscribers.c.subscriber_id.in_(people), subscribers.c.state == "pending"
        )
    )
    unconfirmed = list(pending.scalars())
    drop_places(connection, unconfirmed)
    connection.execute(delete(subscribers).where(subscribers.c.subscriber_id.in_(unconfirmed)))
    connection.execute(delete(table).where(table.c.id.in_([row.id for row in over])))
    return len(over)
