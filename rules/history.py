"""What has been said about an episode, to which provinces: so that nobody is told twice, or told an end of nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from rules.model import Rule, Scope
from rules.notices import Recipients
from rules.variables import Memory
from streams.schemas import Track

KEEP_HOURS = 30 * 24
"""How long a closed episode is remembered: longer than any repetition of its events can be delayed."""


class Said(msgspec.Struct, array_like=True):
    """The latest notice of one rule to one province. ``level`` falls when the episode eases."""

    level: int
    time_s: int


class Told(msgspec.Struct, array_like=True):
    """A province whose recipients were warned: in which episode, and how far that warning reached."""

    episode: str
    reach: Scope


class Spoken(msgspec.Struct):
    """What was said in one episode.

    Attributes:
        transition: number of the latest event that was judged.
        said: by rule, by province.
        told: by kind of recipients, by province.
        moved: told provinces that have gone to another episode, until it takes them in.
        track: of the episode; what was said of the law's days is not mixed with the rest.
        closed_s: epoch second of the close, 0 while open.
        pack: in whose terms this is: its rule ids, its level numbers; empty for the base pack.
        rules: what each rule remembers of the episode.
    """

    transition: int = 0
    said: dict[str, dict[str, Said]] = {}
    told: dict[str, dict[str, Told]] = {}
    moved: dict[str, dict[str, Told]] = {}
    closed_s: int = 0
    pack: str = ""
    rules: dict[str, Memory] = {}
    track: Track = "operational"

    def remember(self, rule: str, provinces: Iterable[str], level: int, time_s: int) -> None:
        """Note a notice of a rule."""
        self.said.setdefault(rule, {}).update({code: Said(level, time_s) for code in provinces})

    def warn(self, recipients: Recipients, provinces: Iterable[str], told: Told) -> None:
        """Note that these were warned. Who was warned in another episode already stays with that one."""
        known = self.told.setdefault(recipients, {})
        for code in provinces:
            known.setdefault(code, told)

    def release(self, recipients: Recipients, rules: Sequence[str], provinces: Iterable[str]) -> None:
        """Note that these were told that it is over: another warning, by any of ``rules``, would be news to them."""
        for code in provinces:
            self.told.get(recipients, {}).pop(code, None)
            for rule in rules:
                self.said.get(rule, {}).pop(code, None)

    def revoke(self, rules: Iterable[str]) -> None:
        """Note that what these rules said holds no longer: said again, it is news."""
        for rule in rules:
            self.said.pop(rule, None)

    def end(self, time_s: int) -> None:
        """Note that the episode is over."""
        self.said, self.told, self.rules, self.closed_s = {}, {}, {}, time_s

    def ease(self, level: int) -> None:
        """The episode has fallen to a level: a new rise above it is worth saying again."""
        for by_province in self.said.values():
            for said in by_province.values():
                said.level = min(said.level, level)

    def change_rules(self, old: Sequence[Rule], new: Sequence[Rule], stands_for: Callable[[int], int]) -> None:
        """Go on in the terms of another pack.

        A rule that has come has spoken where one that has gone spoke, if it says the same kind of thing to the same
        recipients: so nobody is told twice because a rule is called otherwise. Who was warned stays warned.

        Args:
            stands_for: the new number of a level.
        """
        for by_province in self.said.values():
            for said in by_province.values():
                said.level = stands_for(said.level)
        for memory in self.rules.values():
            memory.highest = stands_for(memory.highest)
        before, after = {rule.id: rule for rule in old}, {rule.id: rule for rule in new}
        gone = {name: self.said.pop(name) for name in sorted(self.said.keys() & before.keys() - after.keys())}
        for name in sorted(after.keys() - before.keys()):
            for former, by_province in gone.items():
                if before[former].speaks_like(after[name]):
                    self._inherit(name, by_province)
                    if former in self.rules:
                        self.rules.setdefault(name, self.rules[former].copy())

    def _inherit(self, rule: str, by_province: Mapping[str, Said]) -> None:
        own = self.said.setdefault(rule, {})
        for code, said in by_province.items():
            known = own.get(code, said)
            own[code] = Said(max(known.level, said.level), max(known.time_s, said.time_s))

    def hand_over(self, provinces: Iterable[str]) -> None:
        """These provinces go on in another episode, which takes care of their all-clear."""
        codes = set(provinces)
        for recipients, by_province in self.told.items():
            for code in codes & set(by_province):
                self.moved.setdefault(recipients, {})[code] = by_province.pop(code)

    def take_over(self, other: Spoken) -> None:
        """Go on with all that another episode has said, which is merged into this one."""
        for source in (other.told, other.moved):
            for recipients, by_province in source.items():
                for code, told in by_province.items():
                    self.told.setdefault(recipients, {}).setdefault(code, told)
        for rule, by_rule in other.said.items():
            for code, said in by_rule.items():
                self.said.setdefault(rule, {}).setdefault(code, Said(said.level, said.time_s))
        self.remember_as(other)

    def take_in(self, other: Spoken, provinces: Iterable[str]) -> None:
        """Take over what was said in provinces that another episode has handed over, which forgets it."""
        codes = set(provinces) & {code for by_province in other.moved.values() for code in by_province}
        for recipients, by_province in other.moved.items():
            for code in sorted(codes & by_province.keys()):
                self.told.setdefault(recipients, {}).setdefault(code, by_province.pop(code))
        for rule, by_rule in other.said.items():
            for code in sorted(codes & by_rule.keys()):
                self.said.setdefault(rule, {}).setdefault(code, by_rule.pop(code))

    def remember_as(self, other: Spoken) -> None:
        """Rules go on from what they remember of another episode, unless they remember something of this one."""
        for name, memory in other.rules.items():
            self.rules.setdefault(name, memory.copy())
