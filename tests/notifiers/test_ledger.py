"""The ledger's state machine, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifiers.callbacks import Heard, apply_status
from notifiers.database import reading
from notifiers.ledger import (
    Claimed,
    Moved,
    begin,
    claim,
    claim_unknown,
    enter_data,
    settle,
    taken_ids,
    was_told,
)
from notifiers.planner import plan
from notifiers.reports import mark_published, pending, summary, unpublished
from notifiers.tables import ledger as rows
from notifiers.upkeep import expire, recover
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import attempts_of

EPISODE = "red-river-delta-20260117T06-01"


def prepared(engine: Engine, folder: Path, subscribers: int = 3) -> None:
    fill(engine, folder, subscribers, 1)
    with engine.begin() as connection:
        plan(connection, notice())


def take(
    engine: Engine, *, worker: str = "w1", limit: int = 10, at: float = 1000.0, channel: str = "sms"
) -> list[Claimed]:
    with engine.begin() as connection:
        return claim(
            connection,
            mode="exercise",
            channel=channel,  # type: ignore[arg-type]
            limit=limit,
            worker=worker,
            lease_s=60.0,
            machine_s=at,
        )


def state(engine: Engine, delivery: str) -> tuple[str, str]:
    with reading(engine) as connection:
        row = connection.execute(select(rows.c.state, rows.c.reason).where(rows.c.id == delivery)).one()
    return row.state, row.reason


def begun(engine: Engine, phase: str = "request") -> Claimed:
    (row,) = take(engine, limit=1)
    with engine.begin() as connection:
        assert begin(connection, row, "w1", phase, 1001.0) is Moved.APPLIED  # type: ignore[arg-type]
    return row


def test_a_row_is_claimed_by_one_only(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path)
    first, second = take(engine, worker="w1", limit=2), take(engine, worker="w2")
    assert (len(first), len(second)) == (2, 1)
    assert not {row.id for row in first} & {row.id for row in second}


@pytest.mark.postgres
def test_dispatchers_skip_each_others_rows_while_both_transactions_are_open(
    postgres_url: str, engine: Engine, tmp_path: Path
) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    prepared(engine, tmp_path)
    values = {"mode": "exercise", "channel": "sms", "limit": 2, "lease_s": 60.0, "machine_s": 1000.0}
    with engine.begin() as one, engine.begin() as other:
        first = claim(one, worker="w1", **values)  # type: ignore[arg-type]
        second = claim(other, worker="w2", **values)  # type: ignore[arg-type]
    assert (len(first), len(second)) == (2, 1)


def test_requests_overtake_advisories(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path)
    with engine.begin() as connection:
        plan(connection, notice("request", recipients="facilities", hours=1))
    assert [row.kind for row in take(engine)] == ["request", "advisory", "advisory", "advisory"]


def test_nobody_reads_the_end_before_the_warning(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path, subscribers=1)
    end = notice("all-clear", level=0, transition=2, hours=9, told_in=EPISODE, priority=0)
    with engine.begin() as connection:
        plan(connection, end)
    (warning,) = take(engine)
    assert warning.kind == "advisory"
    assert take(engine) == []
    with engine.begin() as connection:
        begin(connection, warning, "w1", "request", 1001.0)
        settle(connection, warning, "unknown", "no-answer", 1002.0, due_s=1003.0)
    assert take(engine) == [], "the warning may have to be sent again"
    with engine.begin() as connection:
        settle(connection, warning, "sent", "accepted", 1002.0, provider_id="SM1")
    (all_clear,) = take(engine)
    assert all_clear.kind == "all-clear"
    with reading(engine) as connection:
        assert was_told(connection, all_clear)


def test_an_all_clear_after_a_warning_that_failed_finds_nobody_told(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path, subscribers=1)
    row = begun(engine)
    with engine.begin() as connection:
        settle(connection, row, "failed", "30007", 1002.0)
        plan(connection, notice("all-clear", level=0, transition=2, hours=9, told_in=EPISODE))
    (all_clear,) = take(engine)
    with reading(engine) as connection:
        assert not was_told(connection, all_clear)


def test_a_crash_before_anything_was_sent_is_repeated(engine: Engine, tmp_path: Path) -> None:
    """F3, and F4 for mail: the attempt had not come to the body."""
    prepared(engine, tmp_path)
    row = begun(engine, "connect")
    others = take(engine)
    with engine.begin() as connection:
        assert recover(connection, "w1", 1002.0, 5.0) == {"planned": 1 + len(others), "unknown": 0}
    assert state(engine, row.id) == ("planned", "recovered")


@pytest.mark.parametrize("phase", ["request", "data"])
def test_a_crash_beyond_the_point_of_no_return_is_looked_up(engine: Engine, tmp_path: Path, phase: str) -> None:
    prepared(engine, tmp_path)
    row = begun(engine, "connect" if phase == "data" else "request")
    with engine.begin() as connection:
        if phase == "data":
            assert enter_data(connection, row) is Moved.APPLIED
        assert recover(connection, "w1", 1002.0, 5.0) == {"planned": 0, "unknown": 1}
    assert state(engine, row.id) == ("unknown", "interrupted")
    asked = {"mode": "exercise", "channel": "sms", "limit": 5, "worker": "w1", "lease_s": 60.0}
    with engine.begin() as connection:
        assert claim_unknown(connection, machine_s=1006.0, **asked) == [], "not before the provider can know"  # type: ignore[arg-type]
        (found,) = claim_unknown(connection, machine_s=1008.0, **asked)  # type: ignore[arg-type]
        assert claim_unknown(connection, machine_s=1008.0, **asked) == [], "held by the first"  # type: ignore[arg-type]
        assert settle(connection, found, "planned", "absent", 1009.0, due_s=0.0) is Moved.APPLIED
    assert row.id in {again.id for again in take(engine)}


def test_another_workers_rows_are_left_alone_until_the_lease_is_over(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path)
    take(engine, at=1000.0)
    with engine.begin() as connection:
        assert recover(connection, "w2", 1059.0, 0.0)["planned"] == 0
        assert recover(connection, None, 1060.0, 0.0)["planned"] == 3


def test_a_slow_mail_is_not_taken_away_while_it_goes_on(engine: Engine, tmp_path: Path) -> None:
    """It waited for its start, then for a server that took its time before the body: the lease ended while the server
    read that, and a request was sent again."""
    prepared(engine, tmp_path, subscribers=1)
    (row,) = take(engine, at=1000.0)

    def others_take(at: float) -> int:
        with engine.begin() as connection:
            return sum(recover(connection, None, at, 0.0).values())

    with engine.begin() as connection:
        assert begin(connection, row, "w1", "connect", 1050.0, lease_s=60.0) is Moved.APPLIED
    assert others_take(1109.0) == 0
    with engine.begin() as connection:
        assert enter_data(connection, row, 1109.5, lease_s=60.0) is Moved.APPLIED
    assert others_take(1169.0) == 0
    with engine.begin() as connection:
        assert settle(connection, row, "sent", "accepted", 1169.2) is Moved.APPLIED
    assert state(engine, row.id) == ("sent", "accepted")


def test_a_paused_dispatcher_cannot_send_or_settle_a_row_it_lost(engine: Engine, tmp_path: Path) -> None:
    """F7 and F12: stopped for longer than its lease, it wakes up holding an old epoch."""
    prepared(engine, tmp_path, subscribers=1)
    (old,) = take(engine, worker="paused")
    with engine.begin() as connection:
        assert begin(connection, old, "paused", "request", 1061.0) is Moved.FENCED, "its lease is over"
        recover(connection, None, 1061.0, 0.0)
    (new,) = take(engine, worker="other", at=1062.0)
    with engine.begin() as connection:
        assert begin(connection, old, "paused", "request", 1063.0) is Moved.FENCED
        assert settle(connection, old, "sent", "accepted", 1063.0, provider_id="SM1") is Moved.FENCED
        assert begin(connection, new, "other", "request", 1063.0) is Moved.APPLIED
        assert enter_data(connection, old) is Moved.FENCED
    assert state(engine, new.id)[0] == "sending"


def test_every_attempt_stands_in_the_book(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path, subscribers=1)
    row = begun(engine)
    with engine.begin() as connection:
        settle(connection, row, "planned", "429", 1002.0, due_s=1003.0)
    assert take(engine, at=1002.0) == []
    (again,) = take(engine, at=1004.0)
    with engine.begin() as connection:
        begin(connection, again, "w1", "request", 1004.0)
        settle(connection, again, "sent", "accepted", 1005.0, provider_id="SM1", parts=2)
        assert attempts_of(connection, row.id) == [(1, "planned", "429"), (2, "sent", "accepted")]
        assert taken_ids(connection, ["SM1", "SM2"]) == {"SM1"}
        assert summary(connection)["sms", "sent"] == 1


def test_what_is_too_late_is_not_sent(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path)
    until = NOON.timestamp() + 12 * 3600
    with engine.begin() as connection:
        assert expire(connection, "exercise", until) == {}
        assert expire(connection, "actual", until + 1) == {}
        assert expire(connection, "exercise", until + 1) == {"sms": 3, "email": 3}
        assert not any(pending(connection, "exercise").values())


STATUSES = ("queued", "sent", "delivered")


@pytest.mark.parametrize("order", list(itertools.permutations(STATUSES)), ids=" ".join)
def test_callbacks_in_any_order_and_twice_end_the_same(engine: Engine, tmp_path: Path, order: Sequence[str]) -> None:
    prepared(engine, tmp_path, subscribers=1)
    row = begun(engine)
    with engine.begin() as connection:
        for status in [*order, *order]:
            apply_status(connection, row.id, "SM1", status)
        late = settle(connection, row, "sent", "accepted", 1002.0, provider_id="SM1")
    assert late in (Moved.BACKWARD, Moved.ALREADY_THERE), "the answer to the call came after its callbacks"
    assert state(engine, row.id) == ("delivered", "delivered")


def test_a_callback_settles_what_was_unknown(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path, subscribers=1)
    row = begun(engine)
    with engine.begin() as connection:
        settle(connection, row, "unknown", "no-answer", 1002.0, due_s=1100.0)
        assert apply_status(connection, row.id, "SM1", "sent") is Moved.APPLIED
    assert state(engine, row.id) == ("sent", "accepted"), "as if the answer had not been lost"


def test_a_callback_stops_a_second_try_that_is_about_to_begin(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path, subscribers=1)
    row = begun(engine)
    with engine.begin() as connection:
        settle(connection, row, "planned", "absent", 1002.0, due_s=0.0)
    (again,) = take(engine)
    with engine.begin() as connection:
        apply_status(connection, row.id, "SM1", "sent")
        assert begin(connection, again, "w1", "request", 1003.0) is Moved.FENCED


def test_undelivered_and_nonsense(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path, subscribers=1)
    row = begun(engine)
    with engine.begin() as connection:
        settle(connection, row, "sent", "accepted", 1002.0, provider_id="SM1")
        assert apply_status(connection, row.id, "SM1", "sent") is Moved.ALREADY_THERE
        assert apply_status(connection, row.id, "SM2", "delivered") is Heard.OTHER_MESSAGE
        assert apply_status(connection, row.id, "SM1", "teleported") is Heard.UNKNOWN_STATUS
        assert apply_status(connection, "no such row", "SM1", "sent") is Moved.NO_SUCH_DELIVERY
        assert apply_status(connection, row.id, "SM1", "undelivered", "30003") is Moved.APPLIED
        assert apply_status(connection, row.id, "SM1", "delivered") is Moved.BACKWARD
    assert state(engine, row.id) == ("failed", "30003")


def test_news_are_told_until_they_are_confirmed(engine: Engine, tmp_path: Path) -> None:
    prepared(engine, tmp_path, subscribers=1)
    row = begun(engine)
    with engine.begin() as connection:
        assert unpublished(connection, "exercise") == []
        settle(connection, row, "sent", "accepted", 1002.0, provider_id="SM1")
        told = unpublished(connection, "exercise")
        assert [(d.id, d.state) for d, _ in told] == [(row.id, "sent")]
        apply_status(connection, row.id, "SM1", "delivered")
        mark_published(connection, [(d.id, revision) for d, revision in told])
        again = unpublished(connection, "exercise")
        assert [d.state for d, _ in again] == ["delivered"], "what changed meanwhile is not lost"
        mark_published(connection, [(d.id, revision) for d, revision in again])
        assert unpublished(connection, "exercise") == []
