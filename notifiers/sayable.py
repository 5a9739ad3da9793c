"""Whether every rule of a pack can be said: a template in every language of the pack, and an SMS that fits.

Each rule is rendered at its longest: as an exercise (one word more), about every province, with the longest name of a
level and a long name of a plant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from notifiers.errors import UnsendableError
from notifiers.facts import EXERCISE, Addressee
from notifiers.renderer import Renderer
from rules.documents import Document
from rules.model import Pack, Rule
from rules.notices import Audience, ExerciseNotice, NoticeProvince
from rules.readiness import cumulative_actions
from streams.errors import Problem

LANGUAGES = tuple(EXERCISE)
"""Languages that messages can be written in."""

_LATE = datetime(2026, 11, 28, 16, 30, tzinfo=UTC)  # two digits wherever there can be two
_PLANT = "Công ty Cổ phần Xi măng và Vật liệu xây dựng Đồng bằng Bắc Bộ"  # invented, as long as long ones are
_LINK = "https://canhbao.example.gov.vn/a/6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11.abcdefghijklmnopqrstuvwxyz"
_BANDS = (198, 298, 388)
"""One index of each band that is warned of: each brings words of its own."""


def message_problems(document: Document, pack: Pack) -> Iterator[Problem]:
    """What cannot be said, at the rule that wants to say it."""
    for language in sorted(set(pack.sender) - set(LANGUAGES)):
        remedy = f"there are templates in {', '.join(LANGUAGES)}; names and measures may have other languages"
        yield document.problem(("sender", language), f"there are no templates in {language!r}", remedy, at_key=True)
    renderer = Renderer()
    for number, rule in enumerate(pack.rules):
        for language in sorted(set(pack.sender) & set(LANGUAGES)):
            try:
                _say(pack, rule, language, renderer)
            except UnsendableError as error:
                key = "sms_parts" if error.reason == "too-long" else "template"
                yield document.problem(("rules", number, key), str(error), f"rule {rule.id} in {language!r}")


def _say(pack: Pack, rule: Rule, language: str, renderer: Renderer) -> None:
    plant = _PLANT if rule.audience.recipients == "facilities" else ""
    link = _LINK if rule.notice in ("request", "order-draft") else ""
    for index in _BANDS:
        notice = _longest(pack, rule, index)
        for province in pack.airshed.provinces:
            person = Addressee(contact="", province=province.code, facility=plant)
            renderer.sms(notice, language, person, link)
        renderer.letter(notice, language, Addressee(contact="", province="", facility=plant), link)


def _longest(pack: Pack, rule: Rule, index: int) -> ExerciseNotice:
    airshed = pack.airshed
    level = max(airshed.levels, key=lambda level: max(map(len, level.names.values())))
    provinces = [
        NoticeProvince(
            code=province.code, names=province.names, level=1, level_name=level.name, index=index, index_24h=index
        )
        for province in airshed.provinces
    ]
    return ExerciseNotice(
        id="check",
        kind=rule.notice,
        airshed=airshed.code,
        airshed_names=airshed.names,
        episode=f"{airshed.code}-{_LATE:%Y%m%dT%H}Z-{airshed.provinces[0].code}",
        transition=99,
        rule=rule.id,
        audience=Audience(recipients=rule.audience.recipients, provinces=[p.code for p in airshed.provinces]),
        time=_LATE,
        onset=_LATE - timedelta(hours=36),
        level=len(airshed.levels),
        level_name=level.name,
        level_names=level.names,
        template=rule.template,
        priority=rule.priority,
        valid_until=_LATE + timedelta(hours=rule.valid_hours),
        sms_parts=rule.sms_parts,
        provinces=provinces,
        actions=cumulative_actions(rule, {other.id: other for other in pack.rules}),
        sender=pack.sender,
        data_standard=airshed.standard,
        zone=airshed.zone,
        reason="",
        pack=pack.reference,
    )
