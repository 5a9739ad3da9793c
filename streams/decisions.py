"""What becomes of the episodes of an airshed in one hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count

import msgspec

from streams.airsheds import Airshed
from streams.clock import HOUR_S, utc
from streams.components import Neighbours, backed, carried, regional, regional_onset
from streams.corrections import Correction, History, corrected
from streams.history import Window
from streams.levels import Standing
from streams.lineage import Episode, Lineage, Part, trace
from streams.schemas import EpisodeEvent
from streams.transitions import Scene, stamp

NAME_HOURS = 400 * 24
"""How long a name is not given again. A province that is on for a season is in the onset of every episode it joins."""


class Decisions(msgspec.Struct):
    """The episodes of one airshed.

    Attributes:
        open / closed: those that are open, and those that ended not long ago, each oldest first.
        names: ids that were given, with the hour, epoch seconds.
    """

    open: list[Episode] = []
    closed: list[Episode] = []
    names: dict[str, int] = {}

    def decide(self, scene: Scene, window: Window, pack: str) -> list[EpisodeEvent]:
        """The transitions of one hour, after the window has folded it.

        Per episode at most one event of a kind, in the order split, eased, escalated, grown. Episodes that are
        merged into others come first, and then those that lose provinces to others, so that who hears of the
        survivor knows what it has taken over; then the rest that go on or close, oldest first; then those that begin;
        last, where rules ask for it, how each open one stands.
        """
        minimum = scene.airshed.detection.minimum_provinces
        parts = carried(scene.levels, scene.corroborated, scene.neighbours, minimum)
        lineage = trace(self.open, parts, scene.since)
        before = {episode.id: episode for episode in self.open}
        ordered = sorted(before.values(), key=lambda episode: _rank(episode, lineage))
        events = [event for episode in ordered for event in self._goes_on(episode, lineage, scene)]
        events += [self._breaks_off(part, before[parent], scene) for part, parent in lineage.parents.items()]
        ripe = [part for part in lineage.fresh if _together(part, scene, window)]
        events += [self._begins(part, scene, window, pack) for part in ripe]
        self.open.sort(key=lambda episode: episode.age)
        if scene.airshed.detection.hourly_status:
            events += [_stands(episode, scene) for episode in self.open]
        self._forget(scene, window)
        return events

    def correct(self, airshed: Airshed, neighbours: Neighbours, window: Window, before: History) -> list[Correction]:
        """What late readings change, after the window was folded anew.

        Open episodes keep their provinces on the announced levels unless the exit rule has been met, so that nothing
        already said is taken back by anything but hours that count towards leaving.
        """
        corrections = corrected(self.open, self.closed, airshed, neighbours, window, before)
        self._hold(airshed, window)
        return corrections

    def take_over(self, airshed: Airshed, window: Window, pack: str, stands_for: Callable[[int], int]) -> None:
        """Another pack goes on with the episodes; the window has counted its hours by the new levels already.

        What was announced stays until the new exit rule takes it back, under the level that ``stands_for`` gives.
        """
        for episode in [*self.open, *self.closed]:
            episode.pack = pack
            episode.level, episode.peak = stands_for(episode.level), stands_for(episode.peak)
            episode.levels = {code: stands_for(level) for code, level in episode.levels.items()}
            episode.corroborated = {code: stands_for(level) for code, level in episode.corroborated.items()}
        self._hold(airshed, window)

    def _hold(self, airshed: Airshed, window: Window) -> None:
        for episode in self.open:
            for code, level in episode.levels.items():
                sure = episode.corroborated.get(code, 0)
                if code in window.end and (window.end[code].level < level or window.end[code].own < sure):
                    window.force(airshed, code, level, sure, episode.since[code])

    def _goes_on(self, episode: Episode, lineage: Lineage, scene: Scene) -> Iterator[EpisodeEvent]:
        if episode.id in lineage.absorbed:
            yield self._is_absorbed(episode, lineage.absorbed[episode.id], scene)
        elif episode.id in lineage.heirs:
            yield from _changes(episode, lineage, scene)
        else:
            yield self._ends(episode, scene)

    def _is_absorbed(self, episode: Episode, survivor: str, scene: Scene) -> EpisodeEvent:
        self.open.remove(episode)
        reason = f"grown together with {survivor}, which began earlier and goes on for both"
        return scene.tell(episode, "merged", reason, level=episode.level, merged_into=survivor)

    def _ends(self, episode: Episode, scene: Scene) -> EpisodeEvent:
        minimum = scene.airshed.detection.minimum_provinces
        alone = " that stands without any single station" if scene.levels.keys() & set(episode.provinces) else ""
        reason = f"no {minimum} adjacent provinces are on a level any more{alone}. {scene.words(episode.provinces)}"
        event = scene.tell(episode, "closed", reason, level=0, left=episode.provinces)
        episode.closed_s = scene.hour_s
        self.open.remove(episode)
        self.closed.append(episode)
        return event

    def _breaks_off(self, part: Part, parent: Episode, scene: Scene) -> EpisodeEvent:
        episode = self._new(part, scene.since, scene, scene.hour_s, parent.pack)
        episode.onset_s, episode.parent = parent.onset_s, parent.id
        self.open.append(episode)
        reason = f"no longer connected with {parent.id}. {scene.words(part)}"
        return scene.tell(episode, "opened", reason, level=scene.level(part), joined=part)

    def _begins(self, part: Part, scene: Scene, window: Window, pack: str) -> EpisodeEvent:
        detection = scene.airshed.detection
        since = {code: since_s for code, since_s in window.corroborated_since().items() if code in part}
        onset_s = regional_onset(since, scene.neighbours, detection.minimum_provinces)
        episode = self._resumed(part, onset_s, detection.merge_gap_hours)
        resumes = ""
        if episode is None:
            episode = self._new(part, since, scene, onset_s, pack)
        else:
            resumes = f"; it resumes {episode.id}, closed at {stamp(episode.closed_s)}"
            episode.provinces, episode.closed_s = sorted(part), 0
            self.closed.remove(episode)
        self.open.append(episode)
        reason = f"{_opening(len(part), scene)} since {stamp(onset_s)}{resumes}. {scene.words(part)}"
        return scene.tell(episode, "opened", reason, level=scene.level(part), joined=part)

    def _resumed(self, part: Part, onset_s: int, gap_hours: int) -> Episode | None:
        """The episode of some of the same provinces that closed so shortly before that this is the same one."""
        candidates = [
            episode
            for episode in self.closed
            if part & set(episode.provinces) and onset_s - episode.closed_s <= gap_hours * HOUR_S
        ]
        return max(candidates, key=lambda episode: (episode.closed_s, episode.id), default=None)

    def _new(self, part: Part, since: Mapping[str, int], scene: Scene, onset_s: int, pack: str) -> Episode:
        seed = min(part & since.keys(), key=lambda code: (since[code], code))
        wanted = f"{scene.name}-{utc(onset_s):%Y%m%dT%H}Z-{seed}"
        # Late readings can move an onset back to that of an episode that has already been told to its end.
        names = (wanted if number == 1 else f"{wanted}-{number}" for number in count(1))
        name = next(name for name in names if name not in self.names)
        self.names[name] = scene.hour_s
        return Episode(
            id=name, onset_s=onset_s, provinces=sorted(part), levels={}, since={}, level=0, peak=0, pack=pack
        )

    def _forget(self, scene: Scene, window: Window) -> None:
        """A closed episode is of use while it can resume, or while late readings can still correct it."""
        self.names = {
            name: hour_s for name, hour_s in self.names.items() if scene.hour_s - hour_s <= NAME_HOURS * HOUR_S
        }
        keep_s = scene.airshed.detection.merge_gap_hours * HOUR_S + window.length * window.step_s
        self.closed = [episode for episode in self.closed if scene.hour_s - episode.closed_s <= keep_s]


def _rank(episode: Episode, lineage: Lineage) -> int:
    """Who is told first: what others take over is told before what they have taken."""
    if episode.id in lineage.absorbed:
        return 0
    own = lineage.heirs.get(episode.id, Part())
    lost = set(episode.provinces) - own
    return 1 if any(lost & other for name, other in lineage.heirs.items() if name != episode.id) else 2


def _opening(provinces: int, scene: Scene) -> str:
    detection = scene.airshed.detection
    if scene.track == "legal":
        level = scene.airshed.levels[0]
        together = f"{provinces} adjacent provinces" if provinces > 1 else "1 province"
        days = f"{level.enter_hours} calendar days in a row"
        return f"daily {scene.airshed.standard} of {level.enter} or more in {together} on at least {days}, exceeding"
    return (
        f"{provinces} adjacent provinces on a level, {detection.minimum_provinces} of them together for at least "
        f"{detection.together_hours} h, exceeding"
    )


def _together(part: Part, scene: Scene, window: Window) -> bool:
    """Enough connected provinces have surely been on a level for long enough, and are known to be so in this hour.

    The law counts the days before this one and nothing else: no day that was held over a silence.
    """
    detection, days = scene.airshed.detection, scene.airshed.levels[0].enter_hours
    sure = {code: window.end[code] for code in part & scene.corroborated.keys()}
    if scene.track == "legal":
        steady = {code for code, standing in sure.items() if standing.said.runs[0].above >= days}
    else:
        steady = _steady(sure, detection.together_hours, scene.neighbours, detection.minimum_provinces)
    return bool(regional(steady, scene.neighbours, detection.minimum_provinces))


def _steady(standings: Mapping[str, Standing], hours: int, neighbours: Neighbours, minimum: int) -> set[str]:
    """Those on a level for so many hours, whichever single station is left out: a province that has come in now lets
    others stand in for each other now, but not for the hours before."""
    known = [code for code, standing in standings.items() if standing.reference and standing.known_hours >= hours]
    proved = {code for code, standing in standings.items() if standing.proved_hours >= hours}
    return proved | backed(known, proved, neighbours, minimum)


def _changes(episode: Episode, lineage: Lineage, scene: Scene) -> Iterator[EpisodeEvent]:
    """Who goes, then the level, then who comes: so that each province is concerned by one event where possible.

    Between these events an episode may for a moment have fewer provinces than one needs.
    """
    part = lineage.heirs[episode.id]
    before, level = set(episode.provinces), scene.level(part)
    elsewhere = {code for other in [*lineage.heirs.values(), *lineage.parents] if other != part for code in other}
    moved, left, joined = (before - part) & elsewhere, before - part - elsewhere, part - before
    if moved:
        episode.provinces = sorted(before - moved)
        reason = f"{scene.count(moved)} no longer connected with the rest. {scene.words(moved)}"
        yield scene.tell(episode, "split", reason, level=episode.level, left=moved)
    if left or level < episode.level:
        episode.provinces = sorted(before & part)
        reason = _eased(left, level < episode.level, level, scene, part)
        yield scene.tell(episode, "eased", reason, level=min(level, episode.level), left=left)
    if level > episode.level:
        highest = [code for code in part if scene.levels[code] >= level]
        reason = f"{scene.count(highest)} on level {scene.airshed.level_name(level)} or above. {scene.words(highest)}"
        yield scene.tell(episode, "escalated", reason, level=level)
    if joined:
        episode.provinces = sorted(part)
        absorbed = sorted(other for other, survivor in lineage.absorbed.items() if survivor == episode.id)
        merged = f", together with {', '.join(absorbed)}" if absorbed else ""
        reason = f"adjacent provinces have joined{merged}. {scene.words(joined)}"
        yield scene.tell(episode, "grown", reason, level=level, joined=joined)
    scene.remember(episode)


def _stands(episode: Episode, scene: Scene) -> EpisodeEvent:
    """The event, hourly or on the legal track daily, with which rules that wait for time alone are asked again."""
    return scene.tell(episode, "status", f"goes on. {scene.words(episode.provinces)}", level=episode.level)


def _eased(left: set[str], falls: bool, level: int, scene: Scene, part: Part) -> str:
    sentences = []
    off = {code for code in left if not scene.levels.get(code)}
    for codes, how in ((off, "no longer on a level"), (left - off, "no longer connected with the rest")):
        if codes:
            sentences.append(f"{scene.count(codes)} {how}. {scene.words(codes)}")
    if falls:
        sentences.append(
            f"the highest level of {scene.airshed.detection.minimum_provinces} adjacent provinces is now "
            f"{scene.airshed.level_name(level)}. {scene.words(part)}"
        )
    return ". ".join(sentences)
