"""The database of an installation that may not have one yet: asked by commands that only look."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from airshed.configuration import Configuration
from notifiers.database import connect


def existing_database(settings: Configuration, table: sa.Table) -> sa.Engine | None:
    """The database, if it is there and has a table; nothing is made, neither a file nor a schema.

    Raises:
        SQLAlchemyError: a server does not answer.
    """
    engine = connect(settings.database_url)
    own_file = engine.dialect.name == "sqlite" and engine.url.database
    if own_file and not Path(own_file).exists():
        return None
    return engine if sa.inspect(engine).has_table(table.name) else None
