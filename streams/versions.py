"""Versions of the rules over time: which pack judges an hour, decided by event time and by nothing else.

An *activation* says from which hour a pack is to judge. The pack that is *in force* gives way only while no episode
is open, so that an episode is judged to its end by what it opened with; until then the activated one is *pending*.
An officer can *move* an open episode: then the pack takes over although it is open.

Activations may only concern hours that are still to be decided. A stage therefore takes them over into its state
together with its decisions; after a restart, or in a replay, the same ones count for the same hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from streams.airsheds import Airshed
from streams.lineage import Episode
from streams.stage import State


class Activation(msgspec.Struct, frozen=True, array_like=True):
    """From which hour on a pack is to judge.

    Attributes:
        pack: ``name@version``.
        from_s: the first hour it judges, by its end, epoch seconds.
        episode: the open episode that is to go on under this pack; empty for an activation that waits for the close.
    """

    pack: str
    from_s: int
    episode: str = ""


class Versions(Protocol):
    """The packs a stage may be asked to judge by. Called while deciding: answers at once, from memory."""

    def airshed(self, code: str, reference: str) -> Airshed:
        """The airshed as a pack describes it. Raises when that pack is not at hand.

        A pack that was activated elsewhere and is asked for here the first time may have to be read; no other."""
        ...

    def replaced(self, reign: Reign) -> bool:
        """Whether, after a restart, the base takes over at once from the pack that was in force: another pack has been
        configured. Raises where that would be wrong."""
        ...

    def activations(self, code: str) -> Sequence[Activation]:
        """All activations of an airshed, in the order in which they were written; the first is the base, which is in
        force before any other. Never shrinks; at least one."""
        ...


class OnePack:
    """The one configured pack, for as long as it is configured.

    The former one is not at hand after a restart with another, so that an open episode goes on under the new one. Where
    episodes are to keep theirs, the packs lie on a shelf (``rules.shelf``).
    """

    def __init__(self, airsheds: Iterable[Airshed], reference: str) -> None:
        self._airsheds = {airshed.code: airshed for airshed in airsheds}
        self._reference = reference

    def airshed(self, code: str, reference: str) -> Airshed:
        return self._airsheds[code]

    def replaced(self, reign: Reign) -> bool:
        return reign.pack != self._reference

    def activations(self, code: str) -> Sequence[Activation]:
        return [Activation(self._reference, 0)]


class Reign(msgspec.Struct):
    """The pack in force for an airshed, and what has been taken over of the activations.

    Attributes:
        pack: in force, ``name@version``; empty before the first decision.
        since_s: the first hour it judged, epoch seconds.
        activations: those that count, in the order in which they were written.
    """

    pack: str = ""
    since_s: int = 0
    activations: list[Activation] = []

    @classmethod
    def begin(cls, offered: Sequence[Activation], hour_s: int) -> Reign:
        """Before the first hour: every activation counts, nothing has been decided yet."""
        reign = cls("", hour_s, list(offered))
        reign.pack = reign.activated(hour_s).pack
        return reign

    def adopt(self, offered: Sequence[Activation], decided_s: int) -> list[Activation]:
        """Take over what is new. Returns the activations that come too late: their hour has been decided."""
        self.activations[:1] = offered[:1]  # the base is whatever comes first, also when it has been exchanged
        fresh = [activation for activation in offered if activation not in self.activations]
        self.activations += (activation for activation in fresh if activation.from_s > decided_s)
        return [activation for activation in fresh if activation.from_s <= decided_s]

    def activated(self, hour_s: int) -> Activation:
        """The activation with the latest hour up to this one; of two with the same hour, the one written later."""
        due = [(a.from_s, number) for number, a in enumerate(self.activations) if a.from_s <= hour_s]
        return self.activations[max(due, default=(0, 0))[1]]

    def successor(self, hour_s: int, opened: Iterable[Episode]) -> str:
        """The pack that takes over with this hour; empty if the one in force goes on."""
        wanted = self.activated(hour_s).pack
        if wanted == self.pack:
            return ""
        moved = {a.episode for a in self.activations if a.episode and a.pack == wanted and a.from_s <= hour_s}
        held = [episode for episode in opened if not {episode.id, episode.parent} & moved]
        return "" if held else wanted


class Calendar:
    """The pack activated for each hour, for a stage that does not know of episodes; durable under one key of its state.

    What such a stage says by it about an hour is for people to look at; the tracker judges the hour by the pack that
    is in force.
    """

    def __init__(self, versions: Versions, state: State) -> None:
        self._versions = versions
        self._state = state
        stored = state.get(_CALENDAR)
        self._reigns = msgspec.json.decode(stored, type=dict[str, Reign]) if stored is not None else {}

    def adopt(self, codes: Iterable[str], decided: Mapping[str, int]) -> None:
        """Take over new activations; before hours are decided, and in front of every other write of the call.

        Args:
            codes: the airsheds; ``decided``: of those with a decided hour, the latest, epoch seconds.
        """
        for code in codes:
            offered = self._versions.activations(code)
            reign = self._reigns.setdefault(code, Reign(activations=[] if code in decided else list(offered)))
            reign.adopt(offered, decided.get(code, 0))
        body = msgspec.json.encode(self._reigns)
        if body != self._state.get(_CALENDAR):
            self._state[_CALENDAR] = body

    def airshed(self, code: str, hour_s: int) -> Airshed:
        """The airshed as the pack activated for an hour describes it."""
        return self._versions.airshed(code, self._reigns[code].activated(hour_s).pack)


_CALENDAR = "activations"
