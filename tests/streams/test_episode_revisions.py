"""Late readings: what was said stays said; later decisions rest on what is known now."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from streams.clock import HOUR_S
from streams.history import WINDOW_HOURS, Window
from streams.schemas import EpisodeEvent, ProvinceState
from tests.streams.province_hours import airshed, hour_s, run, state, states, told, tracker


def late(code: str, hours: range, index: int | None) -> list[ProvinceState]:
    return [state(airshed(), code, number, index, revision=1) for number in hours]


def with_late(table: dict[str, str], after: int, revisions: Sequence[ProvinceState]) -> list[EpisodeEvent]:
    """The table, with revisions coming in after the mark of hour ``after``."""
    region = airshed()
    hours = states(region, table)
    stage = tracker(region)
    events = run(stage, hours[:after])
    stage.accept(list(revisions))
    return events + run(stage, hours[after:], first=after + 1)


def test_an_episode_that_was_missed_opens_now_with_its_true_onset() -> None:
    table = {"A": "60 160*11", "B": "60 ?*7 160*4"}
    events = with_late(table, 8, late("B", range(2, 9), 160))
    assert told(events) == ["9 opened 1 AB"]
    assert events[0].onset.timestamp() == hour_s(2)
    assert events[0].episode == "test-20260112T02Z-A"
    assert told(with_late(table, 8, [])) == ["12 opened 1 AB"]


def test_an_episode_that_should_not_have_opened_says_so_and_ends_by_the_exit_rule() -> None:
    """Hours 1 to 6 of A were 140, not 160: it never entered. It stays, and four clean hours end it."""
    table = {"A": "160*8 90*6", "B": "160*14"}
    events = with_late(table, 7, late("A", range(1, 7), 140))
    assert told(events) == ["4 opened 1 AB", "8 revised 1 AB", "12 closed 0 AB"]
    assert "no episode would be open" in events[1].reason
    assert "A in 5 h between 2026-01-12T03:00Z and 2026-01-12T07:00Z" in events[1].reason
    assert events[1].level == events[1].previous_level == 1


def test_when_the_late_hours_meet_the_exit_rule_it_ends_at_once() -> None:
    events = with_late({"A": "160*12", "B": "160*12"}, 9, late("A", range(4, 10), 90))
    assert told(events)[:3] == ["4 opened 1 AB", "10 revised 1 AB", "10 closed 0 AB"]


def test_a_province_is_not_released_by_late_readings_alone() -> None:
    table = {"A": "160*20", "B": "160*20", "C": "160*10 90*10"}
    events = with_late(table, 8, late("C", range(1, 6), 140))
    assert told(events) == ["4 opened 1 ABC", "9 revised 1 ABC", "14 eased 1 AB-C"]


def test_a_higher_level_now_is_announced_now() -> None:
    events = with_late({"A": "160*8 ? 210*3", "B": "160*8 210*4"}, 9, [*late("A", range(6, 10), 210)])
    assert told(events) == ["4 opened 1 AB", "10 revised 1 AB", "11 escalated 2 AB"]


def test_a_higher_level_in_the_past_corrects_the_peak_only() -> None:
    revisions = [*late("A", range(2, 6), 320), *late("B", range(2, 6), 320)]
    events = with_late({"A": "160*20", "B": "160*20"}, 14, revisions)
    assert told(events) == ["4 opened 1 AB", "15 revised 1 AB"]
    assert events[1].peak_level == 3
    revision = events[1].revision
    assert revision is not None
    assert (revision.provinces, revision.hours, revision.previous_peak_level) == (["A", "B"], 5, 1)
    assert (revision.first.timestamp(), revision.last.timestamp()) == (hour_s(4), hour_s(8))
    assert revision.supported


def test_an_earlier_onset_is_corrected() -> None:
    table = {"A": "? ? 160*14", "B": "? ? 160*14"}
    revisions = [*late("A", range(1, 3), 160), *late("B", range(1, 3), 160)]
    events = with_late(table, 10, revisions)
    assert told(events) == ["6 opened 1 AB", "11 revised 1 AB"]
    assert events[0].onset.timestamp() == hour_s(3)
    assert events[1].onset.timestamp() == hour_s(1)
    assert "onset 2026-01-12T01:00Z instead of 2026-01-12T03:00Z" in events[1].reason
    assert events[1].episode == events[0].episode


def test_a_revision_that_moves_no_level_says_nothing() -> None:
    assert told(with_late({"A": "160*12", "B": "160*12"}, 8, late("A", range(1, 9), 175))) == ["4 opened 1 AB"]


@pytest.mark.parametrize("lead", [0, WINDOW_HOURS + 9])
def test_a_correction_is_said_once_and_decisions_go_on_from_it(lead: int) -> None:
    """Also when the window is full, so that its start moves over the hours before the correction."""
    region = airshed()
    clean = f"60*{lead} " if lead else ""
    hours = states(region, {"A": clean + "160*8 90*6 60*6", "B": clean + "160*20"})
    stage = tracker(region)
    events = run(stage, hours[: lead + 7])
    stage.accept(late("A", range(lead + 1, lead + 7), 140))
    events += run(stage, hours[lead + 7 : lead + 9], first=lead + 8)
    stage.accept([state(region, "B", lead + 8, 165, revision=1)])  # of no consequence, but all is counted again
    events += run(stage, hours[lead + 9 :], first=lead + 10)
    assert told(events) == [f"{lead + 4} opened 1 AB", f"{lead + 8} revised 1 AB", f"{lead + 12} closed 0 AB"]


def test_a_closed_episode_is_corrected_by_a_record() -> None:
    table = {"A": "160*6 60*20", "B": "160*6 60*20"}
    revisions = [*late("A", range(2, 6), 210), *late("B", range(2, 6), 210)]
    events = with_late(table, 20, revisions)
    assert told(events) == ["4 opened 1 AB", "10 closed 0 AB", "21 revised 0 AB"]
    assert (events[2].transition, events[2].peak_level) == (3, 2)


def test_what_is_older_than_the_window_is_no_longer_counted() -> None:
    length = WINDOW_HOURS + 20
    table = {"A": f"160*{length}", "B": f"160*{length}"}
    assert told(with_late(table, length - 2, late("A", range(1, 10), 60))) == ["4 opened 1 AB"]


@pytest.mark.parametrize("after", range(5, 16))
def test_the_window_forgets_nothing_that_matters(after: int) -> None:
    """Levels folded again from the start of the window are those folded hour by hour."""
    lead = f"60*{WINDOW_HOURS + 3} "
    region = airshed()
    table = {"A": lead + "160*8 140*3 90*9", "B": lead + "160*3 ?*2 160*6 90*9"}
    hours = states(region, table)
    quiet = told(run(tracker(region), hours))
    stage = tracker(region)
    events = run(stage, hours[: after + WINDOW_HOURS])
    stage.accept([state(region, "A", WINDOW_HOURS + 2, 61, revision=1)])  # forces a refold, changes nothing
    assert told(events + run(stage, hours[after + WINDOW_HOURS :], first=after + WINDOW_HOURS + 1)) == quiet
    assert quiet


def test_an_onset_that_moves_into_an_earlier_episode_gets_a_name_of_its_own() -> None:
    """A and B left the episode, which goes on in D and E. Then it turns out that their air never was clean: they are
    an episode of their own since the first hour, with the seed and the onset that gave the other one its name."""
    region = airshed("AB BC CD DE")
    back = "160*8 60*6 160*10"
    hours = states(region, {"A": back, "B": back, "C": "160*8 60*16", "D": "160*24", "E": "160*24"})
    stage = tracker(region)
    events = run(stage, hours[:16])
    stage.accept([state(region, code, number, 160, revision=1) for code in "AB" for number in range(9, 15)])
    events += run(stage, hours[16:], first=17)
    assert told(events) == ["4 opened 1 ABCDE", "12 eased 1 DE-ABC", "17 opened 1 AB"]
    assert [event.episode for event in events[1:]] == ["test-20260112T01Z-A", "test-20260112T01Z-A-2"]


def test_the_start_of_the_window_is_what_its_end_was() -> None:
    """Whether a start is taken from the end of its hour or folded anew, as after a restart, makes no difference."""
    region = airshed()
    table = {"A": "160*9 90*6 210*12 ?*8 160*40 90*30", "B": "160*20 ?*3 300*9 90*73", "C": "90*4 160*101"}
    hours = [{one.province: one for one in hour} for hour in states(region, table)]
    taken, folded = Window.before(hour_s(1), region), Window.before(hour_s(1), region)
    for number in range(1, len(hours) + 1):
        for window in (taken, folded):
            window.fold(region, lambda time_s: hours[(time_s - hour_s(1)) // HOUR_S])
            if number == 15:
                window.force(region, "A", 2, 1, hour_s(3))
        folded = msgspec.msgpack.decode(msgspec.msgpack.encode(folded), type=Window)
        assert msgspec.msgpack.encode(taken) == msgspec.msgpack.encode(folded)
    assert taken.start_s == hour_s(len(hours) - WINDOW_HOURS)
    assert any(standing.level for standing in taken.start.values())
