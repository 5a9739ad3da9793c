"""A channel that stays down: urgent messages go another way, each once, and the rest waits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from notifiers.channels.fallback import FallbackChannel
from notifiers.failpoints import FailpointName, arm
from notifiers.fallback import divert
from notifiers.operators import Occasion
from notifiers.sandbox import Sandbox
from notifiers.tables import ledger, subscribers
from streams.clock import ManualClock
from tests.notifiers.samples import fill, notice
from tests.notifiers.workplace import QUICK, Told, dispatching, email_channel, found, planned, sms_channel

EPISODE = "red-river-delta-20260117T06-01"
HASTY = replace(QUICK, fallback_after_s=0.1)


def only_mail(engine: Engine, **changes: object) -> None:
    """Everybody has chosen mail alone; all have a number as well."""
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(channels="email", **changes))


def rows(engine: Engine) -> Counter[tuple[str, str, str]]:
    return Counter((d.channel, d.state, d.reason) for d in found(engine))


async def test_urgent_mail_goes_by_sms_when_the_mail_server_stays_away(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 5, 0)
    only_mail(engine)
    planned(engine, notice(priority=0), notice("bulletin", priority=4, template="correction"))
    sandbox = Sandbox(tmp_path / "sandbox", callback_after_s=0.0)
    addresses = await sandbox.start()
    await sandbox.mailbox.stop()
    channels = [sms_channel(addresses), email_channel(addresses)]
    async with dispatching(engine, channels, settings=HASTY) as dispatcher:
        left = await dispatcher.drain(3.0)
        assert left["planned"] == 5, "what is not urgent waits for the mail server"
        assert Counter((d.channel, d.state) for d in found(engine)) == {
            ("sms", "sent"): 5,
            ("email", "suppressed"): 5,
            ("email", "planned"): 5,
        }
        await sandbox.stop()
        await sandbox.start()
        assert not any((await dispatcher.drain(5)).values())
    assert len(sandbox.mailbox.mails) == 5, "the bulletin alone: nobody gets the warning twice"
    assert len(sandbox.phone.messages) == 5
    await sandbox.stop()


async def test_who_was_told_another_way_hears_the_end_on_his_own_channel(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(sqlite_engine, tmp_path, 2, 0)
    only_mail(sqlite_engine)
    planned(sqlite_engine, notice(priority=0))
    with sqlite_engine.begin() as connection:
        assert divert(connection, "exercise", "email", "sms") == 2
        assert divert(connection, "exercise", "email", "sms") == 0
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses)]) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    planned(sqlite_engine, notice("all-clear", level=0, transition=2, hours=1, told_in=EPISODE))
    with sqlite_engine.begin() as connection:  # as the planner will leave it: it waits for the last look
        connection.execute(update(ledger).where(ledger.c.kind == "all-clear").values(state="planned", reason="planned"))
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(sqlite_engine, channels) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    assert len(sandbox.phone.messages) == 2
    assert Counter((d.kind, d.channel) for d in found(sqlite_engine) if d.state == "sent") == {
        ("advisory", "sms"): 2,
        ("all-clear", "email"): 2,
    }


async def test_the_end_waits_for_the_warning_that_is_on_its_way_another_way(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The mail server is back before the SMS have gone out: whom these warn must hear the end, and after them."""
    fill(engine, tmp_path, 2, 0)
    only_mail(engine)
    planned(engine, notice(priority=0), notice("all-clear", level=0, transition=2, hours=1, told_in=EPISODE))
    with engine.begin() as connection:
        assert divert(connection, "exercise", "email", "sms") == 2
    async with dispatching(engine, [email_channel(sandbox.addresses)]) as dispatcher:
        left = await dispatcher.drain(0.3)
    assert left["planned"] == 4, "nobody can say yet who was told"
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    assert Counter((d.kind, d.channel) for d in found(engine) if d.state == "sent") == {
        ("advisory", "sms"): 2,
        ("all-clear", "email"): 2,
    }


@pytest.mark.parametrize(
    "changes", [{"sms": None}, {"stopped_channels": "sms"}, {"state": "stopped"}], ids=["no-number", "stopped", "gone"]
)
def test_nobody_is_reached_by_a_way_he_does_not_want(
    sqlite_engine: Engine, tmp_path: Path, changes: dict[str, object]
) -> None:
    fill(sqlite_engine, tmp_path, 2, 0)
    only_mail(sqlite_engine)
    planned(sqlite_engine, notice(priority=0))
    only_mail(sqlite_engine, **changes)
    with sqlite_engine.begin() as connection:
        assert divert(connection, "exercise", "email", "sms") == 0


