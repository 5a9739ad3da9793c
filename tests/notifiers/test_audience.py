"""Who gets a notice: places, quiet hours, consent, caps, merging, superseding, corrections. On both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, literal, select, update

from notifiers.database import reading
from notifiers.delivery_ids import delivery_ids
from notifiers.failpoints import arm
from notifiers.planner import Progress, fan_out, plan
from notifiers.suppressions import remember
from notifiers.tables import ledger, notices, subscriber_places, subscribers, suppressions
from notifiers.told import Caps
from rules.notices import Audience, Notice, delivery_id
from tests.notifiers.residents import person, rows, send
from tests.notifiers.samples import NOON, fill, notice

EVENING_MINUTE = 18 * 60  # NOON is 18:00 in Hà Nội


def planned(engine: Engine, *wanted: Notice, caps: Caps | None = None) -> None:
    for one in wanted:
        with engine.begin() as connection:
            plan(connection, one, caps=caps or Caps())


def ruled(one: Notice, rule: str, **changes: Any) -> Notice:
    """The same notice by another rule, as the engine makes several at one transition."""
    return notice(rule=rule, id=f"{one.id[:-6]}{len(rule):06}", **changes)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipient=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_both_databases_make_the_ids_that_python_makes(engine: Engine, recipient: str) -> None:
    with reading(engine) as connection:
        made = connection.execute(select(delivery_ids("n-1", literal(recipient), "sms"))).scalar_one()
    assert made == delivery_id("n-1", recipient, "sms")


def test_two_places_are_one_message_and_the_row_says_which(engine: Engine) -> None:
    person(engine, "both", (0, "01"), (1, "24"))
    person(engine, "one", (0, "31"), (1, "24"))
    person(engine, "none", (0, "31"))
    planned(engine, notice(provinces=["01", "24"], level=2))
    found = rows(engine)
    assert {name: (row.places, row.threshold, row.rules) for name, row in found.items()} == {
        "both": ("0:01,1:24", 1, "rule-advisory"),
        "one": ("1:24", 1, "rule-advisory"),
    }


def test_a_threshold_is_held_against_the_level_of_the_own_province(engine: Engine) -> None:
    """01 is at level 2, 24 at 1; 31, next door, is not spoken of: there the episode's own level counts."""
    for threshold in (1, 2, 3):
        person(engine, f"city-{threshold}", (0, "01"), level=threshold)
        person(engine, f"edge-{threshold}", (0, "24"), level=threshold)
        person(engine, f"door-{threshold}", (0, "31"), level=threshold)
        person(engine, f"both-{threshold}", (0, "24"), (1, "01"), level=threshold)
    person(engine, "a-lower", (0, "24"), level=2, sms_hash="shared")
    person(engine, "b-lower", (0, "24"), sms_hash="shared")
    planned(engine, warning := notice(provinces=["01", "24", "31"]))
    due = {name: row.places for name, row in rows(engine, warning).items() if row.state == "planned"}
    assert due == {
        "city-1": "0:01",
        "city-2": "0:01",
        "edge-1": "0:24",
        "door-1": "0:31",
        "door-2": "0:31",
        "both-1": "0:24,1:01",
        "both-2": "1:01",
        "b-lower": "0:24",
    }
    silent = {name: (row.reason, row.places) for name, row in rows(engine, warning).items() if row.state != "planned"}
    assert set(silent) == {"city-3", "edge-2", "edge-3", "door-3", "both-3", "a-lower"}
    assert silent["both-3"] == ("below-threshold", "0:24,1:01")
    planned(
        engine, end := notice("all-clear", level=0, provinces=["24"], transition=2, hours=1, told_in=warning.episode)
    )
    told = {name for name, row in rows(engine, end).items() if row.state == "planned"}
    assert told == {"edge-1", "both-1", "b-lower"}, "an end goes to who was warned of that place"


def test_only_those_who_take_part_are_addressed_and_a_stopped_channel_says_so(engine: Engine) -> None:
    person(engine, "active", (0, "01"))
    person(engine, "pending", (0, "01"), state="pending")
    person(engine, "stopped", (0, "01"), state="stopped")
    person(engine, "mail-only", (0, "01"), channels="sms email", stopped_channels="sms", email_hash="m")
    planned(engine, notice())
    with reading(engine) as connection:
        found = {(r.recipient, r.channel, r.state, r.reason) for r in connection.execute(select(ledger))}
    assert found == {
        ("active", "sms", "planned", "planned"),
        ("mail-only", "sms", "suppressed", "opted-out"),
        ("mail-only", "email", "planned", "planned"),
    }


