"""A province's level with hysteresis: entry and exit thresholds, holding times, and hours about which nothing is known.

For every level of the airshed two runs of hours are counted:

* *above*: hours in which the province exceeds the level (``ProvinceState.reached``: at least half of the valid
  stations and two of them are at or above ``enter``);
* *below*: hours that do not exceed it and whose median index lies below ``exit``.

A level is entered after ``enter_hours`` above in a row, if the 24-hour index has reached ``enter_24h`` as well, and
left after ``exit_hours`` below in a row. Hours between the two thresholds break both runs: they neither enter nor
leave. Further criteria are counted beside them: all of ``also`` must hold on entering, any of ``instead`` enters too.

Levels stand on each other: a higher one is entered only from the one below (several in the same hour, if all are
due), and none is left before the higher ones. Otherwise a level with a shorter holding time would let in what the
one below keeps out: six hours of fireworks are no episode just because they are extreme.

An unknown hour changes nothing: runs stand still. After more than ``STALE_HOURS`` of them in a row the runs start
from nothing, so that neither an episode nor an all-clear can rest on what was counted before a long silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.airsheds import Level, Quantity
from streams.schemas import ProvinceState

STALE_HOURS = 6
"""Unknown hours in a row that a run survives.

Half of NowCast's 12-hour memory: after so long a silence the next index still rests on at least some of the hours
that were counted. Longer, and hours of two different nights would add up to one run; shorter, and every network
maintenance would start the count anew.
"""


class Known(NamedTuple):
    """What is counted of an hour of a province.

    Attributes:
        reached: highest entry threshold that it meets; ``None`` in statements that give the ``level`` only.
        values: of every quantity that is known.
    """

    reached: float | None
    level: int
    values: Mapping[Quantity, float | None]

    @classmethod
    def of(cls, levels: Sequence[Level], state: ProvinceState | None) -> Known | None:
        """``None`` for an unknown hour: nothing was said about it, or a level looks at something that is not known."""
        if state is None or state.median_index is None:
            return None
        values = {"index": state.median_index, "index_24h": state.median_index_24h, **state.medians}
        return _complete(levels, Known(state.reached, state.level, values))  # type: ignore[arg-type]

    @classmethod
    def without_one(cls, levels: Sequence[Level], state: ProvinceState | None) -> Known | None:
        """The same without any single station."""
        if state is None or state.without_one is None:
            return None
        rest = state.without_one
        values = {"index": rest.median_index, "index_24h": rest.median_index_24h, **rest.medians}
        return _complete(levels, Known(rest.reached, state.level, values))  # type: ignore[arg-type]


def _complete(levels: Sequence[Level], known: Known) -> Known | None:
    for level in levels:
        if known.values.get(level.quantity) is None:
            return None
    return known


class Tally(msgspec.Struct, array_like=True):
    """Hours in a row that meet a further criterion of a level, and the first of them, epoch seconds."""

    hours: int = 0
    since: int = 0


class Run(msgspec.Struct, array_like=True):
    """One level of one province.

    Attributes:
        on: the level has been entered and not left.
        since: first hour of the exceedance that entered it, epoch seconds; 0 while off.
        above / below: hours in a row that count towards entering / leaving.
        above_since: first hour of the run ``above``, epoch seconds; 0 without one.
        tallies: of the level's further criteria, in their order.
    """

    on: bool = False
    since: int = 0
    above: int = 0
    above_since: int = 0
    below: int = 0
    tallies: list[Tally] = []

    def restart(self) -> None:
        """Forget what was counted; what is on stays on."""
        self.above = self.above_since = self.below = 0
        self.tallies = []

    def count(self, exceeding: bool, below: bool, hour_s: int) -> None:
        """Take one known hour in."""
        self.above_since = (self.above_since or hour_s) if exceeding else 0
        self.above = self.above + 1 if exceeding else 0
        self.below = self.below + 1 if below else 0

    def tally(self, level: Level, known: Known, hour_s: int) -> None:
        """Count a known hour for the further criteria. An hour in which one's quantity is unknown stands still."""
        criteria = level.criteria
        if not criteria and not self.tallies:
            return
        if len(self.tallies) != len(criteria):
            self.tallies = [Tally() for _ in criteria]
        for tally, criterion in zip(self.tallies, criteria, strict=True):
            value = known.values.get(criterion.quantity)
            if value is None:
                continue
            if value >= criterion.enter:
                tally.hours, tally.since = tally.hours + 1, tally.since or hour_s
            else:
                tally.hours = tally.since = 0

    def onset(self, level: Level, known: Known) -> int:
        """First hour of the exceedance that enters the level now, epoch seconds; 0 if nothing does."""
        if self.above < level.enter_hours and not level.instead:
            return 0  # so most hours end, before anything else is looked at
        met = [
            tally if tally.hours >= criterion.enter_hours else None
            for tally, criterion in zip(self.tallies, level.criteria, strict=True)
        ]
        also, instead = met[: len(level.also)], met[len(level.also) :]
        day = level.enter_24h is None or (known.values["index_24h"] or 0) >= level.enter_24h
        if self.above >= level.enter_hours and day and all(also):
            return self.above_since
        return min([tally.since for tally in instead if tally is not None], default=0)


