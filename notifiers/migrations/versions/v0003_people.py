"""What people choose, where they want to be warned, what they agreed to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Subscribers get choices, places and consents; those there are keep their province as their only place."""
    _choices()
    _places()
    _consents()
    _confirmations()
    _quotas()
    _erasures()


def _choices() -> None:
    for column in (
        sa.Column("sensitive", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("timing", sa.String(), nullable=False, server_default="any"),
        sa.Column("quiet_from", sa.Integer(), nullable=True),
        sa.Column("quiet_to", sa.Integer(), nullable=True),
        sa.Column("accented", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("state", sa.String(), nullable=False, server_default="active"),
        sa.Column("stopped_channels", sa.String(), nullable=False, server_default=""),
        sa.Column("created_s", sa.BigInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("subscribers", column)


def _places() -> None:
    op.create_table(
        "subscriber_places",
        sa.Column("subscriber_id", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("province", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("commune", sa.String(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("radius_km", sa.Float(), nullable=True),
        sa.Column("label", sa.String(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("subscriber_id", "place", "province"),
    )
    op.execute(
        "INSERT INTO subscriber_places (subscriber_id, place, province, kind) "
        "SELECT subscriber_id, 0, province, 'province' FROM subscribers"
    )
    op.create_index("subscriber_places_province", "subscriber_places", ["province", "subscriber_id"])


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("subscriber_id", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("given_s", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("wording_version", sa.String(), nullable=False),
        sa.Column("given_by", sa.String(), nullable=False),
        sa.Column("withdrawn_s", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("subscriber_id", "what", "given_s"),
    )


def _confirmations() -> None:
    op.create_table(
        "confirmations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("subscriber_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("contact", sa.LargeBinary(), nullable=True),
        sa.Column("contact_hash", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_s", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("request", "subscriber_id", "contact_hash", "expires_s"):
        op.create_index(f"ix_confirmations_{column}", "confirmations", [column])


def _quotas() -> None:
    op.create_table(
        "quotas",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("window_s", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "key", "window_s"),
    )


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("subscriber_id", sa.String(), nullable=False),
        sa.Column("erased_s", sa.BigInteger(), nullable=False),
        sa.Column("erased_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber_id"),
    )
