"""A rule pack: an airshed with its levels, and what is said to whom when an episode changes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rules.notices import NoticeKind, Recipients
from streams.airsheds import Airshed
from streams.schemas import Track, TransitionKind

Scope = Literal["episode", "joined", "left", "episode-and-neighbours"]
OncePer = Literal["episode", "level", "transition"]
Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]*$", max_length=60)]
"""Machine names: they become parts of ids and file names."""


class RuleAudience(msgspec.Struct, frozen=True, kw_only=True):
    """Who is addressed.

    Attributes:
        recipients: the registry they come from.
        provinces: ``episode``: those in it; ``joined`` / ``left``: those that came in or went out with this event;
            ``episode-and-neighbours``: those in it and next to it. An all-clear goes only to provinces that were
            warned: with ``left`` to those no longer within reach of the warning, and to all of them at the close.
    """

    recipients: Recipients
    provinces: Scope = "episode"


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
        once_per: ``episode``: a province is told once; ``level``: again when the level is higher than it was told;
            ``transition``: at every event.
        cooling_hours: a province told this short a time ago is left out, unless the level has risen since.
        actions: measures asked for, by language.
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
    once_per: OncePer = "level"
    cooling_hours: Annotated[int, Meta(ge=0, le=240)] = 0
    actions: dict[str, list[str]] = {}

    def speaks_like(self, other: Rule) -> bool:
        """Whether both say the same kind of thing to the same recipients."""
        return (self.notice, self.audience.recipients) == (other.notice, other.audience.recipients)


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """A rule pack. ``sender`` is the authority that speaks, by language; its languages are those of the pack."""

    name: Name
    version: Annotated[str, Meta(min_length=1, max_length=20)]
    sender: dict[str, str]
    airshed: Airshed
    rules: list[Rule]

    @property
    def reference(self) -> str:
        """``name@version``, as episodes and notices carry it."""
        return f"{self.name}@{self.version}"
