"""What is late is found, named and told; what still has time is not. On both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import Engine, insert, update

from airshed import watching
from notifiers import guard, releases, switch
from notifiers.auditor import Auditor, Finding, Patience, audit
from notifiers.callbacks import apply_status
from notifiers.database import reading
from notifiers.guard import Guard
from notifiers.heartbeat import Heartbeat, calling
from notifiers.ledger import begin, claim
from notifiers.operators import Occasion, OperatorEvent
from notifiers.planner import plan
from notifiers.tables import attempts, ledger, notices
from notifiers.upkeep import recover
from streams import metrics
from streams.clock import ManualClock
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import attempts_of

NOON_S = NOON.timestamp()
ALIVE: Any = SimpleNamespace(alive_s=0.0)  # all that is asked of a dispatcher: when it last came round
PATIENCE = Patience(waiting_s=100, lease_s=50, unknown_s=200, fan_out_s=30, silent_s=1_000)


@pytest.fixture
def planned(engine: Engine, tmp_path: Path) -> Engine:
    """Two residents by SMS and mail, one advisory, planned at noon."""
    fill(engine, tmp_path, 2, 0)
    with engine.begin() as connection:
        plan(connection, notice())
    return engine


def rows(engine: Engine, **values: Any) -> None:
    """Put the SMS rows into a state, and the mails out of the way."""
    with engine.begin() as connection:
        connection.execute(update(ledger).where(ledger.c.channel == "email").values(state="delivered"))
        connection.execute(update(ledger).where(ledger.c.channel == "sms").values(**values))


def found(engine: Engine, after_s: float) -> list[Finding]:
    with reading(engine) as connection:
        return audit(connection, NOON_S + after_s, PATIENCE)


@pytest.mark.parametrize(
    ("problem", "values", "late_s"),
    [
        ("waiting", {"state": "planned"}, 100),
        ("waiting", {"state": "planned", "due_s": NOON_S + 500}, 600),
        ("beyond-lease", {"state": "claimed", "lease_until_s": NOON_S + 60}, 110),
        ("beyond-lease", {"state": "sending", "lease_until_s": NOON_S + 60}, 110),
        ("unknown", {"state": "unknown", "reason": "interrupted", "due_s": NOON_S + 10}, 210),
        ("held", {"state": "held", "reason": "quiet-hours", "hold_until_s": int(NOON_S) + 60}, 110),
    ],
)
def test_a_row_is_late_from_the_moment_its_time_is_over(
    planned: Engine, problem: str, values: dict[str, Any], late_s: float
) -> None:
    rows(planned, **values)
    assert found(planned, late_s - 1) == []
    (one,) = found(planned, late_s + 61)
    assert (one.problem, one.number, one.channel, one.notice) == (problem, 2, "sms", notice().id)
    assert 60 <= one.since_s <= 62
    assert "the oldest is 1 min late" in one.says
    assert one.example in one.says


def test_what_nobody_can_tell_is_found_at_once(planned: Engine) -> None:
    rows(planned, state="unknown", reason="unknowable", due_s=NOON_S)
    assert [one.problem for one in found(planned, 1)] == ["unknowable"]


def test_a_provider_that_says_nothing_is_found(planned: Engine) -> None:
    rows(planned, state="sent", attempts=2)
    with planned.begin() as connection:
        for row in connection.execute(ledger.select().where(ledger.c.channel == "sms")).all():
            for number, ended_s in ((1, NOON_S - 9_000), (2, NOON_S + 5)):
                values = {"delivery": row.id, "number": number, "worker": "w", "epoch": 1, "started_s": 0.0}
                values |= {"ended_s": ended_s, "content": "", "outcome": "sent", "code": ""}
                connection.execute(insert(attempts).values(**values))
    assert found(planned, 1_004) == []
    assert [(one.problem, one.number) for one in found(planned, 1_006)] == [("silent", 2)]
    rows(planned, state="delivered")
    assert found(planned, 1_006) == []


def test_silence_after_a_crash_is_found_too(planned: Engine) -> None:
    """The answer came to a process that had died, so the first callback was all that settled the message."""
    sms = {"mode": "exercise", "channel": "sms", "limit": 9, "worker": "w1", "lease_s": 60.0, "machine_s": NOON_S}
    rows(planned, state="planned")
    with planned.begin() as connection:
        mine = claim(connection, **sms)  # type: ignore[arg-type]
        for row in mine:
            begin(connection, row, "w1", "request", NOON_S)
        recover(connection, "w1", NOON_S + 1, 60.0)
        cut_off = [attempts_of(connection, row.id) for row in mine]
        for row in mine:
            apply_status(connection, row.id, f"SM-{row.recipient}", "sent")
        ended = [attempts_of(connection, row.id) for row in mine]
    assert cut_off == [[(1, "unknown", "interrupted")]] * 2
    assert ended == [[(1, "sent", "sent")]] * 2
    with planned.begin() as connection:
        connection.execute(update(attempts).values(ended_s=NOON_S + 5))
    assert [(one.problem, one.number) for one in found(planned, 1_006)] == [("silent", 2)]


def test_notices_without_rows_are_found_unless_nobody_was_to_get_any(planned: Engine) -> None:
    rows(planned, state="delivered")
    nobody = notice(provinces=["31"], transition=7)
    with planned.begin() as connection:
        plan(connection, nobody)
        plan(connection, notice("instruction", recipients="authorities", transition=8))
    assert [(one.problem, one.example) for one in found(planned, 5)] == [("empty", nobody.id)]


def test_a_fan_out_that_stopped_in_the_middle_is_found(planned: Engine) -> None:
    rows(planned, state="delivered")
    with planned.begin() as connection:
        connection.execute(update(notices).values(complete=0, taken_s=NOON_S))
    assert found(planned, 29) == []
    assert [one.problem for one in found(planned, 31)] == ["unfinished"]


def test_operators_are_told_and_gauges_fall_back_when_all_is_well(planned: Engine) -> None:
    told: list[OperatorEvent] = []
    clock = ManualClock(NOON_S + 200)
    auditor = Auditor(planned, patience=PATIENCE, clock=clock, tell=told.append)
    rows(planned, state="unknown", reason="unknowable", due_s=NOON_S)
    auditor.look()
    assert [event.occasion for event in told] == [Occasion.UNKNOWABLE]
    assert metrics.value("airshed_audit_findings", problem="unknowable") == 2
    rows(planned, state="planned", reason="planned", due_s=0.0)
    auditor.look()
    assert [event.occasion for event in told[1:]] == [Occasion.OVERDUE]
    rows(planned, state="delivered")
    assert auditor.look() == []
    assert metrics.value("airshed_audit_findings", problem="unknowable") == 0
    assert metrics.value("airshed_audit_findings", problem="waiting") == 0


def test_what_is_stopped_on_purpose_is_held_and_told_once(planned: Engine) -> None:
    """No alarm every five minutes for what an officer did, and a new patience when it goes on."""
    rows(planned, state="planned")
    with planned.begin() as connection:
        switch.stop(connection, "Duty 7", "wrong level", NOON_S + 10)
    told: list[OperatorEvent] = []
    clock = ManualClock(NOON_S + 200)
    auditor = Auditor(planned, patience=PATIENCE, clock=clock, tell=told.append)
    for _ in range(3):
        assert [(one.problem, one.number) for one in auditor.look()] == [("stopped", 2)]
    assert [event.occasion for event in told] == [Occasion.STOPPED]
    assert auditor.stopped
    assert (metrics.value("airshed_audit_findings", problem="stopped"), watching.problem_of(auditor, ALIVE, 0.0)) == (
        2,
        "",
    )
    with planned.begin() as connection:
        switch.resume(connection, "Duty 7", "mended", NOON_S + 1_000)
    clock.set(NOON_S + 1_099)
    assert auditor.look() == [], "they can be taken since they were let go, not since they were due"
    assert not auditor.stopped
    clock.set(NOON_S + 1_101)
    assert [one.problem for one in auditor.look()] == ["waiting"]
    assert watching.problem_of(auditor, ALIVE, 0.0) != ""
    with planned.begin() as connection:
        switch.stop(connection, "Duty 7", "again", NOON_S + 1_200)
    clock.set(NOON_S + 1_300)
    auditor.look()
    assert [event.occasion for event in told] == [Occasion.STOPPED, Occasion.OVERDUE, Occasion.STOPPED]


def test_what_the_storm_guard_holds_is_held_and_told_once(planned: Engine) -> None:
    rows(planned, state="planned")
    with planned.begin() as connection:
        assert guard.admit(connection, "exercise", Guard(recipients=1), NOON_S)[0].held
    told: list[OperatorEvent] = []
    clock = ManualClock(NOON_S + 200)
    auditor = Auditor(planned, patience=PATIENCE, clock=clock, tell=told.append)
    for _ in range(2):
        assert [(one.problem, one.number) for one in auditor.look()] == [("guarded", 2)]
    assert [event.occasion for event in told] == [Occasion.STORM_GUARD]
    assert watching.problem_of(auditor, ALIVE, 0.0) == ""
    with planned.begin() as connection:
        releases.release(connection, notice().id, "Duty 7", "right", NOON_S + 500)
    clock.set(NOON_S + 599)
    assert auditor.look() == []
    clock.set(NOON_S + 601)
    assert [one.problem for one in auditor.look()] == ["waiting"]


def test_rows_for_a_channel_that_is_not_configured_are_found_at_once(planned: Engine) -> None:
    rows(planned, state="planned", channel="webhook")
    with reading(planned) as connection:
        (one,) = audit(connection, NOON_S, PATIENCE, ["sms", "email"])
        assert audit(connection, NOON_S, PATIENCE, ["sms", "email", "webhook"]) == []
    assert (one.problem, one.channel, one.number) == ("unserved", "webhook", 2)
    assert "webhooks.keys" in one.remedy


async def test_the_heart_beats_while_all_is_well_and_only_then() -> None:
    beats: list[str] = []
    said: list[str] = []
    statuses = [200, 500, 302]

    async def heard(request: web.Request) -> web.Response:
        beats.append(request.path)
        said.append(request.headers["Airshed-Status"])
        return web.Response(status=statuses.pop(0), headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_get("/{token}", heard)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    problem = ""
    status = "sending"
    watcher = calling(f"http://127.0.0.1:{port}/token")
    heart = Heartbeat(watcher, lambda: problem, every_s=0.01, status=lambda: status)
    assert [await heart.beat() for _ in range(2)] == ["sent", "failed"]
    status = "stopped"
    assert await heart.beat() == "failed"
    assert said == ["sending", "sending", "stopped"]
    problem = "the dispatcher has not come round"
    assert await heart.beat() == "withheld"
    await runner.cleanup()
    problem = ""
    assert await heart.beat() == "failed"
    assert beats == ["/token"] * 3, "no redirect is followed"


async def test_the_heart_goes_on_beating_until_it_is_stopped() -> None:
    stop, beats = asyncio.Event(), 0

    async def call(status: str) -> None:
        nonlocal beats
        assert status == "stopped"
        beats += 1
        if beats == 2:
            raise OSError("nobody there")
        if beats == 4:
            stop.set()

    await asyncio.wait_for(Heartbeat(call, lambda: "", every_s=0.001, status=lambda: "stopped").run(stop), 10)
    assert beats == 4
