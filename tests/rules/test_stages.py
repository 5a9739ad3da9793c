"""Rules that wait, need a quorum, stand on each other or until revoked; what they see of time and of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.conditions import Condition, variables_of
from rules.engine import RuleEngine
from rules.loading import parse_pack
from rules.model import Pack, Quorum, Rule, RuleAudience
from rules.readiness import Reason
from rules.variables import Memory
from streams.errors import PackError
from streams.schemas import EpisodeEvent, Mark, TransitionKind
from tests.rules.test_engine import PACK, engine, event, heard, lives
from tests.streams.crashes import crashing, once, undisturbed

ALWAYS: list[TransitionKind] = ["opened", "escalated", "eased", "status"]


def rule(name: str, when: str = "true", **more: Any) -> Rule:
    values = {
        "on": ALWAYS,
        "notice": "instruction",
        "audience": RuleAudience(recipients="authorities"),
        "template": "request",
        "actions": {"en": [f"measures of {name}"]},
    }
    return Rule(id=name, when=when, **(values | more))


def pack(*rules: Rule, **more: Any) -> Pack:
    return msgspec.structs.replace(PACK, rules=list(rules), **more)


def course(levels: Sequence[int], first_hour: int = 1) -> list[EpisodeEvent]:
    """Opened on the first level, then a status in every hour."""
    return [
        event("status" if number else "opened", number + 1, level, "12", hour=first_hour + number)
        for number, level in enumerate(levels)
    ]


def told(rules: Pack, events: Sequence[EpisodeEvent]) -> dict[int, list[str]]:
    """By hour, the rules that spoke."""
    stage = RuleEngine(rules, {}, "actual")
    said = {item.transition: [notice.rule for notice in stage.accept([item])] for item in events}
    return {hour: names for hour, names in said.items() if names}


def test_a_rule_waits_until_its_condition_has_held_long_enough() -> None:
    rules = pack(rule("patient", "level == 2", for_hours=3))
    assert told(rules, course([1, 2, 2, 2, 2, 2])) == {5: ["patient"]}
    assert told(rules, course([2, 2, 2, 1, 2, 2, 2, 2])) == {8: ["patient"]}


def test_the_wait_survives_a_restart_and_a_repeated_event() -> None:
    rules, memory = pack(rule("patient", for_hours=2)), dict[str, bytes]()
    spoken = []
    for item in course([1, 1, 1, 1]):
        for _ in range(2):  # a new engine on the same state, which hears the event twice
            spoken += [notice.transition for notice in RuleEngine(rules, memory, "actual").accept([item])]
    assert spoken == [3]


def test_a_quorum_counts_the_airshed_and_not_the_episode() -> None:
    rules = pack(rule("regional", quorum=Quorum(provinces=3, level=2)))
    stage = RuleEngine(rules, {}, "actual")
    opened, hour = course([2, 2])
    opened = msgspec.structs.replace(opened, airshed_levels={"01": 2, "02": 2, "04": 1})
    hour = msgspec.structs.replace(hour, airshed_levels={"01": 2, "02": 2, "04": 2})
    assert stage.accept([opened]) == []
    assert [decision.reason for decision in stage.take_decisions()] == [Reason.NO_QUORUM]
    assert heard(stage.accept([hour])) == ["regional 01 02"]


STAGES = (
    rule("stage-1", "level >= 1"),
    rule("stage-2", "level >= 2", extends="stage-1"),
    rule("stage-3", "level >= 3", extends="stage-2"),
)


def test_a_stage_speaks_once_for_all_below_it() -> None:
    rules = pack(*STAGES)
    assert told(rules, course([1, 1, 3, 3])) == {1: ["stage-1"], 3: ["stage-3"]}
    stage = RuleEngine(rules, {}, "actual")
    (notice,) = stage.accept([event("opened", 1, 2, "12")])
    assert notice.actions == {"en": ["measures of stage-1", "measures of stage-2"]}
    reasons = {decision.rule: decision.reason for decision in stage.take_decisions()}
    assert reasons == {
        "stage-1": Reason.HIGHER_STAGE,
        "stage-2": Reason.MADE,
        "stage-3": Reason.CONDITION_FALSE,
    }


LADDER = pack(
    *STAGES,
    rule("lift-3", "level < 2", notice="all-clear", template="release", revokes=["stage-3"], actions={}),
    rule("lift-1", "level < 1", notice="all-clear", template="release", revokes=["stage-1"], actions={}),
)


def test_a_stage_stands_until_it_is_revoked_and_then_is_news_again() -> None:
    """Level 2 is inside the margin of stage 3: nothing is lifted, and nothing is said again at level 3."""
    levels = [3, 2, 3, 1, 1, 2, 3, 0]
    assert told(LADDER, course(levels)) == {
        1: ["stage-3"],
        4: ["lift-3"],
        7: ["stage-3"],
        8: ["lift-3", "lift-1"],
    }


def test_lifting_a_stage_lifts_those_above_it() -> None:
    both = pack(*STAGES, LADDER.rules[4])
    assert told(both, course([3, 0, 1, 2, 3])) == {
        1: ["stage-3"],
        2: ["lift-1"],
        3: ["stage-1"],
        4: ["stage-2"],
        5: ["stage-3"],
    }


def test_a_province_that_joins_hears_the_stage_that_stands() -> None:
    stage = RuleEngine(LADDER, {}, "actual")
    stage.accept([event("opened", 1, 3, "12")])
    assert heard(stage.accept([event("status", 2, 3, "123")])) == ["stage-3 03"]
    (lifted,) = stage.accept([event("status", 3, 1, "12")])
    assert (lifted.audience.provinces, lifted.audience.told_in) == (["01", "02", "03"], "e1")


def test_a_rule_sees_what_it_has_said_before() -> None:
    reminder = rule("reminder", "times_told == 0 || hours_since_told >= 3", once_per="transition", cooling_hours=1)
    assert list(told(pack(reminder), course([1] * 8))) == [1, 4, 7]
    once = rule("once", "highest_told < level", once_per="transition", cooling_hours=1)
    assert list(told(pack(once), course([1, 1, 2, 2, 1, 2]))) == [1, 3]


def test_what_a_rule_has_said_is_forgotten_when_the_episode_closes_and_resumes() -> None:
    rules = pack(rule("first", "times_told == 0", once_per="transition", cooling_hours=1))
    kinds: list[TransitionKind] = ["opened", "status", "closed", "opened", "status"]
    events = [event(kind, number, kind != "closed", "12", hour=number) for number, kind in enumerate(kinds, start=1)]
    assert list(told(rules, events)) == [1, 4]


def test_the_calendar_is_local() -> None:
    item = event(
        "status", 1, 1, "12", hour=19
    )  # 1970-01-01 19:00 UTC, in Hà Nội (+08:00 then) the 2nd at 03:00, a Friday
    seen = variables_of(item, PACK.airshed, ["1970-01-02"])
    assert [seen[name] for name in ("hour", "weekday", "month", "date", "holiday")] == [3, 5, 1, "1970-01-02", True]
    assert variables_of(item, PACK.airshed)["holiday"] is False
    assert Condition("hour >= 22 || hour < 6").holds(seen)
    assert Condition("date == '1970-01-02' && weekday in [5, 6]").holds(seen)


def test_there_is_no_forecast_until_there_is_a_feed() -> None:
    seen = variables_of(event("status", 1, 1, "12"), PACK.airshed)
    assert Condition("has(forecast.x) || '01' in forecast").holds(seen) is False


def test_memory_before_the_first_notice() -> None:
    assert Memory().variables(event("status", 1, 1, "12").time) == {
        "times_told": 0,
        "hours_since_told": -1,
        "highest_told": 0,
    }


def test_the_whole_airshed_can_be_told() -> None:
    everywhere = rule("all", audience=RuleAudience(recipients="authorities", provinces="airshed"))
    (notice,) = RuleEngine(pack(everywhere), {}, "actual").accept([event("opened", 1, 1, "12")])
    assert notice.audience.provinces == ["01", "02", "03", "04"]


def test_approval_and_quiet_hours_travel_with_the_notice() -> None:
    rules = pack(
        rule("slow", approval="two-officers"),
        rule("urgent", priority=0, quiet_hours="ignore"),
        rule("own", quiet_hours="21:00-07:00"),
        quiet_hours="22:00-06:00",
    )
    notices = RuleEngine(rules, {}, "actual").accept([event("opened", 1, 1, "12")])
    assert [(notice.approval, notice.quiet_hours) for notice in notices] == [
        ("two-officers", "22:00-06:00"),
        ("none", ""),
        ("none", "21:00-07:00"),
    ]


BUSY = pack(
    *LADDER.rules,
    rule("patient", "level >= 2", for_hours=2, once_per="transition", cooling_hours=3),
    rule("regional", quorum=Quorum(provinces=2, level=2), cooling_hours=4),
    rule("counted", "times_told < 3 && hours_since_told != 1", once_per="transition", cooling_hours=2),
    rule("end", on=["closed", "eased"], notice="all-clear", template="release", actions={}),
)
"""Everything that a rule may have to remember, in one pack."""


@settings(max_examples=60, deadline=None)
@given(lives(), st.randoms(use_true_random=False))
def test_what_waits_counts_and_stands_survives_being_killed_at_any_write(calls: list[Any], random: Any) -> None:
    make = partial(engine, pack=BUSY)
    said = crashing(make, calls, lambda _: random.choice([None, 0, 1, 2]))
    steady = undisturbed(make, calls)
    assert once(said, lambda notice: notice.id) == once(steady, lambda notice: notice.id)
    ids = [notice.id for notice in steady if not isinstance(notice, Mark)]
    assert len(ids) == len(set(ids))


HEAD = """
name: p
version: "1"
sender: {en: Centre}
airshed:
  code: a
  names: {en: A}
  standard: vn_aqi
  zone: UTC
  provinces:
    - {code: "01", names: {en: One}, neighbours: ["02"]}
    - {code: "02", names: {en: Two}, neighbours: ["01"]}
  levels: [{name: bad, names: {en: bad}, enter: 151, exit: 130, enter_hours: 1, exit_hours: 1}]
