"""Another pack takes over: what was said under the old one stays said, and who was warned hears the end."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import RuleEngine
from rules.model import Pack, Rule
from streams.errors import PackError, Problem
from streams.schemas import EpisodeEvent
from tests.rules.test_engine import PACK, event, heard, whole_life
from tests.streams.crashes import crashing, once, undisturbed

RENAMES = {"residents": "people", "plants": "works", "residents-end": "people-end"}


def version(number: str, **rules: dict[str, Any] | None) -> Pack:
    """The pack of the engine's tests as another version; rules by id, changed, or left out with ``None``."""
    changes = {name.replace("_", "-"): change for name, change in rules.items()}
    kept: list[Rule] = []
    for rule in PACK.rules:
        change = changes.get(rule.id, {})
        if change is not None:
            kept.append(msgspec.structs.replace(rule, **change))
    return msgspec.structs.replace(PACK, version=number, rules=kept)


def renamed(number: str = "2") -> Pack:
    rules = [msgspec.structs.replace(rule, id=RENAMES.get(rule.id, rule.id)) for rule in PACK.rules]
    return msgspec.structs.replace(PACK, version=number, rules=rules)


def under(pack: Pack, item: EpisodeEvent) -> EpisodeEvent:
    return msgspec.structs.replace(item, pack=pack.reference)


def engine(*packs: Pack, memory: MutableMapping[str, bytes] | None = None) -> RuleEngine:
    by_reference = {pack.reference: pack for pack in (PACK, *packs)}

    def pack(reference: str) -> Pack:
        if reference not in by_reference:
            raise PackError([Problem(f"no pack {reference}")])
        return by_reference[reference]

    return RuleEngine(PACK, {} if memory is None else memory, "actual", pack)


def test_an_event_is_judged_by_the_pack_that_made_it() -> None:
    silent = version("2", residents=None)
    stage = engine(silent)
    assert heard(stage.accept([event("opened", 1, 1, "12", index=160)])) == ["residents 01 02"]
    assert heard(stage.accept([under(silent, event("opened", 1, 1, "34", index=160, episode="e2"))])) == []
    (notice,) = stage.accept([event("opened", 1, 1, "34", index=160, episode="e3")])
    assert notice.pack == "good@1"


def test_nobody_is_told_twice_because_a_rule_is_called_otherwise() -> None:
    stage, new = engine(renamed()), renamed()
    assert heard(stage.accept([event("opened", 1, 1, "12", index=160)])) == ["residents 01 02"]
    assert heard(stage.accept([under(new, event("grown", 2, 1, "123", index=160))])) == ["people 03"]
    assert heard(stage.accept([under(new, event("escalated", 3, 2, "123", previous=1))])) == [
        "people 01 02 03",
        "works 01 02 03 04",
    ]


def test_who_was_warned_under_the_old_pack_hears_the_end_under_the_new_one() -> None:
    stage, new = engine(renamed()), renamed()
    stage.accept([event("opened", 1, 2, "12")])
    assert heard(stage.accept([under(new, event("closed", 2, 0, "12", left="12", previous=2))])) == [
        "plants-end 01 02 03 (e1)",
        "people-end 01 02 (e1)",
    ]


def test_a_rule_that_is_new_beside_the_old_one_speaks() -> None:
    extra = msgspec.structs.replace(PACK.rules[0], id="residents-more")
    more = msgspec.structs.replace(PACK, version="2", rules=[*PACK.rules, extra])
    stage = engine(more)
    stage.accept([event("opened", 1, 1, "12", index=160)])
    assert heard(stage.accept([under(more, event("grown", 2, 1, "123", index=160))])) == [
        "residents 03",
        "residents-more 01 02 03",
    ]


def test_levels_that_are_counted_otherwise_are_no_news() -> None:
    """The new pack has a level between the two: what was level 2 is its level 3."""
    first, second, *rest = PACK.airshed.levels
    between = msgspec.structs.replace(first, name="between", enter=first.enter + 1, exit=first.exit + 1)
    region = msgspec.structs.replace(PACK.airshed, levels=[first, between, second, *rest])
    finer = msgspec.structs.replace(PACK, version="2", airshed=region)
    stage = engine(finer)
    stage.accept([event("opened", 1, 2, "12")])
    grown = msgspec.structs.replace(event("grown", 2, 2, "123"), level=3, previous_level=3)
    assert heard(stage.accept([under(finer, grown)]))[:1] == ["residents 03"]


def test_back_to_the_old_pack_nobody_is_told_again() -> None:
    stage, new = engine(renamed()), renamed()
    stage.accept([event("opened", 1, 2, "12")])
    stage.accept([under(new, event("grown", 2, 2, "123"))])
    assert heard(stage.accept([event("grown", 3, 2, "1234")])) == ["residents 04"]


def test_an_episode_that_takes_over_another_one_knows_what_was_said_in_it() -> None:
    """Both were warned under the old pack; the merge comes under the new one."""
    stage, new = engine(renamed()), renamed()
    stage.accept([event("opened", 1, 1, "12", index=160), event("opened", 1, 1, "34", index=160, episode="e2")])
    merged = event("merged", 2, 1, "34", index=160, episode="e2", merged_into="e1", previous=1)
    said = stage.accept([under(new, merged), under(new, event("grown", 2, 1, "1234", index=160))])
    assert heard(said) == []
    assert heard(stage.accept([under(new, event("closed", 3, 0, "1234", left="1234", previous=1))])) == [
        "people-end 01 02 (e1)",
        "people-end 03 04 (e2)",
    ]


def test_a_pack_that_is_not_there_stops_the_stage_before_it_has_said_anything() -> None:
    memory: dict[str, bytes] = {}
    stage = engine(memory=memory)
    with pytest.raises(PackError, match="no pack good@2"):
        stage.accept([under(renamed(), event("opened", 1, 1, "12"))])
    assert memory == {}


def test_where_the_former_pack_is_gone_who_was_warned_still_hears_the_end() -> None:
    memory: dict[str, bytes] = {}
    engine(memory=memory).accept([event("opened", 1, 1, "12", index=160)])
    new = version("2")

    def only(reference: str) -> Pack:
        if reference != new.reference:
            raise PackError([Problem(f"no pack {reference}")])
        return new

    again = RuleEngine(new, memory, "actual", only)
    assert heard(again.accept([under(new, event("grown", 2, 1, "123", index=160))])) == ["residents 03"]
    closed = under(new, event("closed", 3, 0, "123", left="123", previous=1))
    assert heard(again.accept([closed])) == ["residents-end 01 02 03 (e1)"]


CHANGES = st.lists(st.sampled_from([PACK, renamed("2"), version("3", residents=None)]), min_size=6, max_size=6)


@settings(max_examples=40, deadline=None)
@given(CHANGES, st.randoms(use_true_random=False))
def test_killed_between_changes_it_says_the_same(packs: list[Pack], random: Any) -> None:
    pieces = [[under(pack, item)] for pack, item in zip(packs, whole_life(), strict=True)]

    def make(memory: MutableMapping[str, bytes]) -> RuleEngine:
        return engine(*packs, memory=memory)

    expected = once(undisturbed(make, pieces), lambda notice: notice.id)
    assert once(crashing(make, pieces, lambda _: random.choice([None, 0, 1])), lambda notice: notice.id) == expected
