"""The rule engine: from the transitions of an episode to notices, each decision with a named reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Literal

import msgspec

from rules.conditions import Condition, variables_of
from rules.decisions import Decision, refusal_of
from rules.drafting import Drafter
from rules.history import KEEP_HOURS, Spoken, Told
from rules.model import Pack, Rule, Scope
from rules.notices import (
    ActualNotice,
    Audience,
    ExerciseNotice,
    Notice,
    NoticeKind,
)
from rules.readiness import Reason, readiness, stages_below
from rules.variables import Memory
from streams.clock import HOUR_S, epoch_s
from streams.errors import PackError
from streams.schemas import EpisodeEvent, Mark
from streams.stage import State
from streams.watermark import Watermark

WARNINGS: tuple[NoticeKind, ...] = ("advisory", "instruction", "request", "order-draft")
"""Kinds of notice that an all-clear takes back."""


class RuleEngine:
    """Stage ``list[EpisodeEvent]`` → ``Notice``.

    An event that was judged before is skipped: its notices are durable, because the state says it was judged. The
    state of an airshed is one key, so what was said is remembered wholly or not at all.

    Args:
        pack: the base pack; without ``packs`` every event is judged by it.
        mode: ``exercise`` makes notices that cannot reach the public.
        packs: gives the pack of a reference. An event is judged by the pack whose levels made it.
    """

    def __init__(
        self,
        pack: Pack,
        state: State,
        mode: Literal["actual", "exercise"],
        packs: Callable[[str], Pack] | None = None,
    ) -> None:
        self._base = pack.reference
        self._packs = packs
        self._compiled: dict[str, dict[str, Condition]] = {}
        self._make = ActualNotice if mode == "actual" else ExerciseNotice
        self._use(pack)
        self._state = state
        self._key = f"airshed/{pack.airshed.code}"
        stored = state.get(self._key)
        self._episodes = msgspec.msgpack.decode(stored, type=dict[str, Spoken]) if stored is not None else {}
        progress = state.get("progress")
        self._watermark = msgspec.json.decode(progress, type=Watermark) if progress is not None else Watermark()
        self._decisions: list[Decision] = []

    def accept(self, items: Sequence[EpisodeEvent]) -> list[Notice]:
        """Judge events, in order."""
        news = [event for event in items if event.airshed == self._pack.airshed.code]
        notices = [notice for event in news for notice in self._judge(event)]
        if news:
            self._forget(epoch_s(news[-1].time))
            self._state[self._key] = msgspec.msgpack.encode(self._episodes)
        return notices

    def advance(self, mark: Mark) -> list[Notice | Mark]:
        """Pass progress on. Rules that wait for time are asked at the status of their episode, not here."""
        moved = self._watermark.observe(mark) is not None
        self._state["progress"] = msgspec.json.encode(self._watermark)
        return [Mark(mark.time, "rules")] if moved else []

    def take_decisions(self) -> list[Decision]:
        """The decisions since the last call, for metrics and for ``rules explain``."""
        taken, self._decisions = self._decisions, []
        return taken

    def _use(self, pack: Pack) -> None:
        """Judge by this pack from now on."""
        self._pack = pack
        if pack.reference not in self._compiled:
            self._compiled[pack.reference] = {rule.id: Condition(rule.when) for rule in pack.rules}
        self._conditions = self._compiled[pack.reference]
        self._rules = {rule.id: rule for rule in pack.rules}
        self._stages_first = sorted(pack.rules, key=lambda rule: -len(stages_below(rule, self._rules)))
        self._drafter = Drafter(pack, self._make)

    def _judge_by(self, reference: str) -> None:
        """Judge by the pack of an event; what was said before is read in its terms. All episodes change together,
        for they may hand their provinces over to each other."""
        if self._packs is None:
            return
        if reference != self._pack.reference:
            self._use(self._packs(reference))
        for spoken in self._episodes.values():
            before = spoken.pack or self._base
            if before != reference:
                old, new = self._former(before), self._pack
                spoken.change_rules(old.rules, new.rules, partial(new.airshed.level_like, other=old.airshed))
            spoken.pack = reference

    def _former(self, reference: str) -> Pack:
        """A pack that has judged before. One that is gone is taken to have had the rules and levels of this one: it was
        configured, and another one has been configured in its place."""
        assert self._packs is not None
        try:
            return self._packs(reference)
        except PackError:
            return self._pack

    def _judge(self, event: EpisodeEvent) -> list[Notice]:
        spoken = self._episodes.setdefault(event.episode, Spoken(track=event.track))
        if event.transition <= spoken.transition:
            return []
        self._judge_by(event.pack)
        self._follow(event, spoken)
        notices = self._ask_all(event, spoken)
        spoken.transition = event.transition
        if event.kind == "closed":
            spoken.end(epoch_s(event.time))
        return notices

    def _follow(self, event: EpisodeEvent, spoken: Spoken) -> None:
        """What the event itself means for who has been told what."""
        if event.kind == "opened":
            spoken.closed_s = 0
            if event.parent in self._episodes and event.transition == 1:
                parent = self._episodes[event.parent]
                spoken.take_in(parent, [province.code for province in event.provinces])
                spoken.remember_as(parent)
        elif event.kind == "split":
            spoken.hand_over(event.left)
        elif event.kind == "grown":
            for other in self._episodes.values():
                if other.track == event.track:
                    spoken.take_in(other, event.joined)
        elif event.kind == "eased":
            spoken.ease(event.level)
        elif event.kind == "merged" and event.merged_into is not None:
            self._episodes.setdefault(event.merged_into, Spoken(track=event.track)).take_over(spoken)
            spoken.end(epoch_s(event.time))

    def _ask_all(self, event: EpisodeEvent, spoken: Spoken) -> list[Notice]:
        """Ask every rule that listens to the event, and let those that wait for time see it.

        Higher stages come first, so that a province hears the highest that speaks, and that one only.
        """
        common = variables_of(event, self._pack.airshed, self._pack.holidays)
        covered: dict[str, set[str]] = {}
        notices = []
        for rule in self._stages_first:
            listens = event.kind in rule.on
            if event.track != rule.track or not (listens or rule.for_hours):
                continue
            memory = spoken.rules.setdefault(rule.id, Memory())
            seen = common | memory.variables(event.time)
            refusal = readiness(rule, self._conditions[rule.id], event, memory, seen)
            if not listens:
                continue
            said = self._ask(rule, event, spoken, seen, refusal, covered.get(rule.id, set()))
            for notice in said:
                memory.spoke(event.level, epoch_s(event.time))
                for stage in stages_below(rule, self._rules):
                    covered.setdefault(stage.id, set()).update(notice.audience.provinces)
            notices += said
        return notices

    def _ask(
        self,
        rule: Rule,
        event: EpisodeEvent,
        spoken: Spoken,
        seen: dict[str, Any],
        refusal: Reason | None,
        covered: set[str],
    ) -> list[Notice]:
        if refusal is not None:
            return self._decided(rule, event, seen, refusal)
        if rule.revokes:
            return self._revoke(rule, event, spoken, seen)
        if rule.notice == "all-clear":
            return self._end(rule, event, spoken, seen)
        if rule.audience.provinces == "told":
            return self._follow_up(rule, event, spoken, seen)
        return self._warn(rule, event, spoken, seen, covered)

    def _warn(
        self, rule: Rule, event: EpisodeEvent, spoken: Spoken, seen: dict[str, Any], covered: set[str]
    ) -> list[Notice]:
        scope = self._drafter.scope(rule.audience.provinces, event)
        if rule.audience.at_level:
            reached = {province.code for province in event.provinces if province.level >= rule.audience.at_level}
            scope = [code for code in scope if code in reached]
        standing = any(rule.id in other.revokes for other in self._pack.rules)
        refusals = {
            code: Reason.HIGHER_STAGE if code in covered else refusal_of(rule, event, spoken, code, standing=standing)
            for code in scope
        }
        addressed = [code for code, refusal in refusals.items() if refusal is None]
        if not addressed:
            reasons = [refusal for refusal in refusals.values() if refusal is not None]
            reason = Reason.COOLING if Reason.COOLING in reasons else next(iter(reasons), Reason.NO_PROVINCE)
            return self._decided(rule, event, seen, reason)
        recipients = rule.audience.recipients
        notice = self._drafter.notice(
            rule, event, Audience(recipients=recipients, provinces=addressed), self._conditions[rule.id].seen(seen)
        )
        for stage in [*stages_below(rule, self._rules), rule]:
            spoken.remember(stage.id, addressed, event.level, epoch_s(event.time))
        if rule.notice in WARNINGS:
            spoken.warn(recipients, addressed, Told(event.episode, rule.audience.provinces))
        return self._decided(rule, event, seen, Reason.MADE, [notice])

    def _follow_up(self, rule: Rule, event: EpisodeEvent, spoken: Spoken, seen: dict[str, Any]) -> list[Notice]:
        """An update to those who were warned; one notice for each episode they were warned in.

        After the close nobody counts as warned any more; the ledger still knows who was, in this episode.
        """
        recipients = rule.audience.recipients
        told = {code: entry.episode for code, entry in spoken.told.get(recipients, {}).items()}
        if not event.level:
            told = {province.code: event.episode for province in event.provinces}
        refusals = {code: refusal_of(rule, event, spoken, code, standing=False) for code in sorted(told)}
        pairs = sorted((told[code], code) for code, refusal in refusals.items() if refusal is None)
        if not pairs:
            reasons = [refusal for refusal in refusals.values() if refusal is not None]
            return self._decided(rule, event, seen, next(iter(reasons), Reason.NOBODY_WARNED))
        notices = []
        for told_in, group in groupby(pairs, key=lambda pair: pair[0]):
            audience = Audience(recipients=recipients, provinces=[code for _, code in group], told_in=told_in)
            notices.append(self._drafter.notice(rule, event, audience, self._conditions[rule.id].seen(seen)))
        spoken.remember(rule.id, [code for _, code in pairs], event.level, epoch_s(event.time))
        return self._decided(rule, event, seen, Reason.MADE, notices)

    def _revoke(self, rule: Rule, event: EpisodeEvent, spoken: Spoken, seen: dict[str, Any]) -> list[Notice]:
        """End rules that are in force, with all the stages above them, where they were told. Who was told of nothing
        else is warned no longer, and hears of no second end."""
        over = {other.id for other in self._pack.rules if self._ends_with(other, rule.revokes)}
        codes = sorted({code for name in sorted(over) for code in spoken.said.get(name, {})})
        if not codes:
            return self._decided(rule, event, seen, Reason.NOTHING_IN_FORCE)
        told = spoken.told.get(rule.audience.recipients, {})
        pairs = sorted((told[code].episode if code in told else event.episode, code) for code in codes)
        notices = []
        for told_in, group in groupby(pairs, key=lambda pair: pair[0]):
            provinces = [code for _, code in group]
            audience = Audience(recipients=rule.audience.recipients, provinces=provinces, told_in=told_in)
            notices.append(self._drafter.notice(rule, event, audience, self._conditions[rule.id].seen(seen)))
        spoken.revoke(sorted(over))
        recipients = rule.audience.recipients
        warning = [r for r in self._pack.rules if r.audience.recipients == recipients and r.notice in WARNINGS]
        still = {code for other in warning for code in spoken.said.get(other.id, {})}
        spoken.release(recipients, [], [code for code in codes if code not in still])
        return self._decided(rule, event, seen, Reason.MADE, notices)

    def _ends_with(self, rule: Rule, revoked: Sequence[str]) -> bool:
        return any(stage.id in revoked for stage in [*stages_below(rule, self._rules), rule])

    def _end(self, rule: Rule, event: EpisodeEvent, spoken: Spoken, seen: dict[str, Any]) -> list[Notice]:
        """An all-clear, to those who were warned; one notice for each episode they were warned in."""
        recipients = rule.audience.recipients
        told = sorted(spoken.told.get(recipients, {}).items())
        released = [(entry.episode, code) for code, entry in told if self._is_over(rule, event, code, entry)]
        notices = []
        for told_in, pairs in groupby(sorted(released), key=lambda pair: pair[0]):
            audience = Audience(recipients=recipients, provinces=[code for _, code in pairs], told_in=told_in)
            notices.append(self._drafter.notice(rule, event, audience, self._conditions[rule.id].seen(seen)))
        rules = [other.id for other in self._pack.rules if other.audience.recipients == recipients]
        spoken.release(recipients, rules, [code for _, code in released])
        return self._decided(rule, event, seen, Reason.MADE if notices else Reason.NOBODY_WARNED, notices)

    def _is_over(self, rule: Rule, event: EpisodeEvent, code: str, told: Told) -> bool:
        if event.kind == "closed":
            return True
        if rule.audience.provinces == "left":
            reach: Scope = told.reach if told.reach in ("episode-and-neighbours", "airshed") else "episode"
            return code not in self._drafter.scope(reach, event)
        return code in self._drafter.scope(rule.audience.provinces, event)

    def _decided(
        self, rule: Rule, event: EpisodeEvent, seen: dict[str, Any], reason: Reason, notices: Sequence[Notice] = ()
    ) -> list[Notice]:
        self._decisions.append(
            Decision(
                episode=event.episode,
                transition=event.transition,
                rule=rule.id,
                kind=rule.notice,
                reason=reason,
                notices=[notice.id for notice in notices],
                seen=self._conditions[rule.id].seen(seen),
                values=seen,
            )
        )
        return list(notices)

    def _forget(self, now_s: int) -> None:
        oldest = now_s - KEEP_HOURS * HOUR_S
        self._episodes = {name: spoken for name, spoken in self._episodes.items() if not 0 < spoken.closed_s < oldest}
