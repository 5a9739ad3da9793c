"""Who is who: open episodes and the connected provinces of the next hour.

An episode goes on in what it overlaps. Where it falls apart, the part with more provinces keeps the identity (tie:
the earlier onset, then the lower code). Where several go on in one part, the earliest survives and the others are
absorbed; but one that has fallen apart goes on in a part of it that nobody else claims before it is absorbed, so that
what was said there stays with the episode in which it was said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

Part = frozenset[str]


class Episode(msgspec.Struct):
    """What is remembered of an episode: what was last said about it. Times are epoch seconds.

    Attributes:
        provinces: codes at the latest transition or, once closed, before the close.
        levels / since / corroborated: of each of them as last announced.
        transition: number of the latest event.
        closed_s: hour of the close, 0 while open.
    """

    id: str
    onset_s: int
    provinces: list[str]
    levels: dict[str, int]
    since: dict[str, int]
    level: int
    peak: int
    pack: str
    transition: int = 0
    parent: str | None = None
    closed_s: int = 0
    corroborated: dict[str, int] = {}

    @property
    def age(self) -> tuple[int, str]:
        """Sort key: earliest onset first."""
        return self.onset_s, self.id


@dataclass(frozen=True)
class Lineage:
    """How the open episodes and the parts of this hour belong together.

    Attributes:
        heirs: by episode id, the part it goes on in; ids that are missing end here.
        absorbed: by episode id, the id of the one it is merged into.
        parents: by part that broke off, the id of the episode it was part of.
        fresh: parts that no open episode overlaps.
    """

    heirs: dict[str, Part] = field(default_factory=dict)
    absorbed: dict[str, str] = field(default_factory=dict)
    parents: dict[Part, str] = field(default_factory=dict)
    fresh: list[Part] = field(default_factory=list)


def trace(episodes: Sequence[Episode], parts: Sequence[Part], since: Mapping[str, int]) -> Lineage:
    """Match open episodes with the parts of this hour.

    Args:
        parts: disjoint, ordered by their lowest code.
        since: by province, the first hour of the exceedance it is in.
    """
    lineage = Lineage()
    ordered = sorted(episodes, key=lambda episode: episode.age)
    wanted = {episode.id: _heir(episode, parts, since) for episode in ordered}
    claimed = {part: episode for episode in reversed(ordered) if (part := wanted[episode.id]) is not None}
    for episode in ordered:
        part = wanted[episode.id]
        if part is None or claimed[part] is episode:
            continue
        other = _heir(episode, [other for other in parts if other not in claimed], since)
        if other is not None:
            claimed[other] = episode
        else:
            lineage.absorbed[episode.id] = claimed[part].id
    for part in parts:
        if part in claimed:
            lineage.heirs[claimed[part].id] = part
            continue
        overlapping = [episode.id for episode in ordered if part & set(episode.provinces)]
        if overlapping:
            lineage.parents[part] = overlapping[0]
        else:
            lineage.fresh.append(part)
    return lineage


def _heir(episode: Episode, parts: Sequence[Part], since: Mapping[str, int]) -> Part | None:
    overlapping = [part for part in parts if part & set(episode.provinces)]

    def rank(part: Part) -> tuple[int, int, str]:
        return -len(part), min(since[code] for code in part), min(part)

    return min(overlapping, key=rank, default=None)
