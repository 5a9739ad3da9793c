"""Storm guard, stop switch, shared pace, escalations, and how episodes stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"

_OPEN = "state IN ('calling', 'accepted', 'reminded')"
_GUARDED = "guard IN ('', 'waiting')"


def upgrade() -> None:
    """Notices planned before this version have been let go by the version that planned them: they stay open."""
    op.add_column("notices", sa.Column("guard", sa.String(), nullable=False, server_default=""))
    op.execute("UPDATE notices SET guard = 'open'")
    where = sa.text(_GUARDED)
    op.create_index("notices_guarded", "notices", ["mode"], sqlite_where=where, postgresql_where=where)
    _brakes()
    _escalations()
    op.create_table(
        "episode_standings",
        sa.Column("episode", sa.String(), nullable=False),
        sa.Column("transition", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("episode", "transition"),
    )


def _brakes() -> None:
    op.create_table(
        "guarded",
        sa.Column("notice", sa.String(), primary_key=True),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("since_s", sa.Float(), nullable=False),
        sa.Column("officer", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("released_s", sa.Float()),
    )
    op.create_table(
        "switchings",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("stopped", sa.Integer(), nullable=False),
        sa.Column("officer", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("time_s", sa.Float(), nullable=False),
    )
    op.create_table(
        "paces",
        sa.Column("sender", sa.String(), primary_key=True),
        sa.Column("next_s", sa.Float(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("in_minute", sa.Integer(), nullable=False),
    )


def _escalations() -> None:
    op.create_table(
        "escalations",
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("plan", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("started_s", sa.Float(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("next_s", sa.Float(), nullable=False),
        sa.Column("reopened_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("notice", "recipient"),
    )
    where = sa.text(_OPEN)
    op.create_index("escalations_open", "escalations", ["mode", "next_s"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "escalation_calls",
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("time_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("notice", "recipient", "number"),
    )
