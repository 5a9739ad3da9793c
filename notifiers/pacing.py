"""The pace that all dispatchers of an installation keep together: starts of a sender, and messages per minute.

What may be sent when is a number in the database: the next free start of every sender. A message takes its start, and
whoever comes next takes a later one; a long code that carries one segment per second carries one, however many
dispatchers there are. Their clocks must agree within a second or so, as for leases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from notifiers.database import insert
from notifiers.tables import paces

_MINUTE_S = 60


@dataclass(frozen=True)
class Limit:
    """One limit on what is sent.

    Attributes:
        key: whose it is: mode, channel, and the sender where it is a sender's.
        per_second: units per second, 0 for no limit.
        per_minute: most messages begun in one minute of the clock, 0 for no ceiling.
        units: what this message costs: segments for a sender, 1 for a channel.
    """

    key: str
    per_second: float
    per_minute: int = 0
    units: float = 1.0


@dataclass(frozen=True)
class Start:
    """When a message may start.

    Attributes:
        at_s: machine time.
        minute_is_full: a ceiling is reached; ``at_s`` takes no account of it.
    """

    at_s: float
    minute_is_full: bool = False


def reserve(connection: Connection, limits: Sequence[Limit], machine_s: float, *, urgent: bool) -> Start:
    """Take the next start that all limits allow, and count the message. Nothing is taken when a minute is full, except
    by an urgent message: it starts all the same. A start that is not used is lost, not saved up for a burst."""
    rows = {limit.key: _row(connection, limit.key) for limit in sorted(limits, key=lambda limit: limit.key)}
    minute = int(machine_s // _MINUTE_S)
    full = any(
        limit.per_minute and rows[limit.key][1] == minute and rows[limit.key][2] >= limit.per_minute for limit in limits
    )
    at_s = max([machine_s, *(rows[limit.key][0] for limit in limits if limit.per_second)])
    if full and not urgent:
        return Start(at_s, minute_is_full=True)
    for limit in limits:
        _next_s, counted_minute, counted = rows[limit.key]
        taken_s = limit.units / limit.per_second if limit.per_second else 0.0
        connection.execute(
            update(paces)
            .where(paces.c.sender == limit.key)
            .values(next_s=at_s + taken_s, minute=minute, in_minute=1 + (counted if counted_minute == minute else 0))
        )
    return Start(at_s, minute_is_full=full)


def _row(connection: Connection, key: str) -> tuple[float, int, int]:
    """Next start, minute and its count; locked until the end of the transaction."""
    query = select(paces.c.next_s, paces.c.minute, paces.c.in_minute).where(paces.c.sender == key).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        new = insert(connection, paces).values(sender=key, next_s=0.0, minute=0, in_minute=0)
        connection.execute(new.on_conflict_do_nothing(index_elements=["sender"]))
        row = connection.execute(query).one()
    return row.next_s, row.minute, row.in_minute
