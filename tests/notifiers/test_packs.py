"""Every rule of every pack that comes with Airshed can be said on every channel, in every language, in full length."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifiers.facts import Addressee
from notifiers.renderer import Renderer
from rules.loading import load_pack, packaged_packs
from rules.model import Pack, Rule
from rules.notices import Audience, ExerciseNotice, NoticeProvince
from tests.notifiers.samples import LINKS, NOON

RENDERER = Renderer()
PACKS = [load_pack(name) for name in packaged_packs()]
LINK = LINKS.acknowledgement("6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11").replace("127.0.0.1:9", "canhbao.moitruong.gov.vn")


def spoken(pack: Pack, rule: Rule) -> ExerciseNotice:
    """The rule's notice at its longest: every province, three digits everywhere, the longest level name."""
    airshed = pack.airshed
    longest = max(airshed.levels, key=lambda level: max(map(len, level.names.values())))
    return ExerciseNotice(
        id="n",
        kind=rule.notice,
        airshed=airshed.code,
        airshed_names=airshed.names,
        episode=f"{airshed.code}-20260117T06-01",
        transition=12,
        rule=rule.id,
        audience=Audience(recipients=rule.audience.recipients, provinces=[p.code for p in airshed.provinces]),
        time=NOON,
        onset=NOON - timedelta(hours=30),
        level=len(airshed.levels),
        level_name=longest.name,
        level_names=longest.names,
        template=rule.template,
        priority=rule.priority,
        valid_until=NOON + timedelta(hours=rule.valid_hours),
        sms_parts=rule.sms_parts,
        provinces=[
            NoticeProvince(code=p.code, names=p.names, level=3, level_name=longest.name, index=388, index_24h=300)
            for p in airshed.provinces
        ],
        actions=rule.actions,
        sender=pack.sender,
        data_standard=airshed.standard,
        zone=airshed.zone,
        reason="",
        pack=f"{pack.name}@{pack.version}",
    )


@pytest.mark.parametrize(
    ("pack", "rule"), [(p, r) for p in PACKS for r in p.rules], ids=lambda v: v.name if isinstance(v, Pack) else v.id
)
def test_every_rule_can_be_said(pack: Pack, rule: Rule) -> None:
    for language in pack.sender:
        _can_be_said(pack, rule, language)


def _can_be_said(pack: Pack, rule: Rule, language: str) -> None:
    notice = spoken(pack, rule)
    facility = "Nhà máy xi măng và vật liệu xây dựng số 17" if rule.audience.recipients == "facilities" else ""
    link = LINK if rule.notice == "request" else ""
    for province in [p.code for p in pack.airshed.provinces] + ["next-door"]:
        person = Addressee(contact="", province=province, facility=facility)
        sms = RENDERER.sms(notice, language, person, link)
        assert sms.parts <= rule.sms_parts
        letter = RENDERER.letter(notice, language, person, link)
        if rule.notice == "request":
            assert link in sms.body
            for action in rule.actions.get(language) or rule.actions["en"]:
                assert action in letter.text, "an SMS may leave measures out, the mail never"
