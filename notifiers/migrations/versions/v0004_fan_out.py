"""Fan-out as set operations: how far a notice is planned, and by which rule and choice a row exists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0005"


def upgrade() -> None:
    """What is planned already is complete; its rows keep their ids, their rule is in the notice's body."""
    for column in (
        sa.Column("rule", sa.String(), nullable=False, server_default=""),
        sa.Column("transition", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("level", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("planned_to", sa.String(), nullable=False, server_default=""),
        sa.Column("complete", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("taken_s", sa.Float(), nullable=False, server_default="0"),
    ):
        op.add_column("notices", column)
    op.create_index("notices_episode", "notices", ["episode", "time_s"])
    incomplete = sa.text("complete = 0")
    op.create_index("notices_incomplete", "notices", ["taken_s"], sqlite_where=incomplete, postgresql_where=incomplete)
    for column in (
        sa.Column("rules", sa.String(), nullable=False, server_default=""),
        sa.Column("places", sa.String(), nullable=False, server_default=""),
        sa.Column("threshold", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("ledger", column)
    # a row without a provider's id need not stand in this index: a fan-out writes a million of them
    op.drop_index("ledger_provider", "ledger")
    known = sa.text("provider_id IS NOT NULL")
    op.create_index("ledger_provider", "ledger", ["provider_id"], sqlite_where=known, postgresql_where=known)
    # in the order in which a fan-out writes: rows go to the end of the index instead of all over it
    op.drop_index("ledger_due", "ledger")
    due = sa.text("state = 'planned'")
    columns = ["mode", "channel", "priority", "notice_time_s", "recipient", "id"]
    op.create_index("ledger_due", "ledger", columns, sqlite_where=due, postgresql_where=due)
    op.create_table(
        "suppressions",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("contact_hash", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("since_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "contact_hash"),
    )
