"""Notices, the ledger of deliveries, and what is known of each: attempts, answers, how far a consumer has come."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table

from notifiers.tables.schema import metadata

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

fan_out_parts = Table(
    "fan_out_parts",  # of a notice whose rows are being written; gone when they all are
    metadata,
    Column("notice", String, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("upto", String),  # the last recipient of the part; none: to the end of the registry
    Column("planned_to", String, nullable=False),  # the last recipient whose rows are written
    Column("complete", Integer, nullable=False),
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

progress = Table(
    "progress",
    metadata,
    Column("consumer", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)
