"""Delivery ids computed by the database, so that a fan-out is one INSERT … SELECT: the same as ``delivery_id``."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import ColumnElement, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from rules.notices import DELIVERY_NAMESPACE, delivery_id

_SQLITE_NAME = "airshed_delivery_id"


class delivery_ids(FunctionElement[str]):  # noqa: N801 - reads like the database function that it is
    """``delivery_id(notice, recipient, channel)`` in SQL, on both databases.

    PostgreSQL computes it from its own ``sha256``; SQLite calls a function registered on each connection
    (:func:`register`). Characters 13 and 17 of the digest are the UUID's version and variant.
    """

    type = String()
    name = "delivery_ids"
    inherit_cache = True

    def __init__(self, notice: str, recipient: ColumnElement[str], channel: str) -> None:
        super().__init__(literal(notice), recipient, literal(channel))


@compiles(delivery_ids, "postgresql")
def _postgresql(element: delivery_ids, compiler: Any, **kwargs: Any) -> str:
    notice, recipient, channel = (compiler.process(clause, **kwargs) for clause in element.clauses)
    text = f"'{DELIVERY_NAMESPACE}|' || {notice}::text || '|' || {recipient}::text || '|' || {channel}::text"
    digest = f"encode(substr(sha256(convert_to({text}, 'UTF8')), 1, 16), 'hex')"
    return f"overlay(overlay({digest} placing '8' from 13) placing '8' from 17)::uuid::text"


@compiles(delivery_ids, "sqlite")
def _sqlite(element: delivery_ids, compiler: Any, **kwargs: Any) -> str:
    return f"{_SQLITE_NAME}({', '.join(compiler.process(clause, **kwargs) for clause in element.clauses)})"


def register(connection: sqlite3.Connection) -> None:
    """Give a SQLite connection the function."""
    connection.create_function(_SQLITE_NAME, 3, delivery_id, deterministic=True)
