"""Several rules of one transition: one message where that can be, and every place told of exactly once in any case."""

from __future__ import annotations

from collections import Counter
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from notifiers import guard, releases
from notifiers.approvals import Answered, approve
from notifiers.guard import Guard
from notifiers.planner import _FanOut as FanOut
from notifiers.planner import fan_out, plan
from notifiers.releases import Released
from tests.notifiers.residents import forgotten, person, rows, send
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import planned

NOW_S = NOON.timestamp()
RULES = {
    "city": notice(provinces=["01"], rule="city"),
    "next-door": notice(provinces=["24", "31"], rule="next-door"),
    "all": notice(provinces=["01", "24"], rule="all"),
}


def told(engine: Engine, guarded_by: Guard | None = None) -> Counter[tuple[str, str]]:
    """(recipient, province) of every message that goes out now."""
    return Counter((row.recipient, code) for row in send(engine, NOW_S, guarded_by) for code in row.provinces)


def test_a_rule_whose_sister_has_been_sent_speaks_for_itself(engine: Engine) -> None:
    """On Kafka dispatchers are at work between two notices of a transition: the second was dropped for those who had
    been sent the first, and nobody told them of their other place."""
    person(engine, "both", (0, "01"), (1, "24"))
    planned(engine, RULES["city"])
    assert told(engine) == {("both", "01"): 1}
    planned(engine, RULES["next-door"])
    assert told(engine) == {("both", "24"): 1}
    planned(engine, RULES["all"])
    assert rows(engine, RULES["all"])["both"].reason == "already-told", "two messages have said it together"


def test_whatever_the_order_and_wherever_a_dispatcher_comes_between_each_place_is_told_of_once(engine: Engine) -> None:
    person(engine, "both", (0, "01"), (1, "24"))
    person(engine, "many", (0, "31"), (1, "24"), (2, "01"))
    person(engine, "one", (0, "24"))
    for order, turns in product(permutations(RULES), product([False, True], repeat=2)):
        heard: Counter[tuple[str, str]] = Counter()
        for name, turn in zip(order, (*turns, True), strict=True):
            planned(engine, RULES[name])
            heard += told(engine) if turn else Counter()
        assert heard == dict.fromkeys(
            [("both", "01"), ("both", "24"), ("many", "01"), ("many", "24"), ("many", "31"), ("one", "24")], 1
        ), (order, turns)
        forgotten(engine)


@pytest.mark.parametrize("bare_engine", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_claim_between_writing_and_merging_loses_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dispatcher can take the first message after the second was found to be part of it. On SQLite writers take
    turns: there is no such moment."""
    person(engine, "both", (0, "01"), (1, "24"))
    planned(engine, RULES["city"])
    merge, heard = FanOut._merge, list[str]()

    def late(self: FanOut, *arguments: Any) -> None:
        heard.extend(code for row in send(engine, NOW_S) for code in row.provinces)
        merge(self, *arguments)

    monkeypatch.setattr(FanOut, "_merge", late)
    fan_out(engine, RULES["next-door"])
    assert heard == ["01"]
    assert told(engine) == {("both", "24"): 1}


def test_a_rule_that_needs_a_yes_says_nothing_through_one_that_does_not(engine: Engine) -> None:
    person(engine, "both", (0, "01"), (1, "24"))
    asks = notice(provinces=["24"], rule="asks", approval="officer")
    for one in (RULES["city"], asks):
        planned(engine, one)
    assert told(engine) == {("both", "01"): 1}
    assert rows(engine, asks)["both"].reason == "approval"


@pytest.mark.parametrize("waits_for", ["an officer", "the guard"])
@pytest.mark.parametrize("sent", [True, False], ids=["the other is sent", "the other is on its way"])
def test_what_is_let_go_late_says_only_what_nobody_has_said_meanwhile(
    engine: Engine, waits_for: str, sent: bool
) -> None:
    """Who was told by the rule that needed nobody's yes was told the same again when the officer said yes."""
    person(engine, "both", (0, "01"), (1, "24"))
    person(engine, "city", (0, "01"))
    person(engine, "next-door", (0, "24"))
    late = notice(rule="late", **({"approval": "officer"} if waits_for == "an officer" else {}))
    of_two = Guard(recipients=2 if waits_for == "the guard" else 10)
    with engine.begin() as connection:
        plan(connection, late)
        if waits_for == "the guard":
            guard.admit(connection, "exercise", of_two, NOW_S)
        plan(connection, RULES["city"])
        guard.admit(connection, "exercise", of_two, NOW_S)
    heard = told(engine, of_two) if sent else Counter()
    with engine.begin() as connection:
        if waits_for == "the guard":
            assert releases.release(connection, late.id, "Duty 7", "", NOW_S) is Released.RELEASED
        else:
            assert approve(connection, late.id, "Duty 7", NOW_S) is Answered.RELEASED
    heard += told(engine, of_two)
    assert heard == dict.fromkeys([("both", "01"), ("both", "24"), ("city", "01"), ("next-door", "24")], 1)
    assert rows(engine, late)["city"].reason == "already-told"


def test_a_plant_is_asked_by_the_officer_too(engine: Engine, tmp_path: Path) -> None:
    """Two requests of one transition may ask for different lines and hours."""
    fill(engine, tmp_path, 0, 1)
    ordered = notice("request", recipients="facilities", rule="ordered", approval="officer")
    with engine.begin() as connection:
        plan(connection, ordered)
        plan(connection, notice("request", recipients="facilities", rule="asked"))
        guard.admit_all(connection, "exercise")
        assert approve(connection, ordered.id, "Duty 7", NOW_S) is Answered.RELEASED
    assert {row.state for row in rows(engine, ordered).values()} == {"planned"}
