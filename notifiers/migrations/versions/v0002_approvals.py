"""Approvals, and rows that are held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Notices name whose yes they need, officers' answers are kept, and rows know until when they wait."""
    op.add_column("notices", sa.Column("approval", sa.String(), nullable=False, server_default="none"))
    op.add_column("ledger", sa.Column("hold_until_s", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(
        "ledger_held",
        "ledger",
        ["mode", "notice"],
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_table(
        "approvals",
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("officer", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("time_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("notice", "officer"),
    )
