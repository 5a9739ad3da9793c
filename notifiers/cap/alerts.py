"""From notices to alerts: one chain per episode, in which every message says all that still holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from notifiers.cap.areas import area
from notifiers.cap.model import (
    ActualAlert,
    Alert,
    Area,
    ExerciseAlert,
    Info,
    MessageType,
    Reference,
    Response,
    Severity,
    TestAlert,
)
from notifiers.cap.words import EVENTS, LANGUAGES, Said, Speaker, description, headline, instruction
from notifiers.facts import Addressee
from notifiers.words import STANDARDS
from rules.notices import ActualNotice, Notice, NoticeProvince
from streams.geography.outlines import Outlines, vietnamese

PUBLIC_KINDS = ("advisory", "all-clear", "bulletin")
"""Kinds of notice to residents that become alerts; a bulletin only where it takes back another notice. What goes to
plants and authorities is nobody else's."""

_ALL_CLEAR_HOURS = 6  # how long an end is shown
_GRADES: tuple[tuple[int, Severity, tuple[Response, ...]], ...] = (
    (301, "Extreme", ("Shelter", "Execute")),
    (201, "Severe", ("Prepare", "Avoid")),
    (151, "Moderate", ("Avoid",)),
    (0, "Minor", ("Monitor",)),
)
"""Severity and response by the index of a province, the higher of hour and day; the bands of VN_AQI, which other
standards have as well. Without an index the level's own number decides (1 = the lowest one)."""


@dataclass(frozen=True)
class Publisher:
    """Who publishes.

    Attributes:
        sender: a name under a domain of the publisher's, without spaces, commas, ``<`` and ``&``.
        web: page for people.
        exercise: which exercise it is, for the note of its alerts.
        in_force_hours: how long an alert is in force at most, if no all-clear ends it. Longer than a notice is worth
            sending: between two notices of an episode days may pass, in which the feed must not be empty.
        outlines: what the areas of alerts are drawn from.
    """

    sender: str
    web: str
    exercise: str = "Airshed exercise"
    in_force_hours: float = 72.0
    outlines: Outlines = field(default_factory=vietnamese)


@dataclass(frozen=True)
class _Warned:
    """A province that an alert in force covers."""

    province: NoticeProvince
    notice: Notice
    onset: datetime
    expires: datetime


class _Chain:
    """The alerts of one episode so far."""

    def __init__(self, publisher: Publisher, speaker: Speaker) -> None:
        self._publisher, self._speaker = publisher, speaker
        self._warned: dict[str, _Warned] = {}
        self._live: list[Alert] = []
        self._of_notice: dict[str, Alert] = {}

    def say(self, notice: Notice) -> Alert | None:
        """The alert of a notice, the next in time; ``None`` if it says nothing to those who read alerts."""
        self._live = [alert for alert in self._live if alert.expires > notice.time]
        self._warned = {code: warned for code, warned in self._warned.items() if warned.expires > notice.time}
        wrong = self._of_notice.get(notice.audience.corrects or "")
        if wrong is not None:
            return self._cancel(notice, wrong)
        if notice.kind == "bulletin":
            return None
        if notice.kind == "all-clear":
            return self._end(notice)
        expires = max(notice.valid_until, notice.time + timedelta(hours=self._publisher.in_force_hours))
        for province in _addressed(notice):
            before = self._warned.get(province.code)
            onset = before.onset if before else notice.time
            self._warned[province.code] = _Warned(province, notice, onset, expires)
        return self._publish(notice, self._warnings(notice))

    def _end(self, notice: Notice) -> Alert | None:
        addressed = {province.code for province in _addressed(notice)} | set(notice.audience.provinces)
        over = [warned for code, warned in self._warned.items() if code in addressed]
        if not over:
            return None
        for warned in over:
            del self._warned[warned.province.code]
        ends = notice.time + timedelta(hours=_ALL_CLEAR_HOURS)
        infos = [self._info(notice, over, language, None, notice.time, ends) for language in LANGUAGES]
        alert = self._publish(notice, [*infos, *self._warnings(notice)])
        if not self._warned:
            self._live = []
        return alert

    def _cancel(self, notice: Notice, wrong: Alert) -> Alert:
        self._live = [alert for alert in self._live if alert.identifier != wrong.identifier]
        for code in [code for code, warned in self._warned.items() if self._of_notice[warned.notice.id] is wrong]:
            del self._warned[code]
        said = self._words(notice, "vi")
        note = f"{headline(said)}. {said.lead}"
        return self._made(notice, "Cancel", (), (wrong.reference,), note)

    def _warnings(self, notice: Notice) -> list[Info]:
        """One block for each severity, time and language, the worst first."""

        def order(warned: _Warned) -> tuple[Any, ...]:
            return _grade(warned.province)[0], warned.notice.time, warned.onset, warned.expires, warned.notice.id

        ordered = sorted(self._warned.values(), key=lambda w: (*order(w), w.province.code))
        infos = []
        for language in LANGUAGES:
            for (grade, *_), alike in groupby(ordered, order):
                group = list(alike)
                first = group[0]
                infos.append(self._info(first.notice, group, language, grade, first.onset, first.expires))
        return infos

    def _publish(self, notice: Notice, infos: Sequence[Info]) -> Alert:
        references = tuple(alert.reference for alert in self._live)
        alert = self._made(notice, "Update" if references else "Alert", tuple(infos), references)
        self._live.append(alert)
        self._of_notice[notice.id] = alert
        return alert

    def _made(
        self,
        notice: Notice,
        kind: MessageType,
        infos: tuple[Info, ...],
        references: tuple[Reference, ...],
        note: str = "",
    ) -> Alert:
        actual = isinstance(notice, ActualNotice)
        made: type[ActualAlert | ExerciseAlert] = ActualAlert if actual else ExerciseAlert
        exercise = "" if actual else self._publisher.exercise
        return made(
            identifier=f"{notice.airshed}.{notice.id}" if actual else f"exercise.{notice.airshed}.{notice.id}",
            sender=self._publisher.sender,
            sent=_local(notice.time, notice),
            message_type=kind,
            incidents=notice.episode,
            infos=infos,
            references=references,
            note="; ".join(part for part in (exercise, note) if part),
        )

    def _info(
        self,
        notice: Notice,
        group: Sequence[_Warned],
        language: str,
        grade: int | None,
        onset: datetime,
        expires: datetime,
    ) -> Info:
        """``grade``: position in the table of severities; ``None`` for an all-clear."""
        said, provinces = self._words(notice, language), [warned.province for warned in group]
        standard = STANDARDS.get(notice.data_standard, notice.data_standard)
        severity, responses = ("Minor", ("AllClear",)) if grade is None else _GRADES[grade][1:]
        hours = [p for p in provinces if p.index is not None]
        return Info(
            language=LANGUAGES[language],
            event=EVENTS[language],
            responses=responses,
            urgency="Past" if grade is None else "Immediate" if severity != "Minor" else "Expected",
            severity=severity,
            certainty="Observed",
            onset=_local(onset, notice),
            expires=_local(expires, notice),
            sender_name=said.sender or self._publisher.sender,
            headline=headline(said),
            description=description(said, [f"{_name(p, language)}: {standard} {p.index}" for p in hours]),
            instruction=instruction(said),
            web=self._publisher.web,
            parameters=(
                *((f"{standard}.{p.code}", str(p.index)) for p in hours),
                ("data-time", _local(notice.time, notice).isoformat()),
                ("level", notice.level_name),
                ("rule", f"{notice.pack}/{notice.rule}"),
            ),
            areas=tuple(area(p, language, self._publisher.outlines) for p in provinces),
        )

    def _words(self, notice: Notice, language: str) -> Said:
        said: Said = self._speaker.words(notice, language, Addressee(contact="", province=""))
        return said


