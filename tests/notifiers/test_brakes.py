"""The stop switch, the storm guard and the ceiling: nothing goes out that they hold, and everything goes on after."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from notifiers import approvals, claims, releases, switch
from notifiers.claims import Claimant
from notifiers.database import reading
from notifiers.guard import Guard
from notifiers.operators import Occasion
from notifiers.outstanding import Waits, held
from notifiers.releases import Released
from notifiers.sandbox import Sandbox
from notifiers.settings import ChannelPace
from notifiers.tables import ledger, notices
from streams.errors import InputError
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import QUICK, Told, arrived, dispatching, email_channel, found, planned, sms_channel

GUARDED = replace(QUICK, guard=Guard(recipients=5))


def states(engine: Engine) -> Counter[str]:
    return Counter(d.state for d in found(engine))


def waits(engine: Engine) -> Counter[Waits]:
    counted: Counter[Waits] = Counter()
    with reading(engine) as connection:
        for row in held(connection, NOON.timestamp()):
            counted[row.why] += row.messages
    return counted


def turn(engine: Engine, *, stopped: bool) -> bool:
    with engine.begin() as connection:
        act = switch.stop if stopped else switch.resume
        return act(connection, "Duty 7", "wrong level in the pack", NOON.timestamp())


async def test_a_stopped_dispatcher_sends_nothing_and_goes_on_afterwards(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(engine, tmp_path, 3, 0)
    planned(engine, notice())
    assert turn(engine, stopped=True)
    assert not turn(engine, stopped=True), "the second stop changes nothing but is written down"
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels) as dispatcher:
        assert (await dispatcher.drain(0.2))["planned"] == 6
    assert not sandbox.phone.messages
    assert waits(engine) == {Waits.STOPPED: 6}
    async with dispatching(engine, [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]) as restarted:
        assert (await restarted.drain(0.2))["planned"] == 6, "the switch survives a restart"
        assert turn(engine, stopped=False)
        assert not any((await restarted.drain(5)).values())
    assert states(engine) == {"sent": 6}
    assert not turn(engine, stopped=False)
    with reading(engine) as connection:
        assert [(entry.stopped, entry.officer) for entry in switch.history(connection)] == [
            (False, "Duty 7"),
            (True, "Duty 7"),
            (True, "Duty 7"),
        ]


async def test_a_stop_in_the_middle_is_seen_by_every_dispatcher_within_two_seconds(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Two dispatchers at work, one of them with rows claimed and waiting for their start."""
    fill(engine, tmp_path, 120, 0)
    planned(engine, notice())
    slow = replace(QUICK, paces={"sms": ChannelPace(per_second=10)})
    end = asyncio.Event()
    async with (
        dispatching(engine, [sms_channel(sandbox.addresses)], worker="w1", settings=slow) as first,
        dispatching(engine, [sms_channel(sandbox.addresses)], worker="w2", settings=slow) as second,
    ):
        running = [asyncio.create_task(one.run(end)) for one in (first, second)]
        await arrived(sandbox, 5)
        await asyncio.to_thread(turn, engine, stopped=True)
        at_stop = len(sandbox.phone.messages)
        await asyncio.sleep(0.3)
        after = len(sandbox.phone.messages)
        await asyncio.sleep(1.0)
        assert len(sandbox.phone.messages) == after, "messages after the stop"
        assert after - at_stop <= 2, "at most what was at the provider's door already"
        await asyncio.to_thread(turn, engine, stopped=False)
        await arrived(sandbox, after + 5)
        end.set()
        await asyncio.gather(*running)


def test_the_switch_wants_a_name_and_a_reason(sqlite_engine: Engine) -> None:
    with sqlite_engine.begin() as connection:
        with pytest.raises(InputError, match="nobody is named"):
            switch.stop(connection, "  ", "because", 0.0)
        with pytest.raises(InputError, match="no reason"):
            switch.stop(connection, "Duty 7", "\n", 0.0)
        assert not switch.position(connection).stopped


