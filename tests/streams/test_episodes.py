"""The life of an episode: given these hours, these events at these times, and no others.

Levels of the test airshed: on after 3 hours at 150 / 200 / 300, off after 4 below 130 / 170 / 250; two adjacent
provinces together for 2 hours open an episode. A, B, C, D lie in a row.
"""

from __future__ import annotations

import pytest

from streams.airsheds import Detection
from streams.episodes import EpisodeTracker
from streams.quorum import province_state
from streams.schemas import EpisodeEvent, Mark
from tests.streams.province_hours import (
    airshed,
    hour_s,
    mark,
    run,
    state,
    states,
    story,
    told,
    tracker,
)


def test_two_adjacent_provinces_make_an_episode_and_its_whole_life() -> None:
    assert story(
        {
            "A": "60*2 160*6 220*6 140*4 90*10",
            "B": "60*3 160*6 220*5 140*4 90*10",
            "C": "60*9 160*9 90*10",
            "D": "60*28",
        }
    ) == [
        "7 opened 1 AB",  # A on from hour 5, B from hour 6, together in 6 and 7
        "12 escalated 2 AB",  # A and B above 200 from hours 9 and 10
        "12 grown 2 ABC",  # C hears of level 2 at once, and once
        "18 eased 1 ABC",  # below 170 from hour 15: four hours
        "22 closed 0 ABC",  # below 130 from hour 19
    ]


def test_a_province_that_clears_leaves_and_the_rest_goes_on() -> None:
    assert story({"A": "160*20", "B": "160*20", "C": "160*8 90*12"}) == ["4 opened 1 ABC", "12 eased 1 AB-C"]


def test_the_last_but_one_province_ends_it() -> None:
    """One province alone is no cross-provincial episode, however bad its air is."""
    assert story({"A": "260*20", "B": "260*8 60*12"}) == ["4 opened 2 AB", "12 closed 0 AB"]


@pytest.mark.parametrize(
    ("why", "table"),
    [
        ("clean", {"A": "80*40", "B": "120*40"}),
        ("one province alone", {"A": "450*40", "B": "149*40"}),
        ("two that do not touch", {"A": "250*40", "B": "100*40", "C": "250*40"}),
        ("an hour short of the holding time", {"A": "60*5 400*2 60*20", "B": "60*5 400*2 60*20"}),
        ("not at the same time", {"A": "180*4 60*12", "B": "60*8 180*4 60*4"}),
        ("one hour together is not two", {"A": "180*4 60*8", "B": "60*5 180*3 60*4"}),
        ("swinging around the threshold", {"A": "155 145 " * 20, "B": "155 145 " * 20}),
        ("everything unknown", {"A": "?*40", "B": "?*40"}),
        ("unknown by the time the other one joins", {"A": "60*6 160*9", "B": "160*6 ?*9"}),
        ("unknown beside exceeding", {"A": "250*40", "B": "?*40"}),
        ("exceeding, then a long silence, then clean", {"A": "180*2 ?*7 180*2 60*9", "B": "180*2 ?*7 180*2 60*9"}),
    ],
)
def test_nothing_opens(why: str, table: dict[str, str]) -> None:
    assert story(table) == [], why


def test_exactly_at_the_threshold_counts_and_one_below_does_not() -> None:
    assert story({"A": "150*6", "B": "150*6"}) == ["4 opened 1 AB"]
    assert story({"A": "149*6", "B": "150*6"}) == []


def test_the_24_hour_index_must_agree_where_the_level_asks_for_it() -> None:
    region = airshed(enter_24h=150)
    hours = [[state(region, code, n, 180, day=149 if n < 9 else 150) for code in "AB"] for n in range(1, 16)]
    assert told(run(tracker(region), hours)) == ["10 opened 1 AB"]


def test_the_afternoon_dip_does_not_flap() -> None:
    """Three hours below the exit every day; leaving needs four."""
    day = "180*12 110*3 180*9 "
    assert story({"A": day * 5, "B": day * 5}) == ["4 opened 1 AB"]


def test_hours_between_exit_and_entry_do_not_end_it() -> None:
    assert story({"A": "160*5 140*50", "B": "160*5 140*50"}) == ["4 opened 1 AB"]


def test_swinging_around_the_exit_does_not_end_it() -> None:
    assert story({"A": "160*5 " + "129*3 131 " * 10, "B": "160*45"}) == ["4 opened 1 AB"]


def test_unknown_provinces_hold_an_episode_open_and_do_not_grow_it() -> None:
    """No all-clear from missing data: the outage lasts two days, the clean air after it ends the episode."""
    table = {"A": "160*6 ?*48 90*6", "B": "160*6 ?*48 90*6", "C": "60*6 ?*48 60*6"}
    assert story(table) == ["4 opened 1 AB", "58 closed 0 AB"]


