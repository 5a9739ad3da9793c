"""Three days in which an episode cannot make up its mind, over the real sandbox: what one resident receives.

The air over Hà Nội and Bắc Ninh goes up to "rất xấu" and down again every three hours. The rules judge, the planner
plans, the dispatcher sends at the hour it is; quiet hours are from 22:00 to 06:00.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, update

from notifiers import standings
from notifiers.composer import Composer
from notifiers.database import connect, upgrade
from notifiers.dispatcher import Dispatcher
from notifiers.messages import ExerciseMessage
from notifiers.planner import plan
from notifiers.sandbox import Sandbox
from notifiers.tables import subscribers
from rules.engine import RuleEngine
from rules.loading import load_pack
from rules.model import Pack
from streams.clock import ManualClock
from streams.schemas import EpisodeEvent, EpisodeProvince
from tests.notifiers.samples import LINKS, VAULT, fill, number
from tests.notifiers.workplace import QUICK, email_channel, found, sms_channel

ZONE_H = 7
PACK = load_pack("vietnam-2026")
FIRST = datetime(2026, 1, 12, 8, tzinfo=UTC) - timedelta(hours=ZONE_H)  # Monday 08:00 in Hà Nội
FLAPS = 24  # every three hours, three days


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[Engine, Sandbox]]:
    engine = connect(f"sqlite:///{tmp_path / 'airshed.db'}")
    upgrade(engine)
    fill(engine, tmp_path, 4, 0)
    with engine.begin() as connection:
        sensitive = update(subscribers).where(subscribers.c.subscriber_id == "S0002")
        connection.execute(sensitive.values(level=2))
        sleeper = update(subscribers).where(subscribers.c.subscriber_id == "S0003")
        connection.execute(sleeper.values(quiet_from=12 * 60, quiet_to=15 * 60))
    async with Sandbox(tmp_path / "sandbox", callback_after_s=0.0) as sandbox:
        yield engine, sandbox
    engine.dispose()


def province(code: str, level: int) -> EpisodeProvince:
    return EpisodeProvince(
        code=code,
        name=code,
        level=level,
        level_name=PACK.airshed.level_name(level),
        since=FIRST,
        median_index=130 + 60 * level,
        median_index_24h=120 + 60 * level,
        valid=6,
        known=6,
        stations=[],
        corroborated=level,
    )


def event(transition: int, kind: str, level: int, previous: int, time: datetime) -> EpisodeEvent:
    return EpisodeEvent(
        episode="red-river-delta-20260112T01-01",
        airshed=PACK.airshed.code,
        transition=transition,
        kind=kind,  # type: ignore[arg-type]
        time=time,
        onset=FIRST,
        level=level,
        level_name=PACK.airshed.level_name(level),
        previous_level=previous,
        peak_level=2 if transition > 1 else 1,
        provinces=[province("01", max(level, 1)), province("24", max(level, 1))],
        joined=["01", "24"] if kind == "opened" else [],
        left=[],
        population=0,
        reason="",
        pack=PACK.reference,
    )


def three_days() -> list[EpisodeEvent]:
    events = [event(1, "opened", 1, 0, FIRST)]
    for step in range(1, FLAPS):
        level, previous = (2, 1) if step % 2 else (1, 2)
        kind = "escalated" if level == 2 else "eased"
        events.append(event(step + 1, kind, level, previous, FIRST + timedelta(hours=3 * step)))
    return [*events, event(FLAPS + 1, "closed", 0, 2, FIRST + timedelta(hours=3 * FLAPS))]


async def lived(engine: Engine, sandbox: Sandbox, pack: Pack) -> list[tuple[datetime, str, str]]:
    """Every SMS as it came: local time, number, words. The dispatcher looks every half hour."""
    rules = RuleEngine(pack, {}, "exercise")
    clock = ManualClock(FIRST.timestamp())
    dispatcher: Dispatcher[ExerciseMessage] = Dispatcher(
        engine,
        [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)],
        Composer(engine, VAULT, LINKS),
        accepts=ExerciseMessage,
        clock=clock,
        worker="w1",
        settings=QUICK,
        chance=random.Random(1),
    )
    events, came, seen = three_days(), list[tuple[datetime, str, str]](), 0
    try:
        for half_hour in range(2 * 3 * FLAPS + 40):
            now = FIRST + timedelta(minutes=30 * half_hour)
            clock.set(now.timestamp())
            with engine.begin() as connection:
                for one in [e for e in events if e.time == now]:
                    standings.note(connection, one)
                    for notice in rules.accept([one]):
                        if notice.audience.recipients == "residents":
                            plan(connection, notice)
            if half_hour % 6 == 0 or now.hour + ZONE_H in (6, 15, 30):
                await dispatcher.drain(2)
            arrived = list(sandbox.phone.messages.values())
            came += [(now + timedelta(hours=ZONE_H), sms.to, sms.body) for sms in arrived[seen:]]
            seen = len(arrived)
    finally:
        await dispatcher.close()
    return came


def got(came: Sequence[tuple[datetime, str, str]], person: int) -> list[tuple[datetime, str]]:
    return [(when, words) for when, to, words in came if to == number(person)]


def is_end(words: str) -> bool:
    return any(
        mark in words for mark in ("het canh bao", "warning over", "has ended", "is over", "alert over", "ended")
    )


@pytest.mark.slow
async def test_the_packaged_rules_warn_remind_once_a_day_and_end(running: tuple[Engine, Sandbox]) -> None:
    came = await lived(*running, PACK)
    anybody = got(came, 0)
    assert [f"{when:%d %H:%M}" for when, _ in anybody] == [
        "12 08:00",  # it opens
        "12 11:00",  # it is very bad
        "13 11:00",  # one reminder a day
        "14 11:00",
        "15 08:00",  # it is over
    ]
    assert [is_end(words) for _, words in anybody] == [False, False, False, False, True]
    assert [is_end(words) for _, words in got(came, 2)] == [False, False, False, True]
    assert f"{got(came, 2)[0][0]:%d %H:%M}" == "12 11:00", "asked for level 2 only; heard its end"
    assert all(words.startswith(("DIEN TAP", "EXERCISE")) for _, _, words in came)


def loud(pack: Pack) -> Pack:
    """The same pack by an author who does not know better: speaks at every transition, day and night."""
    rules = [
        msgspec.structs.replace(rule, on=[*rule.on, "eased"], once_per="transition")
        if rule.id == "residents-advisory"
        else rule
        for rule in pack.rules
    ]
    return msgspec.structs.replace(pack, rules=rules, quiet_hours="22:00-06:00")


@pytest.mark.slow
async def test_a_loud_rule_is_bounded(running: tuple[Engine, Sandbox]) -> None:
    """Its author's fault, and still: nothing at night, never the same twice within a day unless it has changed, no more
    than the cap, and one end for everybody who was warned."""
    engine, sandbox = running
    came = await lived(engine, sandbox, loud(PACK))
    for person in (0, 1, 2, 3):
        mine = got(came, person)
        warnings = [(when, words) for when, words in mine if not is_end(words)]
        assert len(warnings) <= 20
        assert [is_end(words) for _, words in mine].count(True) == 1
        assert is_end(mine[-1][1]), "the end is the last that is heard"
        assert all(6 <= when.hour < 22 for when, _ in mine), "nothing at night"
        per_day = Counter(when.date() for when, _ in warnings)
        assert max(per_day.values()) <= 6, per_day
    assert all(not 12 <= when.hour < 15 for when, _ in got(came, 3)), "nor in the hours of one's own"
    ends = Counter((d.state, d.reason) for d in found(engine) if d.kind == "all-clear" and d.channel == "sms")
    assert ends == {("sent", "accepted"): 4}
