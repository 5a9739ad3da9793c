"""Connecting to the database, SQLite and PostgreSQL alike: transactions, upgrade of the schema, progress of consumers.

What is in it is said by :mod:`notifiers.tables`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from notifiers import delivery_ids
from notifiers.tables import progress

_BUSY_TIMEOUT_MS = 30_000
"""How long one writer waits for another on SQLite. Transactions here take milliseconds, a fan-out of a large
registry some seconds; ten times that is still an answer rather than an error."""

_READONLY = "airshed_readonly"


def connect(url: str) -> Engine:
    """An engine for ``sqlite:///file.db`` or ``postgresql://…``; does not touch the schema (see ``upgrade``).

    A URL without a driver gets psycopg 3. Transactions of ``engine.begin()`` on SQLite start with BEGIN IMMEDIATE:
    a deferred transaction that reads first and writes later fails at once when another writer came between.
    Use :func:`reading` for transactions that only read, so that they do not queue behind writers.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() == "postgresql")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: one consistent view, taking no write lock."""
    with engine.connect().execution_options(**{_READONLY: True}) as connection, connection.begin():
        yield connection


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    delivery_ids.register(connection)
    connection.isolation_level = None  # the begin listener below opens transactions, not the driver
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL, not NORMAL: a power cut must not take back the mark that an attempt was begun, or the message is
    # sent twice. It costs one flush per commit; commits are grouped (notifiers/writer.py).
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    readonly = connection.get_execution_options().get(_READONLY, False)
    connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """The dialect's INSERT, which knows ON CONFLICT; both have the same shape."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def has_word(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """Whether a column of words with blanks between them has this one."""
    return (" " + column + " ").contains(f" {word} ", autoescape=True)


def save_progress(connection: Connection, consumer: str, topic: str, partition: int, next_offset: int) -> None:
    """Remember, in the caller's transaction, the first offset that has not been consumed yet. Never goes back."""
    statement = insert(connection, progress).values(
        consumer=consumer, topic=topic, partition=partition, next_offset=next_offset
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["consumer", "topic", "partition"],
            set_={"next_offset": statement.excluded.next_offset},
            where=progress.c.next_offset < statement.excluded.next_offset,
        )
    )


def load_progress(connection: Connection, consumer: str) -> dict[tuple[str, int], int]:
    """Next offset by (topic, partition) of one consumer."""
    rows = connection.execute(
        select(progress.c.topic, progress.c.partition, progress.c.next_offset).where(progress.c.consumer == consumer)
    )
    return {(row.topic, row.partition): row.next_offset for row in rows}


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to this version of Airshed; safe to call at every start and from several processes."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "notifiers:migrations")
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


_UPGRADE_LOCK = 0x41495253  # "AIRS": any number no other program in this database uses
