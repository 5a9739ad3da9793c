"""Quiet hours and approvals: what waits, what is let go, and what waited in vain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from notifiers.approvals import Answered, approve, listed, reject
from notifiers.database import reading
from notifiers.guard import admit_all
from notifiers.holding import release
from notifiers.ledger import claim
from notifiers.planner import plan
from notifiers.quiet_hours import quiet_until_s
from notifiers.reports import deliveries
from notifiers.upkeep import expire
from rules.notices import Notice
from tests.notifiers.samples import NOON, fill, notice

NIGHT = "22:00-06:00"
EPISODE = "red-river-delta-20260117T06-01"


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment in January 2026 in Hà Nội (+07:00)."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC) - timedelta(hours=7)


def at(hours_after_noon: float) -> float:
    return NOON.timestamp() + 3600 * hours_after_noon


def planned(engine: Engine, *notices: Notice) -> None:
    with engine.begin() as connection:
        for one in notices:
            plan(connection, one)
        admit_all(connection, "exercise")


def states(engine: Engine, kind: str | None = None) -> set[tuple[str, str]]:
    with reading(engine) as connection:
        return {(d.state, d.reason) for d in deliveries(connection) if kind in (None, d.kind)}


def due(connection: Connection, mode: str = "exercise") -> list[str]:
    rows = claim(
        connection,
        mode=mode,
        channel="sms",
        limit=99,
        worker="w",
        lease_s=60.0,
        machine_s=1e12,  # type: ignore[arg-type]
    )
    return [row.kind for row in rows]


@pytest.mark.parametrize(
    ("hours", "moment", "ends"),
    [
        (NIGHT, local(17, 21, 59), None),
        (NIGHT, local(17, 22), local(18, 6)),
        (NIGHT, local(18, 0), local(18, 6)),
        (NIGHT, local(18, 5, 59), local(18, 6)),
        (NIGHT, local(18, 6), None),
        ("12:00-14:30", local(17, 13), local(17, 14, 30)),
        ("12:00-14:30", local(17, 15), None),
        ("", local(17, 23), None),
    ],
)
def test_when_quiet_hours_end(hours: str, moment: datetime, ends: datetime | None) -> None:
    assert quiet_until_s(notice(quiet_hours=hours), moment) == (0 if ends is None else int(ends.timestamp()))


def test_they_end_by_the_local_clock_in_the_night_it_changes() -> None:
    spring = notice(quiet_hours=NIGHT, zone="Europe/Paris")
    moment = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)  # 23:30 in Paris; summer time begins at 02:00
    assert quiet_until_s(spring, moment) == int(datetime(2026, 3, 29, 4, tzinfo=UTC).timestamp())


def night(**changes: object) -> Notice:
    """A notice of 23:00 in Hà Nội."""
    return notice(hours=_until(local(17, 23)), quiet_hours=NIGHT, **changes)


def _until(moment: datetime) -> int:
    return int((moment - NOON).total_seconds() // 3600)


def test_messages_of_the_night_wait_for_the_morning(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 2, 0)
    planned(engine, night())
    assert states(engine) == {("held", "quiet-hours")}
    with engine.begin() as connection:
        assert due(connection) == []
        assert release(connection, "exercise", local(18, 5, 59).timestamp()) == 0
        assert release(connection, "actual", local(18, 6).timestamp()) == 0
        assert release(connection, "exercise", local(18, 6).timestamp()) == 4
        assert due(connection) == ["advisory"] * 2


def test_a_message_that_would_be_too_late_in_the_morning_says_so(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 0)
    planned(engine, night(valid_until=local(18, 5)))
    assert states(engine) == {("suppressed", "only-in-quiet-hours")}


def test_in_the_morning_only_the_newest_is_sent(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 0)
    later = notice(hours=_until(local(18, 2)), transition=2, quiet_hours=NIGHT)
    planned(engine, night(), later)
    with engine.begin() as connection:
        assert release(connection, "exercise", local(18, 6).timestamp()) == 2
    assert states(engine) == {("suppressed", "superseded"), ("planned", "quiet-hours")}


def test_a_warning_is_not_sent_after_the_episode_it_warns_of(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 0)
    end = notice("all-clear", hours=_until(local(18, 4)), transition=9, told_in=EPISODE, quiet_hours=NIGHT)
    planned(engine, night(), end)
    with engine.begin() as connection:
        release(connection, "exercise", local(18, 6).timestamp())
    assert states(engine, "advisory") == {("suppressed", "superseded")}
    assert states(engine, "all-clear") == {("planned", "quiet-hours")}  # the dispatcher asks who was really told


def request(**changes: object) -> Notice:
    return notice("request", recipients="facilities", **changes)


def test_one_officer_lets_go(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 2)
    one = request(approval="officer")
    planned(engine, one)
    assert states(engine) == {("held", "approval")}
    with engine.begin() as connection:
        assert due(connection) == []
        (waiting,) = listed(connection, at(1))
        assert (waiting.state, waiting.messages, waiting.approved_by) == ("waiting", 4, [])
        assert approve(connection, one.id, "Duty 7", at(1)) is Answered.RELEASED
        assert due(connection) == ["request"] * 2
        assert listed(connection, at(1))[0].state == "released"
        assert approve(connection, one.id, "Duty 8", at(2)) is Answered.ALREADY_DECIDED


def test_two_officers_are_two_people(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 1)
    one = request(approval="two-officers")
    planned(engine, one)
    with engine.begin() as connection:
        assert approve(connection, one.id, "Duty 7", at(1)) is Answered.NEEDS_ANOTHER
        assert approve(connection, one.id, "  duty   7 ", at(1)) is Answered.ALREADY_ANSWERED
        assert due(connection) == []
        assert approve(connection, one.id, "Duty 8", at(1)) is Answered.RELEASED
        assert due(connection) == ["request"]


def test_one_no_is_enough(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 1)
    one = request(approval="two-officers")
    planned(engine, one)
    with engine.begin() as connection:
        approve(connection, one.id, "Duty 7", at(1))
        assert reject(connection, one.id, "Duty 8", "stations in calibration", at(1)) is Answered.REJECTED
        assert approve(connection, one.id, "Duty 9", at(1)) is Answered.ALREADY_DECIDED
        assert listed(connection, at(1))[0].rejected_by == "duty 8"
    assert states(engine) == {("suppressed", "rejected")}


def test_what_nobody_approves_expires_and_says_so(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 1)
    one = request(approval="officer")
    planned(engine, one, night(transition=3))
    with engine.begin() as connection:
        assert expire(connection, "exercise", at(11)) == {}
        assert expire(connection, "exercise", at(13)) == {"sms": 1, "email": 1}
        assert approve(connection, one.id, "Duty 7", at(13)) is Answered.TOO_LATE
    assert ("expired", "not-approved") in states(engine)


def test_a_request_is_not_released_after_its_all_clear(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 1)
    one = request(approval="officer")
    end = notice("all-clear", recipients="facilities", transition=9, hours=3, told_in=EPISODE)
    planned(engine, one, end)
    with engine.begin() as connection:
        assert approve(connection, one.id, "Duty 7", at(4)) is Answered.RELEASED
    assert states(engine, "request") == {("suppressed", "superseded")}


def test_approved_at_night_it_still_waits_for_the_morning(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 1)
    one = night(kind="request", recipients="facilities", approval="officer")
    planned(engine, one)
    with engine.begin() as connection:
        approve(connection, one.id, "Duty 7", local(18, 1).timestamp())
    assert states(engine) == {("held", "quiet-hours")}


def test_what_needs_nobody_and_what_is_not_there(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 0)
    one = notice()
    planned(engine, one)
    with engine.begin() as connection:
        assert approve(connection, one.id, "Duty 7", at(1)) is Answered.NOT_NEEDED
        assert approve(connection, "nothing", "Duty 7", at(1)) is Answered.NO_SUCH_NOTICE
        assert listed(connection, at(1)) == []


def test_an_authority_has_no_rows_but_its_approval_is_kept(engine: Engine) -> None:
    one = notice("instruction", recipients="authorities", approval="officer", template="instruction")
    planned(engine, one)
    with engine.begin() as connection:
        assert approve(connection, one.id, "Duty 7", at(1)) is Answered.RELEASED
        assert listed(connection, at(2))[0].approved_by == ["duty 7"]
