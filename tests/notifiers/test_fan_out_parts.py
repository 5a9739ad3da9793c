"""A registry is written in parts side by side, whoever else writes it, and from wherever it was left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pytest
from sqlalchemy import Engine, select, text

from notifiers.database import reading, upgrade
from notifiers.failpoints import arm
from notifiers.planner import fan_out
from notifiers.tables import fan_out_parts, notices
from tests.notifiers.residents import person, rows
from tests.notifiers.samples import notice


def test_two_that_plan_the_same_notice_at_once_write_each_row_once(engine: Engine) -> None:
    for index in range(40):
        person(engine, f"p{index:02}", (0, "01"))
    with ThreadPoolExecutor(2) as threads:
        written = list(threads.map(lambda _: fan_out(engine, notice(), chunk=3), range(2)))
    assert sum(written) == 40
    assert len(rows(engine)) == 40
    with reading(engine) as connection:
        assert connection.execute(select(notices.c.complete)).scalar_one() == 1
        assert connection.execute(select(fan_out_parts)).all() == []


@pytest.mark.parametrize("bare_engine", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_halves_of_a_registry_are_written_side_by_side(engine: Engine) -> None:
    """On PostgreSQL only: SQLite has one writer at a time."""
    for index in range(20):
        person(engine, f"p{index:02}", (0, "01"))
    both = Barrier(2, timeout=20)  # each waits in an open transaction of its own until the other one is there

    def meet(point: str) -> None:
        if point == "before-slice-commit":
            both.wait()

    arm(meet)
    try:
        assert fan_out(engine, notice(), chunk=10) == 20
    finally:
        arm(None)


def test_a_fan_out_that_an_older_version_began_goes_on_where_it_was(bare_engine: Engine) -> None:
    upgrade(bare_engine, "0007")
    one = notice()
    with bare_engine.begin() as connection:
        body = msgspec.json.encode(one)
        begun = text(
            "INSERT INTO notices (id, mode, kind, episode, time_s, body, planned_to, complete, transition, level) "
            "VALUES (:id, 'exercise', 'advisory', :episode, 0, :body, 'p04', 0, 1, 2)"
        )
        connection.execute(begun, {"id": one.id, "episode": one.episode, "body": body})
    upgrade(bare_engine)
    for index in range(10):
        person(bare_engine, f"p{index:02}", (0, "01"))
    assert fan_out(bare_engine, one, chunk=2) == 5
    assert sorted(rows(bare_engine)) == [f"p{index:02}" for index in range(5, 10)]
