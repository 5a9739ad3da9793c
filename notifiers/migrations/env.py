"""Alembic's entry: runs the migrations on the connection that :func:`notifiers.database.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from notifiers.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
