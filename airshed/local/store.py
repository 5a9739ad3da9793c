"""What the local runtime keeps beside the ledger: state of the stages, everything they said, and how far it is.

All of it is written in the transaction that also plans the deliveries, so that a process killed at any point
finds either the whole of a step or nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from streams.schemas import Rejected

metadata = sa.MetaData()

stage_state = sa.Table(
    "stage_state",
    metadata,
    sa.Column("stage", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)

event_log = sa.Table(
    "event_log",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("stream", sa.String, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),  # JSON items, one per line: one row per step and stream
)

rejected_log = sa.Table(
    "rejected_log",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

rejected_replayed = sa.Table(
    "rejected_replayed",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
)

run_progress = sa.Table(
    "run_progress",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False, default=False),
)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, replacing those with the same primary key."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key]
    changes = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), rows)


class StageState(MutableMapping[str, bytes]):
    """Durable state of one stage: a dictionary whose changes wait for ``flush``."""

    def __init__(self, stage: str, connection: sa.Connection) -> None:
        self.stage = stage
        query = sa.select(stage_state.c.key, stage_state.c.value).where(stage_state.c.stage == stage)
        self._values: dict[str, bytes] = {row.key: row.value for row in connection.execute(query)}
        self._changed: dict[str, bytes | None] = {}

    def __getitem__(self, key: str) -> bytes:
        return self._values[key]

    def __setitem__(self, key: str, value: bytes) -> None:
        self._values[key] = value
        self._changed[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        self._changed[key] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def flush(self, connection: sa.Connection) -> None:
        """Write the changes since the last flush in the caller's transaction."""
        written = [
            {"stage": self.stage, "key": key, "value": value}
            for key, value in self._changed.items()
            if value is not None
        ]
        gone = [{"gone": key} for key, value in self._changed.items() if value is None]
        upsert(connection, stage_state, written)
        if gone:
            doomed = sa.and_(stage_state.c.stage == self.stage, stage_state.c.key == sa.bindparam("gone"))
            connection.execute(sa.delete(stage_state).where(doomed), gone)
        self._changed.clear()


def log_events(connection: sa.Connection, stream: str, items: Sequence[msgspec.Struct]) -> None:
    """Append items to a stream, in order."""
    if items:
        body = b"\n".join(msgspec.json.encode(item) for item in items)
        connection.execute(sa.insert(event_log).values(stream=stream, body=body))


def logged_lines(connection: sa.Connection, stream: str) -> Iterator[bytes]:
    """Everything a stream has said, as JSON lines, oldest first."""
    query = sa.select(event_log.c.body).where(event_log.c.stream == stream).order_by(event_log.c.seq)
    for (body,) in connection.execution_options(yield_per=64).execute(query):
        yield from body.split(b"\n")


def log_rejected(connection: sa.Connection, items: Sequence[Rejected]) -> None:
    """Keep what could not be used, with its bytes and the reason."""
    if items:
        rows = [{"reason": item.reason, "body": msgspec.json.encode(item)} for item in items]
        connection.execute(sa.insert(rejected_log), rows)


def rejected_items(connection: sa.Connection, newest: int) -> list[tuple[int, Rejected]]:
    """The newest rejected items with their numbers, newest first."""
    query = sa.select(rejected_log.c.seq, rejected_log.c.body).order_by(rejected_log.c.seq.desc()).limit(newest)
    return [(seq, msgspec.json.decode(body, type=Rejected)) for seq, body in connection.execute(query)]


def replayed_numbers(connection: sa.Connection) -> set[int]:
    """Rejected items that have been handed back to the pipeline."""
    return set(connection.scalars(sa.select(rejected_replayed.c.seq)))


def note_replayed(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Remember that these items have been handed back. May be repeated."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    rows = [{"seq": number} for number in numbers]
    if rows:
        connection.execute(dialect.insert(rejected_replayed).on_conflict_do_nothing(), rows)


class Progress(msgspec.Struct, frozen=True):
    """How far a run has come: items of its input taken in, and whether the input has ended."""

    fingerprint: str
    position: int
    finished: bool


def read_progress(connection: sa.Connection, name: str) -> Progress | None:
    row = connection.execute(
        sa.select(run_progress.c.fingerprint, run_progress.c.position, run_progress.c.finished).where(
            run_progress.c.name == name
        )
    ).one_or_none()
    return Progress(*row) if row else None


def write_progress(connection: sa.Connection, name: str, progress: Progress) -> None:
    upsert(connection, run_progress, [{"name": name, **msgspec.structs.asdict(progress)}])
