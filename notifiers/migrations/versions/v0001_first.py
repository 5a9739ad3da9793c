"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create registries, notices, ledger, attempts, acknowledgements and progress."""
    _acknowledgements()
    _attempts()
    _facilities()
    _ledger()
    _ledger_indexes()
    _notices()
    _progress()
    _subscribers()


def _acknowledgements() -> None:
    op.create_table(
        "acknowledgements",
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("time_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("notice", "facility", "answer"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("started_s", sa.Float(), nullable=False),
        sa.Column("ended_s", sa.Float(), nullable=True),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("delivery", "number"),
    )


def _facilities() -> None:
    op.create_table(
        "facilities",
        sa.Column("facility_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("province", sa.String(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("channels", sa.String(), nullable=False),
        sa.Column("sms", sa.LargeBinary(), nullable=True),
        sa.Column("sms_hash", sa.String(), nullable=True),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("email_hash", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("facility_id"),
    )
    op.create_index("facilities_province", "facilities", ["province", "facility_id"])


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("episode", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("registry", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("notice_time_s", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_s", sa.BigInteger(), nullable=False),
        sa.Column("due_s", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until_s", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _ledger_indexes() -> None:
    op.create_index(
        "ledger_due",
        "ledger",
        ["mode", "channel", "priority", "notice_time_s", "id"],
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index("ledger_notice", "ledger", ["notice"])
    op.create_index(
        "ledger_open",
        "ledger",
        ["state"],
        sqlite_where=sa.text("state IN ('claimed', 'sending', 'unknown')"),
        postgresql_where=sa.text("state IN ('claimed', 'sending', 'unknown')"),
    )
    op.create_index("ledger_provider", "ledger", ["provider_id"])
    op.create_index("ledger_recipient", "ledger", ["recipient", "channel", "episode"])
    op.create_index(
        "ledger_unpublished",
        "ledger",
        ["id"],
        sqlite_where=sa.text("revision > published"),
        postgresql_where=sa.text("revision > published"),
    )


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("episode", sa.String(), nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _progress() -> None:
    op.create_table(
        "progress",
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition"),
    )


def _subscribers() -> None:
    op.create_table(
        "subscribers",
        sa.Column("subscriber_id", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("province", sa.String(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("channels", sa.String(), nullable=False),
        sa.Column("sms", sa.LargeBinary(), nullable=True),
        sa.Column("sms_hash", sa.String(), nullable=True),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("email_hash", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("subscriber_id"),
    )
    op.create_index("ix_subscribers_email_hash", "subscribers", ["email_hash"])
    op.create_index("ix_subscribers_sms_hash", "subscribers", ["sms_hash"])
    op.create_index("subscribers_province", "subscribers", ["province", "subscriber_id"])
