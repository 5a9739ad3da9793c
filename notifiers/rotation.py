"""A new key for the contacts: everything sealed is sealed anew, in small transactions, while messages go out.

The order that never leaves a contact unreadable: give every process the new key in front of the old one; rotate;
take the old key away when nothing is left under it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Engine, LargeBinary, Table, select, update

from notifiers.contacts import Vault
from notifiers.database import reading
from notifiers.tables import confirmations, facilities, subscribers
from streams.errors import ConfigurationError

_CHUNK = 500
"""Rows per transaction: some tens of milliseconds of SQLite's write lock, so that a dispatcher hardly notices."""

_TABLES: dict[str, tuple[Table, Column[Any]]] = {
    "subscribers": (subscribers, subscribers.c.subscriber_id),
    "facilities": (facilities, facilities.c.facility_id),
    "confirmations": (confirmations, confirmations.c.id),
}


@dataclass
class Rotated:
    """What came of a rotation.

    Attributes:
        sealed: contacts sealed anew; ``current``: those that were under the newest key already.
        unreadable: table and id of rows with a contact that no configured key opens.
    """

    sealed: int = 0
    current: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate(engine: Engine, vault: Vault, told: Callable[[str, int], None] = lambda table, rows: None) -> Rotated:
    """Seal every stored contact with the vault's newest key. Safe to repeat and to interrupt.

    A contact that changes meanwhile is left alone: whoever changed it used a newer vault, or it is seen next time.
    ``told`` hears table and number of rows after every chunk.
    """
    result = Rotated()
    for name, (table, key) in _TABLES.items():
        columns = [column for column in table.columns if isinstance(column.type, LargeBinary)]
        last = ""
        while True:
            with reading(engine) as connection:
                query = select(key, *columns).where(key > last).order_by(key).limit(_CHUNK)
                rows = [tuple(row) for row in connection.execute(query)]
            if not rows:
                break
            last = rows[-1][0]
            _chunk(engine, vault, name, columns, rows, result)
            told(name, len(rows))
    return result


def _chunk(
    engine: Engine, vault: Vault, name: str, columns: list[Column[Any]], rows: list[tuple[Any, ...]], result: Rotated
) -> None:
    table, key = _TABLES[name]
    changes = []
    for identity, *cells in rows:
        for column, cell in zip(columns, cells, strict=True):
            if cell is None:
                continue
            if vault.is_newest(cell):
                result.current += 1
                continue
            try:
                changes.append((identity, column, cell, vault.rotate(cell)))
            except ConfigurationError:
                result.unreadable.append(f"{name} {identity} {column.name}")
    if not changes:
        return
    with engine.begin() as connection:
        for identity, column, before, after in changes:
            unchanged = (key == identity) & (column == before)
            done = connection.execute(update(table).where(unchanged).values({column.name: after}))
            result.sealed += done.rowcount