rules:
  - &r {id: one, on: [opened], notice: instruction, audience: {recipients: authorities}, template: request,
        actions: {en: [x]}%s}
  - {id: two, on: [opened, status], notice: instruction, audience: {recipients: authorities}, template: request,
     actions: {en: [x]}%s}
"""


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        (", extends: tow", "", "16:38: rules[0].extends: there is no rule 'tow' (did you mean 'two'?)"),
        (", extends: two", ", extends: one", "the stages go round in a circle (the lowest stage extends nothing)"),
        (", for_hours: 4", "", "waits 4 h and hears of no hour (add status to on"),
        (", for_hours: 97", "", "expected int <= 96"),
        (", revokes: [two]", "", "a instruction revokes nothing (write all-clear)"),
        (", quorum: {provinces: 3}", "", "3 provinces of 2: no event can reach it (give at most 2)"),
        (", quorum: {provinces: 2, level: 2}", "", "level 2 of 1: no event can reach it (give at most 1)"),
        (", quorum: {province: 2}", "", "unknown key 'province' (did you mean 'provinces'?)"),
        (", quiet_hours: ignore", "", "priority 5 cannot ignore them (give the rule priority 0, or hours of its own)"),
        (", quiet_hours: 22:00-22:00", "", "22:00-22:00 is no time at all (give two different times)"),
        (", quiet_hours: 22-6", "", "rules[0].quiet_hours: "),
        (", approval: boss", "", "'boss' is not one of none, officer, two-officers"),
        ("", ", once_per: transition", "would speak in every hour of an episode (give cooling_hours"),
    ],
)
def test_what_is_refused(one: str, two: str, message: str) -> None:
    with pytest.raises(PackError) as caught:
        parse_pack("p.yaml", (HEAD % (one, two)).encode())
    assert any(message in str(problem) for problem in caught.value.problems), str(caught.value)


DRAFT = """
  - id: order
    on: [opened]
    notice: order-draft
    audience: {recipients: %s}
    template: request
    actions: {en: [stop]}
