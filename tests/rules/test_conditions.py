"""Conditions: what they see, and what is found wrong with them before they are used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.conditions import VARIABLES, Condition, ConditionError, flaws, samples, variables_of
from rules.loading import parse_pack
from tests.streams.province_hours import airshed, run, states, tracker

AIRSHED = parse_pack("good.yaml", (Path(__file__).parent / "packs" / "good.yaml").read_bytes()).airshed


@pytest.mark.parametrize(
    "source",
    [
        "true",
        "level >= 2",
        "level > previous_level && kind == 'escalated'",
        "'01' in provinces || '02' in joined",
        "provinces.exists(p, p in index && index[p] > 200)",
        "'01' in index_24h && index_24h['01'] >= 300",
        "size(left) > 0",
        "hours_since_onset >= 72 && population > 5000000",
        "level_name in ['watch', 'alert']",
        'level_name == "none"',
        "province_level.all(p, province_level[p] < 3)",
        "level >= 2 ? size(provinces) > 1 : false",
        "population_share == 1 || population_share > 0",
        "hour == 17 && '01' in index && index['01'] > 100",
        "hour == 17 && !('01' in index) || '01' in index && index['01'] > 100",
        "joined == [] || joined == ['01']",
        "'01' in forecast && forecast['01'] > 155",
        "'01' in index ? index['01'] > 100 : false",
    ],
)
def test_what_an_author_may_write(source: str) -> None:
    assert flaws(source, AIRSHED, ["opened", "escalated"]) == []


@pytest.mark.parametrize(
    ("source", "place", "message"),
    [
        ("level >=", (1, 9), "not a CEL expression: mismatched input '<EOF>'"),
        ("level >= 1 &&\n  lvel < 3", (2, 3), "unknown variable 'lvel'"),
        ("level >= 1 && kind == 'closd'", (1, 23), "'closd' is no kind of event, level, province code or date"),
        ("'1' in provinces", (1, 1), "'1' is no kind of event, level, province code or date"),
        ("__import__(level)", (1, 1), "unknown function '__import__'"),
        ("level.real > 0", (1, 1), "fails for an event with level=0"),
        ("kind", (1, 1), "fails for an event with kind='opened'"),
        ("provinces > 3", (1, 1), "'provinces > 3' compares a list with a number"),
        ("index_24h['02'] > 3", (1, 1), "fails for an event with index_24h="),
        ("1 / level > 0", (1, 1), "fails for an event with level=0"),
        ("level > 0 || kind > 3", (1, 14), "'kind > 3' compares a text with a number"),
        ("kind == 1 || level >= 1", (1, 1), "'kind == 1' compares a text with a number"),
        ("population > 5 || level == 'watch'", (1, 19), "\"level == 'watch'\" compares a number with a text"),
        ("hour == 17 && level == 'watch'", (1, 15), "\"level == 'watch'\" compares a number with a text"),
        ("date == 2026", (1, 1), "'date == 2026' compares a text with a number"),
        ("level > 1 ||\n  ( joined == '01')", (2, 5), "\"joined == '01'\" compares a list with a text"),
        ("weekday == 1.5", (1, 1), "'weekday == 1.5' compares whole numbers with one that is not whole"),
        ("level >= 1 && weekday in [1, 1.5]", (1, 15), "'weekday in [1, 1.5]' compares whole numbers with one"),
        ("holiday == 1 || level > 0", (1, 1), "'holiday == 1' compares true or false with a number"),
        ("level in ['watch'] || level > 0", (1, 1), "\"level in ['watch']\" looks for a number among what is a text"),
        ("kind in [level]", (1, 1), "'kind in [level]' looks for a text among what is a number"),
        ("provinces.exists(p, p in index && p == level)", (1, 35), "'p == level' compares a text with a number"),
        (
            "hour == 17 && index['01'] > 1",
            (1, 15),
            "fails for an event with index={'03': 0, '04': 0}: there is no value",
        ),
        ("hour == 17 && has(forecast.x) && index['01'] > 1", (1, 34), "fails for an event with index="),
        ("level > 1 ||\n  index['01'] > 1", (2, 3), "fails for an event with index="),
        ("hour == 17 ? population > 1 : level > 0 && size(level) > 0", (1, 44), "fails for an event with level=1"),
        ("hour > 3 && level", (1, 13), "fails for an event with level=1: 'level' gives 1, neither true nor false"),
        ("level >= 5 && hour > 3", (1, 1), "holds for no event of the kinds opened"),
        ("level > 3", (1, 1), "holds for no event of the kinds opened"),
        ("kind == 'closed' && level >= 1", (1, 1), "holds for no event of the kinds opened"),
        ("level_name == 'watch' && level > 1", (1, 1), "holds for no event of the kinds opened"),
    ],
)
def test_what_is_found_wrong_and_where(source: str, place: tuple[int, int], message: str) -> None:
    found = flaws(source, AIRSHED, ["opened"])
    assert found
    assert (found[0].line, found[0].column) == place
    assert found[0].message.startswith(message)


def test_samples_have_every_variable_with_the_type_it_says() -> None:
    kinds = {"string": str, "int": int, "double": float, "bool": bool}
    for sample in samples(AIRSHED, ["opened", "closed"]):
        assert set(sample) == set(VARIABLES)
        for name, (kind, _) in VARIABLES.items():
            wanted = kinds.get(kind, list if kind.startswith("list") else dict)
            assert isinstance(sample[name], wanted), name


def test_a_condition_sees_the_event() -> None:
    region = airshed()
    event = run(tracker(region), states(region, {"A": "160*6", "B": "210*6", "C": "?*6"}))[0]
    seen = variables_of(event)
    assert set(seen) == set(VARIABLES)
    assert seen["provinces"] == seen["joined"] == ["A", "B"]
    assert seen["index"] == {"A": 160, "B": 210}
    assert seen["province_level"] == {"A": 1, "B": 2}
    assert seen["hours_since_onset"] == 3
    condition = Condition("level == 1 && index['B'] > 200")
    assert condition.holds(seen)
    assert condition.seen(seen) == "level == 1 && index['B'] > 200 (level=1, index={'A': 160, 'B': 210})"


def test_a_condition_that_gives_no_answer_says_so() -> None:
    sample = next(iter(samples(AIRSHED, ["opened"])))
    with pytest.raises(ConditionError, match="neither true nor false"):
        Condition("level + 1").holds(sample)
    with pytest.raises(ConditionError):
        Condition("index['99'] > 1").holds(sample)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("level kind index['01']<>=!&|()?:.+-*/%1239'\"[]{},inrtue\n\\"), max_size=60))
def test_no_text_does_worse_than_being_found_wrong(source: str) -> None:
    for flaw in flaws(source, AIRSHED, ["opened"]):
        assert flaw.message
        assert flaw.line >= 1
