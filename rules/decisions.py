"""What one rule made of one event, and why a province is not told again."""

from __future__ import annotations

from typing import Any

import msgspec

from rules.history import Spoken
from rules.model import Rule
from rules.notices import NoticeKind
from rules.readiness import Reason
from streams.clock import HOUR_S, epoch_s
from streams.schemas import EpisodeEvent


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule made of one event.

    Attributes:
        kind: kind of notice the rule makes.
        notices: ids of the notices made.
        seen: the condition with the values it saw.
        values: every variable as it was then.
    """

    episode: str
    transition: int
    rule: str
    kind: NoticeKind
    reason: Reason
    notices: list[str]
    seen: str
    values: dict[str, Any] = {}


def refusal_of(rule: Rule, event: EpisodeEvent, spoken: Spoken, code: str, *, standing: bool) -> Reason | None:
    """Why a province is not told again; ``None`` if it is to be told. ``standing``: the rule holds until revoked."""
    said = spoken.said.get(rule.id, {}).get(code)
    if standing:
        return None if said is None else Reason.IN_FORCE
    if said is None or (rule.once_per != "episode" and event.level > said.level):
        return None
    if rule.once_per != "transition":
        return Reason.ALREADY_TOLD
    return Reason.COOLING if epoch_s(event.time) - said.time_s < rule.cooling_hours * HOUR_S else None