@pytest.mark.parametrize("state", ["unknown", "claimed", "sending", "sent", "held"])
def test_only_a_row_that_surely_was_not_sent_is_moved(sqlite_engine: Engine, tmp_path: Path, state: str) -> None:
    fill(sqlite_engine, tmp_path, 2, 0)
    only_mail(sqlite_engine)
    planned(sqlite_engine, notice(priority=0))
    with sqlite_engine.begin() as connection:
        connection.execute(update(ledger).values(state=state))
        assert divert(connection, "exercise", "email", "sms") == 0


def test_a_crash_in_the_middle_moves_nothing(engine: Engine, tmp_path: Path) -> None:
    """Between the end of the one row and the plan of the other: neither has happened."""
    fill(engine, tmp_path, 3, 0)
    only_mail(engine)
    planned(engine, notice(priority=0))

    def crash(name: FailpointName) -> None:
        if name == "between-diversion":
            raise KeyboardInterrupt

    arm(crash)
    try:
        with pytest.raises(KeyboardInterrupt), engine.begin() as connection:
            divert(connection, "exercise", "email", "sms")
    finally:
        arm(None)
    assert rows(engine) == {("email", "planned", "planned"): 3}
    with engine.begin() as connection:
        assert divert(connection, "exercise", "email", "sms") == 3


async def test_both_ways_down_wait_and_lose_nothing(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Rows are not thrown back and forth between two channels that are both away."""
    fill(sqlite_engine, tmp_path, 3, 0)
    only_mail(sqlite_engine)
    planned(sqlite_engine, notice(priority=0))
    sandbox = Sandbox(tmp_path / "sandbox", callback_after_s=0.0)
    addresses = await sandbox.start()
    await sandbox.stop()
    channels = [sms_channel(addresses), email_channel(addresses)]
    async with dispatching(sqlite_engine, channels, settings=HASTY) as dispatcher:
        await dispatcher.drain(3.0)
        await sandbox.start()
        assert not any((await dispatcher.drain(5)).values())
    sent = [d for d in found(sqlite_engine) if d.state == "sent"]
    assert len(sent) == 3
    assert len({d.recipient for d in sent}) == 3
    assert len(sandbox.phone.messages) + len(sandbox.mailbox.mails) == 3
    await sandbox.stop()


@pytest.mark.parametrize("second_down", [False, True], ids=["second-up", "second-down-by-then"])
async def test_a_second_provider_comes_before_another_channel_and_gives_back(
    sqlite_engine: Engine, tmp_path: Path, told: Told, *, second_down: bool
) -> None:
    """By the table of times: down at 0, the second from two minutes on, the first again a quarter of an hour later -
    also when the second is down by then, which says nothing about the first."""
    fill(sqlite_engine, tmp_path, 3, 0)
    machine = ManualClock(1_000_000.0)
    async with Sandbox(tmp_path / "one") as one, Sandbox(tmp_path / "two") as two:
        one.phone.faults.next("429", 500)
        channel = FallbackChannel(sms_channel(one.addresses), sms_channel(two.addresses))

        async def at(seconds: float, transition: int) -> tuple[int, int]:
            machine.set(1_000_000.0 + seconds)
            planned(sqlite_engine, notice(transition=transition, episode=f"{EPISODE}-{transition}", priority=0))
            await dispatcher.drain(0.1)
            return len(one.phone.messages), len(two.phone.messages)

        async with dispatching(sqlite_engine, [channel], machine=machine) as dispatcher:
            assert await at(0, 1) == (0, 0)
            assert await at(119, 2) == (0, 0)
            assert await at(121, 3) == (0, 9)
            assert channel.second_in_use
            one.phone.faults.queue.clear()
            assert await at(121 + 700, 4) == (0, 12)
            if second_down:
                two.phone.faults.next("429", 500)
                assert await at(121 + 750, 5) == (0, 12)
            assert await at(121 + 900, 6) == (6 if second_down else 3, 12)
    assert not channel.second_in_use
    assert [event.says for event in told.events if event.occasion in (Occasion.FALLBACK, Occasion.CHANNEL_BACK)] == [
        "messages go through the second provider",
        "messages go through the first provider again",
    ]
    assert ("sms", "suppressed", "fallback") not in rows(sqlite_engine)
