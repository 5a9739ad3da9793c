"""A rule pack: an airshed with its levels, and what is said to whom when an episode changes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rules.notices import Approval, NoticeKind, Recipients
from streams.airsheds import Airshed
from streams.schemas import Track, TransitionKind

Scope = Literal["episode", "joined", "left", "episode-and-neighbours", "airshed", "told"]
OncePer = Literal["episode", "level", "transition"]
Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]*$", max_length=60)]
"""Machine names: they become parts of ids and file names."""

MOST_LEVELS = 9
"""No plan that was read has more than six; quorums, audiences and recipients name a level by one digit."""

_HOURS = r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d"
ClockHours = Annotated[str, Meta(pattern=rf"^{_HOURS}$")]
"""Local hours of the day, from-to, over midnight where ``to`` is the smaller: ``22:00-06:00``."""

QuietHours = Annotated[str, Meta(pattern=rf"^(ignore|{_HOURS})$")]
"""``ClockHours``, or ``ignore``."""

Date = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
"""A local date, ``2026-02-17``."""


class Quorum(msgspec.Struct, frozen=True, kw_only=True):
    """Provinces of the airshed that must be on a level or above it, whether they touch or not."""

    provinces: Annotated[int, Meta(ge=1, le=100)]
    level: Annotated[int, Meta(ge=1, le=MOST_LEVELS)] = 1


class RuleAudience(msgspec.Struct, frozen=True, kw_only=True):
    """Who is addressed.

    Attributes:
        recipients: the registry they come from.
        provinces: ``episode``: those in it; ``joined`` / ``left``: those that came in or went out with this event;
            ``episode-and-neighbours``: those in it and next to it; ``airshed``: all; ``told``: those who were warned in
            the episode, and nobody else (for bulletins, e.g. on ``revised``). An all-clear goes only to
            provinces that were warned: with ``left`` to those no longer within reach of the warning, and to all of
            them at the close.
        at_level: with ``episode``, only provinces that are on this level themselves, or above it.
    """

    recipients: Recipients
    provinces: Scope = "episode"
    at_level: Annotated[int, Meta(ge=0, le=MOST_LEVELS)] = 0


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from which events.

    Attributes:
        id: part of the notice id; changing it makes the notices new ones.
        on: kinds of episode events it listens to.
        track: ``operational`` episodes, or those of the airshed's legal definition; the latter only ever lead to drafts
            for a signature and to bulletins.
        when: CEL condition over the variables of ``rules.conditions.VARIABLES``.
        template: name of the template family.
        priority: 0 = goes first.
        valid_hours: hours after the event for which a message is of use.
        sms_parts: most SMS parts a message may take.
        sms_parts_accented: the same for those who have chosen diacritics, which take 67 characters a part instead of
            153; as many as ``sms_parts`` where it is left out. What does not fit goes unaccented.
        once_per: ``episode``: a province is told once; ``level``: again when the level is higher than it was told;
            ``transition``: at every event.
        cooling_hours: a province told this short a time ago is left out, unless the level has risen since.
        actions: measures asked for, by language.
        for_hours: hours for which the condition must have held, decision after decision, before the rule speaks.
        quorum: provinces of the airshed that must be on a level as well.
        extends: the stage below this one: its measures, and those of the stages below it, come first in the notice,
            and it stays silent where this one speaks.
        revokes: the rules that a notice of this one ends. A rule that some rule revokes stands from its first notice
            in a province until then, or until the episode closes, whatever the level does.
        approval: whose yes a message needs before it is sent.
        quiet_hours: local hours in which messages wait; ``ignore`` sets those of the pack aside, for priority 0.
    """

    id: Name
    on: list[TransitionKind]
    track: Track = "operational"
    when: str = "true"
    notice: NoticeKind
    audience: RuleAudience
    template: Name
    priority: Annotated[int, Meta(ge=0, le=9)] = 5
    valid_hours: Annotated[int, Meta(ge=1, le=72)] = 12
    sms_parts: Annotated[int, Meta(ge=1, le=6)] = 2
    sms_parts_accented: Annotated[int, Meta(ge=1, le=6)] | None = None
    once_per: OncePer = "level"
    cooling_hours: Annotated[int, Meta(ge=0, le=240)] = 0
    actions: dict[str, list[str]] = {}
    for_hours: Annotated[int, Meta(ge=0, le=96)] = 0
    quorum: Quorum | None = None
    extends: Name | None = None
    revokes: list[Name] = []
    approval: Approval = "none"
    quiet_hours: QuietHours | None = None

    def speaks_like(self, other: Rule) -> bool:
        """Whether both say the same kind of thing to the same recipients."""
        return (self.notice, self.audience.recipients) == (other.notice, other.audience.recipients)


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """A rule pack.

    Attributes:
        sender: the authority that speaks, by language; its languages are those of the pack.
        holidays: local dates on which the variable ``holiday`` is true.
        quiet_hours: local hours in which messages of all rules wait, unless a rule says otherwise.
    """

    name: Name
    version: Annotated[str, Meta(min_length=1, max_length=20)]
    sender: dict[str, str]
    airshed: Airshed
    rules: list[Rule]
    holidays: list[Date] = []
    quiet_hours: ClockHours | None = None

    def quiet_hours_of(self, rule: Rule) -> str:
        """The hours in which messages of a rule wait, empty for none."""
        own = self.quiet_hours if rule.quiet_hours is None else rule.quiet_hours
        return "" if own is None or own == "ignore" else own

    @property
    def reference(self) -> str:
        """``name@version``, as episodes and notices carry it."""
        return f"{self.name}@{self.version}"
