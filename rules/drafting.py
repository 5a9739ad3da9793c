"""What a notice says and whom a scope means, given the pack, the rule and the event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from rules.model import Pack, Rule, Scope
from rules.notices import ActualNotice, Audience, ExerciseNotice, Notice, NoticeProvince, notice_id
from rules.readiness import cumulative_actions
from streams.schemas import EpisodeEvent, EpisodeProvince

NO_LEVEL = {"vi": "không cảnh báo", "en": "no alert"}
"""What level 0 is called, by language; other languages get the English words."""


class Drafter:
    """Drafts notices in the words of one pack, all of one mode."""

    def __init__(self, pack: Pack, make: type[ActualNotice] | type[ExerciseNotice]) -> None:
        self._pack = pack
        self._make = make
        self._rules = {rule.id: rule for rule in pack.rules}
        self._neighbours = {province.code: province.neighbours for province in pack.airshed.provinces}
        self._provinces = {province.code: province for province in pack.airshed.provinces}

    def scope(self, scope: Scope, event: EpisodeEvent) -> list[str]:
        """The provinces a scope means at an event, in code order."""
        inside = [province.code for province in event.provinces]
        if scope == "joined":
            return list(event.joined)
        if scope == "left":
            return list(event.left)
        if scope == "episode":
            return inside
        if scope == "airshed":
            return sorted(self._provinces)
        return sorted({*inside, *(code for own in inside for code in self._neighbours.get(own, ()))})

    def notice(self, rule: Rule, event: EpisodeEvent, audience: Audience, seen: str) -> Notice:
        """The notice of a rule at an event. ``seen``: its condition with the values it saw."""
        airshed = self._pack.airshed
        return self._make(
            id=notice_id(event.episode, event.transition, rule.id, audience),
            kind=rule.notice,
            airshed=airshed.code,
            airshed_names=airshed.names,
            episode=event.episode,
            transition=event.transition,
            rule=rule.id,
            audience=audience,
            time=event.time,
            onset=event.onset,
            level=event.level,
            level_name=event.level_name,
            level_names=self._level_names(event),
            template=rule.template,
            priority=rule.priority,
            valid_until=event.time + timedelta(hours=rule.valid_hours),
            sms_parts=rule.sms_parts,
            provinces=list(self._values([*event.provinces, *event.departed])),
            actions=cumulative_actions(rule, self._rules),
            sender=self._pack.sender,
            data_standard=airshed.standard,
            zone=airshed.zone,
            reason=f"{seen}; {event.kind}: {event.reason}",
            pack=self._pack.reference,
            approval=rule.approval,
            quiet_hours=self._pack.quiet_hours_of(rule),
            sms_parts_accented=rule.sms_parts_accented or 0,
        )

    def _level_names(self, event: EpisodeEvent) -> dict[str, str]:
        airshed = self._pack.airshed
        if event.level and event.track == "legal" and airshed.legal_track is not None:
            return airshed.legal_track.names
        if event.level:
            return airshed.levels[event.level - 1].names
        return {language: NO_LEVEL.get(language, NO_LEVEL["en"]) for language in self._pack.sender}

    def _values(self, provinces: Iterable[EpisodeProvince]) -> Iterator[NoticeProvince]:
        for code, province in sorted({province.code: province for province in provinces}.items()):
            names = self._provinces[code].names if code in self._provinces else {"en": province.name}
            yield NoticeProvince(
                code=code,
                names=names,
                level=province.level,
                level_name=province.level_name,
                index=province.median_index,
                index_24h=province.median_index_24h,
            )
