"""The longest notice that a rule of a pack can lead to: what checks and previews of messages are made from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from rules.drafting import NO_LEVEL
from rules.model import Pack, Rule
from rules.notices import ActualNotice, Audience, ExerciseNotice, Notice, NoticeKind, NoticeProvince
from rules.readiness import cumulative_actions

ANSWERED: tuple[NoticeKind, ...] = ("request", "order-draft")
"""Kinds whose messages carry a link."""

LONGEST_FACILITY = "Công ty Cổ phần Xi măng và Vật liệu xây dựng Đồng bằng Bắc Bộ – Nhà máy số 2"
"""Invented; as long as the long ones of a register of plants are."""

DELIVERY = "6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11"
"""An id like that of any delivery."""

# 23:30 on 28 November in Viet Nam: two digits wherever there can be
_NIGHT = datetime(2026, 11, 28, 16, 30, tzinfo=UTC)


def longest_notice(pack: Pack, rule: Rule, index: int, mode: Literal["actual", "exercise"]) -> Notice:
    """A rule's notice about every province, with the longest level name and an index of one band everywhere."""
    make = ActualNotice if mode == "actual" else ExerciseNotice
    airshed = pack.airshed
    levels = [level.names for level in airshed.levels]
    if rule.notice == "all-clear":
        levels.append(NO_LEVEL)
    provinces = [
        NoticeProvince(
            code=p.code, names=p.names, level=len(airshed.levels), level_name="", index=index, index_24h=index
        )
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
        level=len(airshed.levels),
        level_name=airshed.levels[-1].name,
        level_names=max(levels, key=lambda names: max(map(len, names.values()))),
        template=rule.template,
        priority=rule.priority,
        valid_until=_NIGHT + timedelta(hours=rule.valid_hours),
        sms_parts=rule.sms_parts,
        provinces=provinces,
        actions=longest_actions(pack, rule),
        sender=pack.sender,
        data_standard=airshed.standard,
        zone=airshed.zone,
        reason="",
        pack=pack.reference,
    )


def longest_actions(pack: Pack, rule: Rule) -> dict[str, list[str]]:
    """The measures of a rule with those of the stages below it."""
    return cumulative_actions(rule, {other.id: other for other in pack.rules})
