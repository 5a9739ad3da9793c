"""What an officer keeps quiet is not sent, says so in the ledger, and nothing else is lost by it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, literal, select, text

from notifiers import silences
from notifiers.database import reading
from notifiers.sandbox import Sandbox
from notifiers.silences import LONGEST_S, Silence
from rules.notices import Audience, notice_id
from streams.errors import InputError
from tests.notifiers.residents import another_place
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import dispatching, email_channel, found, planned, sms_channel

NOW_S = int(NOON.timestamp())
EPISODE = "red-river-delta-20260117T06-01"


def quiet(engine: Engine, **what: Any) -> Silence:
    values: dict[str, Any] = {
        "id": "",
        "officer": "Duty 7",
        "reason": "calibration",
        "created_s": NOW_S,
        "from_s": NOW_S - 3600,
        "until_s": NOW_S + 6 * 3600,
    }
    with engine.begin() as connection:
        return silences.add(connection, Silence(**(values | what)), NOW_S)


def rows(engine: Engine) -> Counter[tuple[str, str, str]]:
    """Recipient, state and reason of every SMS."""
    return Counter((d.recipient, d.state, d.reason) for d in found(engine) if d.channel == "sms")


def test_a_province_is_quiet_and_who_lives_in_another_as_well_is_told(engine: Engine, tmp_path: Path) -> None:
    """S0000 lives in 01, S0001 in 24; S0002 of 01 has a second place in 24."""
    fill(engine, tmp_path, 3, 0)
    another_place(engine, "S0002", 1, "24")
    quiet(engine, provinces=("01",))
    planned(engine, notice())
    assert rows(engine) == {
        ("S0000", "suppressed", "silenced"): 1,
        ("S0001", "planned", "planned"): 1,
        ("S0002", "planned", "planned"): 1,
    }


def test_two_silences_together_leave_nobody_between_them(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 1, 0)
    another_place(engine, "S0000", 1, "24")
    quiet(engine, provinces=("01",))
    quiet(engine, provinces=("24",))
    planned(engine, notice())
    assert rows(engine) == {("S0000", "suppressed", "silenced"): 1}


def test_one_plant_is_quiet(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 2)
    quiet(engine, facility="F000")
    planned(engine, notice("request", recipients="facilities"))
    assert rows(engine) == {("F000", "suppressed", "silenced"): 1, ("F001", "planned", "planned"): 1}


@pytest.mark.parametrize(
    ("silence", "about", "expected"),
    [
        ({"rule": "rule-advisory"}, {}, "silenced"),
        ({"rule": "rule-bulletin"}, {}, "planned"),
        ({"provinces": ("31",)}, {}, "planned"),
        ({"provinces": ("01",), "recipients": "facilities"}, {}, "planned"),
        ({"provinces": ("01",)}, {"priority": 0}, "planned"),
        ({"provinces": ("01",), "urgent": True}, {"priority": 0}, "silenced"),
        ({"provinces": ("01",), "from_s": NOW_S + 1}, {}, "planned"),
        ({"provinces": ("01",), "from_s": NOW_S}, {}, "silenced"),
    ],
    ids=["rule", "another-rule", "elsewhere", "plants-only", "urgent", "urgent-as-well", "not-yet", "from-now"],
)
def test_what_a_silence_means(
    sqlite_engine: Engine, tmp_path: Path, silence: dict[str, Any], about: dict[str, Any], expected: str
) -> None:
    fill(sqlite_engine, tmp_path, 1, 0)
    quiet(sqlite_engine, **silence)
    planned(sqlite_engine, notice(**about))
    ((_, _, reason),) = rows(sqlite_engine)
    assert reason == expected


def test_the_next_notice_after_the_silence_is_heard(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Who was silenced was not told: the same words an hour later are no repetition."""
    fill(sqlite_engine, tmp_path, 1, 0)
    silence = quiet(sqlite_engine, provinces=("01", "24"))
    planned(sqlite_engine, notice())
    with sqlite_engine.begin() as connection:
        assert silences.end(connection, silence.id, "Duty 8", "done", NOW_S + 60)
        assert not silences.end(connection, silence.id, "Duty 8", "again", NOW_S + 61)
    planned(sqlite_engine, notice(hours=1, transition=2))
    assert rows(sqlite_engine) == {("S0000", "suppressed", "silenced"): 1, ("S0000", "planned", "planned"): 1}
    with reading(sqlite_engine) as connection:
        (kept,) = silences.listed(connection)
    assert (kept.officer, kept.ended_by, kept.ended_reason, kept.until_s) == ("Duty 7", "Duty 8", "done", NOW_S + 60)


