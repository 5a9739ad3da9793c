"""When a channel stays down: its urgent messages go by another way that the recipient has. Never by both.

In one transaction the row of the channel that is down ends (``suppressed``, reason ``fallback``) and one for the
other channel is planned. A row whose answer was lost is not touched: its message may have arrived.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, insert, literal_column, or_, select, update
from sqlalchemy.orm import aliased

from notifiers.database import has_word
from notifiers.database import insert as dialect_insert
from notifiers.deliveries import ChannelName, Mode
from notifiers.failpoints import failpoint
from notifiers.guard import URGENT, is_urgent
from notifiers.ledger import STOOD_IN
from notifiers.tables import consents, facilities, ledger, subscribers
from rules.notices import delivery_id

_AT_ONCE = 200  # rows in one transaction: some tens of milliseconds


def divert(connection: Connection, mode: Mode, down: ChannelName, to: ChannelName, limit: int = _AT_ONCE) -> int:
    """Plan the urgent rows that wait for a channel on another one, as far as their recipients have a contact for it.

    Who is to get the notice on the other channel anyhow keeps both rows: nothing is gained by moving one. Returns how
    many rows were moved; there may be more when it is not 0.
    """
    moved = 0
    for registry in ("residents", "facilities"):
        rows = connection.execute(_stuck(mode, down, to, registry).limit(limit - moved)).all()
        if not rows:
            continue
        connection.execute(
            update(ledger)
            .where(ledger.c.id.in_([row.id for row in rows]))
            .values(state="suppressed", reason=STOOD_IN, revision=ledger.c.revision + 1)
        )
        failpoint("between-diversion")
        connection.execute(insert(ledger), [_moved(row, to) for row in rows])
        moved += len(rows)
    return moved


def _stuck(mode: Mode, down: ChannelName, to: ChannelName, registry: str) -> Select[Any]:
    """Urgent planned rows of a channel whose recipients could get them by the other one, and will not anyhow."""
    sibling = aliased(ledger, name="sibling")
    has_both = exists().where(
        sibling.c.notice == ledger.c.notice,
        sibling.c.recipient == ledger.c.recipient,
        sibling.c.registry == ledger.c.registry,
        sibling.c.channel == to,
    )
    has_contact = exists().where(*_contact(registry, to))
    return (
        select(ledger)
        .where(ledger.c.mode == mode, ledger.c.channel == down, ledger.c.state == literal_column("'planned'"))
        .where(ledger.c.registry == registry, ledger.c.notice != "", is_urgent(), has_contact, ~has_both)
        .order_by(ledger.c.notice_time_s, ledger.c.id)
        .with_for_update(skip_locked=True)
    )


def _contact(registry: str, to: ChannelName) -> list[ColumnElement[bool]]:
    """Of the recipient: there is a contact for the channel, and consent to it was not withdrawn."""
    column = "sms" if to == "voice" else to
    if registry == "facilities":
        return [facilities.c.facility_id == ledger.c.recipient, facilities.c[column].is_not(None)]
    return [
        subscribers.c.subscriber_id == ledger.c.recipient,
        subscribers.c[column].is_not(None),
        subscribers.c.state == "active",
        ~has_word(subscribers.c.stopped_channels, to),
    ]


def _agreed(to: ChannelName) -> ColumnElement[bool]:
    """Of the resident: the channel is chosen, or a consent to it stands."""
    standing = exists().where(
        consents.c.subscriber_id == subscribers.c.subscriber_id,
        consents.c.what == to,
        consents.c.withdrawn_s.is_(None),
    )
    return or_(has_word(subscribers.c.channels, to), standing)


def stand_in(connection: Connection, row: Row[Any], to: ChannelName) -> bool:
    """Plan one message on another channel, because the row's own has surely not arrived; the caller ends that row.

    False when the recipient has no contact for the other channel, does not want it, or has a row there anyhow. What is
    not urgent goes to residents by a channel only that they have chosen or agreed to.
    """
    if row.registry not in ("residents", "facilities") or not row.notice:
        return False
    conditions = _contact(row.registry, to)
    if row.registry == "residents" and row.priority > URGENT:
        conditions.append(_agreed(to))
    reachable = select(ledger.c.id).where(ledger.c.id == row.id, exists().where(*conditions))
    if connection.execute(reachable).first() is None:
        return False
    planned = dialect_insert(connection, ledger).values(_moved(row, to)).on_conflict_do_nothing(index_elements=["id"])
    return connection.execute(planned.returning(ledger.c.id)).first() is not None


def _moved(row: Row[Any], to: ChannelName) -> dict[str, Any]:
    """The row that takes its place. Epoch and tries begin at zero: nothing of it has been sent."""
    return {
        **row._mapping,
        "id": delivery_id(row.notice, row.recipient, to),
        "channel": to,
        "state": "planned",
        "reason": STOOD_IN,
        "due_s": 0.0,
        "attempts": 0,
        "provider_id": None,
        "worker": "",
        "lease_until_s": 0.0,
        "epoch": 0,
        "revision": 0,
        "published": 0,
        "parts": 0,
        "phase": "",
    }
