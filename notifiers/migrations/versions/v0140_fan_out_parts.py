"""A notice's rows are written in parts, side by side."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0140"
down_revision = "0007"


def upgrade() -> None:
    """What was being planned goes on where it was, as one part."""
    op.create_table(
        "fan_out_parts",
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("upto", sa.String()),
        sa.Column("planned_to", sa.String(), nullable=False),
        sa.Column("complete", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("notice", "part"),
    )
    op.execute(
        "INSERT INTO fan_out_parts (notice, part, planned_to, complete) "
        "SELECT id, 0, planned_to, 0 FROM notices WHERE complete = 0"
    )
    op.drop_column("notices", "planned_to")