def test_what_was_counted_before_a_long_silence_does_not_end_it_either() -> None:
    assert story({"A": "160*6 90*3 ?*7 90*3", "B": "160*6 90*3 ?*7 90*3"}) == ["4 opened 1 AB"]
    assert story({"A": "160*6 90*3 ?*6 90*1", "B": "160*6 90*3 ?*6 90*1"}) == ["4 opened 1 AB", "16 closed 0 AB"]


def test_a_province_that_was_never_heard_of_is_unknown() -> None:
    region = airshed()
    hours = [[item for item in items if item.province != "B"] for items in states(region, {"A": "250*9", "B": "250*9"})]
    assert run(tracker(region), hours) == []


def test_it_moves_from_one_end_to_the_other_and_stays_the_same() -> None:
    table = {
        "A": "160*10 60*20",
        "B": "160*16 60*14",
        "C": "60*6 160*16 60*8",
        "D": "60*12 160*12 60*6",
    }
    assert story(table) == [
        "4 opened 1 AB",
        "9 grown 1 ABC",
        "14 eased 1 BC-A",
        "15 grown 1 BCD",
        "20 eased 1 CD-B",
        "26 closed 0 CD",
    ]
    region = airshed()
    assert len({event.episode for event in run(tracker(region), states(region, table))}) == 1


def test_two_episodes_grow_together_and_the_earlier_one_survives() -> None:
    region = airshed("AB BC CD DE")
    table = {"A": "60*4 160*16", "B": "60*4 160*16", "C": "60*10 160*10", "D": "160*20", "E": "160*20"}
    events = run(tracker(region), states(region, table))
    assert told(events) == ["4 opened 1 DE", "8 opened 1 AB", "13 merged 1 AB", "13 grown 1 ABCDE"]
    earlier, later = events[0].episode, events[1].episode
    assert [event.episode for event in events] == [earlier, later, later, earlier]
    assert events[2].merged_into == earlier
    assert events[3].joined == ["A", "B", "C"]
    assert later in events[3].reason


def test_it_falls_apart_and_the_larger_part_keeps_the_name() -> None:
    region = airshed("AB BC CD DE EF")
    table = {"A": "160*20", "B": "160*20", "C": "160*6 60*14", "D": "160*20", "E": "160*20", "F": "160*20"}
    events = run(tracker(region), states(region, table))
    assert told(events) == ["4 opened 1 ABCDEF", "10 split 1 CDEF-AB", "10 eased 1 DEF-C", "10 opened 1 AB"]
    assert events[3].episode != events[0].episode
    assert events[3].parent == events[0].episode
    assert events[3].transition == 1
    assert {event.episode for event in events[:3]} == {events[0].episode}


def test_parts_of_equal_size_the_earlier_onset_keeps_the_name_then_the_lower_code() -> None:
    region = airshed("AB BC CD DE")
    table = {"A": "60 160*19", "B": "60 160*19", "C": "160*8 60*12", "D": "160*20", "E": "160*20"}
    events = run(tracker(region), states(region, table))
    assert told(events)[-3:] == ["12 split 1 CDE-AB", "12 eased 1 DE-C", "12 opened 1 AB"]
    same = {"A": "160*20", "B": "160*20", "C": "160*8 60*12", "D": "160*20", "E": "160*20"}
    assert story(same, region)[-3:] == ["12 split 1 ABC-DE", "12 eased 1 AB-C", "12 opened 1 DE"]


def test_parts_that_rejoin_become_one_again() -> None:
    region = airshed("AB BC CD DE")
    table = dict.fromkeys("ABDE", "160*30") | {"C": "160*6 60*8 160*16"}
    assert story(table, region) == [
        "4 opened 1 ABCDE",
        "10 split 1 ABC-DE",
        "10 eased 1 AB-C",
        "10 opened 1 DE",
        "17 merged 1 DE",
        "17 grown 1 ABCDE",
    ]


@pytest.mark.parametrize(("gap", "episodes"), [(10, 1), (40, 2)])
def test_a_short_pause_is_the_same_episode_and_a_long_one_is_not(gap: int, episodes: int) -> None:
    """The catalogue's pair: 10 h and 40 h apart, with a merge gap of 24 h after the close."""
    region = airshed()
    series = f"160*6 60*{gap} 160*6 60*6"
    events = run(tracker(region), states(region, {"A": series, "B": series}))
    assert [event.kind for event in events] == ["opened", "closed", "opened", "closed"]
    assert len({event.episode for event in events}) == episodes
    if episodes == 1:
        assert [event.transition for event in events] == [1, 2, 3, 4]
        assert "resumes" in events[2].reason
        assert events[2].onset == events[0].onset