async def test_a_notice_to_very_many_waits_for_a_person(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, told: Told
) -> None:
    fill(engine, tmp_path, 4, 2)
    large, small = notice(), notice("request", recipients="facilities", priority=3)
    planned(engine, large, small)
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels, settings=GUARDED) as dispatcher:
        assert (await dispatcher.drain(0.2))["planned"] == 8
        assert Counter((d.kind, d.state) for d in found(engine)) == {("advisory", "planned"): 8, ("request", "sent"): 4}
        assert waits(engine) == {Waits.GUARD: 8}
        assert told.about(Occasion.STORM_GUARD) == [large.id], "told once, by whichever lane saw it first"
        with engine.begin() as connection:
            assert releases.release(connection, small.id, "Duty 7", "", 0.0) is Released.NOT_GUARDED
            assert releases.release(connection, "nothing", "Duty 7", "", 0.0) is Released.NO_SUCH_NOTICE
            assert releases.release(connection, large.id, "Duty 7", "it is so bad", 5.0) is Released.RELEASED
            assert releases.release(connection, large.id, "Duty 8", "", 6.0) is Released.ALREADY_RELEASED
        assert not any((await dispatcher.drain(5)).values())
    assert states(engine) == {"sent": 12}
    with reading(engine) as connection:
        (listed,) = releases.listed(connection)
    assert (listed.messages, listed.threshold, listed.officer, listed.released_s) == (8, 5, "Duty 7", 5.0)


@pytest.mark.parametrize(("written", "goes"), [(8, False), (4, True)])
async def test_the_guard_does_not_judge_before_the_fan_out_is_complete(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, written: int, *, goes: bool
) -> None:
    """The first slice of a large notice is small. Nothing of it may go out on the strength of that."""
    fill(sqlite_engine, tmp_path, written // 2, 0)
    planned(sqlite_engine, notice())
    with sqlite_engine.begin() as connection:
        connection.execute(update(notices).values(complete=0))
        aside = update(ledger).where(ledger.c.recipient != "S0000")
        connection.execute(aside.values(notice="later slices", mode="actual"))
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(sqlite_engine, channels, settings=GUARDED) as dispatcher:
        await dispatcher.drain(0.1)
        assert not sandbox.phone.messages
        with sqlite_engine.begin() as connection:
            connection.execute(update(ledger).values(notice=notice().id, mode="exercise"))
            connection.execute(update(notices).values(complete=1))
        await dispatcher.drain(0.3)
    assert bool(sandbox.phone.messages) is goes


@pytest.mark.parametrize("waits_for", ["guard", "officer"])
async def test_what_nobody_has_let_go_ends_nothing_and_holds_up_nothing(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, waits_for: str
) -> None:
    """A warning that was let go was superseded by one that nobody ever let go, and the end waited for that one."""
    fill(engine, tmp_path, 3, 0)
    first = notice(provinces=["01"])
    mass = notice(level=3, transition=2, hours=1, **({"approval": "officer"} if waits_for == "officer" else {}))
    end = notice("all-clear", level=0, transition=3, hours=2, provinces=["01"], told_in=first.episode)
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    planned(engine, first, mass)
    brakes = GUARDED if waits_for == "guard" else QUICK
    hour_s = NOON.timestamp() + 3600
    async with dispatching(engine, channels, settings=brakes, now_s=hour_s) as dispatcher:
        await dispatcher.drain(1)
    assert Counter((d.notice == mass.id, d.state) for d in found(engine)) == {
        (False, "sent"): 4,
        (True, "held" if waits_for == "officer" else "planned"): 6,
    }
    planned(engine, end)
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels, settings=brakes, now_s=hour_s + 3600) as dispatcher:
        await dispatcher.drain(1)
        assert Counter(d.state for d in found(engine) if d.kind == "all-clear") == {"sent": 4}
        with engine.begin() as connection:
            if waits_for == "guard":
                releases.release(connection, mass.id, "Duty 7", "", hour_s)
            else:
                approvals.approve(connection, mass.id, "Duty 7", hour_s + 3600)
        assert not any((await dispatcher.drain(5)).values())
    left = Counter((d.state, d.reason) for d in found(engine) if d.notice == mass.id)
    assert left == {("suppressed", "superseded"): 4, ("sent", "accepted"): 2}, "released, it says what still holds"


