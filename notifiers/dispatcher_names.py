"""The name of a dispatcher, held by one process at a time.

A dispatcher that starts takes back at once what its name held: so a crash costs seconds, not a lease. Two at work
under one name would take each other's rows in the middle of sending, and a message could go out twice. The lock is
the database's (PostgreSQL: an advisory one of a session) or the system's (SQLite: on a file beside the database); both
end with the process that holds them, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from streams.errors import ConfigurationError, Problem

_KEY = "hashtextextended(current_schema() || ':dispatcher:' || :name, 0)"
_TAKE, _GIVE_BACK = text(f"SELECT pg_try_advisory_lock({_KEY})"), text(f"SELECT pg_advisory_unlock({_KEY})")


@contextlib.contextmanager
def held_name(engine: Engine, name: str) -> Iterator[None]:
    """Hold ``name`` on this ledger while the block runs.

    Raises:
        ConfigurationError: a dispatcher of that name is at work.
    """
    hold = _on_server if engine.dialect.name == "postgresql" else _on_file
    with hold(engine, name) as is_free:
        if not is_free:
            says = f"a dispatcher named {name!r} is at work on this ledger"
            raise ConfigurationError([Problem(says, field="--name", remedy="give each dispatcher a name of its own")])
        yield


@contextlib.contextmanager
def _on_server(engine: Engine, name: str) -> Iterator[bool]:
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        taken = bool(connection.execute(_TAKE, {"name": name}).scalar_one())
        yield taken
        if taken:
            with contextlib.suppress(SQLAlchemyError):  # the server has gone, and the lock with its session
                connection.execute(_GIVE_BACK, {"name": name})
    finally:
        connection.invalidate()  # ends the session, and with it a lock that was not given back
        connection.close()


@contextlib.contextmanager
def _on_file(engine: Engine, name: str) -> Iterator[bool]:
    database = engine.url.database
    if not database or database == ":memory:":
        yield True  # nobody else can reach it
        return
    path = Path(f"{database}.{quote(name, safe='')}.lock")
    with path.open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
