"""SMS that people send to us: the words that stop messages, each message heard once."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from notifiers.database import insert
from notifiers.tables import heard
from streams.geography.units import plain_text

_STOP_WORDS = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "dung", "huy", "tuchoi", "thoi"},
)
"""The provider's own English ones, and those of Vietnam (dừng, hủy, từ chối, thôi), without diacritics."""

_REMEMBERED_S = 90 * 86_400
"""How long a message's id is kept. A signature has no date, so a copy of a call could be played at any time; whoever
could copy one would have to read our TLS traffic, and after a season the person has the sign-up page as well."""


def is_stop(body: str) -> bool:
    """Whether a message asks for no more messages: its first word, or all of it, is one of the stop words."""
    words = plain_text(body).casefold().split()
    plain = ["".join(c for c in word if c.isalnum()) for word in words]
    return bool(plain) and (plain[0] in _STOP_WORDS or "".join(plain) in _STOP_WORDS)


def first_time(connection: Connection, identity: str, now_s: float) -> bool:
    """Whether something with this id is heard for the first time; remembers it, in the caller's transaction."""
    connection.execute(delete(heard).where(heard.c.time_s < now_s - _REMEMBERED_S))
    statement = insert(connection, heard).values(id=identity, time_s=now_s)
    written = connection.execute(statement.on_conflict_do_nothing(index_elements=["id"]).returning(heard.c.id))
    return written.first() is not None