async def test_what_nobody_lets_go_expires(sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 4, 0)
    planned(sqlite_engine, notice())
    channels = [sms_channel(sandbox.addresses)]
    async with dispatching(sqlite_engine, channels, settings=GUARDED) as dispatcher:
        await dispatcher.drain(0.1)
    late = NOON.timestamp() + 13 * 3600
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses)], settings=GUARDED, now_s=late) as dispatcher:
        await dispatcher.drain(1)
    assert states(sqlite_engine) == {"expired": 8}
    assert not sandbox.phone.messages


async def test_an_emergency_passes_the_guard_and_the_operators_hear_of_it(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, told: Told
) -> None:
    fill(sqlite_engine, tmp_path, 4, 0)
    urgent = notice(priority=0)
    planned(sqlite_engine, urgent)
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(sqlite_engine, channels, settings=GUARDED) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    assert states(sqlite_engine) == {"sent": 8}
    assert told.about(Occasion.STORM_GUARD) == [urgent.id]


def test_an_emergency_goes_out_while_it_is_written_and_the_operators_hear_how_large_it_was(
    engine: Engine, tmp_path: Path
) -> None:
    """It was counted when its first slice was written, and never again: a message to everybody raised no alarm."""
    fill(engine, tmp_path, 4, 0)
    urgent = notice(priority=0)
    planned(engine, urgent)
    who = Claimant("exercise", "sms", "w", 60.0, Guard(recipients=5))
    with engine.begin() as connection:
        connection.execute(update(notices).values(complete=0))
        first = claims.take(connection, who, 3, 0.0, NOON.timestamp())
        assert (len(first.rows), first.storms) == (3, [])
        connection.execute(update(ledger).where(ledger.c.state == "claimed").values(state="sent"))
        connection.execute(update(notices).values(complete=1))
        rest = claims.take(connection, who, 3, 0.0, NOON.timestamp())
        assert (len(rest.rows), [storm.messages for storm in rest.storms]) == (1, [8])
        assert claims.take(connection, who, 3, 0.0, NOON.timestamp()).storms == []


async def test_an_emergency_can_be_guarded_too(sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 4, 0)
    planned(sqlite_engine, notice(priority=0))
    strict = replace(QUICK, guard=Guard(recipients=5, urgent_recipients=7))
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses)], settings=strict) as dispatcher:
        await dispatcher.drain(0.1)
    assert states(sqlite_engine) == {"planned": 8}


async def test_what_became_idle_behind_the_guard_is_not_sent(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Released after the end of the episode: nobody is warned of what is over."""
    fill(sqlite_engine, tmp_path, 4, 0)
    warning = notice()
    planned(sqlite_engine, warning)
    async with dispatching(sqlite_engine, [sms_channel(sandbox.addresses)], settings=GUARDED) as dispatcher:
        await dispatcher.drain(0.1)
    planned(sqlite_engine, notice("all-clear", level=0, transition=2, hours=1, told_in=warning.episode))
    with sqlite_engine.begin() as connection:
        releases.release(connection, warning.id, "Duty 7", "", 0.0)
    later = NOON.timestamp() + 2 * 3600
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(sqlite_engine, channels, now_s=later) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    assert Counter((d.kind, d.reason) for d in found(sqlite_engine)) == {
        ("advisory", "superseded"): 8,
        ("all-clear", "not-told"): 8,
    }
    assert not sandbox.phone.messages


async def test_the_ceiling_holds_back_what_is_not_urgent_and_says_so(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, told: Told
) -> None:
    fill(engine, tmp_path, 20, 6)
    planned(engine, notice(), notice("request", recipients="facilities", priority=0))
    low = replace(QUICK, paces={"sms": ChannelPace(per_minute=4)})
    async with dispatching(engine, [sms_channel(sandbox.addresses)], settings=low) as dispatcher:
        await dispatcher.drain(0.3)
    sent = Counter(d.kind for d in found(engine) if d.state == "sent")
    assert sent["request"] == 6, "an emergency is never stopped"
    assert sent["advisory"] <= 4, "at most another minute's worth, if the minute changed meanwhile"
    assert set(told.about(Occasion.CEILING)) == {"sms"}
    assert Waits.TRIES in waits(engine)
