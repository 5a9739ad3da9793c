"""What late readings change about what was decided: said once per episode, never taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams.airsheds import Airshed
from streams.clock import HOUR_S, utc
from streams.components import Neighbours, regional, regional_level, regional_onset
from streams.history import Window
from streams.lineage import Episode
from streams.schemas import EpisodeEvent, Revision
from streams.transitions import Scene, stamp

OFF = (0, 0)  # level and corroborated level of a province that is on none


@dataclass(frozen=True)
class History:
    """How the recent hours looked before they were folded anew: levels by hour, and since when at the end."""

    trail: Mapping[int, Mapping[str, tuple[int, int]]]
    since: Mapping[str, int]


def history_of(window: Window) -> History:
    """The history a window shows now."""
    return History({hour_s: dict(levels) for hour_s, levels in window.trail.items()}, window.corroborated_since())


@dataclass(frozen=True)
class Correction:
    """A ``revised`` event that is due."""

    episode: Episode
    reason: str
    revision: Revision

    def tell(self, scene: Scene) -> EpisodeEvent:
        """The event, at the hour of the scene. Level and provinces stay as they were announced."""
        return scene.tell(self.episode, "revised", self.reason, level=self.episode.level, revision=self.revision)


def corrected(
    opened: Sequence[Episode],
    closed: Sequence[Episode],
    airshed: Airshed,
    neighbours: Neighbours,
    window: Window,
    before: History,
) -> list[Correction]:
    """The corrections that follow from a window that was folded anew, oldest episode first.

    Corrects onset and peak in the episodes. A change that moves no province from one level to another in any hour
    changes no history.
    """
    minimum = airshed.detection.minimum_provinces
    corrections = []
    for episode in [*closed, *opened]:
        changed = _changed_hours(episode, before.trail, window.trail)
        if not changed:
            continue
        after = window.corroborated_since()
        onset_s = None if episode.closed_s else _moved_onset(episode, before.since, after, neighbours, minimum)
        reason = _reason(changed, episode, onset_s, "h" if window.step_s == HOUR_S else "d")
        supported = bool(episode.closed_s) or _supported(episode, window, neighbours, minimum)
        revision = _revision(changed, episode, supported=supported)
        if not supported:
            reason += ". Without the hours that changed no episode would be open; it stays until the exit rule is met"
        episode.onset_s = onset_s or episode.onset_s
        sure = [
            {code: window.trail[hour_s].get(code, OFF)[1] for code in episode.provinces} for hour_s in sorted(changed)
        ]
        episode.peak = max([episode.peak, *(regional_level(hour, neighbours, minimum) for hour in sure)])
        corrections.append(Correction(episode, reason, revision))
    return corrections


Changes = Mapping[int, list[str]]  # by hour, the provinces whose level is another one


def _changed_hours(
    episode: Episode, old: Mapping[int, Mapping[str, tuple[int, int]]], new: Mapping[int, Mapping[str, tuple[int, int]]]
) -> Changes:
    changed = {}
    first = min([episode.onset_s, *episode.since.values()])
    for hour_s in sorted(new):
        if first <= hour_s and (not episode.closed_s or hour_s < episode.closed_s):
            codes = [c for c in episode.provinces if old[hour_s].get(c, OFF) != new[hour_s].get(c, OFF)]
            if codes:
                changed[hour_s] = codes
    return changed


def _revision(changed: Changes, episode: Episode, *, supported: bool) -> Revision:
    return Revision(
        provinces=sorted({code for codes in changed.values() for code in codes}),
        first=utc(min(changed)),
        last=utc(max(changed)),
        hours=len(changed),
        previous_onset=utc(episode.onset_s),
        previous_peak_level=episode.peak,
        supported=supported,
    )


def _moved_onset(
    episode: Episode, old: Mapping[str, int], new: Mapping[str, int], neighbours: Neighbours, minimum: int
) -> int | None:
    """The true onset, where it was computed from hours that have changed."""
    moments = [
        regional_onset({code: since[code] for code in part}, neighbours, minimum)
        for since in (old, new)
        for part in regional((code for code in episode.provinces if code in since), neighbours, minimum)[:1]
    ]
    return moments[1] if len(moments) == 2 and moments[0] == episode.onset_s != moments[1] else None


def _supported(episode: Episode, window: Window, neighbours: Neighbours, minimum: int) -> bool:
    return bool(regional(set(episode.provinces) & window.corroborated().keys(), neighbours, minimum))


def _reason(changed: Changes, episode: Episode, onset_s: int | None, unit: str) -> str:
    hours = sorted(changed)
    counts = {code: sum(code in codes for codes in changed.values()) for code in episode.provinces}
    numbers = ", ".join(f"{code} in {count} {unit}" for code, count in counts.items() if count)
    onset = f"; onset {stamp(onset_s)} instead of {stamp(episode.onset_s)}" if onset_s else ""
    return f"late readings change the level of {numbers} between {stamp(hours[0])} and {stamp(hours[-1])}{onset}"
