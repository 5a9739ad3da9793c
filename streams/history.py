"""The recent hours of an airshed, kept so that late readings can be counted where they belong.

The levels of the provinces are a fold over hours. A window keeps the fold at its start and at its end; when an hour
inside it is revised, everything from the start is folded again. What has been announced is not part of the fold:
late readings may raise a province at once, but they lower it only through the exit rule, so the tracker *forces* a
province back onto the level that was announced, at the hour of the revision, and the fold keeps that as an input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import msgspec

from streams.airsheds import Airshed
from streams.clock import HOUR_S
from streams.components import backed, neighbours_of
from streams.levels import STALE_HOURS, Standing
from streams.schemas import ProvinceState

WINDOW_HOURS = 72
"""Hours that can still be revised: as long as the province watch may revise them. Folding 72 hours of a dozen
provinces again takes about 10 ms; a longer window would cost that much more at every revision."""

DAY_S = 24 * HOUR_S

States = Mapping[str, ProvinceState]
Load = Callable[[int], States]
"""Gives the province states of an hour (epoch seconds), by province code."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Standing]).decode


class Forced(msgspec.Struct, array_like=True):
    """A province put back onto a level after the fold of an hour."""

    hour_s: int
    province: str
    level: int
    since_s: int
    corroborated: int


class Window(msgspec.Struct, dict=True):
    """Levels of all provinces at both ends of the recent hours.

    Attributes:
        start_s / end_s: hour after which ``start`` and ``end`` hold, epoch seconds.
        trail: by hour inside the window, the level and the corroborated level of each province that was on any.
        folded: by hour, what was known of it when it was last folded (see ``weight``).
        forced: corrections of the fold, oldest first.
    """

    start_s: int
    end_s: int
    start: dict[str, Standing]
    end: dict[str, Standing]
    trail: dict[int, dict[str, tuple[int, int]]] = {}
    folded: dict[int, int] = {}
    forced: list[Forced] = []
    step_s: int = HOUR_S
    length: int = WINDOW_HOURS
    stale: int = STALE_HOURS

    @cached_property
    def _ends(self) -> dict[int, bytes]:
        """The end of the window as it was after each of its hours: where its start will be. In memory only; what is
        not here, as after a restart, is folded again."""
        return {}

    @classmethod
    def before(cls, first_s: int, airshed: Airshed) -> Window:
        """An empty window in front of the first hour."""
        return cls(first_s - HOUR_S, first_s - HOUR_S, _off(airshed), _off(airshed))

    @classmethod
    def of_days(cls, first_s: int, airshed: Airshed, length: int) -> Window:
        """An empty window in front of a first day; each of its steps is a day, and an unknown day breaks every run."""
        start_s = first_s - DAY_S
        return cls(start_s, start_s, _off(airshed), _off(airshed), step_s=DAY_S, length=length, stale=0)

    def fold(self, airshed: Airshed, load: Load) -> None:
        """Take the next hour in, and let the oldest go when the window is full."""
        self.end_s += self.step_s
        self._fold_end(airshed, load(self.end_s), self.end_s)
        if self.end_s - self.start_s > self.length * self.step_s:
            self._let_go(airshed, load)

    def refold(self, airshed: Airshed, load: Load) -> None:
        """Count every hour of the window again from its start."""
        self.end = _copy(self.start)
        self.trail.clear()
        self._ends.clear()
        for hour_s in range(self.start_s + self.step_s, self.end_s + 1, self.step_s):
            self._fold_end(airshed, load(hour_s), hour_s)

    def force(self, airshed: Airshed, province: str, level: int, corroborated: int, since_s: int) -> None:
        """Keep a province on an announced level from the end of the window on, until the exit rule lets it go."""
        forced = Forced(self.end_s, province, level, since_s, corroborated)
        self.forced.append(forced)
        _force(self.end, airshed, forced)
        _back(self.end, airshed)
        self._note(self.end_s)

    def adapt(self, airshed: Airshed) -> None:
        """Fit to an airshed whose provinces or levels another pack has changed; what is new starts off."""
        self._ends.clear()
        for fold in (self.start, self.end):
            for code in set(fold) - {province.code for province in airshed.provinces}:
                del fold[code]
            for province in airshed.provinces:
                fold.setdefault(province.code, Standing.off(airshed.levels)).adapt(airshed.levels)

    def take_over(self, old: Airshed, new: Airshed, load: Load) -> None:
        """Count the recent hours by the levels of another pack.

        Levels that are the same from the lowest up go on as they were, also what is known of them from the time before
        the window. From the first that differs on, only the window counts.
        """
        self._ends.clear()  # also where the levels stay: who stands in for whom may change with the pack
        same = _levels_alike(old, new)
        if same < max(len(old.levels), len(new.levels)):
            for levels in self.start.values():
                levels.keep(same, new.levels)
            self.forced = [forced for forced in self.forced if forced.level <= same]
            self.refold(new, load)

    def levels(self) -> dict[str, int]:
        """The level of each province that is on any, after the latest hour, in code order."""
        return {code: levels.level for code, levels in sorted(self.end.items()) if levels.level}

    def corroborated(self) -> dict[str, int]:
        """The same, of the levels that stand without any single station."""
        return {code: levels.corroborated for code, levels in sorted(self.end.items()) if levels.corroborated}

    def since(self) -> dict[str, int]:
        """First hour of the exceedance of each province that is on a level, epoch seconds."""
        return {code: levels.since for code, levels in sorted(self.end.items()) if levels.level}

    def corroborated_since(self) -> dict[str, int]:
        """The same, of the exceedance without any single station."""
        return {code: levels.corroborated_since for code, levels in sorted(self.end.items()) if levels.corroborated}

    def own(self) -> dict[str, int]:
        """The level of each province that its own stations prove without any single one of them."""
        return {code: levels.own for code, levels in sorted(self.end.items()) if levels.own}

    def _fold_end(self, airshed: Airshed, states: States, hour_s: int) -> None:
        self._fold(self.end, airshed, states, hour_s)
        self.folded[hour_s] = weight(states)
        self._note(hour_s)

    def _note(self, hour_s: int) -> None:
        """Keep the end of the window as it is after an hour."""
        self.trail[hour_s] = {
            code: (levels.level, levels.corroborated) for code, levels in self.end.items() if levels.level
        }
        self._ends[hour_s] = _encode(self.end)

    def _fold(self, fold: dict[str, Standing], airshed: Airshed, states: States, hour_s: int) -> None:
        alone = airshed.detection.minimum_provinces == 1
        for code, levels in fold.items():
            levels.fold(airshed.levels, states.get(code), hour_s, self.stale, alone=alone)
        for correction in self.forced:
            if correction.hour_s == hour_s:
                _force(fold, airshed, correction)
        _back(fold, airshed)

    def _let_go(self, airshed: Airshed, load: Load) -> None:
        self.start_s += self.step_s
        end = self._ends.pop(self.start_s, None)
        if end is None:
            self._fold(self.start, airshed, load(self.start_s), self.start_s)
        else:
            self.start = _decode(end)
        self.trail.pop(self.start_s, None)
        self.folded.pop(self.start_s, None)
        self.forced = [forced for forced in self.forced if forced.hour_s > self.start_s]


