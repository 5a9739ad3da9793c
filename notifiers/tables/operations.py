"""How sending is steered: the storm guard, the stop switch, paces, escalations, standings of episodes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table

from notifiers.tables.schema import metadata

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

silences = Table(
    "silences",  # what an officer keeps quiet; ended early by moving its end, never changed otherwise
    metadata,
    Column("id", String, primary_key=True),
    Column("officer", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("from_s", BigInteger, nullable=False),
    Column("until_s", BigInteger, nullable=False),
    Column("rule", String, nullable=False),  # empty in this and the next three: any
    Column("recipients", String, nullable=False),
    Column("provinces", String, nullable=False),  # codes, separated by blanks
    Column("facility", String, nullable=False),
    Column("urgent", Integer, nullable=False),  # 1: what is urgent as well
    Column("ended_by", String, nullable=False, server_default=""),
    Column("ended_reason", String, nullable=False, server_default=""),
    Index("silences_until", "until_s"),
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
