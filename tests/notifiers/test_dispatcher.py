"""The dispatcher against the sandbox: everything arrives once, whatever fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Engine, update

from notifiers import upkeep
from notifiers.database import reading
from notifiers.deliveries import Delivery
from notifiers.lane import DispatchSettings
from notifiers.links import Links
from notifiers.messages import ExerciseMessage, OnData, Receipt
from notifiers.reports import pending, unpublished
from notifiers.sandbox import Sandbox
from notifiers.tables import facilities, subscribers
from rules.notices import NoticeKind
from streams import metrics
from streams.clock import ManualClock
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import QUICK, attempts_of, dispatching, email_channel, found, planned, sms_channel

EPISODE = "red-river-delta-20260117T06-01"


def states(engine: Engine) -> Counter[tuple[str, str]]:
    return Counter((d.state, d.reason) for d in found(engine))


def received(sandbox: Sandbox) -> Counter[tuple[str, str]]:
    """How often each message stands in the sandbox: by number and words, or by Message-ID and address."""
    counted = Counter((sms.to, sms.body) for sms in sandbox.phone.messages.values())
    counted.update((mail.to, mail.message_id) for mail in sandbox.mailbox.mails)
    return counted


async def test_everything_arrives_once(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 6, 2)
    planned(engine, notice(), notice("request", recipients="facilities"))
    before = metrics.value("airshed_deliveries_total", channel="sms", state="sent")
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
        assert not any((await dispatcher.drain(5)).values())
    assert states(engine) == {("sent", "accepted"): 16}
    assert set(received(sandbox).values()) == {1}
    assert len(received(sandbox)) == 16
    assert metrics.value("airshed_deliveries_total", channel="sms", state="sent") - before == 8
    assert all(sms.body.startswith(("DIEN TAP", "EXERCISE")) for sms in sandbox.phone.messages.values())


async def test_an_episode_from_warning_to_end(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """The warned get the end, once; somebody whose number failed gets none on that channel."""
    fill(engine, tmp_path, 4, 0)
    sandbox.phone.faults.refused["+84910000002"] = 21211
    planned(engine, notice(), notice("all-clear", level=0, transition=2, hours=1, told_in=EPISODE))
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    rows = {(d.recipient, d.channel, d.kind): (d.state, d.reason) for d in found(engine)}
    assert rows["S0002", "sms", "advisory"] == ("failed", "21211")
    assert rows["S0002", "sms", "all-clear"] == ("suppressed", "not-told")
    assert rows["S0002", "email", "all-clear"] == ("sent", "accepted")
    sequence = [sms.body for sms in sandbox.phone.messages.values() if sms.to == "+84910000000"]
    assert ["Khong khi" in body for body in sequence] == [True, False]
    subjects = [mail.subject for mail in sandbox.mailbox.mails if mail.to == "person0@example.org"]
    assert "Hết cảnh báo" in subjects[1]


@pytest.mark.parametrize("faults", [["503", "500-accepted", "drop-accepted", "drop", "429", "500"]])
async def test_sms_faults_lose_and_double_nothing(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, faults: list[str]
) -> None:
    fill(engine, tmp_path, 12, 0)
    planned(engine, notice())
    sandbox.phone.faults.queue.extend(faults * 3)
    async with dispatching(engine, [sms_channel(sandbox.addresses)]) as dispatcher:
        left = await dispatcher.drain(1)
    assert left == {"planned": 12, "claimed": 0, "sending": 0, "unknown": 0}, "mail has no channel here"
    assert len(sandbox.phone.messages) == 12
    assert set(received(sandbox).values()) == {1}
    assert states(engine)["sent", "accepted"] == 12, "the same states as without faults"


async def test_mail_faults_lose_and_double_nothing(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 12, 0)
    planned(engine, notice())
    faults = ["421", "drop-kept", "450", "drop-data", "451-data", "late-250"]
    sandbox.mailbox.faults.queue.extend(faults * 2)
    sandbox.mailbox.faults.delay_s = 0.5
    async with dispatching(engine, [email_channel(sandbox.addresses, timeout_s=0.3)]) as dispatcher:
        await dispatcher.drain(1)
    assert len(sandbox.mailbox.mails) == 12
    assert set(received(sandbox).values()) == {1}
    assert not sandbox.mailbox.faults.queue


async def test_a_provider_that_is_down_holds_up_nobody_else(engine: Engine, tmp_path: Path) -> None:
    """One mail server away: SMS go out, the mails stay planned, and go out when it is back."""
    fill(engine, tmp_path, 5, 0)
    planned(engine, notice())
    sandbox = Sandbox(tmp_path / "sandbox", callback_after_s=0.0)
    addresses = await sandbox.start()
    await sandbox.mailbox.stop()
    async with dispatching(engine, [sms_channel(addresses), email_channel(addresses)]) as dispatcher:
        left = await dispatcher.drain(0.3)
        assert left["planned"] == 5
        assert Counter((d.channel, d.state) for d in found(engine)) == {("sms", "sent"): 5, ("email", "planned"): 5}
        await sandbox.stop()
        await sandbox.start()
        assert not any((await dispatcher.drain(5)).values())
    assert len(sandbox.mailbox.mails) == 5
    assert set(received(sandbox).values()) == {1}
    await sandbox.stop()


async def test_what_nobody_can_tell_follows_the_policy(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """A mail server without a look-up: an advisory is left to the operator, a request goes again under its id."""
    fill(engine, tmp_path, 1, 1)
    planned(engine, notice(), notice("request", recipients="facilities"))
    sandbox.mailbox.faults.next("drop-kept", 2)
    async with dispatching(engine, [email_channel(sandbox.addresses, lookup_url="")]) as dispatcher:
        left = await dispatcher.drain(0.5)
    assert left["unknown"] == 0, "what is left to the operator holds up nothing"
    by_kind = {d.kind: (d.state, d.reason) for d in found(engine) if d.channel == "email"}
    assert by_kind == {"advisory": ("unknown", "unknowable"), "request": ("sent", "accepted")}
    assert sorted(received(sandbox).values()) == [1, 2]
    with reading(engine) as connection:
        told = [d.state for d, _ in unpublished(connection, "exercise")]
    assert sorted(told) == ["sent", "unknown"]


async def test_too_late_is_not_sent(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 2, 0)
    planned(engine, notice())
    late = NOON.timestamp() + 13 * 3600
    async with dispatching(engine, [sms_channel(sandbox.addresses)], now_s=late) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    assert states(engine) == {("expired", "too-late"): 4}
    assert not sandbox.phone.messages


async def test_actual_messages_are_not_touched_by_an_exercise(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 2, 0)
    planned(engine, notice(exercise=False))
    async with dispatching(engine, [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(1)
    assert states(engine) == {("planned", "planned"): 4}
    with reading(engine) as connection:
        assert pending(connection, "actual")["planned"] == 4


async def test_two_dispatchers_share_the_work(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 40, 0)
    planned(engine, notice())

    async def work(worker: str) -> None:
        channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
        async with dispatching(engine, channels, worker=worker) as dispatcher:
            await dispatcher.drain(5)

    await asyncio.gather(work("w1"), work("w2"))
    assert len(received(sandbox)) == 80
    assert set(received(sandbox).values()) == {1}


async def test_changes_are_published_and_come_again_when_not_confirmed(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(engine, tmp_path, 3, 0)
    planned(engine, notice())
    told: list[Delivery] = []

    async def broken(changes: list[Delivery]) -> None:
        raise ConnectionError("the topic is away")

    async def works(changes: list[Delivery]) -> None:
        told.extend(changes)

    channels = [sms_channel(sandbox.addresses)]
    async with dispatching(engine, channels, on_change=broken) as dispatcher:
        with pytest.raises(ConnectionError):
            await dispatcher.drain(1)
    async with dispatching(engine, [sms_channel(sandbox.addresses)], on_change=works) as dispatcher:
        await dispatcher.drain(0.2)
    assert sorted((d.recipient, d.state) for d in told) == [("S0000", "sent"), ("S0001", "sent"), ("S0002", "sent")]


async def test_a_recipient_who_left_meanwhile(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 0)
    planned(engine, notice())
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(sms=None))
        connection.execute(facilities.delete())
    async with dispatching(engine, [sms_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(0.2)
    assert ("failed", "no-contact") in states(engine)


async def test_a_message_that_does_not_fit_fails_by_name(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 0)
    planned(engine, notice(template="poem"))
    async with dispatching(engine, [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(1)
    assert states(engine) == {("failed", "no-template"): 2}


async def test_every_try_is_in_the_book(sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 1, 0)
    planned(sqlite_engine, notice())
    sandbox.phone.faults.next("429")
    sandbox.phone.faults.next("drop-accepted")
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(0.5)
    (row,) = (d for d in found(sqlite_engine) if d.channel == "sms")
    with reading(sqlite_engine) as connection:
        assert attempts_of(connection, row.id) == [(1, "planned", "20429"), (2, "sent", "accepted")]


async def test_a_lost_answer_is_found_although_the_words_would_be_others_now(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Restarted on another port, every request's link reads differently; the one that is out must still be found."""
    fill(sqlite_engine, tmp_path, 0, 2)
    planned(sqlite_engine, notice("request", recipients="facilities"))
    sandbox.phone.faults.next("drop-accepted", 2)
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses, lookup_after_s=0.3)]) as dispatcher:
        await dispatcher.drain(0.0)
    elsewhere = Links(["a signing secret for tests"], "http://127.0.0.1:10")
    channels = [sms_channel(sandbox.addresses, elsewhere)]
    async with dispatching(sqlite_engine, channels, links=elsewhere) as dispatcher:
        await dispatcher.drain(1)
    assert Counter(d.state for d in found(sqlite_engine) if d.channel == "sms") == {"sent": 2}
    assert len(sandbox.phone.messages) == 2


