"""Whether a rule may speak at an event, before it is asked to whom: condition, waiting time, quorum, stages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from rules.conditions import Condition, ConditionError
from rules.model import Rule
from rules.variables import Memory
from streams.clock import HOUR_S, epoch_s
from streams.schemas import EpisodeEvent


class Reason(StrEnum):
    """Why a rule spoke, or did not; ``MEANINGS`` says it in words."""

    MADE = "made"
    CONDITION_FALSE = "condition-false"
    CONDITION_ERROR = "condition-error"
    NOT_YET = "not-yet"
    NO_QUORUM = "no-quorum"
    HIGHER_STAGE = "higher-stage"
    NO_PROVINCE = "no-province"
    ALREADY_TOLD = "already-told"
    IN_FORCE = "in-force"
    COOLING = "cooling"
    NOBODY_WARNED = "nobody-warned"
    NOTHING_IN_FORCE = "nothing-in-force"


MEANINGS: dict[Reason, str] = {
    Reason.MADE: "a notice was made",
    Reason.CONDITION_FALSE: "its condition does not hold for the event",
    Reason.CONDITION_ERROR: "its condition could not be evaluated: a defect of the pack",
    Reason.NOT_YET: "its condition has not held for long enough",
    Reason.NO_QUORUM: "too few provinces of the airshed are on the level it asks for",
    Reason.HIGHER_STAGE: "a stage above it speaks, with its measures included",
    Reason.NO_PROVINCE: "its audience has no province in this event",
    Reason.ALREADY_TOLD: "every province was told, at this level or a higher one",
    Reason.IN_FORCE: "it has spoken everywhere, and stands until it is revoked",
    Reason.COOLING: "every province left was told too short a time ago",
    Reason.NOBODY_WARNED: "an all-clear, but nobody there has been warned",
    Reason.NOTHING_IN_FORCE: "it revokes rules of which none is in force",
}


def stages_below(rule: Rule, rules: Mapping[str, Rule]) -> list[Rule]:
    """The rules whose measures a rule includes, lowest first, without itself. Cycles are refused by the loader."""
    below: list[Rule] = []
    while rule.extends is not None and rule.extends in rules and rules[rule.extends] not in below:
        rule = rules[rule.extends]
        below.insert(0, rule)
    return below


def cumulative_actions(rule: Rule, rules: Mapping[str, Rule]) -> dict[str, list[str]]:
    """The measures of a stage with those of the stages below it, lowest first, by language."""
    actions: dict[str, list[str]] = {}
    for stage in [*stages_below(rule, rules), rule]:
        for language, said in stage.actions.items():
            known = actions.setdefault(language, [])
            known += [action for action in said if action not in known]
    return actions


def readiness(
    rule: Rule, condition: Condition, event: EpisodeEvent, memory: Memory, seen: dict[str, Any]
) -> Reason | None:
    """Why a rule may not speak at an event; ``None`` if it may. Keeps the memory's ``holds_since`` up to date."""
    now_s = epoch_s(event.time)
    try:
        holds = condition.holds(seen)
    except ConditionError:
        memory.holds_since = 0
        return Reason.CONDITION_ERROR
    memory.holds_since = (memory.holds_since or now_s) if holds else 0
    if not holds:
        return Reason.CONDITION_FALSE
    if now_s - memory.holds_since < rule.for_hours * HOUR_S:
        return Reason.NOT_YET
    if rule.quorum is not None:
        on = sum(level >= rule.quorum.level for level in event.airshed_levels.values())
        return Reason.NO_QUORUM if on < rule.quorum.provinces else None
    return None