class ProvinceLevels(msgspec.Struct, array_like=True):
    """All levels of one province, lowest first, after some hour.

    Attributes:
        unknown: unknown hours in a row up to now.
        on_hours: known hours since the lowest level was entered.
    """

    runs: list[Run]
    unknown: int = 0
    on_hours: int = 0

    @classmethod
    def off(cls, levels: Sequence[Level]) -> ProvinceLevels:
        """A province about which nothing has been said yet."""
        return cls([Run() for _ in levels])

    @property
    def level(self) -> int:
        """Number of the highest level it is on, 0 for none."""
        for number, run in enumerate(self.runs):
            if not run.on:
                return number  # levels stand on each other
        return len(self.runs)

    @property
    def since(self) -> int:
        """First hour of the exceedance it is in, epoch seconds; 0 while off."""
        return self.runs[0].since

    def adapt(self, levels: Sequence[Level]) -> None:
        """Fit to another number of levels."""
        self.runs = (self.runs + [Run() for _ in levels])[: len(levels)]

    def keep(self, number: int, levels: Sequence[Level]) -> None:
        """Fit to other levels of which the lowest ``number`` are the same; the rest starts off."""
        self.runs = self.runs[:number]
        self.adapt(levels)
        self.on_hours = self.on_hours if self.level else 0

    def copy(self) -> ProvinceLevels:
        runs = [
            Run(
                run.on, run.since, run.above, run.above_since, run.below, [Tally(t.hours, t.since) for t in run.tallies]
            )
            for run in self.runs
        ]
        return ProvinceLevels(runs, self.unknown, self.on_hours)

    def fold(self, levels: Sequence[Level], known: Known | None, hour_s: int, stale: int = STALE_HOURS) -> None:
        """Take one hour in.

        Args:
            known: what counts of it; ``None`` is unknown.
            stale: unknown hours in a row that a run survives.
        """
        if known is None:
            self._wait(stale)
            return
        self.unknown = 0
        for number, (run, level) in enumerate(zip(self.runs, levels, strict=True), start=1):
            exceeding = known.level >= number if known.reached is None else known.reached >= level.enter
            run.tally(level, known, hour_s)
            run.count(exceeding, not exceeding and _is_below(level, run, known.values), hour_s)
        self._enter(levels, known)
        self._leave(levels)
        self.on_hours = self.on_hours + 1 if self.level else 0

    def force(self, levels: Sequence[Level], level: int, since_s: int) -> None:
        """Put it on ``level`` as announced before, except what the exit rule has already taken back."""
        held = [
            n for n, (run, rule) in enumerate(zip(self.runs, levels, strict=True), 1) if run.below < rule.exit_hours
        ]
        highest = max([n for n in held if n <= level], default=0)
        for run in self.runs[:highest]:
            if not run.on:
                run.on, run.since = True, run.above_since or since_s

    def _wait(self, stale: int) -> None:
        self.unknown += 1
        if self.unknown > stale:
            for run in self.runs:
                run.restart()

    def _enter(self, levels: Sequence[Level], known: Known) -> None:
        for run, level in zip(self.runs, levels, strict=True):
            onset = 0 if run.on else run.onset(level, known)
            if onset:
                run.on, run.since = True, onset
            if not run.on:
                return

    def _leave(self, levels: Sequence[Level]) -> None:
        for run, level in zip(reversed(self.runs), reversed(levels), strict=True):
            if run.on and run.below < level.exit_hours:
                return  # lower levels stay on as long as a higher one does
            run.on, run.since = False, 0