async def test_a_slow_mail_server_gets_no_mail_twice(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """What comes before the body and the body itself each take most of a lease, and another dispatcher looks for dead
    ones meanwhile. Nobody could ask this server, so that what it takes away is sent again."""
    fill(engine, tmp_path, 0, 1)
    planned(engine, notice("request", recipients="facilities"))
    machine = ManualClock(1_000_000.0)
    mail = email_channel(sandbox.addresses, lookup_url="")
    send = mail.send

    async def most_of_a_lease() -> None:
        machine.advance(0.8 * QUICK.lease_s)
        with engine.begin() as connection:
            upkeep.recover(connection, None, machine.now_s(), 0.0)

    async def slowly(message: ExerciseMessage, on_data: OnData) -> Receipt:
        async def to_the_body() -> None:
            await most_of_a_lease()
            await on_data()
            await most_of_a_lease()

        return await send(message, to_the_body)

    mail.send = slowly  # type: ignore[method-assign]
    async with dispatching(engine, [mail], machine=machine) as dispatcher, asyncio.timeout(30):
        await dispatcher.drain(0.1)
    assert len(sandbox.mailbox.mails) == 1
    assert {(d.state, d.reason) for d in found(engine) if d.channel == "email"} == {("sent", "accepted")}


async def test_stopping_finishes_what_is_under_way(sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """F8: a stop waits for the answer that is due, begins nothing new, and leaves nothing half done."""
    fill(sqlite_engine, tmp_path, 30, 0)
    planned(sqlite_engine, notice())
    sandbox.phone.faults.next("slow", 100)
    sandbox.phone.faults.delay_s = 0.2
    stop = asyncio.Event()
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses)]) as dispatcher:
        running = asyncio.create_task(dispatcher.run(stop))
        while not sandbox.phone.messages:  # noqa: ASYNC110 - the provider tells nobody
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(running, 10)
    counted = Counter(d.state for d in found(sqlite_engine) if d.channel == "sms")
    assert set(counted) == {"sent", "planned"}
    assert counted["sent"] == len(sandbox.phone.messages)
    assert counted["planned"] > 0


