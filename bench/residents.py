"""A registry of many residents in PostgreSQL, made where it lies; and a server for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, text

from notifiers.contacts import Vault
from notifiers.database import connect, upgrade
from tests.notifiers import postgres

VAULT = Vault.from_secret("a secret for measurements only")
PROVINCES = {"01": "Hà Nội", "24": "Bắc Ninh", "31": "Hải Phòng"}
_CODES = tuple(PROVINCES)
_BATCH = 20_000


@contextlib.contextmanager
def database() -> Iterator[tuple[str, Engine]]:
    """A private PostgreSQL server with the current schema, as the tests start it; gone afterwards."""
    folder = postgres.binaries()
    if folder is None:
        raise RuntimeError("no PostgreSQL: install it (postgresql-15 or newer)")
    with postgres.server(folder) as server:
        engine = connect(server.url)
        upgrade(engine)
        try:
            yield server.url, engine
        finally:
            engine.dispose()


def number(index: int) -> str:
    """A mobile number of its own for every resident."""
    return f"+849{index:08d}"


def fill(engine: Engine, count: int) -> None:
    """Residents with an SMS number each: three provinces in turn, levels 1 to 3, one in seven with two places,
    one in ten with quiet hours."""
    connection = engine.raw_connection()
    try:
        cursor: Any = connection.cursor()
        for first in range(0, count, _BATCH):
            _copy(cursor, range(first, min(first + _BATCH, count)))
        connection.commit()
    finally:
        connection.close()
    with engine.begin() as settled:
        settled.execute(text("ANALYZE subscribers"))
        settled.execute(text("ANALYZE subscriber_places"))


def _copy(cursor: Any, who: range) -> None:
    people = (
        "COPY subscribers (subscriber_id, language, province, level, channels, sms, sms_hash, quiet_from, quiet_to)"
    )
    with cursor.copy(f"{people} FROM STDIN") as copy:
        for index in who:
            quiet = (22 * 60, 6 * 60) if index % 10 == 0 else (None, None)
            province, contact = _CODES[index % 3], number(index)
            sealed, fingerprint = VAULT.seal(contact), VAULT.fingerprint(contact)
            language = ("vi", "en")[index % 2]
            copy.write_row((f"S{index:08}", language, province, 1 + index % 3, "sms", sealed, fingerprint, *quiet))
    with cursor.copy("COPY subscriber_places (subscriber_id, place, province, kind) FROM STDIN") as copy:
        for index in who:
            copy.write_row((f"S{index:08}", 0, _CODES[index % 3], "province"))
            if index % 7 == 0:
                copy.write_row((f"S{index:08}", 1, _CODES[(index + 1) % 3], "commune"))