def weight(states: States) -> int:
    """How much is known of an hour: grows with every province and every revision, and with nothing else."""
    return sum(state.revision + 1 for state in states.values())


def _off(airshed: Airshed) -> dict[str, Standing]:
    return {province.code: Standing.off(airshed.levels) for province in airshed.provinces}


def _force(fold: dict[str, Standing], airshed: Airshed, forced: Forced) -> None:
    if forced.province in fold:
        fold[forced.province].force(airshed.levels, forced.level, forced.corroborated, forced.since_s)


def _back(fold: Mapping[str, Standing], airshed: Airshed) -> None:
    """Note for every province at which level others stand in for it."""
    minimum = airshed.detection.minimum_provinces
    for standing in fold.values():
        standing.backed = 0
    for number in range(1, len(airshed.levels) + 1):
        on = [code for code, standing in fold.items() if standing.level >= number and standing.reference]
        if minimum == 1 or len(on) <= minimum:
            return  # the usual hour; higher levels have no more provinces
        proved = [code for code in on if fold[code].own >= number]
        for code in backed(on, proved, neighbours_of(airshed), minimum):
            fold[code].backed = number


def _levels_alike(old: Airshed, new: Airshed) -> int:
    """How many levels, from the lowest up, count hours in the same way; what they are called does not matter."""
    for number, pair in enumerate(zip(old.levels, new.levels, strict=False)):
        before, after = (msgspec.structs.replace(level, name="", names={}) for level in pair)
        if before != after:
            return number
    return min(len(old.levels), len(new.levels))


def _copy(fold: Mapping[str, Standing]) -> dict[str, Standing]:
    return {code: levels.copy() for code, levels in fold.items()}
