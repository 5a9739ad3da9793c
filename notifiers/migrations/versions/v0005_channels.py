"""Addresses of plants' systems, and what was heard from providers once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    """A plant may have a webhook; a signed call that acts, once played, does nothing when it is played again."""
    op.add_column("facilities", sa.Column("webhook", sa.LargeBinary(), nullable=True))
    op.add_column("facilities", sa.Column("webhook_hash", sa.String(), nullable=True))
    op.create_table(
        "heard",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("time_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
