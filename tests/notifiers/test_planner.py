"""From a notice to ledger rows: who, on which channel, and why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from notifiers.database import load_progress, reading
from notifiers.deliveries import Delivery
from notifiers.planner import Progress, load_notice, plan
from notifiers.reports import deliveries, unpublished
from notifiers.subscribers import import_subscribers
from notifiers.tables import ledger
from rules.notices import Notice, delivery_id
from tests.notifiers.samples import RULES, VAULT, fill, notice

HEADER = "subscriber_id,language,province,level,channels,email,phone\n"
EPISODE = "red-river-delta-20260117T06-01"


def people(engine: Engine, folder: Path, rows: str) -> None:
    path = folder / "people.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    with engine.begin() as connection:
        report = import_subscribers(connection, path, VAULT, RULES)
    assert not report.refused


def planned(engine: Engine, *notices: Notice) -> list[Delivery]:
    with engine.begin() as connection:
        for one in notices:
            plan(connection, one)
    with reading(engine) as connection:
        return list(deliveries(connection))


def test_every_recipient_and_channel_has_a_row_with_its_reason(engine: Engine, tmp_path: Path) -> None:
    people(
        engine,
        tmp_path,
        "both,vi,01,1,sms email,a@example.org,0912345601\n"
        "high,vi,01,3,sms,,0912345602\n"
        "nomail,en,24,1,sms email,,0912345603\n"
        "elsewhere,vi,31,1,sms,,0912345604\n"
        "household,vi,24,1,sms,,0912345601\n"
        "twin,en,01,1,sms,,0912345601\n",
    )
    rows = {(d.recipient, d.channel): (d.state, d.reason, d.language) for d in planned(engine, notice(level=2))}
    assert rows == {
        ("both", "sms"): ("planned", "planned", "vi"),
        ("both", "email"): ("planned", "planned", "vi"),
        ("high", "sms"): ("suppressed", "below-threshold", "vi"),
        ("nomail", "sms"): ("planned", "planned", "en"),
        ("nomail", "email"): ("suppressed", "no-contact", "en"),
        ("household", "sms"): ("planned", "planned", "vi"),
        ("twin", "sms"): ("suppressed", "same-contact", "en"),
    }


def test_ids_are_those_of_the_contract(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 2, 0)
    one = notice()
    for delivery in planned(engine, one):
        assert delivery.id == delivery_id(one.id, delivery.recipient, delivery.channel)


def test_planning_again_changes_nothing_but_keeps_progress(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 3, 0)
    one = notice()
    with engine.begin() as connection:
        assert plan(connection, one, progress=Progress("dispatch", "notices", 2, 8)) == 6
    fill(engine, tmp_path, 5, 0)  # people who come later are not told of what is over
    with engine.begin() as connection:
        assert plan(connection, one, progress=Progress("dispatch", "notices", 2, 9)) == 0
    with reading(engine) as connection:
        assert len(list(deliveries(connection))) == 6
        assert load_progress(connection, "dispatch") == {("notices", 2): 9}
        assert load_notice(connection, one.id) == one


def test_a_transaction_that_fails_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 3, 0)
    with pytest.raises(RuntimeError), engine.begin() as connection:
        plan(connection, notice(), progress=Progress("dispatch", "notices", 0, 1))
        raise RuntimeError("the caller's own part failed")
    with reading(engine) as connection:
        assert list(deliveries(connection)) == []
        assert load_progress(connection, "dispatch") == {}


@pytest.mark.parametrize("pace", ["planned", "sent", "unknown", "failed", "expired"])
def test_the_all_clear_goes_to_those_who_were_warned_however_far_sending_is(
    engine: Engine, tmp_path: Path, pace: str
) -> None:
    people(
        engine,
        tmp_path,
        "warned,vi,01,1,sms,,0912345601\nhigh,vi,01,3,sms,,0912345602\nother,vi,24,1,sms,,0912345603\n",
    )
    planned(engine, notice(provinces=["01"]))
    with engine.begin() as connection:
        connection.execute(update(ledger).where(ledger.c.state == "planned").values(state=pace))
    end = notice("all-clear", provinces=["01", "24"], level=0, transition=9, hours=20, told_in=EPISODE)
    rows = {d.recipient: (d.state, d.reason) for d in planned(engine, end) if d.kind == "all-clear"}
    assert rows == {
        "warned": ("planned", "planned"),
        "high": ("suppressed", "not-told"),
        "other": ("suppressed", "not-told"),
    }


def test_an_exercise_warning_earns_no_actual_all_clear(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 0)
    end = notice("all-clear", level=0, transition=9, told_in=EPISODE, exercise=False)
    rows = [d for d in planned(engine, notice(), end) if d.kind == "all-clear"]
    assert {d.reason for d in rows} == {"not-told"}


def test_facilities_are_written_to_on_every_channel_they_have(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 2)
    rows = planned(engine, notice("request", recipients="facilities"))
    assert [(d.recipient, d.channel, d.state) for d in rows] == [
        ("F000", "email", "planned"),
        ("F000", "sms", "planned"),
        ("F001", "email", "planned"),
        ("F001", "sms", "planned"),
    ]


def test_suppressed_rows_are_told_to_the_world_at_once(engine: Engine, tmp_path: Path) -> None:
    people(engine, tmp_path, "a,vi,01,3,sms,,0912345601\nb,vi,01,1,sms,,0912345602\n")
    planned(engine, notice(level=1))
    with reading(engine) as connection:
        assert [(d.recipient, d.reason) for d, _ in unpublished(connection, "exercise")] == [("a", "below-threshold")]
        assert unpublished(connection, "actual") == []


def test_more_recipients_than_a_chunk(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 2_345, 0)
    rows = planned(engine, notice())
    assert len(rows) == 2 * 2_345
    assert len({row.id for row in rows}) == len(rows)