@pytest.mark.parametrize(("code", "why"), [("21614", "invalid-contact"), ("21610", "opted-out"), ("30007", "")])
def test_a_contact_that_the_provider_refused_for_good_is_not_written_to_again(
    engine: Engine, code: str, why: str
) -> None:
    person(engine, "a", (0, "01"))
    first = notice()
    planned(engine, first)
    with engine.begin() as connection:
        remember(connection, delivery_id(first.id, "a", "sms"), code, 5.0)
    planned(engine, later := notice(transition=2, level=3, hours=1))
    assert rows(engine, later)["a"].reason == (why or "planned")
    with engine.begin() as connection:  # a new number is a new chance
        connection.execute(update(subscribers).values(sms_hash="another"))
        assert len(connection.execute(select(suppressions)).all()) == bool(why)
    planned(engine, last := notice(transition=3, level=4, hours=2))
    assert rows(engine, last)["a"].reason == "planned"


@pytest.mark.parametrize(
    ("quiet", "state", "waits_min"),
    [
        ((None, None), "planned", 0),
        ((EVENING_MINUTE - 60, EVENING_MINUTE + 60), "held", 60),
        ((EVENING_MINUTE, EVENING_MINUTE), "planned", 0),  # an empty span
        ((22 * 60, 6 * 60), "planned", 0),
        ((17 * 60, 5 * 60), "held", 11 * 60),  # over midnight, the evening part
        ((20 * 60, 18 * 60 + 30), "held", 30),  # over midnight, the part before the end
        ((EVENING_MINUTE - 60, EVENING_MINUTE), "planned", 0),  # its end is outside
        ((17 * 60, 7 * 60), "suppressed", 0),  # the message is of use for twelve hours only
    ],
)
def test_own_quiet_hours(engine: Engine, quiet: tuple[int | None, int | None], state: str, waits_min: int) -> None:
    person(engine, "a", (0, "01"), quiet_from=quiet[0], quiet_to=quiet[1])
    planned(engine, notice())
    row = rows(engine)["a"]
    assert row.state == state
    assert row.hold_until_s == (int(NOON.timestamp()) + waits_min * 60 if waits_min else 0)
    assert row.reason == {"planned": "planned", "held": "quiet-hours", "suppressed": "only-in-quiet-hours"}[state]


def test_own_quiet_hours_follow_those_of_the_pack_and_yield_to_emergencies(engine: Engine) -> None:
    person(engine, "late-riser", (0, "01"), quiet_from=23 * 60, quiet_to=9 * 60)
    person(engine, "anybody", (0, "01"))
    night = notice(quiet_hours="17:00-06:00", valid_until=NOON.replace(day=19))
    urgent = notice(transition=2, priority=0, hours=8)
    planned(engine, night, urgent)
    six_s = int(NOON.timestamp()) + 12 * 3600
    assert {name: row.hold_until_s - six_s for name, row in rows(engine, night).items()} == {
        "late-riser": 3 * 3600,
        "anybody": 0,
    }
    assert {row.state for row in rows(engine, urgent).values()} == {"planned"}


def test_two_rules_of_a_transition_are_one_message_about_both_places(engine: Engine) -> None:
    person(engine, "both", (0, "01"), (1, "24"))
    person(engine, "second", (0, "24"))
    first = notice(provinces=["01"])
    other = ruled(first, "rule-neighbours", provinces=["24"], level=1)
    planned(engine, first, other)
    merged = rows(engine, first)["both"]
    assert (merged.state, merged.places, merged.rules) == ("planned", "0:01,1:24", "rule-advisory,rule-neighbours")
    found = {name: (row.state, row.reason, row.places) for name, row in rows(engine, other).items()}
    assert found == {"both": ("suppressed", "already-told", "1:24"), "second": ("planned", "planned", "0:24")}


