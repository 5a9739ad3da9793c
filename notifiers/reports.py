"""What the ledger tells the world: deliveries in a fixed order, sums, and what has not been published yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from notifiers.deliveries import Delivery, Mode
from notifiers.ledger import UNKNOWABLE
from notifiers.tables import ledger, notices

_COLUMNS = [ledger.c[name] for name in Delivery.__struct_fields__]
_PAGE = 1_000


def deliveries(connection: Connection) -> Iterator[Delivery]:
    """Every delivery, ordered by the time of its notice, then notice, recipient and channel."""
    query = (
        select(*_COLUMNS)
        .join(notices, notices.c.id == ledger.c.notice)
        .order_by(ledger.c.notice_time_s, ledger.c.notice, ledger.c.recipient, ledger.c.channel)
        .execution_options(yield_per=_PAGE)
    )
    for row in connection.execute(query):
        yield _delivery(row)


def summary(connection: Connection) -> dict[tuple[str, str], int]:
    """Number of deliveries by (channel, state)."""
    query = select(ledger.c.channel, ledger.c.state, func.count()).group_by(ledger.c.channel, ledger.c.state)
    return {(channel, state): number for channel, state, number in connection.execute(query)}


def pending(connection: Connection, mode: Mode) -> dict[str, int]:
    """Number of deliveries of a mode by state, of those that are still on their way to the provider.

    Unknown ones that are left to an operator are not on their way any more; see :func:`summary`.
    """
    query = select(ledger.c.state, func.count()).group_by(ledger.c.state)
    open_states = ("planned", "claimed", "sending", "unknown")
    query = query.where(ledger.c.state.in_(open_states), ledger.c.mode == mode, ledger.c.reason != UNKNOWABLE)
    counted: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    return {state: counted.get(state, 0) for state in open_states}


def unpublished(connection: Connection, mode: Mode, limit: int = _PAGE) -> list[tuple[Delivery, int]]:
    """Deliveries whose latest news has not been published, with the revision to confirm. Survives a crash:
    what was published but not confirmed comes again."""
    query = (
        select(*_COLUMNS, ledger.c.revision)
        .where(ledger.c.revision > ledger.c.published, ledger.c.mode == mode)
        .order_by(ledger.c.id)
        .limit(limit)
    )
    return [(_delivery(row), row.revision) for row in connection.execute(query)]


def mark_published(connection: Connection, told: Sequence[tuple[str, int]]) -> None:
    """Confirm (delivery id, revision) pairs after they are durable elsewhere."""
    for delivery, revision in told:
        connection.execute(
            update(ledger).where(ledger.c.id == delivery, ledger.c.published < revision).values(published=revision)
        )


def _delivery(row: Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(**{name: getattr(row, name) for name in Delivery.__struct_fields__})
