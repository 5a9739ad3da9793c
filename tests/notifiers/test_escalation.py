"""Requests that are followed up: who is called when, what stops it, and what survives a crash. Times are minutes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from sqlalchemy import Engine, update

from notifiers.acknowledgements import Answer, find_request, record
from notifiers.callbacks import acknowledged
from notifiers.database import reading
from notifiers.deliveries import ChannelName
from notifiers.escalation import OPEN, Answers, EscalationPlan, Standing, State, decide, snapshot
from notifiers.escalations import Escalation, listed, overdue, tick
from notifiers.failpoints import FailpointName, arm
from notifiers.following import FollowUp
from notifiers.operators import Occasion
from notifiers.sandbox import Sandbox
from notifiers.switch import resume, stop
from notifiers.tables import ledger
from rules.notices import Notice
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.test_fallback_and_voice import voice_channel
from tests.notifiers.workplace import QUICK, Told, dispatching, email_channel, found, planned, sms_channel

EPISODE = "red-river-delta-20260117T06-01"
PLAN = EscalationPlan(interval_s=600, cycles=2, remind_after_s=1800)
SERVED: tuple[ChannelName, ...] = ("sms", "email", "voice")


def at(minutes: float) -> float:
    return NOON.timestamp() + 60 * minutes


def request(**changes: object) -> Notice:
    return notice("request", recipients="facilities", **{"priority": 0, **changes})


def ticked(engine: Engine, *minutes: float, plan: EscalationPlan = PLAN) -> list[tuple[float, str, str, str]]:
    """Moves by minute: (minute, facility, new state, channel called)."""
    moves: list[tuple[float, str, str, str]] = []
    for minute in minutes:
        with engine.begin() as connection:
            moved = tick(connection, "exercise", [plan], SERVED, at(minute))
        moves += [(minute, m.recipient, m.decision.standing.state, m.decision.call or "") for m in moved]
    return moves


def answer(engine: Engine, one: Notice, given: Answer, minute: float, facility: str = "F000") -> None:
    with engine.begin() as connection:
        rows = [d for d in found(engine) if d.recipient == facility and d.notice == one.id]
        asked = find_request(connection, rows[0].id)
        assert asked is not None
        record(connection, asked, given, "the kiln cannot be slowed" if given == "refused" else "", at(minute))


def only(engine: Engine) -> Escalation:
    with reading(engine) as connection:
        (one,) = listed(connection)
    return one


def test_nobody_answers(engine: Engine, tmp_path: Path) -> None:
    """SMS and mail went out at once; the call after ten minutes, then everything once more, then the operators."""
    fill(engine, tmp_path, 0, 1)
    planned(engine, request())
    assert ticked(engine, 0, 5, 10, 15, 20, 30, 40, 45, 50, 60, 70) == [
        (10, "F000", "calling", "voice"),
        (20, "F000", "calling", "sms"),
        (30, "F000", "calling", "email"),
        (40, "F000", "calling", "voice"),
        (50, "F000", "exhausted", ""),
    ]
    assert [(channel, purpose) for channel, purpose, _, _ in only(engine).calls] == [
        ("voice", "call"),
        ("sms", "call"),
        ("email", "call"),
        ("voice", "call"),
    ]
    assert Counter((d.channel, d.reason) for d in found(engine)) == {
        ("sms", "planned"): 1,
        ("email", "planned"): 1,
        ("voice", "escalation"): 2,
        ("sms", "escalation"): 1,
        ("email", "escalation"): 1,
    }


@pytest.mark.parametrize(
    ("given_answers", "moves"),
    [
        ([("refused", 12)], [(15, "answered", "")]),
        ([("accepted", 12), ("started", 30)], [(15, "accepted", ""), (30, "finished", "")]),
        ([("accepted", 12), ("done", 30)], [(15, "accepted", ""), (30, "finished", "")]),
        (
            [("accepted", 12)],
            [
                (15, "accepted", ""),
                (45, "reminded", "sms"),  # 30 minutes after the acceptance
                (75, "calling", ""),  # taken back
                (80, "calling", "sms"),
                (90, "calling", "email"),
                (100, "calling", "voice"),
                (110, "exhausted", ""),
            ],
        ),
        (
            [("accepted", 12), ("done", 90)],
            [
                (15, "accepted", ""),
                (45, "reminded", "sms"),
                (75, "calling", ""),
                (80, "calling", "sms"),
                (90, "finished", ""),
            ],
        ),
        (
            [("accepted", 12), ("accepted", 84), ("started", 120)],
            [
                (15, "accepted", ""),
                (45, "reminded", "sms"),
                (75, "calling", ""),
                (80, "calling", "sms"),
                (85, "accepted", ""),  # once more
                (115, "reminded", "sms"),
                (120, "finished", ""),
            ],
        ),
        (
            [("accepted", 12), ("refused", 84)],
            [
                (15, "accepted", ""),
                (45, "reminded", "sms"),
                (75, "calling", ""),
                (80, "calling", "sms"),
                (85, "answered", ""),
            ],
        ),
    ],
    ids=["refused", "started", "done", "nothing-follows", "follows-late", "accepted-anew", "refused-anew"],
)
def test_what_an_answer_does(
    engine: Engine, tmp_path: Path, given_answers: list[tuple[Answer, float]], moves: list[tuple[float, str, str]]
) -> None:
    fill(engine, tmp_path, 0, 1)
    one = request()
    planned(engine, one)
    seen = []
    for minute in range(0, 180, 5):
        for given_answer, when in given_answers:
            if minute - 5 < when <= minute:
                answer(engine, one, given_answer, when)
        seen += [(when, state, call) for when, _, state, call in ticked(engine, minute)]
    assert seen == [(10, "calling", "voice"), *moves]


def test_a_digit_pressed_in_a_call_is_an_acceptance(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 1)
    planned(engine, request())
    ticked(engine, 0, 10)
    with engine.begin() as connection:
        (call,) = [d.id for d in found(engine) if d.channel == "voice"]
        connection.execute(update(ledger).where(ledger.c.id == call).values(state="sent", provider_id="CA1"))
        acknowledged(connection, call, "CA1")
    assert ticked(engine, 20) == [(20, "F000", "accepted", "")]


def test_a_request_that_is_over_is_not_followed_up(sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 0, 1)
    planned(sqlite_engine, request())
    ticked(sqlite_engine, 0)
    planned(sqlite_engine, notice("all-clear", recipients="facilities", transition=2, hours=1, told_in=EPISODE))
    assert ticked(sqlite_engine, 10, 70) == [(10, "F000", "calling", "voice"), (70, "F000", "ended", "")]
    assert only(sqlite_engine).reason == "superseded"


def test_a_newer_request_takes_its_place_and_too_late_is_the_end(sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 0, 1)
    planned(sqlite_engine, request())
    ticked(sqlite_engine, 0)
    planned(sqlite_engine, request(transition=2, hours=1, level=3))
    ticked(sqlite_engine, 60, 60.1)
    with reading(sqlite_engine) as connection:
        assert Counter((e.state, e.reason) for e in listed(connection)) == {
            ("ended", "superseded"): 1,
            ("calling", "asked"): 1,
        }
    ticked(sqlite_engine, 14 * 60)
    with reading(sqlite_engine) as connection:
        assert {e.state for e in listed(connection)} == {"ended"}


def test_enough_answers_are_enough(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Two of four are needed: when they have answered, the others are left in peace."""
    fill(sqlite_engine, tmp_path, 0, 4)
    one = request()
    planned(sqlite_engine, one)
    plan = EscalationPlan(interval_s=600, cycles=1, responses=2)
    ticked(sqlite_engine, 0, plan=plan)
    answer(sqlite_engine, one, "accepted", 3, "F001")
    answer(sqlite_engine, one, "refused", 4, "F002")
    moves = ticked(sqlite_engine, 10, plan=plan)
    assert [(facility, state) for _, facility, state, _ in moves] == [
        ("F000", "ended"),
        ("F001", "accepted"),
        ("F002", "answered"),
        ("F003", "ended"),
    ]


