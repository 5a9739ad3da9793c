"""Lives of episodes from their events, and how they are matched with reference events."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from airshed.backtesting.lives import Life, Lives
from airshed.backtesting.measures import Measures
from airshed.backtesting.reference import Event
from airshed.backtesting.verification import Frame, Verification, verify
from streams.clock import HOUR_S
from streams.schemas import EpisodeEvent
from tests.airshed.backtesting.samples import START_S, event

FIRST = START_S // HOUR_S
FRAME = Frame(FIRST, 400, ["01", "24", "31"])


def lives(*events: EpisodeEvent) -> Lives:
    result = Lives()
    result.follow(events)
    return result


def stays(life: Life) -> list[tuple[str, int, int | None]]:
    return [(code, since - FIRST, until - FIRST if until is not None else None) for code, since, until in life.stays]


def test_a_life_with_growth_easing_and_close() -> None:
    (life,) = lives(
        event(10, "opened", 1, "01 24"),
        event(20, "grown", 1, "01 24 31"),
        event(30, "escalated", 2, "01 24 31"),
        event(40, "eased", 1, "01 24"),
        event(50, "closed", 0, "01 24"),
    )
    assert stays(life) == [("01", 10, 50), ("24", 10, 50), ("31", 20, 40)]
    assert [life.level_at(START_S + hour * HOUR_S) for hour in (9, 10, 29, 30, 40, 50)] == [0, 1, 1, 2, 1, 0]
    assert (life.peak_level, life.hours(0), life.provinces) == (2, 40.0, ["01", "24", "31"])


def test_an_episode_that_resumes_is_one_life_with_a_gap() -> None:
    (life,) = lives(event(10, "opened", 1, "01 24"), event(20, "closed", 0, "01 24"), event(30, "opened", 1, "01 24"))
    assert stays(life) == [("01", 10, 20), ("24", 10, 20), ("01", 30, None), ("24", 30, None)]
    assert life.closed_s is None


def test_a_correction_of_a_closed_episode_does_not_open_it() -> None:
    (life,) = lives(event(10, "opened", 1, "01 24"), event(20, "closed", 0, "01 24"), event(21, "revised", 0, "01 24"))
    assert stays(life) == [("01", 10, 20), ("24", 10, 20)]
    assert life.closed_s == START_S + 20 * HOUR_S


def reference(name: str, first: int, last: int, *columns: int) -> Event:
    hours = np.arange(first, last + 1)
    cells = np.unique(np.concatenate([hours * 3 + column for column in columns]))
    return Event(name, first, last, frozenset(columns), cells)


def verified(references: list[Event], *events: EpisodeEvent) -> Verification:
    return verify("by hand", references, lives(*events).operational(), FRAME, np.ones((400, 3), bool))


def test_a_hit_with_lead_duration_and_overlap() -> None:
    """Episode in rows 10 to 29, event in rows 15 to 34: 15 hours in common, 25 in either, in two provinces."""
    found = verified([reference("R1", 15, 34, 0, 1)], event(10, "opened", 1, "01 24"), event(30, "closed", 0, "01 24"))
    (match,) = found.matches
    assert (match.event, match.episode, match.lead_h, match.duration_error_h) == ("R1", "E", 5, 0)
    assert match.iou == pytest.approx(15 / 25)
    assert found.events == Measures.of_cells(1, 0, 0)
    assert found.cells == Measures.of_cells(30, 10, 10)
    assert found.cells.csi == match.iou


@pytest.mark.parametrize(
    ("last", "columns", "table"),
    [
        (99, (0, 1), Measures.of_cells(0, 1, 1)),  # 25 hours before
        (100, (0, 1), Measures.of_cells(1, 0, 0)),  # 24 hours before
        (100, (2,), Measures.of_cells(0, 1, 1)),  # elsewhere
    ],
)
def test_tolerance_in_time_and_place(last: int, columns: tuple[int, ...], table: Measures) -> None:
    found = verified(
        [reference("R1", last - 9, last, *columns)],
        event(124, "opened", 1, "01 24"),
        event(150, "closed", 0, "01 24"),
    )
    assert found.events == table


def test_two_episodes_in_one_event_are_one_hit_and_no_false_alarm() -> None:
    found = verified(
        [reference("R1", 10, 60, 0, 1)],
        event(10, "opened", 1, "01 24"),
        event(20, "closed", 0, "01 24"),
        event(40, "opened", 1, "01 24", episode="F"),
        event(60, "closed", 0, "01 24", episode="F"),
    )
    assert (found.events, found.matches[0].episode) == (Measures(1, 0, 0, right=2), "F")


def test_one_long_episode_over_three_events_is_right_once() -> None:
    """With an episode astray, half of the two was a false alarm, not a quarter."""
    found = verified(
        [reference(f"R{number}", 60 * number, 60 * number + 9, 0) for number in (1, 2, 3)],
        event(60, "opened", 1, "01 24"),
        event(200, "closed", 0, "01 24"),
        event(300, "opened", 1, "31", episode="F"),
        event(310, "closed", 0, "31", episode="F"),
    )
    assert found.events == Measures(hits=3, false_alarms=1, misses=0, right=1)
    assert (found.events.pod, found.events.far, found.false_alarms) == (1.0, 0.5, ["F"])


def test_what_was_merged_counts_with_the_survivor() -> None:
    found = verified(
        [reference("R1", 10, 19, 2)],
        event(10, "opened", 1, "31", episode="F"),
        event(15, "opened", 1, "01 24"),
        event(20, "merged", 1, "31", episode="F", merged_into="E"),
        event(20, "grown", 1, "01 24 31"),
        event(30, "closed", 0, "01 24 31"),
    )
    assert found.events == Measures.of_cells(1, 0, 0)
    assert (found.matches[0].episode, found.matches[0].lead_h) == ("E", 0)


def test_what_was_merged_into_what_was_merged_counts_too() -> None:
    """G goes into F, F into E, in whatever order they are listed: 10 hours of G, 20 of F, 29 and 10 of E."""
    turns = [
        event(12, "opened", 1, "31", episode="G"),
        event(10, "opened", 1, "24", episode="F"),
        event(11, "opened", 1, "01"),
        event(22, "merged", 1, "31", episode="G", merged_into="F"),
        event(30, "merged", 1, "24", episode="F", merged_into="E"),
        event(30, "grown", 1, "01 24"),
        event(40, "closed", 0, "01 24"),
    ]
    everything = lives(*turns).operational()
    for order in permutations(everything):
        found = verify("by hand", [reference("R1", 12, 21, 2)], order, FRAME, np.ones((400, 3), bool))
        assert found.events == Measures.of_cells(1, 0, 0), [life.name for life in order]
        assert found.cells == Measures.of_cells(10, 20 + 29 + 10, 0)
        assert (found.matches[0].episode, found.matches[0].lead_h) == ("E", 2)


def test_hours_of_which_the_reference_knows_nothing_do_not_count() -> None:
    known = np.zeros((400, 3), bool)
    everything = lives(event(10, "opened", 1, "01 24"), event(30, "closed", 0, "01 24")).operational()
    assert verify("by hand", [], everything, FRAME, known).cells == Measures.of_cells(0, 0, 0)


def test_the_legal_definition_is_no_episode_of_the_pack() -> None:
    assert verified([], event(10, "opened", 1, "01 24", track="legal")).events == Measures.of_cells(0, 0, 0)