async def test_run_survives_a_database_that_is_away(sandbox: Sandbox, sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 1, 0)
    planned(sqlite_engine, notice())
    stop = asyncio.Event()
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses)]) as dispatcher:
        with sqlite_engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE ledger RENAME TO away")
        running = asyncio.create_task(dispatcher.run(stop))
        await asyncio.sleep(0.1)
        with sqlite_engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO ledger")
        for _ in range(100):
            if sandbox.phone.messages:
                break
            await asyncio.sleep(0.05)
        stop.set()
        await running
    assert len(sandbox.phone.messages) == 1


async def test_run_survives_a_topic_that_is_away(sandbox: Sandbox, sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 2, 0)
    planned(sqlite_engine, notice())
    lost: list[Delivery] = []
    told: dict[str, Delivery] = {}
    calls = 0
    stop = asyncio.Event()

    async def recovering(changes: list[Delivery]) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            lost.extend(changes)
            raise ConnectionError("the topic is away")
        told.update({one.id: one for one in changes})
        if sum(one.state == "sent" for one in told.values()) == 2:
            stop.set()

    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses)], on_change=recovering) as dispatcher:
        await asyncio.wait_for(dispatcher.run(stop), 10)
    assert {one.id for one in lost} <= set(told), "what the topic did not take is told again"
    assert {one.id: one.state for one in told.values()} == {
        one.id: one.state for one in found(sqlite_engine) if one.channel == "sms"
    }
    assert len(sandbox.phone.messages) == 2


async def test_the_rate_is_kept(sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 10, 0)
    planned(sqlite_engine, notice())
    loop = asyncio.get_running_loop()
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses, per_second=20.0)]) as dispatcher:
        started = loop.time()
        await dispatcher.drain(0.2)
    assert len(sandbox.phone.messages) == 10
    assert loop.time() - started >= 9 / 20


def test_every_kind_of_notice_has_a_policy() -> None:
    assert set(DispatchSettings().policy) == set(get_args(NoticeKind))