%s"""


@pytest.mark.parametrize("recipients", ["facilities", "residents"])
@pytest.mark.parametrize(
    ("approval", "place"), [("", "21:13: rules[2].notice"), ("    approval: none\n", "25:15: rules[2].approval")]
)
def test_an_order_draft_goes_nowhere_unsigned(recipients: str, approval: str, place: str) -> None:
    with pytest.raises(PackError) as caught:
        parse_pack("p.yaml", (HEAD % ("", "") + DRAFT.lstrip("\n") % (recipients, approval)).encode())
    (problem,) = caught.value.problems
    assert str(problem) == (
        f"p.yaml:{place}: an order-draft to {recipients} without a signature "
        "(write approval: officer, or two-officers; only a draft to authorities goes to those who sign it)"
    )


@pytest.mark.parametrize(
    ("recipients", "approval"), [("facilities", "officer"), ("facilities", "two-officers"), ("authorities", "none")]
)
def test_a_signed_draft_goes_out_and_those_who_sign_get_it_as_it_is(recipients: str, approval: str) -> None:
    text = HEAD % ("", "") + DRAFT.lstrip("\n") % (recipients, f"    approval: {approval}\n")
    assert parse_pack("p.yaml", text.encode()).rules[2].approval == approval


def test_a_pack_with_a_rule_that_waits_has_its_hours_told() -> None:
    assert parse_pack("p.yaml", (HEAD % ("", "")).encode()).airshed.detection.hourly_status is True
    assert PACK.airshed.detection.hourly_status is False
