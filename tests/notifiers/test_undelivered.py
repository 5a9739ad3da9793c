"""Messages that the provider took and could not deliver: who gets a second try, who another channel, who nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from notifiers import consents
from notifiers.audience import Suppressed
from notifiers.callbacks import Heard, apply_status
from notifiers.database import reading
from notifiers.ledger import Claimed, begin, claim, settle, taken_ids
from notifiers.moves import Moved
from notifiers.planner import plan
from notifiers.sandbox import Sandbox
from notifiers.tables import ledger, subscribers
from rules.notices import Audience, Notice, notice_id
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import attempts_of, dispatching, email_channel, found, planned, sms_channel

NOW_S = NOON.timestamp()
EPISODE = "red-river-delta-20260117T06-01"


def sent(engine: Engine, folder: Path, about: Notice, *, channels: str = "sms") -> Claimed:
    """The one SMS of a notice, accepted by the provider as SM1."""
    fill(engine, folder, 1, 1)
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(channels=channels))
        plan(connection, about)
    return handed_over(engine, "SM1", NOW_S)


def handed_over(engine: Engine, sid: str, at_s: float) -> Claimed:
    with engine.begin() as connection:
        taken = claim(connection, mode="exercise", channel="sms", limit=1, worker="w1", lease_s=60.0, machine_s=at_s)
        assert len(taken) == 1, "the row is due"
        begin(connection, taken[0], "w1", "request", at_s)
        settle(connection, taken[0], "sent", "accepted", at_s, provider_id=sid)
    return taken[0]


def told(engine: Engine, row: Claimed, sid: str, status: str, code: str = "", after_s: float = 0.0) -> Moved | Heard:
    with engine.begin() as connection:
        return apply_status(connection, row.id, sid, status, code, now_s=NOW_S + after_s)


def states(engine: Engine) -> set[tuple[str, str, str]]:
    return {(d.channel, d.state, d.reason) for d in found(engine)}


REQUEST: dict[str, Any] = {"kind": "request", "recipients": "facilities"}


@pytest.mark.parametrize("code", ["30001", "30003", "30008"])
@pytest.mark.parametrize(
    "about", [REQUEST, {"priority": 0}, {"kind": "all-clear"}], ids=["request", "emergency", "end"]
)
def test_what_must_arrive_is_tried_once_more_and_no_oftener(
    sqlite_engine: Engine, tmp_path: Path, about: dict[str, Any], code: str
) -> None:
    row = sent(sqlite_engine, tmp_path, notice(**about))
    assert told(sqlite_engine, row, "SM1", "undelivered", code) is Heard.TRIES_AGAIN
    with sqlite_engine.begin() as connection:
        early = claim(connection, mode="exercise", channel="sms", limit=9, worker="w", lease_s=9, machine_s=NOW_S + 599)
    assert early == [], "the handset is given time to come back"
    again = handed_over(sqlite_engine, "SM2", NOW_S + 601)
    assert again.id == row.id, "the same row: one message per notice, recipient and channel"
    told(sqlite_engine, row, "SM2", "undelivered", "30008", after_s=700.0)
    assert ("sms", "failed", "30008") in states(sqlite_engine)
    with reading(sqlite_engine) as connection:
        assert attempts_of(connection, row.id) == [(1, "failed", code), (2, "failed", "30008")]


def test_echoes_of_the_first_message_move_nothing(engine: Engine, tmp_path: Path) -> None:
    """Callbacks come twice and in any order: before the second try, while it is under way and after it."""
    row = sent(engine, tmp_path, notice(**REQUEST))
    assert told(engine, row, "SM1", "undelivered", "30003") is Heard.TRIES_AGAIN
    for status, code in (("undelivered", "30003"), ("sent", ""), ("failed", "30007")):
        assert told(engine, row, "SM1", status, code) is Moved.BACKWARD
    assert ("sms", "planned", "30003") in states(engine)
    with reading(engine) as connection:
        assert taken_ids(connection, ["SM1", "SM2"]) == {"SM1"}, "a look-up does not find the first one again"
    handed_over(engine, "SM2", NOW_S + 601)
    assert told(engine, row, "SM1", "undelivered", "30003") is Moved.BACKWARD
    assert told(engine, row, "SM2", "delivered") is Moved.APPLIED
    assert ("sms", "delivered", "delivered") in states(engine)


def test_a_word_of_arrival_stops_the_second_try(sqlite_engine: Engine, tmp_path: Path) -> None:
    """30008 was wrong: the carrier reports the first message as delivered after all."""
    row = sent(sqlite_engine, tmp_path, notice(**REQUEST))
    told(sqlite_engine, row, "SM1", "undelivered", "30008")
    assert told(sqlite_engine, row, "SM1", "delivered", after_s=60) is Moved.APPLIED
    assert ("sms", "delivered", "delivered") in states(sqlite_engine)


def test_two_that_arrived_are_an_operators_to_see(sqlite_engine: Engine, tmp_path: Path) -> None:
    row = sent(sqlite_engine, tmp_path, notice(**REQUEST))
    told(sqlite_engine, row, "SM1", "undelivered", "30008")
    handed_over(sqlite_engine, "SM2", NOW_S + 601)
    assert told(sqlite_engine, row, "SM1", "delivered", after_s=700) is Heard.OTHER_MESSAGE


def test_a_callback_before_the_answer_fences_the_answer(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 1)
    planned(engine, notice(**REQUEST))
    with engine.begin() as connection:
        (row,) = claim(connection, mode="exercise", channel="sms", limit=1, worker="w1", lease_s=60.0, machine_s=NOW_S)
        begin(connection, row, "w1", "request", NOW_S)
    assert told(engine, row, "SM1", "undelivered", "30003") is Heard.TRIES_AGAIN
    with engine.begin() as connection:
        assert settle(connection, row, "sent", "accepted", NOW_S, provider_id="SM1") is Moved.FENCED
    assert ("sms", "planned", "30003") in states(engine)


def test_an_unreachable_handset_gets_an_advisory_by_the_persons_mail(engine: Engine, tmp_path: Path) -> None:
    row = sent(engine, tmp_path, notice())
    with engine.begin() as connection:
        consents.give(connection, row.recipient, ["email"], by=consents.PAGE, now_s=NOW_S - 86_400)
    assert told(engine, row, "SM1", "undelivered", "30003") is Moved.APPLIED
    assert states(engine) == {("sms", "failed", "fallback"), ("email", "planned", "fallback")}
    assert told(engine, row, "SM1", "undelivered", "30003") is Moved.ALREADY_THERE
    assert len(found(engine)) == 2
    with reading(engine) as connection:
        assert attempts_of(connection, row.id) == [(1, "failed", "30003")], "the provider's code is kept"


@pytest.mark.parametrize(
    ("changes", "consent"),
    [
        ({"email": None}, "stands"),
        ({"stopped_channels": "email"}, "stands"),
        ({"channels": "sms email"}, "stands"),
        ({}, "never given"),
        ({}, "withdrawn"),
    ],
    ids=["no-address", "stopped", "gets-it-by-mail-anyhow", "never-agreed", "agreed-no-more"],
)
def test_nobody_is_written_to_where_he_does_not_want_it(
    sqlite_engine: Engine, tmp_path: Path, changes: dict[str, Any], consent: str
) -> None:
    row = sent(sqlite_engine, tmp_path, notice(), channels=changes.get("channels", "sms"))
    with sqlite_engine.begin() as connection:
        connection.execute(update(subscribers).values({"channels": "sms"} | changes))
        if consent != "never given":
            consents.give(connection, row.recipient, ["email"], by=consents.PAGE, now_s=NOW_S - 86_400)
        if consent == "withdrawn":
            consents.take_back(connection, row.recipient, by=consents.PAGE, now_s=NOW_S - 60, what=["email"])
    told(sqlite_engine, row, "SM1", "undelivered", "30003")
    assert ("sms", "failed", "30003") in states(sqlite_engine)
    assert ("email", "planned", "fallback") not in states(sqlite_engine)


def test_an_advisory_that_may_have_arrived_goes_nowhere_else(sqlite_engine: Engine, tmp_path: Path) -> None:
    row = sent(sqlite_engine, tmp_path, notice())
    assert told(sqlite_engine, row, "SM1", "undelivered", "30008") is Moved.APPLIED
    assert states(sqlite_engine) == {("sms", "failed", "30008")}


def test_an_emergency_goes_by_mail_when_the_second_try_finds_the_handset_off_as_well(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    row = sent(sqlite_engine, tmp_path, notice(priority=0))
    told(sqlite_engine, row, "SM1", "undelivered", "30003")
    handed_over(sqlite_engine, "SM2", NOW_S + 601)
    told(sqlite_engine, row, "SM2", "undelivered", "30003", after_s=700)
    assert states(sqlite_engine) == {("sms", "failed", "fallback"), ("email", "planned", "fallback")}


def test_nothing_is_tried_that_would_come_too_late(sqlite_engine: Engine, tmp_path: Path) -> None:
    row = sent(sqlite_engine, tmp_path, notice(**REQUEST))
    assert told(sqlite_engine, row, "SM1", "undelivered", "30008", after_s=12 * 3600 - 599) is Moved.APPLIED
    assert ("sms", "failed", "30008") in states(sqlite_engine)


@pytest.mark.parametrize("code", ["30005", "30007", "39999", ""])
def test_other_codes_are_final_and_kept_as_they_came(sqlite_engine: Engine, tmp_path: Path, code: str) -> None:
    row = sent(sqlite_engine, tmp_path, notice(**REQUEST))
    assert told(sqlite_engine, row, "SM1", "undelivered", code) is Moved.APPLIED
    assert ("sms", "failed", code or "undelivered") in states(sqlite_engine)


def test_a_second_try_holds_up_nothing_newer(engine: Engine, tmp_path: Path) -> None:
    row = sent(engine, tmp_path, notice(priority=0))
    told(engine, row, "SM1", "undelivered", "30003")
    planned(engine, notice(priority=0, level=3, transition=2, hours=1))
    assert handed_over(engine, "SM2", NOW_S).id != row.id


@pytest.mark.parametrize(
    ("code", "state", "reason"), [("30008", "sent", "accepted"), ("30003", "suppressed", Suppressed.NOT_TOLD)]
)
async def test_the_end_goes_to_who_may_have_got_the_warning(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, code: str, state: str, reason: str
) -> None:
    row = sent(sqlite_engine, tmp_path, notice())
    with sqlite_engine.begin() as connection:
        connection.execute(update(subscribers).values(email=None, email_hash=None))
    told(sqlite_engine, row, "SM1", "undelivered", code)
    planned(sqlite_engine, notice("all-clear", level=0, transition=2, hours=1, told_in=EPISODE))
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(sqlite_engine, channels, now_s=NOW_S + 3600) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    (end,) = (d for d in found(sqlite_engine) if d.kind == "all-clear")
    assert (end.channel, end.state, end.reason) == ("sms", state, reason)


@pytest.mark.parametrize(("code", "rows"), [("30008", 1), ("30003", 0)])
def test_a_correction_goes_to_who_may_have_got_what_was_wrong(
    engine: Engine, tmp_path: Path, code: str, rows: int
) -> None:
    wrong = notice()
    row = sent(engine, tmp_path, wrong)
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(email=None, email_hash=None))
    told(engine, row, "SM1", "undelivered", code)
    audience = Audience(recipients="residents", provinces=["01", "24"], corrects=wrong.id)
    planned(engine, notice("bulletin", audience=audience, id=notice_id(EPISODE, 2, "rule-x", audience)))
    with reading(engine) as connection:
        planned_rows = connection.execute(select(ledger.c.id).where(ledger.c.kind == "bulletin")).all()
    assert len(planned_rows) == rows


async def test_a_lost_answer_is_looked_up_and_tried_once_more(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The look-up finds the message as undelivered: the same as if a callback had told it."""
    fill(sqlite_engine, tmp_path, 0, 1)
    about = notice(**REQUEST)
    planned(sqlite_engine, about)
    sandbox.phone.faults.undelivered["+84910900000"] = 30003
    sandbox.phone.faults.next("drop-accepted")
    channel = sms_channel(sandbox.addresses, status_callbacks=True, lookup_after_s=0.5)
    with sqlite_engine.begin() as connection:
        connection.execute(update(ledger).values(valid_until_s=2**40))
    async with dispatching(sqlite_engine, [channel]) as dispatcher:
        await dispatcher.drain(3)
    assert ("sms", "planned", "30003") in states(sqlite_engine)
    assert len(sandbox.phone.messages) == 1
    sandbox.phone.faults.undelivered.clear()
    with sqlite_engine.begin() as connection:
        connection.execute(update(ledger).values(due_s=0.0))
    async with dispatching(sqlite_engine, [channel := sms_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(5)
    assert ("sms", "sent", "accepted") in states(sqlite_engine)
    assert len(sandbox.phone.messages) == 2