async def test_the_end_reaches_who_was_warned_before_the_silence_and_nobody_else(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(engine, tmp_path, 2, 0)
    first = notice(provinces=["01"])
    planned(engine, first)
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels) as dispatcher:
        assert not any((await dispatcher.drain(5)).values())
    quiet(engine, provinces=("01", "24"))
    planned(engine, notice(level=3, transition=2, hours=1))
    planned(engine, notice("all-clear", level=0, transition=3, hours=2, told_in=EPISODE))
    correction = Audience(recipients="residents", provinces=["01"], corrects=first.id)
    planned(
        engine,
        notice("bulletin", audience=correction, id=notice_id(EPISODE, 4, "c", correction), transition=4, hours=3),
    )
    of = Counter((d.kind, d.recipient, d.state, d.reason) for d in found(engine) if d.channel == "sms")
    assert of == {
        ("advisory", "S0000", "sent", "accepted"): 1,
        ("advisory", "S0000", "suppressed", "silenced"): 1,
        ("advisory", "S0001", "suppressed", "silenced"): 1,
        ("all-clear", "S0000", "planned", "planned"): 1,
        ("all-clear", "S0001", "suppressed", "not-told"): 1,
        ("bulletin", "S0000", "planned", "planned"): 1,
    }


async def test_a_silence_holds_what_was_planned_a_moment_before_it(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(engine, tmp_path, 2, 0)
    planned(engine, notice())
    quiet(engine, provinces=("01",), from_s=NOW_S + 30)
    async with dispatching(engine, [sms_channel(sandbox.addresses)], now_s=NOW_S + 60) as dispatcher:
        await dispatcher.drain(0.5)
    assert rows(engine) == {("S0000", "suppressed", "silenced"): 1, ("S0001", "sent", "accepted"): 1}
    assert len(sandbox.phone.messages) == 1


def test_a_silenced_person_does_not_stand_for_another_with_the_same_number(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 2, 0)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE subscribers SET sms_hash = (SELECT min(sms_hash) FROM subscribers WHERE subscriber_id='S0000')"
            )
        )
    quiet(engine, provinces=("01",))
    planned(engine, notice())
    assert rows(engine) == {("S0000", "suppressed", "silenced"): 1, ("S0001", "planned", "planned"): 1}


def test_the_preview_counts_what_would_have_been_quiet(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 4, 1)
    planned(engine, notice(), notice(hours=1, level=3, transition=2), notice("request", recipients="facilities"))
    with reading(engine) as connection:
        before = Silence(id="", officer="d", reason="r", created_s=0, from_s=0, until_s=1, provinces=("01",))
        seen = silences.preview(connection, before, NOW_S - 60)
        assert (seen.messages, seen.notices) == (2 * 2 * 2 + 2, 3)
        assert silences.preview(connection, before, NOW_S + 7200).messages == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "silence everything"),
        ({"provinces": ("01",), "officer": " "}, "nobody is named"),
        ({"provinces": ("01",), "reason": "\n"}, "no reason"),
        ({"provinces": ("01",), "until_s": NOW_S}, "over before it begins"),
        ({"provinces": ("01",), "until_s": NOW_S + LONGEST_S}, "longer than 31 days"),
    ],
)
def test_a_silence_without_what_it_needs_is_refused(sqlite_engine: Engine, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        quiet(sqlite_engine, **wrong)
    with reading(sqlite_engine) as connection:
        assert silences.listed(connection) == []


@pytest.mark.parametrize(
    ("recipients", "places", "quiet_in", "silent"),
    [
        ("residents", "0:01", ["01"], True),
        ("residents", "0:01,1:24", ["01"], False),
        ("residents", "0:01,1:24", ["24", "01"], True),
        ("residents", "1:24", ["01"], False),  # the number of a place is not a province
        ("residents", "0:31", ["01", "24"], False),
        ("facilities", "01", ["01"], True),
        ("facilities", "24", ["01"], False),
    ],
)
def test_the_planner_and_the_last_look_judge_alike(
    engine: Engine, recipients: str, places: str, quiet_in: list[str], silent: bool
) -> None:
    one = notice(recipients=recipients, provinces=["01", "1", "24", "31"])
    by = [quiet(engine, provinces=(code,)) for code in quiet_in]
    with reading(engine) as connection:
        planner_says = connection.execute(select(silences.silenced(one, by, literal("X1"), literal(places)))).scalar()
    assert (bool(planner_says), silences.silences_places(by, "X1", places)) == (silent, silent)
