"""Why a rule spoke, or did not, at an event of an episode: the reason, the values, and what would have had to differ.

The rules are asked again, by the same engine, in the order in which the events came; what it decides depends on what
it has said before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from rules.decisions import Decision
from rules.engine import RuleEngine
from rules.expressions import Part, needed, shown, take_apart
from rules.model import Pack, Rule
from rules.notices import Notice
from rules.readiness import MEANINGS, Reason
from streams.errors import PackError
from streams.schemas import EpisodeEvent, Mark

NOT_ASKED = "not-asked"
"""The rule does not listen to this kind of event; the engine makes no decision then."""


_ABOUT_AUDIENCE = (Reason.MADE, Reason.NO_PROVINCE, Reason.NOBODY_WARNED)
_ABOUT_HISTORY = (Reason.ALREADY_TOLD, Reason.COOLING, Reason.IN_FORCE)
_NEEDED: dict[str, str] = {
    Reason.HIGHER_STAGE: "that the stages above it stay silent: one notice says it all",
    Reason.NO_PROVINCE: "a province that its audience means at this event",
    Reason.ALREADY_TOLD: "another episode: it tells a province once in an episode (once_per: episode)",
    Reason.IN_FORCE: "a notice that revokes it, or the end of the episode",
    Reason.NOBODY_WARNED: "a warning before it that has not been taken back",
    Reason.NOTHING_IN_FORCE: "a notice of a rule that it revokes",
}
"""What would have had to be otherwise, where the reason alone says it."""


class Step(msgspec.Struct, frozen=True):
    """One part of a condition with its value; ``depth`` 0 is the whole."""

    depth: int
    text: str
    value: str
    element: str = ""


class Spoken(msgspec.Struct, frozen=True):
    """A notice, in short."""

    id: str
    time: datetime
    kind: str
    level: int
    provinces: list[str]


class RuleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule made of one event, and why.

    Attributes:
        reason: of ``rules.engine.Reason``, or ``not-asked``.
        because: the reason as a sentence.
        needed: what would have had to be otherwise, empty when a notice was made.
        steps: the condition and its parts.
        values: every variable of a condition at this event.
        made / before: notices of this rule at this event, and earlier ones in the same episode.
    """

    rule: str
    episode: str
    transition: int
    event: str
    time: datetime
    reason: str
    because: str
    needed: str
    condition: str
    steps: list[Step]
    values: dict[str, Any]
    made: list[Spoken]
    before: list[Spoken]


def answers(pack: Pack, events: Iterable[EpisodeEvent], packs: Callable[[str], Pack] | None = None) -> list[RuleAnswer]:
    """Every rule of a pack at every event, in the order of the events and of the pack.

    Args:
        packs: of a shelf, by reference: then each event is judged by the pack it names.
        events: all of them from the beginning, in order; what came before decides who is told again.
    """
    engine = RuleEngine(pack, {}, "exercise", packs=packs)
    said: list[Notice] = []
    found: list[RuleAnswer] = []
    for event in events:
        notices = [notice for notice in engine.accept([event]) if not isinstance(notice, Mark)]
        decisions = {decision.rule: decision for decision in engine.take_decisions()}
        found += [
            _answer(rule, event, decisions.get(rule.id), said, notices) for rule in _pack_of(event, pack, packs).rules
        ]
        said += notices
        engine.advance(Mark(event.time))
    return found


def _pack_of(event: EpisodeEvent, pack: Pack, packs: Callable[[str], Pack] | None) -> Pack:
    if packs is None:
        return pack
    try:
        return packs(event.pack)
    except PackError:
        return pack  # as the engine does


def _answer(
    rule: Rule, event: EpisodeEvent, decision: Decision | None, said: Sequence[Notice], notices: Sequence[Notice]
) -> RuleAnswer:
    mine = [_short(notice) for notice in said if notice.rule == rule.id and notice.episode == event.episode]
    part = take_apart(rule.when, decision.values) if decision else None
    reason = str(decision.reason) if decision else NOT_ASKED
    return RuleAnswer(
        rule=rule.id,
        episode=event.episode,
        transition=event.transition,
        event=event.kind,
        time=event.time,
        reason=reason,
        because=_because(rule, event, reason, mine),
        needed=_needed(rule, reason, part),
        condition=rule.when,
        steps=list(_steps(part)) if part else [],
        values=dict(decision.values) if decision else {},
        made=[_short(notice) for notice in notices if notice.rule == rule.id],
        before=mine,
    )


def _short(notice: Notice) -> Spoken:
    return Spoken(notice.id, notice.time, notice.kind, notice.level, list(notice.audience.provinces))


def _steps(part: Part, depth: int = 0) -> Iterator[Step]:
    yield Step(depth, part.text, shown(part.value), part.element)
    for piece in part.pieces:
        if piece.text != shown(piece.value):  # a number or a text stands for itself
            yield from _steps(piece, depth + 1)


def _because(rule: Rule, event: EpisodeEvent, reason: str, before: Sequence[Spoken]) -> str:
    if reason == NOT_ASKED:
        return _not_asked(rule, event)
    meaning = MEANINGS.get(Reason(reason), reason)
    audience = (
        f" ({rule.audience.recipients}, provinces: {rule.audience.provinces})" if reason in _ABOUT_AUDIENCE else ""
    )
    told = f"; told before: {_told(before)}" if before and reason in _ABOUT_HISTORY else ""
    return f"{meaning}{audience}{told}"


def _not_asked(rule: Rule, event: EpisodeEvent) -> str:
    if event.kind in rule.on:
        return f"it listens to the track {rule.track}, this event is of the track {event.track}"
    return f"it listens to {', '.join(rule.on)}; this event is {event.kind}"


def _told(before: Sequence[Spoken]) -> str:
    return "; ".join(
        f"{' '.join(spoken.provinces)} at level {spoken.level}, {spoken.time:%Y-%m-%dT%H:%MZ}" for spoken in before
    )


def _needed(rule: Rule, reason: str, part: Part | None) -> str:
    match reason:
        case Reason.CONDITION_FALSE | Reason.CONDITION_ERROR:
            return needed(part) if part else ""
        case Reason.NOT_YET:
            return f"the condition to hold for {rule.for_hours} h, decision after decision (for_hours)"
        case Reason.NO_QUORUM if rule.quorum is not None:
            return f"{rule.quorum.provinces} provinces of the airshed on level {rule.quorum.level} or above (quorum)"
        case Reason.ALREADY_TOLD if rule.once_per == "level":
            return "a level above the one they were told, or an easing in between (once_per: level)"
        case Reason.COOLING:
            return f"{rule.cooling_hours} h since they were told, or a higher level (cooling_hours)"
        case _:
            return _NEEDED.get(reason, "")