def test_what_waits_for_an_officer_is_followed_up_from_the_release_on(sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 0, 1)
    planned(sqlite_engine, request(approval="officer"))
    assert ticked(sqlite_engine, 0, 30) == []
    with sqlite_engine.begin() as connection:
        connection.execute(update(ledger).values(state="planned"))
    assert ticked(sqlite_engine, 31, 41) == [(41, "F000", "calling", "voice")]


def test_the_plan_is_frozen_and_chosen_by_kind(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Begun under one configuration, an escalation ends under it, whatever the configuration says by then."""
    fill(sqlite_engine, tmp_path, 0, 1)
    planned(sqlite_engine, request())
    other = EscalationPlan(kinds=["thermal-power"], interval_s=60, order=["voice"])
    ours = EscalationPlan(kinds=["cement"], interval_s=300, cycles=1)
    with sqlite_engine.begin() as connection:
        tick(connection, "exercise", [other, ours], SERVED, at(0))
    changed = EscalationPlan(interval_s=60, cycles=9)
    assert ticked(sqlite_engine, 1, 4, 5, 6, 10, plan=changed) == [
        (5, "F000", "calling", "voice"),
        (10, "F000", "exhausted", ""),
    ]


def test_after_a_standstill_calls_do_not_come_all_at_once(sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 0, 1)
    planned(sqlite_engine, request())
    ticked(sqlite_engine, 0)
    with reading(sqlite_engine) as connection:
        assert overdue(connection, "exercise", at(12)) == 0
        assert overdue(connection, "exercise", at(180)) == 1
    assert ticked(sqlite_engine, 180, 181, 190) == [(180, "F000", "calling", "voice"), (190, "F000", "calling", "sms")]


@pytest.mark.parametrize("point", ["between-escalation"])
def test_a_crash_repeats_and_loses_no_call(engine: Engine, tmp_path: Path, point: str) -> None:
    fill(engine, tmp_path, 0, 2)
    planned(engine, request())
    ticked(engine, 0)
    passed = 0

    def crash(name: FailpointName) -> None:
        nonlocal passed
        passed += name == point
        if passed == 2 and name == point:
            raise KeyboardInterrupt

    arm(crash)
    try:
        with pytest.raises(KeyboardInterrupt):
            ticked(engine, 10)
    finally:
        arm(None)
    assert ticked(engine, 10.5) == [(10.5, "F000", "calling", "voice"), (10.5, "F001", "calling", "voice")]
    assert ticked(engine, 10.6) == []
    assert Counter(d.channel for d in found(engine)) == {"sms": 2, "email": 2, "voice": 2}


def test_operators_hear_of_what_they_must_know(sqlite_engine: Engine, tmp_path: Path, told: Told) -> None:
    fill(sqlite_engine, tmp_path, 0, 2)
    one = request()
    planned(sqlite_engine, one)
    follow = FollowUp("exercise", [EscalationPlan(interval_s=600, cycles=1)], SERVED)
    for minute in (0, 10):
        with sqlite_engine.begin() as connection:
            follow.turn(connection, at(minute))
    answer(sqlite_engine, one, "refused", 12, "F001")
    with sqlite_engine.begin() as connection:
        stop(connection, "Duty 7", "a mistake", at(19))
        assert follow.turn(connection, at(30)) == [], "stopped: nobody is called"
        resume(connection, "Duty 7", "mended", at(31))
        follow.turn(connection, at(31))
    assert [(e.occasion, e.about[:4]) for e in told.events] == [
        (Occasion.OVERDUE, "esca"),
        (Occasion.UNANSWERED, "F000"),
        (Occasion.REFUSED, "F001"),
    ]


async def test_over_the_sandbox_with_a_restart_at_every_step(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """The whole of it: SMS and mail, the call, and after the acceptance on the page nothing more but the reminder."""
    fill(engine, tmp_path, 0, 1)
    one = request()
    planned(engine, one)
    following = replace(QUICK, escalations=(PLAN,))

    async def live(minute: float) -> tuple[int, int, int]:
        channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses), voice_channel(sandbox)]
        async with dispatching(engine, channels, settings=following, now_s=at(minute)) as dispatcher:
            await dispatcher.drain(2)
        await sandbox.switchboard.settled()
        return len(sandbox.phone.messages), len(sandbox.mailbox.mails), len(sandbox.switchboard.calls)

    assert await live(0) == (1, 1, 0)
    assert await live(9) == (1, 1, 0)
    assert await live(10) == (1, 1, 1)
    assert await live(20) == (2, 1, 1)
    answer(engine, one, "accepted", 25)
    assert await live(30) == (2, 1, 1)
    assert await live(54) == (2, 1, 1)
    assert await live(56) == (3, 1, 1), "the reminder"
    answer(engine, one, "started", 60)
    assert await live(90) == (3, 1, 1)
    assert (only(engine).state, only(engine).reason) == ("finished", "started")


async def test_the_second_call_says_that_it_is_one(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 1)
    planned(engine, request())
    following = replace(QUICK, escalations=(PLAN,))
    for minute in (0, 10, 20, 30, 40):
        channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses), voice_channel(sandbox)]
        async with dispatching(engine, channels, settings=following, now_s=at(minute)) as dispatcher:
            await dispatcher.drain(2)
        await sandbox.switchboard.settled()
    first, second = (call.twiml for call in sandbox.switchboard.calls.values())
    assert "lần thứ" not in first
    assert "lần thứ 2" in second


CHANNELS: tuple[ChannelName, ...] = ("sms", "email", "voice")


HAPPENS = ["", "", "", "accepted", "refused", "started"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=4),
    st.integers(1, 3),
    st.sets(st.sampled_from(CHANNELS)),
    st.sets(st.sampled_from(CHANNELS)),
    st.lists(st.tuples(st.floats(1.0, 2000.0), st.sampled_from(HAPPENS)), max_size=60),
)
def test_whatever_happens_calls_are_bounded_and_the_end_is_the_end(
    order: list[ChannelName],
    cycles: int,
    reachable: set[ChannelName],
    planned_on: set[ChannelName],
    events: list[tuple[float, str]],
) -> None:
    plan = EscalationPlan(order=order, cycles=cycles, interval_s=600, remind_after_s=1800)
    frozen = snapshot(plan, reachable, planned_on)
    at_, known, now_s, calls = Standing("calling", 0, 600.0), Answers(), 0.0, 0
    for wait_s, what in events:
        now_s += wait_s
        if what == "accepted" and not known.accepted_s:
            known = replace(known, accepted_s=now_s)
        elif what == "refused" and not known.accepted_s:
            known = replace(known, refused=True)
        elif what == "started":
            known = replace(known, working_as="started")
        before, decision = at_, decide(frozen, at_, known, now_s)
        if decision is None:
            continue
        assert before.state in OPEN, "nothing moves after the end"
        at_ = decision.standing
        if decision.call is not None:
            assert decision.call in reachable
            assert not (known.refused or known.working_as), "nobody is called after an answer"
            assert now_s >= before.next_s, "no call before its time"
            calls += 1
        assert at_.state in get_args(State)
    assert calls <= len(order) * (cycles + 1) + 1
