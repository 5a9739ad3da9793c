"""Packs over time: which one judges an hour, and what becomes of counting and episodes when another takes over."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.airsheds import Airshed, Level
from streams.clock import utc
from streams.episodes import EpisodeTracker
from streams.provinces import ProvinceWatch
from streams.schemas import EpisodeEvent
from streams.versions import Activation, Reign
from tests.streams import test_legal as legal
from tests.streams import test_provinces as provinces
from tests.streams.crashes import call, crashing, once, undisturbed
from tests.streams.province_hours import airshed, hour_s, mark, run, state, states, told
from tests.streams.test_episode_properties import Story, stories

OLD = airshed()


def changed(region: Airshed = OLD, *, add: int = 0, hours: int | None = None, names: str = "") -> Airshed:
    """Levels whose thresholds lie ``add`` higher, or that hold after other hours, or are called otherwise."""
    levels: list[Level] = []
    for number, level in enumerate(region.levels):
        levels.append(
            msgspec.structs.replace(
                level,
                enter=level.enter + add,
                exit=level.exit + add,
                enter_hours=hours or level.enter_hours,
                name=names.split()[number] if names else level.name,
            )
        )
    return msgspec.structs.replace(region, levels=levels)


@dataclass
class Shelf:
    """Packs by reference and the log of activations, as the folder of an installation holds them."""

    packs: Mapping[str, Airshed]
    log: list[Activation] = field(default_factory=lambda: [Activation("old@1", 0)])

    def airshed(self, code: str, reference: str) -> Airshed:
        return self.packs[reference]

    def replaced(self, reign: Reign) -> bool:
        return False

    def activations(self, code: str) -> Sequence[Activation]:
        return self.log

    def activate(self, pack: str, hour: int, episode: str = "") -> None:
        self.log.append(Activation(pack, hour_s(hour), episode))


def shelf(new: Airshed, *activations: tuple[Any, ...]) -> Shelf:
    made = Shelf({"old@1": OLD, "new@2": new})
    for activation in activations:
        made.activate(*activation)
    return made


def tracker(versions: Shelf, memory: MutableMapping[str, bytes] | None = None) -> EpisodeTracker:
    return EpisodeTracker([OLD], {} if memory is None else memory, pack="old@1", versions=versions)


def packs(events: Sequence[EpisodeEvent]) -> list[str]:
    """``"5 opened 1 AB old@1"``."""
    return [f"{line} {event.pack}" for line, event in zip(told(events), events, strict=True)]


def test_an_episode_is_judged_to_its_end_by_the_pack_it_opened_with() -> None:
    """By the new pack, activated for hour 8, the air of 160 would be its second level; it waits for the close."""
    table = {"A": "160*12 60*6 110*6", "B": "160*12 60*6 110*6", "C": "40*24", "D": "40*24"}
    stage = tracker(shelf(changed(add=-60), ("new@2", 8)))
    assert packs(run(stage, states(OLD, table))) == [
        "4 opened 1 AB old@1",
        "16 closed 0 AB old@1",
        "22 opened 1 AB new@2",
    ]
    assert stage.reigns["test"].since_s == hour_s(17)


def test_without_an_open_episode_it_takes_over_at_its_hour_and_counts_the_hours_before() -> None:
    """145 is nothing to the old pack. The new one has it as an exceedance for three hours when it comes."""
    table = {"A": "145*10", "B": "145*10", "C": "40*10", "D": "40*10"}
    for hour in (1, 4, 7):
        events = run(tracker(shelf(changed(add=-10), ("new@2", hour))), states(OLD, table))
        assert packs(events) == [f"{max(hour, 4)} opened 1 AB new@2"]


def test_raised_thresholds_leave_nothing_on_that_never_reached_them() -> None:
    """A and C are on by the old levels when the new ones come; together with B they would open an episode."""
    table = {"A": "160*20", "B": "40*9 160*11", "C": "160*20", "D": "40*20"}
    assert packs(run(tracker(shelf(changed(add=20), ("new@2", 11))), states(OLD, table))) == []
    assert packs(run(tracker(shelf(changed(add=0), ("new@2", 11))), states(OLD, table))) == ["13 opened 1 ABC new@2"]


def test_the_same_levels_count_on_as_if_nothing_had_happened() -> None:
    """Also what lies before the window: A has been between exit and entry for more than three days."""
    table = {"A": "160*3 140*97", "B": "40*90 160*10", "C": "40*100", "D": "40*100"}
    expected = told(run(tracker(shelf(OLD)), states(OLD, table)))
    assert expected == ["94 opened 1 AB"]
    for hour in range(80, 100):
        renamed = changed(names="one two three")
        assert told(run(tracker(shelf(renamed, ("new@2", hour))), states(OLD, table))) == expected
    lower = changed(add=-1)
    assert told(run(tracker(shelf(lower, ("new@2", 90))), states(OLD, table))) == []


STEADY = {"A": "160*24", "B": "160*24", "C": "40*24", "D": "40*24"}


def test_an_officer_moves_an_open_episode() -> None:
    """From hour 10 on the air of 160 is level 2 of the new pack, and has been for ten hours."""
    new = changed(add=-40)
    (opened,) = run(tracker(shelf(new)), states(OLD, STEADY))
    events = run(tracker(shelf(new, ("new@2", 10, opened.episode))), states(OLD, STEADY))
    assert packs(events) == ["4 opened 1 AB old@1", "10 escalated 2 AB new@2"]
    assert len({event.episode for event in events}) == 1


def test_what_was_announced_stays_until_the_exit_rule_of_the_new_pack_is_met() -> None:
    new = changed(add=100)
    (opened,) = run(tracker(shelf(new)), states(OLD, STEADY))
    moved = shelf(new, ("new@2", 10, opened.episode))
    below = run(tracker(moved), states(OLD, STEADY))  # nine hours below 230: the exit rule is met
    assert packs(below) == ["4 opened 1 AB old@1", "10 closed 0 AB new@2"]
    between = {code: "160*4 235*20" if code in "AB" else line for code, line in STEADY.items()}
    held = run(tracker(moved), states(OLD, between))  # never at 250, below 270, never below 230
    assert packs(held) == ["4 opened 1 AB old@1", "7 escalated 2 AB old@1", "10 eased 1 AB new@2"]


def test_an_episode_is_moved_by_its_name_only() -> None:
    versions = shelf(changed(add=-40), ("new@2", 10, "test-20260112T01Z-X"))
    assert packs(run(tracker(versions), states(OLD, STEADY))) == ["4 opened 1 AB old@1"]


def test_two_open_episodes_go_on_under_the_new_pack_when_both_are_moved() -> None:
    region = airshed("AB BC CD DE EF")
    table = {"A": "160*24", "B": "160*24", "C": "40*24", "D": "40*24", "E": "160*24", "F": "160*24"}
    versions = Shelf({"old@1": region, "new@2": changed(region, add=-40)})
    stage = EpisodeTracker([region], {}, pack="old@1", versions=versions)
    first, second = run(stage, states(region, table)[:8])
    versions.activate("new@2", 10, first.episode)
    versions.activate("new@2", 14, second.episode)
    events = run(stage, states(region, table)[8:], first=9)
    assert packs(events) == ["14 escalated 2 AB new@2", "14 escalated 2 EF new@2"]


def test_an_open_legal_episode_keeps_its_pack_too_and_can_be_moved() -> None:
    region = legal.region()
    table = {"A": [320] * 5 + [100] * 2, "B": [320] * 5 + [100] * 2}
    hour = legal.end_of(4) + 1

    def said(*moves: str) -> tuple[list[tuple[str, str]], int]:
        versions = Shelf({"old@1": region, "new@2": changed(region, add=10)})
        versions.activate("new@2", hour)
        for episode in moves:
            versions.activate("new@2", hour + 2, episode)
        stage = EpisodeTracker([region], {}, pack="old@1", versions=versions)
        events = [
            item for piece in legal.pieces(table) for item in call(stage, piece) if isinstance(item, EpisodeEvent)
        ]
        assert len({event.episode for event in events}) == 1
        return [(event.kind, event.pack) for event in events], stage.reigns["test"].since_s

    assert said() == ([("opened", "old@1"), ("closed", "old@1")], hour_s(legal.end_of(6) + 1))
    stage = EpisodeTracker([region], {}, pack="old@1")
    (opened, _) = [e for piece in legal.pieces(table) for e in call(stage, piece) if isinstance(e, EpisodeEvent)]
    assert said(opened.episode) == ([("opened", "old@1"), ("closed", "new@2")], hour_s(hour + 2))


def test_an_activation_for_a_decided_hour_is_refused_and_stays_refused() -> None:
    memory: dict[str, bytes] = {}
    versions = shelf(changed(add=-10))
    stage = tracker(versions, memory)
    hours = states(OLD, {"A": "145*30", "B": "145*30", "C": "40*30", "D": "40*30"})
    run(stage, hours[:10])
    versions.activate("new@2", 10)
    late = versions.log[-1]
    assert run(stage, hours[10:20], first=11) == []
    assert stage.take_refused() == [(late, hour_s(10))]
    assert stage.take_refused() == []
    again = tracker(versions, memory)
    versions.activate("new@2", 25)
    assert packs(run(again, hours[20:], first=21)) == ["25 opened 1 AB new@2"]
    assert again.take_refused() == [(late, hour_s(20))]


def test_a_pending_pack_survives_a_restart() -> None:
    """What was taken over in time counts, though its hour has been decided when the worker starts again."""
    memory: dict[str, bytes] = {}
    versions = shelf(changed(add=-60), ("new@2", 8))
    hours = states(OLD, {"A": "160*12 60*12", "B": "160*12 60*12", "C": "40*24", "D": "40*24"})
    assert packs(run(tracker(versions, memory), hours[:14])) == ["4 opened 1 AB old@1"]
    stage = tracker(versions, memory)
    assert packs(run(stage, hours[14:], first=15)) == ["16 closed 0 AB old@1"]
    assert stage.take_refused() == []
    assert stage.reigns["test"].pack == "new@2"


def test_a_late_reading_after_the_change_corrects_the_episode_before_it() -> None:
    """The closed episode is corrected by the levels now in force; the change alone corrects nothing."""
    versions = shelf(changed(add=5), ("new@2", 8))
    hours = states(OLD, {"A": "160*8 60*12", "B": "160*8 60*12", "C": "40*20", "D": "40*20"})
    hours[17] = [*hours[17], *(state(OLD, "A", n, 60, revision=1) for n in range(4, 9))]
    assert packs(run(tracker(versions), hours)) == [
        "4 opened 1 AB old@1",
        "12 closed 0 AB old@1",
        "18 revised 0 AB new@2",
    ]


def test_another_configured_pack_takes_over_at_once() -> None:
    """Without a shelf, what is configured decides: also on an open episode, after a restart."""
    memory: dict[str, bytes] = {}
    hours = states(OLD, STEADY)
    run(EpisodeTracker([OLD], memory, pack="old@1"), hours[:10])
    one_level = msgspec.structs.replace(OLD, levels=changed(add=40).levels[:1])
    events = run(EpisodeTracker([one_level], memory, pack="other@1"), hours[10:], first=11)
    assert packs(events) == ["14 closed 0 AB other@1"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("watch alert emergency", "watch alert emergency", [0, 1, 2, 3]),
        ("watch alert emergency", "yellow orange red", [0, 1, 2, 3]),
        ("watch alert emergency", "yellow", [0, 1, 1, 1]),
        ("watch alert emergency", "watch alarm alert", [0, 1, 3, 3]),
        ("watch alert emergency", "alert emergency", [0, 1, 1, 2]),
    ],
)
def test_which_level_stands_for_which(before: str, after: str, expected: list[int]) -> None:
    def named(names: str) -> Airshed:
        levels = [msgspec.structs.replace(OLD.levels[0], name=name) for name in names.split()]
        return msgspec.structs.replace(OLD, levels=levels)

    assert [named(after).level_like(level, named(before)) for level in range(4)] == expected


def test_which_activation_counts() -> None:
    reign = Reign.begin([Activation("a@1", 0), Activation("c@1", 500), Activation("b@1", 300)], 100)
    assert [reign.activated(hour).pack for hour in (100, 299, 300, 499, 500)] == ["a@1", "a@1", "b@1", "b@1", "c@1"]
    assert reign.adopt([*reign.activations, Activation("a@1", 500)], 400) == []
    assert reign.activated(500).pack == "a@1"  # written later: it calls the other one off
    assert Reign.begin([Activation("a@1", 900), Activation("b@1", 950)], 100).pack == "a@1"  # the base


@settings(max_examples=60, deadline=None)
@given(
    stories(),
    st.lists(st.tuples(st.sampled_from(["old@1", "new@2", "up@3"]), st.integers(2, 60)), max_size=4),
    st.integers(0, 60),
    st.randoms(use_true_random=False),
)
def test_killed_at_any_write_it_says_the_same_whenever_packs_change(
    story: Story, log: list[tuple[str, int]], noticed: int, random: Any
) -> None:
    """Activations are noticed at any hour before the first of them counts; kills and restarts change nothing."""
    region = airshed("AB BC CD DE")
    known = {"old@1": region, "new@2": changed(region, add=-20, hours=2), "up@3": changed(region, add=30)}

    def make(memory: MutableMapping[str, bytes]) -> EpisodeTracker:
        versions = Shelf(known)
        for pack, hour in log:
            versions.activate(pack, hour)
        return EpisodeTracker([region], memory, pack="old@1", versions=versions)

    expected = once(undisturbed(make, story.pieces()), _identity)
    assert once(crashing(make, story.pieces(), lambda _: random.choice([None, 0, 1, 2, 5])), _identity) == expected
    assert once(_noticing(story, known, log, noticed), _identity) == expected


def _noticing(story: Story, known: Mapping[str, Airshed], log: list[tuple[str, int]], noticed: int) -> list[Any]:
    """One tracker that hears of the activations as late as they may come, or earlier."""
    versions = Shelf(known)
    stage = EpisodeTracker([known["old@1"]], {}, pack="old@1", versions=versions)
    latest = min([noticed, *(hour - 1 for _, hour in log)])
    said: list[Any] = []
    for items, number in story.hours():
        if number > latest and len(versions.log) == 1:
            for pack, hour in log:
                versions.activate(pack, hour)
        said += [*call(stage, items), *call(stage, mark(number))]
    return said


def _identity(event: EpisodeEvent) -> tuple[str, int]:
    return event.episode, event.transition


def test_provinces_are_shown_by_the_pack_activated_for_the_hour() -> None:
    region = provinces.REGION
    versions = Shelf({"old@1": region, "new@2": changed(region, add=40)})

    def watch(memory: MutableMapping[str, bytes]) -> ProvinceWatch:
        return ProvinceWatch([region], provinces.registry(region), memory, versions=versions)

    versions.activate("new@2", 4)
    memory: dict[str, bytes] = {}
    levels: dict[int, int] = {}
    stage = watch(memory)
    for hour in range(1, 7):
        if hour == 6:
            versions.activate("old@1", 5)  # hour 5 is decided: too late
            versions.activate("old@1", 6)
        said = provinces.said(stage, provinces.records(hour, [160] * 5, 160), mark(hour))
        levels[hour] = said[0].level
        stage = watch(memory)  # restarted after every hour
    assert levels == {1: 1, 2: 1, 3: 1, 4: 0, 5: 0, 6: 1}
    revised = provinces.said(stage, [provinces.record("A0", 4, 195, revision=1)], mark(7))
    assert [(state.level, state.revision) for state in revised if state.time == utc(hour_s(4))] == [(0, 1)]


@settings(max_examples=60, deadline=None)
@given(stories(), st.integers(2, 60), st.integers(-60, 60))
def test_no_episode_changes_its_pack_and_events_name_the_one_that_decided(story: Story, hour: int, add: int) -> None:
    region = airshed("AB BC CD DE")
    versions = Shelf({"old@1": region, "new@2": changed(region, add=add)})
    versions.activate("new@2", hour)
    stage = EpisodeTracker([region], {}, pack="old@1", versions=versions)
    opened: dict[str, str] = {}
    for items, number in story.hours():
        stage.accept(items)
        for event in stage.advance(mark(number)):
            if isinstance(event, EpisodeEvent):
                in_force = stage.reigns["test"].pack
                assert event.pack == in_force
                if event.kind == "opened":
                    opened[event.episode] = event.pack
                elif event.kind != "revised":
                    assert event.pack == opened[event.episode]
