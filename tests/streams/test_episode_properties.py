"""Order, repeats, batches and crashes change no event."""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.components import connected, neighbours_of
from streams.episodes import EpisodeTracker
from streams.schemas import EpisodeEvent, ProvinceState
from tests.streams.crashes import crashing, once, undisturbed
from tests.streams.province_hours import airshed, mark, state, tracker

REGION = airshed("AB BC CD DE")
NEIGHBOURS = neighbours_of(REGION)
INDICES = (None, 60, 120, 140, 160, 210, 310)


@dataclass(frozen=True)
class Story:
    """Hours of five provinces, as runs of the same air, and revisions of earlier hours. Small, so that it shrinks."""

    runs: dict[str, list[tuple[int | None, int]]]
    revisions: list[tuple[int, str, int, int | None]]  # in which hour, whose, how many hours back, to what

    def hours(self) -> list[tuple[list[ProvinceState], int]]:
        columns = {code: [index for index, hours in runs for _ in range(hours)] for code, runs in self.runs.items()}
        length = max(map(len, columns.values()))
        counts: Counter[tuple[str, int]] = Counter()
        story = []
        for number in range(1, length + 1):
            items = [
                state(REGION, code, number, column[min(number, len(column)) - 1]) for code, column in columns.items()
            ]
            for hour, code, back, index in self.revisions:
                if hour == number > back:
                    counts[code, hour - back] += 1
                    revision = counts[code, hour - back]
                    items.append(state(REGION, code, hour - back, index, revision=revision))
            story.append((items, number))
        return story

    def pieces(self) -> list[Any]:
        return [piece for items, number in self.hours() for piece in (items, mark(number))]


def stories() -> st.SearchStrategy[Story]:
    air = st.lists(st.tuples(st.sampled_from(INDICES), st.integers(1, 12)), min_size=1, max_size=7)
    revision = st.tuples(st.integers(2, 60), st.sampled_from("ABCDE"), st.integers(1, 12), st.sampled_from(INDICES))
    return st.builds(Story, st.fixed_dictionaries(dict.fromkeys("ABCDE", air)), st.lists(revision, max_size=30))


def make(memory: MutableMapping[str, bytes]) -> EpisodeTracker:
    return tracker(REGION, memory)


def identity(event: EpisodeEvent) -> tuple[str, int]:
    return event.episode, event.transition


@settings(max_examples=60, deadline=None)
@given(stories())
def test_transitions_count_up_and_levels_follow_each_other(story: Story) -> None:
    last: dict[str, EpisodeEvent] = {}
    for event in undisturbed(make, story.pieces()):
        if not isinstance(event, EpisodeEvent):
            continue
        before = last.get(event.episode)
        assert event.transition == (before.transition + 1 if before else 1)
        assert event.previous_level == (before.level if before else 0)
        assert event.kind != "escalated" or event.level > event.previous_level
        assert event.peak_level >= event.level
        if before is None:
            assert event.kind == "opened"
        elif before.kind == "closed":
            assert event.kind in ("opened", "revised")
        last[event.episode] = event


@settings(max_examples=60, deadline=None)
@given(stories())
def test_each_province_is_in_one_episode_of_connected_provinces_after_every_hour(
    story: Story,
) -> None:
    stage = make({})
    inside: dict[str, set[str]] = {}
    for items, number in story.hours():
        stage.accept(items)
        for event in stage.advance(mark(number)):
            if isinstance(event, EpisodeEvent):
                gone = event.kind in ("closed", "merged") or not event.level
                inside[event.episode] = set() if gone else {province.code for province in event.provinces}
        taken = [code for codes in inside.values() for code in codes]
        assert len(taken) == len(set(taken))
        for codes in inside.values():
            assert connected(codes, NEIGHBOURS) == ([frozenset(codes)] if codes else [])
            assert len(codes) != 1


@settings(max_examples=60, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_order_batches_and_repeats_within_a_step_change_nothing(story: Story, random: Any) -> None:
    disturbed: list[Any] = []
    for items, number in story.hours():
        shuffled = items + random.sample(items, k=len(items) // 2)
        random.shuffle(shuffled)
        cut = random.randint(0, len(shuffled))
        disturbed += [shuffled[:cut], shuffled[cut:], mark(number)]
        if random.random() < 0.3:
            again, before = random.choice(story.hours()[:number])
            disturbed += [again, mark(before)]  # a whole step delivered again, this one or an earlier one
    assert once(undisturbed(make, disturbed), identity) == once(undisturbed(make, story.pieces()), identity)


@settings(max_examples=40, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_killed_at_any_write_and_started_again_it_says_the_same(story: Story, random: Any) -> None:
    said = crashing(make, story.pieces(), lambda _: random.choice([None, 0, 1, 2, 3, 5, 8]))
    assert once(said, identity) == once(undisturbed(make, story.pieces()), identity)
