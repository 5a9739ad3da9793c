"""What a fan-out asks of the database grows with the number of people, and no faster: counted in steps, not timed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

from notifiers.database import connect, upgrade
from notifiers.planner import fan_out
from notifiers.tables import subscriber_places, subscribers
from rules.notices import Notice
from tests.notifiers.samples import notice

_STEPS = 1_000  # of SQLite's machine, between two counts

SERIES = {
    "first": [notice()],
    "next level": [notice(), notice(transition=2, level=3, hours=1)],
    "second rule of a transition": [
        notice(),
        notice(transition=2, level=3, hours=1),
        notice(transition=2, level=3, hours=1, provinces=["24"]),
    ],
    "all-clear": [notice(), notice("all-clear", level=0, transition=2, hours=2, told_in=notice().episode)],
}


def steps(directory: Path, people: int, series: list[Notice]) -> int:
    """Thousands of steps that the last notice of a series takes with so many residents, half of them of two places."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    def watch(connection: sqlite3.Connection, _record: Any) -> None:
        connection.set_progress_handler(count, _STEPS)

    engine = connect(f"sqlite:///{directory / f'{people}.db'}")
    event.listen(engine, "connect", watch)
    upgrade(engine)
    with engine.begin() as connection:
        rows = [
            {"subscriber_id": f"S{n:05}", "language": "vi", "province": "01", "level": 1, "channels": "sms"}
            | {"sms_hash": f"hash {n}"}
            for n in range(people)
        ]
        places = [
            {"subscriber_id": f"S{n:05}", "place": place, "province": province, "kind": "province"}
            for n in range(people)
            for place, province in enumerate(("01", "24")[: 1 + n % 2])
        ]
        connection.execute(insert(subscribers), rows)
        connection.execute(insert(subscriber_places), places)
    for one in series[:-1]:
        fan_out(engine, one)
    counted = 0
    fan_out(engine, series[-1])
    engine.dispose()
    return counted


@pytest.mark.parametrize("name", SERIES)
def test_twice_as_many_people_cost_about_twice_as_much(tmp_path: Path, name: str) -> None:
    few, many = (steps(tmp_path, people, SERIES[name]) for people in (400, 800))
    assert few > 50, "nothing was counted"
    assert many < 2.6 * few
