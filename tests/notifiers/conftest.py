"""Databases of both kinds and a running sandbox."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from notifiers import operators
from notifiers.database import connect, upgrade
from notifiers.sandbox import Sandbox
from tests.conftest import missing
from tests.notifiers import postgres
from tests.notifiers.workplace import Told


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A PostgreSQL to use: the one named by AIRSHED_TEST_POSTGRES, or a private one."""
    given = os.environ.get("AIRSHED_TEST_POSTGRES")
    if given:
        yield given
        return
    folder = postgres.binaries()
    if folder is None:
        missing(request, "postgres", "no PostgreSQL: install it, or set AIRSHED_TEST_POSTGRES to a URL")
        return
    with postgres.server(folder) as running:
        yield running.url


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite database with the current schema."""
    engine = connect(f"sqlite:///{tmp_path / 'airshed.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of either kind; on PostgreSQL a schema of its own."""
    if request.param == "sqlite":
        made = connect(f"sqlite:///{tmp_path / 'airshed.db'}")
    else:
        url = request.getfixturevalue("postgres_url")
        schema = f"t{uuid.uuid4().hex}"
        admin = connect(url)
        with admin.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        admin.dispose()
        made = connect(f"{url}?options=-csearch_path%3D{schema}")
    yield made
    made.dispose()


@pytest.fixture
def engine(bare_engine: Engine) -> Engine:
    """A database of either kind with the current schema."""
    upgrade(bare_engine)
    return bare_engine


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A running sandbox."""
    async with Sandbox(tmp_path / "sandbox", callback_after_s=0.01) as running:
        yield running


@pytest.fixture
def told() -> Iterator[Told]:
    """What the operators are told meanwhile."""
    desk = Told()
    restore = operators.install(desk)
    yield desk
    restore()
