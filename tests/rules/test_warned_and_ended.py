"""Whoever is warned hears the end, once, and not while the warning stands: whatever episodes do."""

from __future__ import annotations

from itertools import groupby

import msgspec
from hypothesis import example, given, settings

from rules.engine import RuleEngine
from rules.loading import load_pack
from rules.notices import Notice
from streams.schemas import EpisodeEvent
from tests.streams.crashes import undisturbed
from tests.streams.province_hours import airshed, run, states, tracker
from tests.streams.test_episode_properties import REGION, Story, make, stories

VIETNAM = load_pack("vietnam-2026")
CLEAN = (40, 60)
"""Index and hours after which every episode has ended."""


def said(events: list[EpisodeEvent], region: object = REGION) -> list[tuple[EpisodeEvent, Notice]]:
    """What residents are told of these events, with the event that led to it."""
    engine = RuleEngine(msgspec.structs.replace(VIETNAM, airshed=region), {}, "exercise")
    pairs = [(event, notice) for event in events for notice in engine.accept([event])]
    return [(event, notice) for event, notice in pairs if notice.audience.recipients == "residents"]


def ended(story: Story) -> Story:
    return Story({code: [*runs, CLEAN] for code, runs in story.runs.items()}, story.revisions)


DRIFTING = Story(
    {
        "A": [(310, 30), (60, 30)],
        "B": [(310, 30), (60, 30)],
        "C": [(60, 2), (310, 12), (60, 46)],
        "D": [(60, 12), (310, 34), (60, 14)],
        "E": [(60, 12), (310, 34), (60, 14)],
    },
    [],
)


@settings(max_examples=150, deadline=None)
@given(stories())
@example(DRIFTING)
def test_everybody_warned_hears_one_end_and_not_while_in_an_episode(story: Story) -> None:
    events = [event for event in undisturbed(make, ended(story).pieces()) if isinstance(event, EpisodeEvent)]
    by_event = {(event.episode, event.transition): [] for event in events}
    for event, notice in said(events):
        by_event[event.episode, event.transition].append(notice)
    warned: dict[str, int] = {}
    inside: dict[str, set[str]] = {}
    for _, of_an_hour in groupby(events, key=lambda event: event.time):
        released: set[str] = set()
        for event in of_an_hour:
            over = event.kind in ("closed", "merged") or not event.level
            inside[event.episode] = set() if over else {province.code for province in event.provinces}
            for code in inside[event.episode] & warned.keys():
                warned[code] = min(warned[code], event.level)
            for notice in by_event[event.episode, event.transition]:
                for code in notice.audience.provinces:
                    if notice.kind == "advisory":
                        assert notice.level > warned.get(code, 0), f"{code} has been told so"
                        warned[code] = notice.level
                    elif notice.kind == "all-clear":
                        assert code in warned, f"{code} hears an end of nothing"
                        del warned[code]
                        released.add(code)
        assert not released & set().union(*inside.values())
    assert not warned


def test_what_an_episode_has_said_goes_with_the_provinces_that_join_another_one() -> None:
    """ABCD loses C; D joins F and G, which are older. D was warned, is not warned again, and hears the end."""
    region = airshed("AB BC CD DE EF FG")
    table = {
        "A": "60*2 160*28 60*20",
        "B": "60*2 160*28 60*20",
        "C": "60*2 160*8 60*40",
        "D": "60*2 160*38 60*10",
        "E": "60*11 160*29 60*10",
        "F": "160*40 60*10",
        "G": "160*40 60*10",
    }
    events = run(tracker(region), states(region, table))
    assert {event.episode for event in events if event.kind == "opened"} == {event.episode for event in events}
    assert len({event.episode for event in events}) == 2
    heard = [(event.kind, notice.rule, "".join(notice.audience.provinces)) for event, notice in said(events, region)]
    assert heard == [
        ("opened", "residents-advisory", "FG"),
        ("opened", "residents-advisory", "ABCD"),
        ("eased", "residents-all-clear-left", "C"),
        ("grown", "residents-advisory", "E"),
        ("closed", "residents-all-clear", "AB"),
        ("closed", "residents-all-clear", "EFG"),
        ("closed", "residents-all-clear", "D"),
    ]
