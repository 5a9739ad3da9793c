"""Residents with places of their own, what the ledger has for them, and a dispatcher that only counts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select

from notifiers import claims, holding, ledger
from notifiers.claims import Claimant
from notifiers.database import reading
from notifiers.guard import Guard
from notifiers.ledger import Claimed
from notifiers.tables import attempts, notices, subscriber_places, subscribers
from notifiers.tables import ledger as ledger_rows
from rules.notices import Notice


def person(engine: Engine, name: str, *places: tuple[int, str], **choices: Any) -> None:
    """A resident with an SMS number of their own; places are (number, province)."""
    values = {"language": "vi", "province": places[0][1], "level": 1, "channels": "sms", "sms_hash": f"hash of {name}"}
    with engine.begin() as connection:
        connection.execute(insert(subscribers).values(subscriber_id=name, **(values | choices)))
        for place, province in places:
            _add_place(connection, name, place, province)


def another_place(engine: Engine, name: str, place: int, province: str) -> None:
    """A further place of somebody who is registered."""
    with engine.begin() as connection:
        _add_place(connection, name, place, province)


def _add_place(connection: Connection, name: str, place: int, province: str) -> None:
    values = {"subscriber_id": name, "place": place, "province": province, "kind": "province"}
    connection.execute(insert(subscriber_places).values(values))


def forgotten(engine: Engine) -> None:
    """Nothing has been planned yet."""
    with engine.begin() as connection:
        for table in (ledger_rows, attempts, notices):
            connection.execute(delete(table))


def rows(engine: Engine, one: Notice | None = None) -> dict[str, Row[Any]]:
    """Rows of a notice by recipient."""
    query = select(ledger_rows)
    if one is not None:
        query = query.where(ledger_rows.c.notice == one.id)
    with reading(engine) as connection:
        return {row.recipient: row for row in connection.execute(query)}


def send(engine: Engine, now_s: float, guard: Guard | None = None) -> list[Claimed]:
    """One turn of a dispatcher for SMS at a moment: let go what waited, then claim and send until nothing is due.
    Returns what the provider accepted, in order."""
    who = Claimant("exercise", "sms", "w", 60.0, guard)
    gone: list[Claimed] = []
    while True:
        with engine.begin() as connection:
            holding.release(connection, "exercise", now_s)
            taken = claims.take(connection, who, 100, now_s, now_s)
            for row in taken.rows:
                ledger.begin(connection, row, "w", "request", now_s)
                ledger.settle(connection, row, "sent", "accepted", now_s)
        gone += taken.rows
        if not taken.rows and not taken.put_aside:
            return gone
