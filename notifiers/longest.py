"""The longest notice that a rule of a pack can lead to: what checks and previews of messages are made from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from notifiers.deliveries import Mode
from rules.drafting import NO_LEVEL
from rules.model import Pack, Rule
from rules.notices import ActualNotice, Audience, ExerciseNotice, Notice, NoticeKind, NoticeProvince
from rules.readiness import cumulative_actions
from streams.legal import LEVEL as SERIOUS

ANSWERED: tuple[NoticeKind, ...] = ("request", "order-draft")
"""Kinds whose messages carry a link."""

LONGEST_FACILITY = "Công ty Cổ phần Xi măng và Vật liệu xây dựng Đồng bằng Bắc Bộ – Nhà máy số 2"
"""Invented; as long as the long ones of a register of plants are."""

DELIVERY = "6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11"
"""An id like that of any delivery."""

# 23:30 on 28 November in Viet Nam: two digits wherever there can be
_NIGHT = datetime(2026, 11, 28, 16, 30, tzinfo=UTC)


def longest_notice(
    pack: Pack,
    rule: Rule,
    index: int | None,
    mode: Mode,
    level: int | None = None,
    province_level: int | None = None,
) -> Notice:
    """A rule's notice about every province, with an index of one band everywhere.

    Args:
        level: the level of the episode, 0 for none; ``None``: the longest of all names of levels.
        province_level: that of every province; ``None``: as the episode's.
    """
    make = ActualNotice if mode == "actual" else ExerciseNotice
    airshed = pack.airshed
    names = _level_names(pack, rule)
    number = len(names) if level is None else level
    named = max(names, key=lambda one: max(map(len, one.values()))) if level is None else [NO_LEVEL, *names][level]
    inside = number if province_level is None else province_level
    provinces = [
        NoticeProvince(code=p.code, names=p.names, level=inside, level_name="", index=index, index_24h=index)
        for p in airshed.provinces
    ]
    return make(
        id=DELIVERY,
        kind=rule.notice,
        airshed=airshed.code,
        airshed_names=airshed.names,
        episode=f"{airshed.code}-20261127T06Z-{airshed.provinces[0].code}",
        transition=12,
        rule=rule.id,
        audience=Audience(recipients=rule.audience.recipients, provinces=[p.code for p in airshed.provinces]),
        time=_NIGHT,
        onset=_NIGHT - timedelta(hours=34),
        level=number,
        level_name="none" if not number else SERIOUS if rule.track == "legal" else airshed.levels[number - 1].name,
        level_names=named,
        template=rule.template,
        priority=rule.priority,
        valid_until=_NIGHT + timedelta(hours=rule.valid_hours),
        sms_parts=rule.sms_parts,
        sms_parts_accented=rule.sms_parts_accented or 0,
        provinces=provinces,
        actions=longest_actions(pack, rule),
        sender=pack.sender,
        data_standard=airshed.standard,
        zone=airshed.zone,
        reason="",
        pack=pack.reference,
    )


def _level_names(pack: Pack, rule: Rule) -> list[dict[str, str]]:
    legal = pack.airshed.legal_track
    if rule.track == "legal" and legal is not None:
        return [legal.names]
    return [level.names for level in pack.airshed.levels]


def longest_actions(pack: Pack, rule: Rule) -> dict[str, list[str]]:
    """The measures of a rule with those of the stages below it."""
    return cumulative_actions(rule, {other.id: other for other in pack.rules})
