"""Residents who asked to be told."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert

from notifiers.contacts import Vault
from notifiers.database import subscriber_places, subscribers
from notifiers.registries import (
    CHANNELS,
    ImportReport,
    ImportRules,
    Row,
    contacts,
    identifier,
    import_rows,
    language,
    province,
    replace,
)
from streams.errors import RegistryError

_HIGHEST_LEVEL = 9  # more levels than any plan has; catches an index value written into the column


def import_subscribers(connection: Connection, path: Path, vault: Vault, rules: ImportRules) -> ImportReport:
    """Take in ``subscriber_id,language,province,level,channels,email,phone``; importing again updates.

    ``level`` is the lowest level number the person wants to hear of (default 1); ``channels`` names ``sms`` and
    ``email`` separated by spaces (default: those with a contact).
    """
    parse = partial(_subscriber, vault=vault, rules=rules)
    return import_rows(connection, path, "subscriber_id", ["subscriber_id", "province"], parse, _store)


def _store(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """People keep their state: who has stopped is not started again by a file."""
    replace(connection, subscribers, "subscriber_id", rows)
    ids = [row["subscriber_id"] for row in rows]
    connection.execute(delete(subscriber_places).where(subscriber_places.c.subscriber_id.in_(ids)))
    places = [
        {"subscriber_id": row["subscriber_id"], "place": 0, "province": row["province"], "kind": "province"}
        for row in rows
    ]
    connection.execute(insert(subscriber_places), places)


def _subscriber(row: Row, place: str, report: ImportReport, *, vault: Vault, rules: ImportRules) -> dict[str, Any]:
    values = {
        "subscriber_id": identifier(row, "subscriber_id", place),
        "language": language(row, place, rules),
        "province": province(row, place, rules),
        "level": _level(row, place),
    }
    found = contacts(row, place, vault, rules, report)
    return values | found | {"channels": _channels(row, place, found)}


def _level(row: Row, place: str) -> int:
    text = (row.get("level") or "1").strip()
    if not text.isdecimal() or not 1 <= int(text) <= _HIGHEST_LEVEL:
        raise RegistryError(
            f"{text[:20]!r} is not a level", place=place, field="level", remedy="write the level's number, 1 the lowest"
        )
    return int(text)


def _channels(row: Row, place: str, found: dict[str, Any]) -> str:
    wanted = (row.get("channels") or "").lower().split()
    unknown = [channel for channel in wanted if channel not in CHANNELS]
    if unknown:
        raise RegistryError(
            f"unknown channel {unknown[0][:20]!r}", place=place, field="channels", remedy="use sms, email or both"
        )
    chosen = wanted or [channel for channel in CHANNELS if found[channel]]
    return " ".join(channel for channel in CHANNELS if channel in chosen)