def alerts(notices: Iterable[Notice], publisher: Publisher, speaker: Speaker) -> list[Alert]:
    """The alerts of notices, in the order of sending; notices that are nobody's but plants' are left out.

    The same notices always give the same alerts, whoever asks and whenever.
    """
    wanted = [n for n in notices if n.kind in PUBLIC_KINDS and n.audience.recipients == "residents"]
    chains: dict[tuple[type[Notice], str], _Chain] = {}
    made = []
    for notice in sorted(wanted, key=lambda n: (n.time, n.episode, n.transition, n.id)):
        chain = chains.setdefault((type(notice), notice.episode), _Chain(publisher, speaker))
        alert = chain.say(notice)
        if alert is not None:
            made.append(alert)
    return made


def trial(publisher: Publisher, identifier: str, sent: datetime) -> TestAlert:
    """A technical test for those who read the feed of exercises; it says so in every field."""
    words = {
        "vi-VN": ("Thử nghiệm kỹ thuật", "Thử nghiệm kỹ thuật. Không có gì xảy ra, không cần làm gì cả."),
        "en-US": ("Technical test", "Technical test. Nothing has happened, nothing needs to be done."),
    }
    infos = [
        Info(
            language=language,
            event=event,
            responses=("Monitor",),
            urgency="Unknown",
            severity="Unknown",
            certainty="Unknown",
            onset=sent,
            expires=sent + timedelta(hours=1),
            sender_name=publisher.sender,
            headline=event,
            description=text,
            instruction=text,
            web=publisher.web,
            parameters=(),
            areas=(Area(description="–"),),
        )
        for language, (event, text) in words.items()
    ]
    return TestAlert(
        identifier=f"test.{identifier}",
        sender=publisher.sender,
        sent=sent,
        message_type="Alert",
        incidents=f"test.{identifier}",
        infos=tuple(infos),
        note="Technical test",
    )


def _addressed(notice: Notice) -> list[NoticeProvince]:
    """The provinces a notice is for, with their values; the values of others are in it as well."""
    return [province for province in notice.provinces if province.code in notice.audience.provinces]


def _grade(province: NoticeProvince) -> tuple[int, Severity]:
    index = max((i for i in (province.index, province.index_24h) if i is not None), default=None)
    if index is None:
        index = 51 + 50 * min(max(province.level, 1), 5)
    position = next(number for number, (edge, *_) in enumerate(_GRADES) if index >= edge)
    return position, _GRADES[position][1]


def _local(moment: datetime, notice: Notice) -> datetime:
    return moment.astimezone(ZoneInfo(notice.zone)).replace(microsecond=0)


def _name(province: NoticeProvince, language: str) -> str:
    return province.names.get(language) or next(iter(province.names.values()), province.code)