def test_identity_values_and_reason_of_the_first_event() -> None:
    region = airshed()
    first, *_ = run(tracker(region), states(region, {"A": "60*2 160*4", "B": "60 160*5"}))
    assert first.episode == "test-20260112T03Z-B"  # both exceed from hour 3 on; B began first
    assert first.transition == 1
    assert first.onset.timestamp() == hour_s(3)
    assert (first.level, first.level_name, first.previous_level, first.peak_level) == (1, "watch", 0, 1)
    assert first.joined == ["A", "B"]
    assert first.population == 2000
    assert first.pack == "test@1"
    province = first.provinces[1]
    assert (province.code, province.level_name, province.median_index) == ("B", "watch", 160)
    assert province.since.timestamp() == hour_s(2)
    assert province.stations[0] == ("B0", 160, 160)
    assert first.reason == (
        "2 adjacent provinces on a level, 2 of them together for at least 2 h, exceeding since 2026-01-12T03:00Z. "
        "Province A: index 160, 24 h 160, 5 of 5 stations, level watch; "
        "Province B: index 160, 24 h 160, 5 of 5 stations, level watch"
    )


def test_the_hours_and_stations_that_made_the_case_are_named() -> None:
    region = airshed()
    hours = states(region, {"A": "60*2 160 170 ? 180 165", "B": "60 160*6"})
    uneven = [("A3", 190, 180), ("A1", 180, 170), ("A0", 150, 160), ("A2", 149, 150)]
    hours[3][0] = province_state(region, "A", hour_s(4), 4, uneven)
    (opened,) = run(tracker(region), hours)
    province = opened.provinces[0]
    assert opened.time.timestamp() == hour_s(7)
    assert province.since.timestamp() == hour_s(3)
    assert province.course == [160, 165, None, 180, 165]
    assert province.witnesses[:4] == [("A3", 4, 190), ("A0", 4, 180), ("A1", 4, 180), ("A2", 3, 180)]
    assert opened.provinces[1].course == [160] * 6


def test_the_course_of_a_long_episode_is_its_latest_day() -> None:
    region = airshed()
    events = run(tracker(region), states(region, {"A": "160*30 90*4", "B": "160*34"}))
    assert told(events) == ["4 opened 1 AB", "34 closed 0 AB"]
    assert events[1].departed[0].course == [160] * 20 + [90] * 4
    assert events[1].departed[0].witnesses[0] == ("A0", 20, 160)


def test_one_station_cannot_open_an_episode() -> None:
    """A fire beside one of five stations: half of them, and two, would have to be over the level."""
    region = airshed()
    valid = [("s0", 480, 470), ("s1", 60, 60), ("s2", 55, 50), ("s3", 50, 50), ("s4", 45, 50)]
    hours = [[province_state(region, code, hour_s(n), 5, valid) for code in "AB"] for n in range(1, 30)]
    assert run(tracker(region), hours) == []


def test_an_hour_that_exceeds_is_no_hour_of_leaving_however_low_the_median() -> None:
    """Half of the stations of C in thick smoke, half in clean air: the median is 90, below the exit. It stays."""
    region = airshed()
    split = [("s0", 160, 160), ("s1", 160, 160), ("s2", 20, 20), ("s3", 20, 20)]
    hours = states(region, {"A": "160*20", "B": "160*20", "C": "160*6 20*14"})
    for number, items in enumerate(hours[6:], start=7):
        items[2] = province_state(region, "C", hour_s(number), 4, split)
    assert hours[-1][2].median_index == 90
    assert told(run(tracker(region), hours)) == ["4 opened 1 ABC"]


def test_the_peak_is_remembered_and_the_level_skips_steps_up() -> None:
    region = airshed()
    events = run(tracker(region), states(region, {"A": "310*8 60*9", "B": "310*8 60*9"}))
    assert told(events) == ["4 opened 3 AB", "12 closed 0 AB"]
    assert events[-1].peak_level == 3
    assert events[-1].previous_level == 3


def test_hours_are_decided_only_when_the_mark_has_passed_their_lateness() -> None:
    region = airshed()
    stage = tracker(region)
    for items in states(region, {"A": "160*4", "B": "160*4"}):
        stage.accept(items)
    early = Mark(mark(4).time.replace(minute=9, second=59))
    assert [item for item in stage.advance(early) if isinstance(item, EpisodeEvent)] == []
    assert [item.kind for item in stage.advance(mark(4)) if isinstance(item, EpisodeEvent)] == ["opened"]


def test_a_gap_of_hours_without_any_states_is_unknown_hours() -> None:
    region = airshed()
    stage = tracker(region)
    events = run(stage, states(region, {"A": "160*5", "B": "160*5"}))
    events += run(stage, states(region, {"A": "160*1", "B": "160*1"}), first=60)
    assert told(events) == ["4 opened 1 AB"]


def test_airsheds_of_one_partition_do_not_touch_each_other() -> None:
    one, other = airshed(), airshed("XY", detection=Detection(together_hours=1))
    other = type(other)(**{f: getattr(other, f) for f in other.__struct_fields__} | {"code": "other"})
    stage = EpisodeTracker([other, one], {}, pack="test@1")
    hours = zip(
        states(one, {"A": "160*5", "B": "160*5"}), states(other, {"X": "60 160*4", "Y": "60 160*4"}), strict=True
    )
    events = run(stage, [[*first, *second] for first, second in hours])
    assert [(event.airshed, event.kind) for event in events] == [("other", "opened"), ("test", "opened")]
