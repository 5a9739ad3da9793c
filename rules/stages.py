"""What must hold of rules that refer to each other, wait, or need somebody's yes."""

from __future__ import annotations

from collections.abc import Iterator

from rules.documents import Document, Path
from rules.model import Pack, Rule
from rules.structure import nearest
from streams.errors import Problem


def stage_problems(document: Document, pack: Pack) -> Iterator[Problem]:
    """Everything wrong with stages, revocations, waiting times, signatures, quorums and quiet hours."""
    rules = {rule.id: rule for rule in pack.rules}
    for number, rule in enumerate(pack.rules):
        path: Path = ("rules", number)
        yield from _extends(document, path, rule, rules)
        yield from _revokes(document, path, rule, rules)
        yield from _waits(document, path, rule)
        yield from _signature(document, path, rule)
        yield from _quorum(document, path, rule, pack)
        if rule.audience.at_level > len(pack.airshed.levels):
            message = f"level {rule.audience.at_level} of {len(pack.airshed.levels)}: nobody would ever be told"
            yield document.problem((*path, "audience", "at_level"), message, f"at most {len(pack.airshed.levels)}")
        if rule.quiet_hours == "ignore" and rule.priority != 0:
            remedy = "give the rule priority 0, or hours of its own"
            yield document.problem((*path, "quiet_hours"), f"priority {rule.priority} cannot ignore them", remedy)
        hours = pack.quiet_hours_of(rule)
        if hours and hours[:5] == hours[6:]:
            place = (*path, "quiet_hours") if rule.quiet_hours else ("quiet_hours",)
            yield document.problem(place, f"{hours} is no time at all", "give two different times")


def _extends(document: Document, path: Path, rule: Rule, rules: dict[str, Rule]) -> Iterator[Problem]:
    if rule.extends is None:
        return
    place = (*path, "extends")
    below = rules.get(rule.extends)
    if below is None:
        yield document.problem(place, f"there is no rule {rule.extends!r}", nearest(rule.extends, rules))
    elif (below.notice, below.audience.recipients, below.track) != (rule.notice, rule.audience.recipients, rule.track):
        message = f"{below.id} says {below.notice} to {below.audience.recipients} ({below.track})"
        yield document.problem(place, message, "stages of one ladder say the same kind of notice to the same people")
    elif "transition" in (rule.once_per, below.once_per):
        remedy = "write once_per: level, or episode"
        yield document.problem(place, "a stage that speaks at every event would speak below a higher one", remedy)
    elif _goes_round(rule, rules):
        yield document.problem(place, "the stages go round in a circle", "the lowest stage extends nothing")


def _goes_round(rule: Rule, rules: dict[str, Rule]) -> bool:
    seen = {rule.id}
    while rule.extends is not None and rule.extends in rules:
        if rule.extends in seen:
            return True
        seen.add(rule.extends)
        rule = rules[rule.extends]
    return False


def _revokes(document: Document, path: Path, rule: Rule, rules: dict[str, Rule]) -> Iterator[Problem]:
    if rule.revokes and rule.notice != "all-clear":
        yield document.problem((*path, "notice"), f"a {rule.notice} revokes nothing", "write all-clear")
    for position, name in enumerate(rule.revokes):
        place = (*path, "revokes", position)
        if name not in rules:
            yield document.problem(place, f"there is no rule {name!r}", nearest(name, rules))
        elif rules[name].notice == "all-clear":
            yield document.problem(place, f"{name} is an all-clear", "only what asks or warns can be revoked")
        elif rules[name].audience.recipients != rule.audience.recipients:
            message = f"{name} speaks to {rules[name].audience.recipients}, this rule to {rule.audience.recipients}"
            yield document.problem(place, message, "those who were asked hear that it is over")


def _waits(document: Document, path: Path, rule: Rule) -> Iterator[Problem]:
    if rule.for_hours and "status" not in rule.on:
        remedy = "add status to on: without it the rule would ripen only when the episode changes"
        yield document.problem((*path, "for_hours"), f"waits {rule.for_hours} h and hears of no hour", remedy)
    if "status" in rule.on and rule.once_per == "transition" and not rule.cooling_hours:
        remedy = "give cooling_hours, or once_per: level"
        yield document.problem((*path, "on"), "would speak in every hour of an episode", remedy)


def _signature(document: Document, path: Path, rule: Rule) -> Iterator[Problem]:
    """Nobody but those who may sign it sees a draft that nobody has signed."""
    if rule.notice != "order-draft" or rule.approval != "none" or rule.audience.recipients == "authorities":
        return
    place = (*path, "approval") if (*path, "approval") in document.nodes else (*path, "notice")
    message = f"an order-draft to {rule.audience.recipients} without a signature"
    remedy = "write approval: officer, or two-officers; only a draft to authorities goes to those who sign it"
    yield document.problem(place, message, remedy)


def _quorum(document: Document, path: Path, rule: Rule, pack: Pack) -> Iterator[Problem]:
    if rule.quorum is None:
        return
    deciding = sum(province.decides for province in pack.airshed.provinces)
    if rule.quorum.provinces > deciding:
        message = f"{rule.quorum.provinces} provinces of {deciding}: no event can reach it"
        yield document.problem((*path, "quorum", "provinces"), message, f"give at most {deciding}")
    if rule.quorum.level > len(pack.airshed.levels):
        message = f"level {rule.quorum.level} of {len(pack.airshed.levels)}: no event can reach it"
        yield document.problem((*path, "quorum", "level"), message, f"give at most {len(pack.airshed.levels)}")
