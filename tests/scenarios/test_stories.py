"""Every scenario through the whole pipeline, against its story; and stories that would notice a bad detector."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import pytest

from airshed.rehearsal import Told, rehearse
from rules.loading import load_pack
from rules.model import Pack
from streams.schemas import EpisodeEvent
from streams.sources.scenario_library import SCENARIOS, ground
from streams.sources.scenario_library.stories import differences
from streams.sources.scenarios import Disturbance, Scenario

PACK = load_pack("vietnam-2026")
THE_EIGHTEEN = {
    "clean-week", "single-station-fire", "industrial-plume", "five-day-stagnation", "pause-of-10-hours",
    "pause-of-40-hours", "moving-inland", "split-and-rejoin", "outage-at-the-peak", "stuck-at-300", "full-scale-985",
    "calibration-hour", "co-unit-error", "duplicates-and-disorder", "clock-seven-hours-wrong", "oscillating",
    "exact-boundaries", "year-change", "old-province-codes",
}  # fmt: skip


@cache
def told(name: str, seed: int = 2026) -> Told:
    return rehearse(SCENARIOS[name], PACK, seed)


def found(scenario: Scenario, what: Told) -> list[str]:
    return differences(scenario, what.episodes, what.provinces.values(), what.set_aside)


def with_levels(pack: Pack, **changes: int) -> Pack:
    """The pack with the same change to every level."""
    levels = [msgspec.structs.replace(level, **changes) for level in pack.airshed.levels]
    return msgspec.structs.replace(pack, airshed=msgspec.structs.replace(pack.airshed, levels=levels))


def test_all_that_a_detector_should_face_are_there() -> None:
    assert set(SCENARIOS) == THE_EIGHTEEN | {"stagnation", "fireworks"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_story_is_the_expected_one(name: str) -> None:
    assert found(SCENARIOS[name], told(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7])
@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"exact-boundaries"}))  # that one has no noise
def test_the_story_does_not_hang_on_the_seed(name: str, seed: int) -> None:
    assert found(SCENARIOS[name], told(name, seed)) == []


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("oscillating", {"enter_hours": 1, "exit_hours": 1}, "expected 1"),  # no holding times: flaps
        ("five-day-stagnation", {"enter_hours": 1, "exit_hours": 1}, ""),  # closes in the afternoon dip
        ("fireworks", {"enter_hours": 3, "enter_24h": 1}, "0 episodes were expected"),  # no 24-hour index
    ],
)
def test_a_detector_without_holding_times_tells_another_story(name: str, changes: dict[str, int], said: str) -> None:
    scenario = SCENARIOS[name]
    differ = found(scenario, rehearse(scenario, with_levels(PACK, **changes)))
    assert differ
    assert said in differ[0] or any(said in one for one in differ)


def test_one_station_would_open_an_episode_if_it_were_asked_alone() -> None:
    """Fire and stuck stations are harmless because of the median of three: with one station each they are not."""
    scenario = SCENARIOS["stuck-at-300"]
    alone = replace(
        scenario,
        stations=dict.fromkeys(ground.SEVEN, 1),
        disturbances=tuple(Disturbance("smoke", f"SIM-{code}-01", 24, 60, 250.0) for code in ("01", "24")),
    )
    assert any("exceeds level" in one for one in found(alone, rehearse(alone, PACK)))


def test_after_the_burst_everything_is_as_if_the_line_had_never_been_down() -> None:
    scenario = SCENARIOS["outage-at-the-peak"]
    undisturbed = rehearse(replace(scenario, disturbances=()), PACK)
    late = told("outage-at-the-peak")
    assert {place: without_revision(state) for place, state in late.provinces.items()} == {
        place: without_revision(state) for place, state in undisturbed.provinces.items()
    }
    assert [event.kind for event in late.episodes] == [event.kind for event in undisturbed.episodes]


def without_revision(state: msgspec.Struct) -> msgspec.Struct:
    return msgspec.structs.replace(state, revision=0)


def test_a_second_stretch_keeps_the_name_only_within_the_gap() -> None:
    names = {
        name: [e.episode for e in told(name).episodes if e.kind == "opened"]
        for name in ("pause-of-10-hours", "pause-of-40-hours")
    }
    assert len(names["pause-of-10-hours"]) == len(names["pause-of-40-hours"]) == 2
    assert len(set(names["pause-of-10-hours"])) == 1
    assert len(set(names["pause-of-40-hours"])) == 2


def test_hai_phong_and_ha_noi_are_one_episode_through_those_between() -> None:
    grown = [event for event in told("moving-inland").episodes if "01" in event.joined]
    assert [province.code for province in grown[0].provinces] == ["01", "24", "31", "33"]
    assert told("moving-inland").episodes[-1].left == ["01", "24"]


def test_what_broke_off_names_its_parent_and_comes_home() -> None:
    events = told("split-and-rejoin").episodes
    first, second = events[0].episode, next(e.episode for e in events if e.parent)
    assert {e.parent for e in events if e.episode == second} == {first}
    assert [e.merged_into for e in events if e.kind == "merged"] == [first]


def test_nobody_is_warned_where_nothing_happens() -> None:
    silent = [name for name, scenario in SCENARIOS.items() if not scenario.expected.episodes]
    assert len(silent) == 7
    assert {name: told(name).notices for name in silent} == {name: [] for name in silent}


def test_every_warned_province_hears_the_end() -> None:
    for name in ("moving-inland", "split-and-rejoin", "pause-of-10-hours"):
        warned = {c for n in told(name).notices if n.kind == "advisory" for c in n.audience.provinces}
        ended = {c for n in told(name).notices if n.kind == "all-clear" for c in n.audience.provinces}
        assert warned == ended, name


def test_a_story_says_what_is_wrong() -> None:
    """Each kind of difference, so that no part of an expectation is a dead letter."""
    scenario, what = SCENARIOS["year-change"], told("year-change")
    (expected,) = scenario.expected.episodes

    def said(**changes: object) -> str:
        episode = replace(expected, **{k: v for k, v in changes.items() if hasattr(expected, k)})  # type: ignore[arg-type]
        others = {k: v for k, v in changes.items() if not hasattr(expected, k)}
        wrong = replace(scenario, expected=replace(scenario.expected, episodes=(episode,), **others))  # type: ignore[arg-type]
        return "\n".join(found(wrong, what))

    assert "onset at hour" in said(onset_h=10.0)
    assert "opening at hour" in said(opened_h=10.0)
    assert "end at hour" in said(closed_h=300.0)
    assert "its provinces were 01 24 33" in said(provinces=frozenset(("01",)))
    assert "highest level 1, expected 3" in said(peak=3)
    assert "expected in this order" in said(kinds=("opened", "closed", "opened", "closed"))
    assert "closed at hour" in said(never=("closed",))
    assert "(why not)" in said(quiet_h=((50, 60, "why not"),))
    assert "none were expected" in "\n".join(differences(scenario, what.episodes, [], {"sentinel": 4, "late": 2}))
    assert "at least 7" in said(set_aside={"sentinel": 7})
    assert "exceeds level" in said(never_exceeding=frozenset(("24",)))
    assert "1 episodes were expected, there are 0" in "\n".join(differences(scenario, [], [], {}))


def test_unended_episodes_are_noticed() -> None:
    scenario = SCENARIOS["year-change"]
    events: list[EpisodeEvent] = told("year-change").episodes[:-1]
    assert any("it has not ended" in one for one in differences(scenario, events, [], {}))
