"""Between planning and sending a night has passed: what is still true goes out, as it is now; the rest does not."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from notifiers import standings, upkeep
from notifiers.database import reading
from notifiers.sandbox import Sandbox
from notifiers.tables import subscribers
from rules.notices import Notice
from streams.schemas import EpisodeEvent, EpisodeProvince
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import dispatched, dispatching, found, planned, sms_channel

NIGHT = "22:00-06:00"
EPISODE = "red-river-delta-20260117T06-01"


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment in January 2026 in Hà Nội (+07:00)."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC) - timedelta(hours=7)


def night(**changes: Any) -> Notice:
    """A notice of 23:00 in Hà Nội, of level 2."""
    hours = int((local(17, 23) - NOON).total_seconds() // 3600)
    return notice(hours=hours, **({"quiet_hours": NIGHT} | changes))


def province(code: str, name: str, level: int, index: int) -> EpisodeProvince:
    return EpisodeProvince(
        code=code,
        name=name,
        level=level,
        level_name="severe",
        since=NOON,
        median_index=index,
        median_index_24h=index - 10,
        valid=5,
        known=6,
        stations=[],
    )


def event(kind: str, transition: int, time: datetime, level: int = 2, codes: str = "01 24") -> EpisodeEvent:
    return EpisodeEvent(
        episode=EPISODE,
        airshed="red-river-delta",
        transition=transition,
        kind=kind,  # type: ignore[arg-type]
        time=time,
        onset=NOON,
        level=level,
        level_name="severe",
        previous_level=2,
        peak_level=2,
        provinces=[province(code, code, level, 171) for code in codes.split()],
        joined=[],
        left=[],
        population=0,
        reason="",
        pack="test@1",
    )


def heard(engine: Engine, *events: EpisodeEvent) -> None:
    with engine.begin() as connection:
        for one in events:
            standings.note(connection, one)


async def left_at(engine: Engine, sandbox: Sandbox, when: datetime) -> Counter[tuple[str, str]]:
    await dispatched(engine, sandbox, when.timestamp(), 0.3)
    return Counter((d.state, d.reason) for d in found(engine))


async def test_what_still_holds_goes_out_in_the_morning_as_it_is_then(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(engine, tmp_path, 1, 0)
    planned(engine, night())
    heard(engine, event("status", 5, local(18, 5)))
    assert await left_at(engine, sandbox, local(18, 5, 59)) == {("held", "quiet-hours"): 2}
    assert await left_at(engine, sandbox, local(18, 6)) == {("sent", "accepted"): 2}
    (sms,) = sandbox.phone.messages.values()
    assert "171" in sms.body, "the value of 05:00, not of 23:00"
    assert "215" not in sms.body
    assert "5h" in sms.body or "05:00" in sms.body


@pytest.mark.parametrize(
    ("news", "reason"),
    [
        (event("eased", 5, local(18, 4), level=1), "eased"),
        (event("grown", 5, local(18, 4), codes="31"), "eased"),
        (event("closed", 5, local(18, 4), level=0), "episode-closed"),
    ],
    ids=["sunk", "left", "closed"],
)
async def test_what_has_eased_or_ended_meanwhile_is_not_sent(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, news: EpisodeEvent, reason: str
) -> None:
    """Even where no rule says so by another notice."""
    fill(engine, tmp_path, 1, 0)
    planned(engine, night())
    heard(engine, news)
    assert await left_at(engine, sandbox, local(18, 6)) == {("suppressed", reason): 2}
    assert not sandbox.phone.messages


@pytest.mark.parametrize(
    "news",
    [
        event("eased", 5, local(18, 7), level=0),  # not yet
        event("opened", 1, local(17, 22)),  # the one that the notice is of
        event("merged", 5, local(18, 4)),  # goes on under another name
    ],
    ids=["to-come", "its-own", "merged"],
)
async def test_other_news_stop_nothing(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, news: EpisodeEvent
) -> None:
    fill(sqlite_engine, tmp_path, 1, 0)
    planned(sqlite_engine, night())
    heard(sqlite_engine, news, news)
    assert await left_at(sqlite_engine, sandbox, local(18, 6)) == {("sent", "accepted"): 2}


async def test_a_persons_own_quiet_hours(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """Planned by day, delayed into the person's own quiet hours by a provider that was away; sent when they end."""
    fill(engine, tmp_path, 1, 0)
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(quiet_from=21 * 60, quiet_to=7 * 60 + 30))
    planned(engine, notice(valid_until=local(18, 12)))
    assert await left_at(engine, sandbox, local(17, 21)) == {("held", "own-quiet-hours"): 2}
    assert await left_at(engine, sandbox, local(18, 7, 29)) == {("held", "own-quiet-hours"): 2}
    assert await left_at(engine, sandbox, local(18, 7, 30)) == {("sent", "accepted"): 2}


async def test_what_is_urgent_overrides_a_persons_quiet_hours_and_a_rules_only_if_it_says_so(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(sqlite_engine, tmp_path, 1, 0)
    with sqlite_engine.begin() as connection:
        connection.execute(update(subscribers).values(quiet_from=21 * 60, quiet_to=7 * 60))
    planned(
        sqlite_engine,
        night(priority=0, quiet_hours=""),
        night(priority=0, transition=2, kind="bulletin", template="correction"),
    )
    assert await left_at(sqlite_engine, sandbox, local(17, 23)) == {
        ("sent", "accepted"): 2,
        ("held", "quiet-hours"): 2,
    }


async def test_quiet_hours_that_outlast_the_use_of_a_message_end_it(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(sqlite_engine, tmp_path, 1, 0)
    with sqlite_engine.begin() as connection:
        connection.execute(update(subscribers).values(quiet_from=21 * 60, quiet_to=7 * 60))
    planned(sqlite_engine, notice(valid_until=local(18, 5)))
    assert await left_at(sqlite_engine, sandbox, local(17, 22)) == {("suppressed", "only-in-quiet-hours"): 2}


def test_the_latest_event_by_a_moment(sqlite_engine: Engine) -> None:
    heard(sqlite_engine, event("eased", 5, local(18, 4), level=1), event("opened", 1, local(17, 22)))
    with reading(sqlite_engine) as connection:

        def kind(moment: datetime) -> str:
            known = standings.of(connection, [EPISODE, "another"], moment.timestamp())
            return known[EPISODE].kind if known else ""

        assert [kind(local(17, 21)), kind(local(17, 23)), kind(local(18, 6))] == ["", "opened", "eased"]


async def test_what_is_over_is_not_begun_even_before_it_is_closed(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for what is over rests beside a long list; meanwhile nothing of it goes out."""
    fill(sqlite_engine, tmp_path, 2, 0)
    planned(sqlite_engine, notice())
    monkeypatch.setattr(upkeep, "expire", lambda *_: {})
    async with dispatching(
        sqlite_engine, [sms_channel(sandbox.addresses)], now_s=NOON.timestamp() + 13 * 3600
    ) as dispatcher:
        assert (await dispatcher.drain(0.3))["planned"] == 4, "two SMS and two mails"
    assert not sandbox.phone.messages