def _is_below(level: Level, run: Run, values: Mapping[Quantity, float | None]) -> bool:
    """Whether an hour counts towards leaving: everything the level looks at on leaving lies below its exit.

    Another way in keeps the level on as long as it is met itself; what it looks at may be unknown if it was not met
    when it was last known, or a network that never measures it could never give an all-clear.
    """
    value = values.get(level.exit_quantity or level.quantity)
    if value is None or value >= level.exit:
        return False
    for criterion in level.also:
        value = values.get(criterion.quantity)
        if criterion.exit is not None and (value is None or value >= criterion.exit):
            return False
    for criterion, tally in zip(level.instead, run.tallies[len(level.also) :], strict=True):
        value = values.get(criterion.quantity)
        if value is None:
            if tally.hours:
                return False
        elif value >= (criterion.enter if criterion.exit is None else criterion.exit):
            return False
    return True


class Standing(msgspec.Struct, array_like=True):
    """A province's level as its stations tell it, and the one that stands without any single one of them.

    Both follow the same rule, the second on what is left of each hour when one station is left out. A province on a
    *corroborated* level can carry an episode; one that is not can only be part of it.

    Attributes:
        reference: its reference stations are asked.
        backed: highest level at which other provinces stand in for what its own stations cannot prove (see
            ``streams.components.backed``); set by the window, which sees them all.
    """

    said: ProvinceLevels
    sure: ProvinceLevels
    reference: bool = False
    backed: int = 0

    @classmethod
    def off(cls, levels: Sequence[Level]) -> Standing:
        """A province about which nothing has been said yet."""
        return cls(ProvinceLevels.off(levels), ProvinceLevels.off(levels))

    @property
    def level(self) -> int:
        """Number of the highest level it is on, 0 for none."""
        return self.said.level

    @property
    def since(self) -> int:
        """First hour of the exceedance it is in, epoch seconds; 0 while off."""
        return self.said.since

    @property
    def own(self) -> int:
        """Number of the highest level that its own stations prove without any single one of them, 0 for none."""
        return min(self.said.level, self.sure.level)

    @property
    def corroborated(self) -> int:
        """Number of the highest level that stands without any single station, 0 for none."""
        return max(self.own, min(self.said.level, self.backed))

    @property
    def corroborated_since(self) -> int:
        """First hour of that exceedance, epoch seconds."""
        return self.sure.since if self.own else self.said.since

    @property
    def steady_hours(self) -> int:
        """Known hours since it can carry an episode; 0 in an hour in which that is not known."""
        return max(self.proved_hours, self.known_hours if self.backed else 0)

    @property
    def known_hours(self) -> int:
        """Known hours on a level, as its stations tell it; 0 in an unknown hour."""
        return 0 if self.said.unknown else self.said.on_hours

    @property
    def proved_hours(self) -> int:
        """Known hours on a level without any single station; 0 in an hour in which that is not known."""
        return 0 if self.said.unknown or self.sure.unknown else min(self.said.on_hours, self.sure.on_hours)

    def adapt(self, levels: Sequence[Level]) -> None:
        """Fit to another number of levels."""
        self.said.adapt(levels)
        self.sure.adapt(levels)

    def keep(self, number: int, levels: Sequence[Level]) -> None:
        """Fit to other levels of which the lowest ``number`` are the same; the rest starts off."""
        self.said.keep(number, levels)
        self.sure.keep(number, levels)

    def copy(self) -> Standing:
        return Standing(self.said.copy(), self.sure.copy(), self.reference, self.backed)

    def fold(
        self, levels: Sequence[Level], state: ProvinceState | None, hour_s: int, stale: int, *, alone: bool
    ) -> None:
        """Take one hour in. ``alone``: a province makes an episode by itself, so nothing needs to be corroborated."""
        if state is not None:
            self.reference = state.basis == "reference"
        known = Known.of(levels, state)
        self.said.fold(levels, known, hour_s, stale)
        self.sure.fold(levels, known if alone else Known.without_one(levels, state), hour_s, stale)

    def force(self, levels: Sequence[Level], level: int, corroborated: int, since_s: int) -> None:
        """Put it on the levels announced before, except what the exit rule has already taken back."""
        for own, announced in ((self.said, level), (self.sure, corroborated)):
            if own.level < announced:
                own.force(levels, announced, since_s)
