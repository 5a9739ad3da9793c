"""Order, repeats, batches and crashes change no event."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.episodes import EpisodeTracker
from streams.schemas import EpisodeEvent, ProvinceState
from tests.streams.crashes import crashing, once, undisturbed
from tests.streams.province_hours import airshed, mark, state, tracker

REGION = airshed("AB BC CD DE")
INDICES = (None, 60, 120, 140, 160, 210, 310)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[list[ProvinceState], int]]:
    """Hours of five provinces in runs of the same air, with revisions of earlier hours among them."""
    columns: dict[str, list[int | None]] = {}
    length = draw(st.integers(12, 60))
    for code in "ABCDE":
        column: list[int | None] = []
        while len(column) < length:
            column += [draw(st.sampled_from(INDICES))] * draw(st.integers(1, 12))
        columns[code] = column[:length]
    hours = []
    revisions: dict[tuple[str, int], int] = {}
    for number in range(1, length + 1):
        items = [state(REGION, code, number, columns[code][number - 1]) for code in "ABCDE"]
        if draw(st.integers(0, 5)) == 0:
            for code, back in draw(st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(1, 12)), max_size=8)):
                past = number - back
                if past >= 1:
                    revisions[code, past] = revisions.get((code, past), 0) + 1
                    index = draw(st.sampled_from(INDICES))
                    items.append(state(REGION, code, past, index, revision=revisions[code, past]))
        hours.append((items, number))
    return hours


def make(memory: MutableMapping[str, bytes]) -> EpisodeTracker:
    return tracker(REGION, memory)


def pieces(story: list[tuple[list[ProvinceState], int]]) -> list[Any]:
    return [piece for items, number in story for piece in (items, mark(number))]


def identity(event: EpisodeEvent) -> tuple[str, int]:
    return event.episode, event.transition


@settings(max_examples=60, deadline=None)
@given(stories())
def test_transitions_count_up_and_levels_follow_each_other(story: list[tuple[list[ProvinceState], int]]) -> None:
    last: dict[str, EpisodeEvent] = {}
    for event in undisturbed(make, pieces(story)):
        if not isinstance(event, EpisodeEvent):
            continue
        before = last.get(event.episode)
        assert event.transition == (before.transition + 1 if before else 1)
        assert event.previous_level == (before.level if before else 0)
        assert event.kind != "escalated" or event.level > event.previous_level
        assert event.kind in ("closed", "merged", "revised") or len(event.provinces) >= 2
        assert event.peak_level >= event.level
        if before is None:
            assert event.kind == "opened"
        elif before.kind == "closed":
            assert event.kind in ("opened", "revised")
        last[event.episode] = event


@settings(max_examples=60, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_order_batches_and_repeats_within_a_step_change_nothing(
    story: list[tuple[list[ProvinceState], int]], random: Any
) -> None:
    disturbed: list[Any] = []
    for items, number in story:
        shuffled = items + random.sample(items, k=len(items) // 2)
        random.shuffle(shuffled)
        cut = random.randint(0, len(shuffled))
        disturbed += [shuffled[:cut], shuffled[cut:], mark(number)]
        if random.random() < 0.2:
            disturbed += [items, mark(number)]  # a whole step delivered again
    assert once(undisturbed(make, disturbed), identity) == once(undisturbed(make, pieces(story)), identity)


@settings(max_examples=40, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_killed_at_any_write_and_started_again_it_says_the_same(
    story: list[tuple[list[ProvinceState], int]], random: Any
) -> None:
    said = crashing(make, pieces(story), lambda _: random.choice([None, 0, 1, 2, 3, 5, 8]))
    assert once(said, identity) == once(undisturbed(make, pieces(story)), identity)
