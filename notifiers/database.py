"""The database: registries, notices, the ledger of deliveries and what belongs to it. SQLite and PostgreSQL alike.

Times are UTC epoch seconds. Contacts are stored sealed (see :mod:`notifiers.contacts`) beside a keyed hash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from notifiers import delivery_ids

_BUSY_TIMEOUT_MS = 30_000
"""How long one writer waits for another on SQLite. Transactions here take milliseconds, a fan-out of a large
registry some seconds; ten times that is still an answer rather than an error."""

_READONLY = "airshed_readonly"

metadata = MetaData()

subscribers = Table(
    "subscribers",
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("language", String, nullable=False),
    Column("province", String, nullable=False),
    Column("level", Integer, nullable=False),
    Column("channels", String, nullable=False),
    Column("sms", LargeBinary),
    Column("sms_hash", String, index=True),
    Column("email", LargeBinary),
    Column("email_hash", String, index=True),
    Column("sensitive", Integer, nullable=False, server_default="0"),  # 1: asked for the words for sensitive groups
    Column("timing", String, nullable=False, server_default="any"),  # of forecasts: evening-before, morning-of or any
    Column("quiet_from", Integer),  # own quiet hours, minutes of the local day; may run over midnight
    Column("quiet_to", Integer),
    Column("accented", Integer, nullable=False, server_default="0"),  # 1: Vietnamese SMS with diacritics
    Column("state", String, nullable=False, server_default="active"),  # pending, active or stopped
    Column("stopped_channels", String, nullable=False, server_default=""),  # of ``channels``, consent was withdrawn
    Column("created_s", BigInteger, nullable=False, server_default="0"),
    Index("subscribers_province", "province", "subscriber_id"),
)

subscriber_places = Table(
    "subscriber_places",
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),  # which of the person's places, from 0
    Column("province", String, primary_key=True),  # a point's circle touches several: one row each
    Column("kind", String, nullable=False),  # province, commune or point
    Column("commune", String),  # code
    Column("lat", Float),  # of the point, or of the commune's centre; WGS 84 degrees
    Column("lon", Float),
    Column("radius_km", Float),
    Column("label", String, nullable=False, server_default=""),  # what the person calls it
    Index("subscriber_places_province", "province", "subscriber_id"),
)

consents = Table(
    "consents",
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("what", String, primary_key=True),  # sms, email or sensitive
    Column("given_s", BigInteger, primary_key=True, autoincrement=False),
    Column("wording_version", String, nullable=False),
    Column("given_by", String, nullable=False),  # page, or what the import says of its source
    Column("withdrawn_s", BigInteger),
    Column("withdrawn_by", String),
)

confirmations = Table(
    "confirmations",  # contacts given on a page, until the code that was sent to them has come back
    metadata,
    Column("id", String, primary_key=True),
    Column("request", String, nullable=False, index=True),  # what the person asked for in one go; its page's token
    Column("purpose", String, nullable=False),  # sign-up, or manage: stop or erase
    Column("subscriber_id", String, nullable=False, index=True),  # empty where nobody is known by the contact
    Column("channel", String, nullable=False),
    Column("contact", LargeBinary),
    Column("contact_hash", String, nullable=False, index=True),
    Column("language", String, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),  # wrong codes so far
    Column("created_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger, nullable=False, index=True),
    Column("confirmed_s", BigInteger),
)

quotas = Table(
    "quotas",  # how often something was asked for, by keyed hash of who asked
    metadata,
    Column("name", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("window_s", BigInteger, primary_key=True, autoincrement=False),  # when the window began
    Column("used", Integer, nullable=False),
)

erasures = Table(
    "erasures",  # ids that may not come back by an import
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("erased_s", BigInteger, nullable=False),
    Column("erased_by", String, nullable=False),
)

facilities = Table(
    "facilities",
    metadata,
    Column("facility_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("province", String, nullable=False),
    Column("lat", Float),
    Column("lon", Float),
    Column("language", String, nullable=False),
    Column("channels", String, nullable=False),
    Column("sms", LargeBinary),
    Column("sms_hash", String),
    Column("email", LargeBinary),
    Column("email_hash", String),
    Column("webhook", LargeBinary),  # address of the plant's own system
    Column("webhook_hash", String),
    Index("facilities_province", "province", "facility_id"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String, primary_key=True),
    Column("mode", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("episode", String, nullable=False),
    Column("time_s", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("approval", String, nullable=False, server_default="none"),  # whose yes it needs
    Column("guard", String, nullable=False, server_default=""),  # storm guard: "" not looked at, open, waiting
    Index(
        "notices_guarded",
        "mode",
        sqlite_where=Column("guard", String).in_(("", "waiting")),
        postgresql_where=Column("guard", String).in_(("", "waiting")),
    ),
    Column("rule", String, nullable=False, server_default=""),
    Column("transition", Integer, nullable=False, server_default="0"),
    Column("level", Integer, nullable=False, server_default="0"),
    Column("planned_to", String, nullable=False, server_default=""),  # the last recipient whose rows are written
    Column("complete", Integer, nullable=False, server_default="1"),  # 0 while its rows are being written
    Column("taken_s", Float, nullable=False, server_default="0"),  # machine time at which its fan-out began
    Index("notices_episode", "episode", "time_s"),
    Index(
        "notices_incomplete",
        "taken_s",
        sqlite_where=Column("complete", Integer) == 0,
        postgresql_where=Column("complete", Integer) == 0,
    ),
)

suppressions = Table(
    "suppressions",  # contacts that a provider refuses for good
    metadata,
    Column("channel", String, primary_key=True),
    Column("contact_hash", String, primary_key=True),
    Column("reason", String, nullable=False),  # invalid-contact or opted-out
    Column("since_s", Float, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("notice", String, primary_key=True),
    Column("officer", String, primary_key=True),
    Column("answer", String, nullable=False),  # approved or rejected
    Column("reason", String, nullable=False),
    Column("time_s", Float, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", String, primary_key=True),
    Column("notice", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("episode", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("registry", String, nullable=False),  # residents or facilities
    Column("recipient", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("language", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("phase", String, nullable=False),  # how far the latest attempt came: "", connect, request or data
    Column("parts", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("notice_time_s", BigInteger, nullable=False),
    Column("valid_until_s", BigInteger, nullable=False),
    Column("due_s", Float, nullable=False),  # machine time before which no (further) try or look-up is made
    Column("attempts", Integer, nullable=False),
    Column("provider_id", String),
    Column("worker", String, nullable=False),
    Column("epoch", Integer, nullable=False),  # counts claims; a holder of an older one is fenced off
    Column("lease_until_s", Float, nullable=False),
    Column("revision", Integer, nullable=False),  # counts changes worth telling the world
    Column("published", Integer, nullable=False),  # the last revision told
    Column("hold_until_s", BigInteger, nullable=False, server_default="0"),  # end of the quiet hours it waits for
    Column("rules", String, nullable=False, server_default=""),  # by which it exists; several when they were merged
    Column("places", String, nullable=False, server_default=""),  # of the recipient that it is about: "0:01,1:24"
    Column("threshold", Integer, nullable=False, server_default="0"),  # the lowest level the recipient asked for
    Index(
        "ledger_held",
        "mode",
        "notice",
        sqlite_where=Column("state", String) == "held",
        postgresql_where=Column("state", String) == "held",
    ),
    Index("ledger_notice", "notice"),
    Index("ledger_recipient", "recipient", "channel", "episode"),
    Index(
        "ledger_provider",
        "provider_id",
        sqlite_where=Column("provider_id", String).is_not(None),
        postgresql_where=Column("provider_id", String).is_not(None),
    ),
    Index(
        "ledger_due",
        "mode",
        "channel",
        "priority",
        "notice_time_s",
        "recipient",  # in the order of a fan-out: each new row goes to the end of the index
        "id",
        sqlite_where=Column("state", String) == "planned",
        postgresql_where=Column("state", String) == "planned",
    ),
    Index(
        "ledger_open",
        "state",
        sqlite_where=Column("state", String).in_(("claimed", "sending", "unknown")),
        postgresql_where=Column("state", String).in_(("claimed", "sending", "unknown")),
    ),
    Index(
        "ledger_unpublished",
        "id",
        sqlite_where=Column("revision", Integer) > Column("published", Integer),
        postgresql_where=Column("revision", Integer) > Column("published", Integer),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("worker", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("started_s", Float, nullable=False),
    Column("ended_s", Float),
    Column("content", String, nullable=False),  # digest of the words, to find them at the provider
    Column("outcome", String, nullable=False),  # empty while nobody knows
    Column("code", String, nullable=False),
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("notice", String, primary_key=True),
    Column("facility", String, primary_key=True),
    Column("answer", String, primary_key=True),  # accepted, refused, started or done
    Column("delivery", String, nullable=False),  # through which message it came
    Column("reason", String, nullable=False),
    Column("time_s", Float, nullable=False),
)

heard = Table(
    "heard",
    metadata,
    Column("id", String, primary_key=True),  # the provider's id of a call or message that acted here
    Column("time_s", Float, nullable=False),
)

guarded = Table(
    "guarded",
    metadata,
    Column("notice", String, primary_key=True),
    Column("messages", Integer, nullable=False),
    Column("threshold", Integer, nullable=False),
    Column("since_s", Float, nullable=False),
    Column("officer", String, nullable=False),  # who let it go; empty while it waits
    Column("reason", String, nullable=False),
    Column("released_s", Float),
)

switchings = Table(
    "switchings",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("stopped", Integer, nullable=False),
    Column("officer", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("time_s", Float, nullable=False),
)

paces = Table(
    "paces",
    metadata,
    Column("sender", String, primary_key=True),  # mode, channel and sender
    Column("next_s", Float, nullable=False),  # machine time at which the next segment may start
    Column("minute", BigInteger, nullable=False),
    Column("in_minute", Integer, nullable=False),  # messages begun in that minute
)

escalations = Table(
    "escalations",
    metadata,
    Column("notice", String, primary_key=True),
    Column("recipient", String, primary_key=True),
    Column("mode", String, nullable=False),
    Column("plan", LargeBinary, nullable=False),  # as it was configured when the escalation began
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("started_s", Float, nullable=False),
    Column("step", Integer, nullable=False),  # calls made so far, over all cycles
    Column("next_s", Float, nullable=False),  # when it is looked at again
    Column("reopened_s", Float, nullable=False),  # when an acceptance was taken back because nothing followed
    Index(
        "escalations_open",
        "mode",
        "next_s",
        sqlite_where=Column("state", String).in_(("calling", "accepted", "reminded")),
        postgresql_where=Column("state", String).in_(("calling", "accepted", "reminded")),
    ),
)

escalation_calls = Table(
    "escalation_calls",
    metadata,
    Column("notice", String, primary_key=True),
    Column("recipient", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("channel", String, nullable=False),
    Column("purpose", String, nullable=False),  # call or reminder
    Column("delivery", String, nullable=False),
    Column("time_s", Float, nullable=False),
)

episode_standings = Table(
    "episode_standings",
    metadata,
    Column("episode", String, primary_key=True),
    Column("transition", Integer, primary_key=True, autoincrement=False),
    Column("time_s", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the event that brought it there
)

progress = Table(
    "progress",
    metadata,
    Column("consumer", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)


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
