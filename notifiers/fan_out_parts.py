"""How far the writing of a notice's rows has come: the registry in parts, each with a place of its own.

Parts are written side by side, each slice a transaction that also says how far its part is. So a crash anywhere repeats
nothing and leaves nothing out, and no part waits for another one's lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from notifiers import audience
from notifiers.tables import fan_out_parts, notices
from rules.notices import Notice

SIDE_BY_SIDE = 2
"""Parts on PostgreSQL, each on a connection of its own: the smallest server that holds a million people has two cores,
and one connection uses one of them. SQLite has one writer."""


@dataclass(frozen=True)
class Part:
    """A part that is not complete: what lies behind ``planned_to``, up to and with ``upto`` (``None``: to the end)."""

    number: int
    upto: str | None
    planned_to: str


def divide(connection: Connection, notice: Notice, parts: int, smallest: int) -> None:
    """Write the parts of a new notice down: one where there are no more than ``smallest`` recipients."""
    _, key = audience.registry_of(notice)
    everybody = connection.execute(select(func.count(key))).scalar_one() if parts > 1 else 0
    ends: list[str | None] = []
    if everybody > smallest:
        for number in range(1, parts):
            end = select(key).order_by(key).offset(everybody * number // parts - 1).limit(1)
            ends.append(connection.execute(end).scalar_one())
    ends.append(None)
    after = ""
    for number, end_of_part in enumerate(ends):
        row = {"notice": notice.id, "part": number, "upto": end_of_part, "planned_to": after, "complete": 0}
        connection.execute(insert(fan_out_parts).values(row))
        after = end_of_part or ""


def open_ones(connection: Connection, notice: str) -> list[int]:
    """Numbers of the parts that are not complete."""
    rows = select(fan_out_parts.c.part).where(fan_out_parts.c.notice == notice, fan_out_parts.c.complete == 0)
    return list(connection.execute(rows.order_by(fan_out_parts.c.part)).scalars())


def locked(connection: Connection, notice: str, number: int) -> Part | None:
    """A part, locked until the end of the transaction; ``None`` when it is complete."""
    row = connection.execute(select(fan_out_parts).where(_is(notice, number)).with_for_update()).first()
    return None if row is None or row.complete else Part(number, row.upto, row.planned_to)


def reached(connection: Connection, notice: str, number: int, planned_to: str | None) -> None:
    """The rows up to ``planned_to`` are written; ``None``: all of the part."""
    done = {"complete": 1} if planned_to is None else {"planned_to": planned_to}
    connection.execute(update(fan_out_parts).where(_is(notice, number)).values(done))


def finish(connection: Connection, notice: str) -> None:
    """Every part is complete, so the notice is. Raises ``RuntimeError`` when one is not."""
    if open_ones(connection, notice):
        raise RuntimeError(f"notice {notice} has parts that are not written")
    connection.execute(delete(fan_out_parts).where(fan_out_parts.c.notice == notice))
    connection.execute(update(notices).where(notices.c.id == notice, notices.c.complete == 0).values(complete=1))


def _is(notice: str, number: int) -> ColumnElement[bool]:
    return and_(fan_out_parts.c.notice == notice, fan_out_parts.c.part == number)