def test_the_same_again_is_said_once_a_day_and_a_change_at_once(engine: Engine) -> None:
    person(engine, "a", (0, "01"), (1, "24"))
    story = [
        (0, 2, ["01"], "planned"),
        (6, 2, ["01"], "already-told"),
        (7, 2, ["24"], "planned"),  # another place of theirs: news
        (8, 3, ["01"], "planned"),  # higher
        (9, 2, ["01"], "planned"),  # lower again
        (32, 2, ["01"], "already-told"),  # twenty-three hours after the last
        (34, 2, ["01"], "planned"),  # the reminder of the day
    ]
    for number, (hours, level, provinces, reason) in enumerate(story, start=1):
        one = notice(transition=number, level=level, provinces=provinces, hours=hours)
        planned(engine, one)
        assert rows(engine, one)["a"].reason == reason, (hours, level, provinces)


def test_what_others_have_heard_since_is_not_asked(engine: Engine) -> None:
    """A question that lost its recipient was asked of everybody, for everybody: quadratic, and wrong."""
    person(engine, "same", (0, "01"))
    person(engine, "stranger", (0, "24"))  # in the audience of the last notice, too
    planned(engine, notice(provinces=["01"]))
    planned(engine, notice(provinces=["24"], level=3, transition=2, hours=1))
    planned(engine, again := notice(provinces=["01", "24"], transition=3, hours=2))
    assert rows(engine, again)["same"].reason == "already-told"


def test_who_got_nothing_has_not_been_told(engine: Engine) -> None:
    person(engine, "a", (0, "01"))
    planned(engine, notice())
    with engine.begin() as connection:
        connection.execute(update(ledger).values(state="failed"))
    planned(engine, later := notice(transition=2, hours=1))
    assert rows(engine, later)["a"].state == "planned"


def test_nobody_gets_more_of_an_episode_than_the_cap_but_a_higher_level_and_the_end(engine: Engine) -> None:
    person(engine, "a", (0, "01"))
    caps = Caps(per_episode=2)
    levels, ends = [2, 1, 2, 3], []
    for number, level in enumerate(levels, start=1):
        one = notice(transition=number, level=level, hours=number)
        planned(engine, one, caps=caps)
        ends.append(rows(engine, one)["a"].reason)
    assert ends == ["planned", "planned", "frequency-cap", "planned"]
    end = notice("all-clear", level=0, transition=9, hours=9, told_in=notice().episode)
    planned(engine, end, caps=caps)
    assert rows(engine, end)["a"].state == "planned"


def test_plants_have_no_cap(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 0, 1)
    requests = [notice("request", recipients="facilities", transition=n, hours=n) for n in range(1, 4)]
    planned(engine, *requests, caps=Caps(per_episode=1))
    with reading(engine) as connection:
        assert set(connection.execute(select(ledger.c.state)).scalars()) == {"planned"}


def test_a_correction_goes_to_exactly_those_who_may_have_got_the_wrong_one(engine: Engine) -> None:
    names = ("sent", "delivered", "unknown", "failed", "planned", "moved")
    for name in names:
        person(engine, name, (0, "01"))
    person(engine, "never", (0, "01"), level=9)
    wrong = notice()
    planned(engine, wrong)
    with engine.begin() as connection:
        for name in names[:4]:
            connection.execute(update(ledger).where(ledger.c.recipient == name).values(state=name))
        connection.execute(update(ledger).where(ledger.c.recipient == "moved").values(state="delivered"))
        connection.execute(
            update(subscriber_places).where(subscriber_places.c.subscriber_id == "moved").values(province="31")
        )
    audience = Audience(recipients="residents", provinces=["01"], corrects=wrong.id)
    right = notice("bulletin", transition=2, hours=1, audience=audience, id="00000000-0000-4000-8000-000000000001")
    planned(engine, right)
    assert {name for name, row in rows(engine, right).items() if row.state == "planned"} == {
        "sent",
        "delivered",
        "unknown",
        "moved",
    }
    withdrawn = rows(engine, wrong)["planned"]
    assert (withdrawn.state, withdrawn.reason) == ("suppressed", "superseded")


def test_a_newer_notice_replaces_an_unsent_older_one(engine: Engine) -> None:
    for name in ("waits", "has-it", "wants-more"):
        person(engine, name, (0, "01"), level=3 if name == "wants-more" else 1)
    person(engine, "elsewhere-too", (0, "01"), (1, "24"))
    old, new = notice(level=3), notice(level=2, transition=2, hours=2, provinces=["01"])
    fan_out(engine, old)
    with engine.begin() as connection:
        connection.execute(update(ledger).where(ledger.c.recipient == "has-it").values(state="sent"))
    fan_out(engine, new)
    gone = {(row.recipient, row.notice == new.id, *row.provinces) for row in send(engine, NOON.timestamp() + 7200)}
    assert gone == {
        ("waits", True, "01"),
        ("has-it", True, "01"),
        ("wants-more", False, "01"),  # the newer one is below their threshold: it replaces nothing
        ("elsewhere-too", True, "01", "24"),
    }


