"""From events to notices: who is told what, when, once; and who is told that it is over.

The pack: residents of the episode are told at every new level; plants in it and next to it are asked from level 2 on,
if some province is above 200. Provinces 01 - 02 - 03 - 04 lie in a row.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import RuleEngine
from rules.loading import parse_pack
from rules.model import Pack
from rules.notices import ActualNotice, ExerciseNotice, Notice, notice_id
from rules.readiness import Reason
from streams.clock import utc
from streams.schemas import EpisodeEvent, EpisodeProvince, Mark, Revision, TransitionKind
from tests.streams.crashes import crashing, once, undisturbed

PACK = parse_pack("good.yaml", (Path(__file__).parent / "packs" / "good.yaml").read_bytes())


def province(code: str, index: int | None, level: int = 1) -> EpisodeProvince:
    return EpisodeProvince(
        code=code,
        name=code,
        level=level,
        level_name=PACK.airshed.level_name(level),
        since=utc(0),
        median_index=index,
        median_index_24h=index,
        valid=5,
        known=5,
        stations=[],
    )


def event(
    kind: TransitionKind,
    transition: int,
    level: int,
    provinces: str,
    *,
    hour: int | None = None,
    left: str = "",
    previous: int = 0,
    index: int = 210,
    episode: str = "e1",
    parent: str | None = None,
    merged_into: str | None = None,
) -> EpisodeEvent:
    """An event; provinces by the second digit of their codes: ``"12"`` are 01 and 02."""
    return EpisodeEvent(
        episode=episode,
        airshed="row",
        transition=transition,
        kind=kind,
        time=utc(3600 * (transition if hour is None else hour)),
        onset=utc(0),
        level=level,
        level_name=PACK.airshed.level_name(level),
        previous_level=previous,
        peak_level=max(level, previous),
        provinces=[province(f"0{digit}", index) for digit in provinces],
        joined=[],
        left=[f"0{digit}" for digit in left],
        population=0,
        reason="because",
        pack="good@1",
        parent=parent,
        merged_into=merged_into,
        departed=[province(f"0{digit}", 90, 0) for digit in left],
    )


def engine(memory: MutableMapping[str, bytes] | None = None, pack: Pack = PACK) -> RuleEngine:
    return RuleEngine(pack, {} if memory is None else memory, "actual")


def heard(notices: Sequence[Notice]) -> list[str]:
    """``"residents 01 02"``, with ``(e1)`` behind an all-clear to those warned in e1."""
    return [
        f"{notice.rule} {' '.join(notice.audience.provinces)}"
        + (f" ({notice.audience.told_in})" if notice.audience.told_in else "")
        for notice in notices
    ]


def told(*events: EpisodeEvent, pack: Pack = PACK) -> list[list[str]]:
    stage = engine(pack=pack)
    return [heard(stage.accept([item])) for item in events]


def changed(number: int, **values: Any) -> Pack:
    """The pack with one rule changed."""
    rules = list(PACK.rules)
    rules[number] = msgspec.structs.replace(rules[number], **values)
    return msgspec.structs.replace(PACK, rules=rules)


def whole_life() -> list[EpisodeEvent]:
    """An episode from its opening to its close, with every kind of change in between."""
    return [
        event("opened", 1, 1, "12", index=160),
        event("grown", 2, 1, "123", index=160),
        event("escalated", 3, 2, "123", previous=1),
        event("eased", 4, 2, "12", left="3", previous=2),
        event("eased", 5, 1, "12", previous=2),
        event("closed", 6, 0, "12", left="12", previous=1),
    ]


def test_the_whole_life_of_an_episode() -> None:
    assert told(*whole_life()) == [
        ["residents 01 02"],
        ["residents 03"],
        ["residents 01 02 03", "plants 01 02 03 04"],
        ["plants-release 04 (e1)", "residents-left 03 (e1)"],  # 03 is still next to the episode
        [],
        ["plants-end 01 02 03 (e1)", "residents-end 01 02 (e1)"],
    ]


def test_nobody_who_was_not_warned_hears_that_it_is_over() -> None:
    stage = engine()
    assert heard(stage.accept([event("closed", 1, 0, "12", left="12")])) == []
    assert {decision.reason for decision in stage.take_decisions()} == {Reason.NOBODY_WARNED}


def revised(transition: int, level: int, provinces: str, *, peak: int, before: int) -> EpisodeEvent:
    """Late readings: the peak was higher than told."""
    said = event("revised", transition, level, provinces, previous=level)
    revision = Revision(
        provinces=["01"],
        first=utc(0),
        last=utc(3600),
        hours=2,
        previous_onset=utc(0),
        previous_peak_level=before,
        supported=True,
    )
    return msgspec.structs.replace(said, peak_level=peak, revision=revision)


def correcting(**values: Any) -> Pack:
    """The pack with a rule for corrections in place of its first all-clear for residents."""
    rule = msgspec.structs.replace(
        PACK.rules[0],
        id="corrections",
        on=["revised"],
        when="peak_level > previous_peak_level && '01' in changed",
        notice="bulletin",
        audience=msgspec.structs.replace(PACK.rules[0].audience, provinces="told"),
        once_per="transition",
        **values,
    )
    return msgspec.structs.replace(PACK, rules=[*PACK.rules, rule])


def test_a_correction_reaches_those_who_were_told_and_nobody_else() -> None:
    assert told(
        event("opened", 1, 1, "12", index=160),
        revised(2, 1, "12", peak=2, before=1),
        revised(3, 1, "12", peak=2, before=2),  # nothing that was said is wrong
        pack=correcting(),
    ) == [["residents 01 02"], ["corrections 01 02 (e1)"], []]
    assert told(revised(1, 1, "12", peak=2, before=1), pack=correcting()) == [[]]


def test_a_correction_of_a_closed_episode_asks_the_ledger_who_was_told() -> None:
    assert told(
        event("opened", 1, 1, "12", index=160),
        event("closed", 2, 0, "12", left="12", previous=1),
        revised(3, 0, "12", peak=2, before=1),
        pack=correcting(),
    )[2:] == [["corrections 01 02 (e1)"]]


def test_corrections_may_have_to_wait() -> None:
    assert told(
        event("opened", 1, 1, "12", index=160),
        revised(2, 1, "12", peak=2, before=1),
        revised(3, 1, "12", peak=3, before=2),
        pack=correcting(cooling_hours=6),
    )[1:] == [["corrections 01 02 (e1)"], []]


def test_rules_hear_their_own_track_only() -> None:
    legal = msgspec.structs.replace(event("opened", 1, 1, "12", episode="e2"), track="legal")
    draft = {"track": "legal", "notice": "order-draft", "actions": {"en": ["Close the schools"]}}
    pack = changed(0, **draft)
    assert heard(engine().accept([legal])) == []
    assert heard(engine(pack=pack).accept([legal])) == ["residents 01 02"]
    assert heard(engine(pack=pack).accept([event("opened", 1, 1, "12", index=160)])) == []


def test_an_end_is_told_once() -> None:
    assert told(
        event("opened", 1, 1, "123", index=160),
        event("eased", 2, 1, "12", left="3", previous=1),
        event("closed", 3, 0, "12", left="12", previous=1),
    )[1:] == [["residents-left 03 (e1)"], ["residents-end 01 02 (e1)"]]


def test_who_comes_back_is_warned_again() -> None:
    assert told(
        event("opened", 1, 1, "123", index=160),
        event("eased", 2, 1, "12", left="3", previous=1),
        event("grown", 3, 1, "123", previous=1, index=160),
        event("closed", 4, 0, "123", left="123", previous=1),
        event("opened", 5, 1, "12", index=160),
    )[2:] == [["residents 03"], ["residents-end 01 02 03 (e1)"], ["residents 01 02"]]


def test_after_easing_a_new_rise_is_news() -> None:
    assert told(
        event("opened", 1, 2, "12"),
        event("eased", 2, 1, "12", previous=2),
        event("escalated", 3, 2, "12", previous=1),
    ) == [
        ["residents 01 02", "plants 01 02 03"],
        [],
        ["residents 01 02", "plants 01 02 03"],
    ]


@pytest.mark.parametrize(
    ("once_per", "cooling_hours", "expected"),
    [
        ("level", 0, [["01 02"], [], ["01 02"], []]),
        ("episode", 0, [["01 02"], [], [], []]),
        ("transition", 0, [["01 02"], ["01 02"], ["01 02"], ["01 02"]]),
        ("transition", 3, [["01 02"], [], ["01 02"], ["01 02"]]),
    ],
)
def test_how_often(once_per: str, cooling_hours: int, expected: list[list[str]]) -> None:
    pack = changed(0, once_per=once_per, cooling_hours=cooling_hours)
    stage = engine(pack=pack)
    events = [
        event("opened", 1, 1, "12", hour=1, index=160),
        event("grown", 2, 1, "12", hour=2, index=160),  # cooling
        event("escalated", 3, 2, "12", hour=3, index=160),  # a rise breaks it
        event("grown", 4, 2, "12", hour=6, index=160),  # over
    ]
    notices = [[n for n in stage.accept([item]) if n.rule == "residents"] for item in events]
    assert [[" ".join(notice.audience.provinces) for notice in step] for step in notices] == expected


def test_every_decision_has_a_named_reason() -> None:
    pack = changed(0, once_per="transition", cooling_hours=9, audience=PACK.rules[0].audience)
    stage = engine(pack=pack)
    stage.accept([event("opened", 1, 1, "12", index=160), event("grown", 2, 1, "12", index=160)])
    decisions = [(d.transition, d.rule, d.kind, d.reason) for d in stage.take_decisions()]
    assert decisions == [
        (1, "residents", "advisory", Reason.MADE),
        (1, "plants", "request", Reason.CONDITION_FALSE),
        (2, "residents", "advisory", Reason.COOLING),
        (2, "plants", "request", Reason.CONDITION_FALSE),
    ]
    assert stage.take_decisions() == []


def test_reasons_of_an_audience_that_is_empty_or_told() -> None:
    joined = msgspec.structs.replace(PACK.rules[0].audience, provinces="joined")
    stage = engine(pack=changed(0, audience=joined))
    stage.accept([event("opened", 1, 1, "12", index=160)])
    assert stage.take_decisions()[0].reason is Reason.NO_PROVINCE
    stage = engine()
    stage.accept([event("opened", 1, 1, "12", index=160), event("escalated", 2, 1, "12", index=160)])
    assert [d.reason for d in stage.take_decisions() if d.rule == "residents"] == [Reason.MADE, Reason.ALREADY_TOLD]


def test_a_condition_that_fails_speaks_for_no_rule_but_its_own() -> None:
    stage = engine(pack=changed(1, when="index['04'] > 1"))
    assert heard(stage.accept([event("opened", 1, 2, "12")])) == ["residents 01 02"]
    assert [d.reason for d in stage.take_decisions()] == [Reason.MADE, Reason.CONDITION_ERROR]


def test_a_merged_episode_hands_on_whom_it_has_warned() -> None:
    """Nobody hears of the merging; at the end each hears it for the episode it was warned in."""
    assert told(
        event("opened", 1, 1, "12", index=160, episode="e1"),
        event("opened", 1, 1, "34", index=160, episode="e2"),
        event("merged", 2, 1, "34", index=160, episode="e2", merged_into="e1", previous=1),
        event("grown", 2, 1, "1234", index=160, episode="e1", previous=1),
        event("closed", 3, 0, "1234", left="1234", episode="e1", previous=1),
    )[2:] == [[], [], ["residents-end 01 02 (e1)", "residents-end 03 04 (e2)"]]


def test_a_part_that_splits_off_takes_those_it_has_warned_along() -> None:
    assert told(
        event("opened", 1, 1, "1234", index=160, episode="e1"),
        event("split", 2, 1, "12", left="34", index=160, episode="e1", previous=1),
        event("opened", 1, 1, "34", index=160, episode="e2", parent="e1"),
        event("closed", 3, 0, "12", left="12", episode="e1", previous=1),
        event("closed", 2, 0, "34", left="34", episode="e2", previous=1),
    )[1:] == [[], [], ["residents-end 01 02 (e1)"], ["residents-end 03 04 (e1)"]]


def test_what_a_notice_carries() -> None:
    stage = engine()
    opened = event("opened", 1, 2, "12")
    residents, plants = stage.accept([opened])
    assert isinstance(residents, ActualNotice)
    assert residents.id == notice_id("e1", 1, "residents", residents.audience)
    assert plants.id != residents.id
    assert (plants.kind, plants.level, plants.level_name, plants.level_names) == (
        "request",
        2,
        "alert",
        {"en": "very bad"},
    )
    assert plants.actions == {"en": ["Reduce load"]}
    assert plants.valid_until == opened.time + timedelta(hours=12)
    assert [(p.code, p.names, p.index) for p in plants.provinces] == [
        ("01", {"en": "One"}, 210),
        ("02", {"en": "Two"}, 210),
    ]
    assert plants.reason == (
        "level >= 2 && provinces.exists(p, p in index && index[p] > 200) (level=2, provinces=['01', '02'], "
        "index={'01': 210, '02': 210}); opened: because"
    )
    assert (plants.data_standard, plants.zone, plants.pack) == ("vn_aqi", "Asia/Ho_Chi_Minh", "good@1")


def test_an_all_clear_carries_the_air_of_those_who_left() -> None:
    stage = engine()
    stage.accept([event("opened", 1, 1, "123", index=160)])
    (notice,) = stage.accept([event("eased", 2, 1, "12", left="3", previous=1, index=160)])
    assert [(p.code, p.level, p.index) for p in notice.provinces] == [("01", 1, 160), ("02", 1, 160), ("03", 0, 90)]
    (end,) = stage.accept([event("closed", 3, 0, "12", left="12", previous=1)])
    assert (end.level, end.level_name, end.level_names) == (0, "none", {"en": "no alert"})


def test_an_exercise_makes_another_type() -> None:
    stage = RuleEngine(PACK, {}, "exercise")
    notices = stage.accept([event("opened", 1, 2, "12")])
    assert notices
    assert all(isinstance(notice, ExerciseNotice) for notice in notices)


def test_events_of_other_airsheds_are_not_judged() -> None:
    stage = engine()
    assert stage.accept([msgspec.structs.replace(event("opened", 1, 2, "12"), airshed="elsewhere")]) == []


def test_marks_are_passed_on_when_time_has_moved() -> None:
    stage = engine()
    assert stage.advance(Mark(utc(600))) == [Mark(utc(600), "rules")]
    assert stage.advance(Mark(utc(600))) == []


def test_an_event_delivered_again_says_nothing_new_and_survives_a_restart() -> None:
    memory: dict[str, bytes] = {}
    first = engine(memory).accept([event("opened", 1, 1, "12", index=160)])
    again = engine(memory)
    assert again.accept([event("opened", 1, 1, "12", index=160)]) == []
    assert heard(again.accept([event("closed", 2, 0, "12", left="12", previous=1)])) == ["residents-end 01 02 (e1)"]
    assert heard(first) == ["residents 01 02"]


KINDS: list[TransitionKind] = [
    *("opened", "grown", "escalated", "eased", "split", "merged", "closed", "revised"),
    *("status", "status", "status", "status"),  # as they are the most frequent, and what waits ripens on them
]


@st.composite
def lives(draw: st.DrawFn) -> list[Any]:
    """Calls with events of one or two episodes, as a runtime would slice them. What was merged is heard of no more."""
    events: list[Any] = []
    transitions, open_ones = {"e1": 0, "e2": 0}, ["e1", "e2"]
    for hour in range(draw(st.integers(1, 30))):
        name = draw(st.sampled_from(open_ones))
        other = "e2" if name == "e1" else "e1"
        transitions[name] += 1
        inside = "".join(sorted(draw(st.sets(st.sampled_from("1234"), min_size=1))))
        gone = "".join(sorted(draw(st.sets(st.sampled_from("1234")))))
        kind = draw(st.sampled_from(KINDS if len(open_ones) > 1 else [kind for kind in KINDS if kind != "merged"]))
        level = 0 if kind == "closed" else draw(st.integers(1, 3))
        item = event(
            kind,
            transitions[name],
            level,
            inside,
            hour=hour,
            left=gone,
            episode=name,
            parent=other if kind == "split" and draw(st.booleans()) else None,
            merged_into=other if kind == "merged" else None,
        )
        events.append(msgspec.structs.replace(item, airshed_levels={f"0{digit}": level for digit in inside}))
        if kind == "merged":
            open_ones = [other]
    cuts = sorted(draw(st.sets(st.integers(0, len(events)), max_size=6)) | {0, len(events)})
    calls: list[Any] = []
    for begin, end in pairwise(cuts):
        calls += [events[begin:end], Mark(utc(3600 * end))]
    return calls


@settings(max_examples=60, deadline=None)
@given(lives(), st.randoms(use_true_random=False))
def test_killed_at_any_write_it_says_the_same_and_never_twice(calls: list[Any], random: Any) -> None:
    said = crashing(engine, calls, lambda _: random.choice([None, 0, 1, 2]))
    steady = undisturbed(engine, calls)
    assert once(said, lambda notice: notice.id) == once(steady, lambda notice: notice.id)
    ids = [notice.id for notice in steady if not isinstance(notice, Mark)]
    assert len(ids) == len(set(ids))
