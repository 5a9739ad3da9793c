"""Whether what was told about a scenario is the expected story; every difference as a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from streams.clock import HOUR_S, epoch_s
from streams.schemas import EpisodeEvent, ProvinceState, TransitionKind
from streams.sources.scenarios import ExpectedEpisode, Scenario

TOLD_BY_THE_WAY = frozenset(("late",))
"""Reasons for rejecting a reading that belong to no scenario's story: what arrives beyond the windows is counted."""


def differences(
    scenario: Scenario,
    events: Sequence[EpisodeEvent],
    provinces: Iterable[ProvinceState],
    set_aside: Mapping[str, int],
) -> list[str]:
    """What is not as expected, in words; empty when the story holds.

    Args:
        events: all transitions, in order.
        provinces: the latest statement about each province hour.
        set_aside: rejected readings by reason.
    """
    return [
        *_episodes(scenario, events),
        *_transitions(scenario, events),
        *_exceeding(scenario, provinces),
        *_rejected(scenario, set_aside),
    ]


def _episodes(scenario: Scenario, events: Sequence[EpisodeEvent]) -> Iterator[str]:
    told: dict[str, list[EpisodeEvent]] = {}
    for event in events:
        told.setdefault(event.episode, []).append(event)
    expected = scenario.expected.episodes
    if len(told) != len(expected):
        names = ", ".join(told) or "none"
        yield f"{len(expected)} episodes were expected, there are {len(told)}: {names}"
        return
    for one, own in zip(expected, told.values(), strict=True):
        for difference in _episode(scenario, one, own):
            yield f"{own[0].episode}: {difference}"


def _episode(scenario: Scenario, expected: ExpectedEpisode, events: Sequence[EpisodeEvent]) -> Iterator[str]:
    first, last = events[0], events[-1]
    moments = (
        ("onset", expected.onset_h, hours_since_start(scenario, epoch_s(first.onset))),
        ("opening", expected.opened_h, hours_since_start(scenario, epoch_s(first.time))),
        ("end", expected.closed_h, hours_since_start(scenario, epoch_s(last.time))),
    )
    for what, wanted, found in moments:
        if abs(found - wanted) > expected.tolerance_h:
            yield f"{what} at hour {found:g}, expected {wanted:g} ± {expected.tolerance_h:g}"
    if last.kind not in ("closed", "merged"):
        yield f"it has not ended: the last that was said is {last.kind}"
    ever = {province.code for event in events for province in event.provinces}
    if ever != expected.provinces:
        yield f"its provinces were {' '.join(sorted(ever))}, expected {' '.join(sorted(expected.provinces))}"
    if last.peak_level != expected.peak:
        yield f"highest level {last.peak_level}, expected {expected.peak}"
    if not _in_order(expected.kinds, [event.kind for event in events]):
        yield f"told {', '.join(event.kind for event in events)}; expected in this order {', '.join(expected.kinds)}"


def _in_order(wanted: Sequence[TransitionKind], told: Sequence[TransitionKind]) -> bool:
    """Whether the wanted transitions are among those told, in their order; openings and ends are all of them."""
    rest = iter(told)
    counted = ("opened", "closed", "merged")
    same = [kind for kind in told if kind in counted] == [kind for kind in wanted if kind in counted]
    return same and all(kind in rest for kind in wanted)


def _transitions(scenario: Scenario, events: Sequence[EpisodeEvent]) -> Iterator[str]:
    for event in events:
        hour = hours_since_start(scenario, epoch_s(event.time))
        if event.kind in scenario.expected.never:
            yield f"{event.kind} at hour {hour:g}, which must not happen: {event.reason}"
        for from_h, to_h, why in scenario.expected.quiet_h:
            if from_h < hour <= to_h:
                yield f"{event.kind} at hour {hour:g}, between {from_h:g} and {to_h:g} ({why})"


def _exceeding(scenario: Scenario, provinces: Iterable[ProvinceState]) -> Iterator[str]:
    for state in provinces:
        if state.level and state.province in scenario.expected.never_exceeding:
            hour = hours_since_start(scenario, epoch_s(state.time))
            yield f"province {state.province} exceeds level {state.level} at hour {hour:g}: {state.stations}"


def _rejected(scenario: Scenario, set_aside: Mapping[str, int]) -> Iterator[str]:
    wanted = scenario.expected.set_aside
    for reason in sorted(set(wanted) | set(set_aside) - TOLD_BY_THE_WAY):
        found = set_aside.get(reason, 0)
        if reason not in wanted:
            yield f"{found} readings were rejected as {reason}, none were expected"
        elif found < wanted[reason]:
            yield f"{found} readings were rejected as {reason}, at least {wanted[reason]} were expected"


def hours_since_start(scenario: Scenario, moment_s: float) -> float:
    """Where a moment lies in a scenario, hours."""
    return (moment_s - epoch_s(scenario.start)) / HOUR_S
