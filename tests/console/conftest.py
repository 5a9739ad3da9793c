"""A console over a database with one planned request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient
from sqlalchemy import Engine

from console.app import ConsoleSettings, create_app
from notifiers.database import connect, upgrade
from notifiers.planner import plan
from rules.notices import Notice
from streams.clock import ManualClock
from tests.notifiers.samples import LINKS, NOON, fill, notice

TOKEN = "provider's token"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON.timestamp() + 600)


@pytest.fixture
def request_notice() -> Notice:
    return notice("request", recipients="facilities")


@pytest.fixture
def engine(tmp_path: Path, request_notice: Notice) -> Iterator[Engine]:
    made = connect(f"sqlite:///{tmp_path / 'airshed.db'}")
    upgrade(made)
    fill(made, tmp_path, 1, 2)
    with made.begin() as connection:
        plan(connection, request_notice)
        plan(connection, notice())
    yield made
    made.dispose()


@pytest.fixture
def client(engine: Engine, clock: ManualClock) -> Iterator[TestClient]:  # type: ignore[type-arg]
    settings = ConsoleSettings(
        engine=engine, links=LINKS, sms_auth_token=TOKEN, sms_shared_keys={"k1": "shared secret"}, clock=clock
    )
    with TestClient(create_app(settings)) as running:
        yield running
