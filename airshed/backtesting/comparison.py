"""Two packs on the same readings, notice by notice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from airshed.backtesting.tallies import Told
from streams.clock import HOUR_S

SAME_NEWS_HOURS = 48
"""Notices of one kind to the same people about common provinces, further apart than this, are different news."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One notice that is not the same under both packs. ``None``: there is none under that pack.

    Attributes:
        what: ``only-new``, ``only-old``, or what differs: ``time``, ``level``, ``provinces``, ``rule``.
        hours: how much later it comes under the new pack; negative: earlier.
        joined / left: provinces that are told under the new pack only, under the old only.
    """

    what: list[str]
    new: str | None
    old: str | None
    hours: int = 0
    joined: list[str] = []
    left: list[str] = []


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes:
    same: notices that are the same under both packs.
    differences: the others, by time.
    """

    same: int
    differences: list[Difference]

    def number(self, what: str) -> int:
        """How many differences are of a kind."""
        return sum(what in difference.what for difference in self.differences)


def compare(new: Sequence[Told], old: Sequence[Told]) -> Comparison:
    """Pair the notices of two packs: those that say the same news to the same people, the closest first."""
    pairs = _pairs(new, old)
    left_new = set(range(len(new))) - {one for one, _ in pairs}
    left_old = set(range(len(old))) - {other for _, other in pairs}
    found: list[tuple[int, Difference]] = []
    same = 0
    for one, other in pairs:
        difference = _difference(new[one], old[other])
        same += difference is None
        if difference is not None:
            found.append((min(new[one].time_s, old[other].time_s), difference))
    found += [(new[one].time_s, Difference(what=["only-new"], new=new[one].id, old=None)) for one in left_new]
    found += [(old[one].time_s, Difference(what=["only-old"], new=None, old=old[one].id)) for one in left_old]
    found.sort(key=lambda item: (item[0], item[1].new is None, item[1].new or "", item[1].old or ""))
    return Comparison(same=same, differences=[difference for _, difference in found])


def _pairs(new: Sequence[Told], old: Sequence[Told]) -> list[tuple[int, int]]:
    """Greedy: same rule before another rule, then the closest in time, then most provinces in common."""
    taken_new: set[int] = set()
    taken_old: set[int] = set()
    pairs = []
    for _, one, other in sorted(_candidates(new, old)):
        if one not in taken_new and other not in taken_old:
            pairs.append((one, other))
            taken_new.add(one)
            taken_old.add(other)
    return pairs


def _candidates(new: Sequence[Told], old: Sequence[Told]) -> Iterator[tuple[tuple[bool, bool, int, int], int, int]]:
    """Pairs that may be the same news, with how unlike they are. Both lists ascend in time: the window slides."""
    start = 0
    for one, mine in enumerate(new):
        while start < len(old) and old[start].time_s < mine.time_s - SAME_NEWS_HOURS * HOUR_S:
            start += 1
        for other in range(start, len(old)):
            theirs = old[other]
            if theirs.time_s > mine.time_s + SAME_NEWS_HOURS * HOUR_S:
                break
            common = set(mine.provinces) & set(theirs.provinces)
            if common and (mine.kind, mine.recipients) == (theirs.kind, theirs.recipients):
                apart = abs(mine.time_s - theirs.time_s)
                yield (mine.rule != theirs.rule, mine.level != theirs.level, apart, -len(common)), one, other


def _difference(new: Told, old: Told) -> Difference | None:
    differs = {
        "time": new.time_s != old.time_s,
        "level": new.level != old.level,
        "provinces": set(new.provinces) != set(old.provinces),
        "rule": new.rule != old.rule,
    }
    what = [name for name, is_other in differs.items() if is_other]
    if not what:
        return None
    return Difference(
        what=what,
        new=new.id,
        old=old.id,
        hours=(new.time_s - old.time_s) // HOUR_S,
        joined=sorted(set(new.provinces) - set(old.provinces)),
        left=sorted(set(old.provinces) - set(new.provinces)),
    )