class CrashError(Exception):
    """Stands for the death of the process."""


@pytest.mark.parametrize("point", ["after-notice", "before-slice-commit", "after-slice", "after-fan-out"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_fan_out_that_died_goes_on_where_it_was(engine: Engine, point: str, nth: int) -> None:
    for index in range(50):
        person(engine, f"p{index:02}", (0, "01"))
    one, place = notice(), Progress("dispatch", "notices", 0, 9)
    passed = 0

    def die(reached: str) -> None:
        nonlocal passed
        passed += reached == point
        if reached == point and passed == nth:
            raise CrashError

    arm(die)
    try:
        for _ in range(3):
            try:
                fan_out(engine, one, progress=place, chunk=13)
            except CrashError:
                with engine.begin() as connection:  # whom it had not come to yet can come or go meanwhile
                    connection.execute(update(subscribers).where(subscribers.c.subscriber_id == "p49").values(level=1))
    finally:
        arm(None)
    found = rows(engine)
    assert sorted(found) == [f"p{index:02}" for index in range(50)]
    with reading(engine) as connection:
        assert len(connection.execute(select(ledger.c.id)).all()) == 50
        assert connection.execute(select(notices.c.complete)).scalar_one() == 1


def test_the_same_contact_is_written_to_once_across_slices(engine: Engine) -> None:
    person(engine, "a", (0, "01"), sms_hash="shared", level=9)
    person(engine, "b", (0, "01"), sms_hash="shared")
    person(engine, "c", (0, "31"), sms_hash="shared")
    person(engine, "d", (0, "01"), sms_hash="shared")
    fan_out(engine, notice(level=2), chunk=1)
    assert {name: row.reason for name, row in rows(engine).items()} == {
        "a": "below-threshold",
        "b": "planned",
        "d": "same-contact",
    }


def test_those_who_share_a_number_read_of_each_place_once(engine: Engine) -> None:
    """A family with one telephone and two homes was told of one of them, and never heard the end for the other."""
    person(engine, "a", (0, "01"), sms_hash="shared")
    person(engine, "b", (0, "24"), (1, "01"), sms_hash="shared")
    person(engine, "c", (0, "24"), sms_hash="shared")
    person(engine, "d", (0, "01"), (1, "24"), sms_hash="own")
    first, again = notice(level=1), notice(level=1, transition=2, hours=1)
    planned(engine, first)
    assert {name: (row.reason, row.places) for name, row in rows(engine).items()} == {
        "a": ("planned", "0:01"),
        "b": ("planned", "0:24"),
        "c": ("same-contact", "0:24"),
        "d": ("planned", "0:01,1:24"),
    }
    assert len(send(engine, NOON.timestamp())) == 3
    planned(engine, again)
    reasons = {name: row.reason for name, row in rows(engine, again).items()}
    assert reasons == {"a": "already-told", "b": "already-told", "c": "same-contact", "d": "already-told"}
    end = notice("all-clear", level=0, transition=3, hours=2, told_in=first.episode)
    planned(engine, end)
    heard = sorted((row.recipient, row.places) for row in send(engine, NOON.timestamp() + 7200))
    assert heard == [("a", "0:01"), ("b", "0:24"), ("d", "0:01,1:24")]


def test_a_place_that_the_other_does_not_hear_of_is_left_to_who_does(engine: Engine) -> None:
    """The first of the family asked for the highest level only: the second is told of both places."""
    person(engine, "a", (0, "01"), sms_hash="shared", level=3)
    person(engine, "b", (0, "24"), (1, "01"), sms_hash="shared")
    person(engine, "c", (0, "01"), sms_hash="shared")
    planned(engine, notice(level=2))
    assert {name: (row.reason, row.places) for name, row in rows(engine).items()} == {
        "a": ("below-threshold", "0:01"),
        "b": ("planned", "0:24,1:01"),
        "c": ("same-contact", "0:01"),
    }
