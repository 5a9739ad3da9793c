"""Officers' silences: what is not said to whom until when, by whom and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing is silenced by an upgrade."""
    op.create_table(
        "silences",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("officer", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_s", sa.Float(), nullable=False),
        sa.Column("from_s", sa.BigInteger(), nullable=False),
        sa.Column("until_s", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("recipients", sa.String(), nullable=False),
        sa.Column("provinces", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("urgent", sa.Integer(), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=False, server_default=""),
        sa.Column("ended_reason", sa.String(), nullable=False, server_default=""),
    )
    op.create_index("silences_until", "silences", ["until_s"])
