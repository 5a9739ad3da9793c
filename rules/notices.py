"""Notices: what is said to whom because of an episode, and the two kinds of it that must never meet.

An actual notice and an exercise notice are different types. Nothing converts one into the other; messages,
ledger rows and channels keep the distinction, so that an exercise cannot reach the public.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Literal

import msgspec

NoticeKind = Literal["advisory", "instruction", "request", "order-draft", "bulletin", "all-clear"]
Recipients = Literal["residents", "facilities", "authorities"]
Approval = Literal["none", "officer", "two-officers"]
"""Whose yes the messages of a notice need: nobody's, one officer's, or two different officers'."""

_NAMESPACE = uuid.UUID("6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11")


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Who is addressed.

    Attributes:
        recipients: registry the recipients come from.
        provinces: codes of the provinces they live or stand in.
        told_in: when set, only those who were planned a message of a *warning* kind in this episode
            (an all-clear goes to exactly those who were warned).
        corrects: when set, the id of a notice that was wrong: only those who may have received it, wherever they live
            by now. Its messages that have not gone out yet are withdrawn.
    """

    recipients: Recipients
    provinces: list[str]
    told_in: str | None = None
    corrects: str | None = None

    @property
    def key(self) -> str:
        """Stable text of the audience, part of the notice id."""
        whole = f"{self.recipients}:{','.join(sorted(self.provinces))}:{self.told_in or ''}"
        return f"{whole}:{self.corrects}" if self.corrects else whole


class NoticeProvince(msgspec.Struct, frozen=True, kw_only=True):
    """What a notice says about one province. Index values are those of the airshed's standard."""

    code: str
    names: dict[str, str]
    level: int
    level_name: str
    index: int | None
    index_24h: int | None


class _Notice(msgspec.Struct, frozen=True, kw_only=True, tag_field="mode"):
    """Fields of every notice.

    Attributes:
        id: uuid5 of (episode, transition, rule, audience).
        time: event time of the decision; the data in ``provinces`` are of this hour.
        template: name of the template family; language and channel choose the file.
        priority: 0 = goes first.
        valid_until: after this the message is of no use and is not sent.
        sms_parts: most SMS parts a message may take.
        sms_parts_accented: the same where the recipient has chosen diacritics; 0 for ``sms_parts``.
        provinces: provinces of the episode with their values.
        actions: measures asked for, by language (requests and instructions).
        level_names: name of the level for people, by language.
        data_standard: index standard of the values, e.g. ``vn_aqi``.
        zone: IANA zone in which times are shown.
        reason: why it was made: the rule's condition and the values it saw.
        approval: whose yes its messages need before they are sent.
        quiet_hours: local hours in which they wait, ``22:00-06:00``; empty for none.
    """

    id: str
    kind: NoticeKind
    airshed: str
    airshed_names: dict[str, str]
    episode: str
    transition: int
    rule: str
    audience: Audience
    time: datetime
    onset: datetime
    level: int
    level_name: str
    level_names: dict[str, str]
    template: str
    priority: int
    valid_until: datetime
    sms_parts: int
    provinces: list[NoticeProvince]
    actions: dict[str, list[str]]
    sender: dict[str, str]
    data_standard: str
    zone: str
    reason: str
    pack: str
    approval: Approval = "none"
    quiet_hours: str = ""
    sms_parts_accented: int = 0


class ActualNotice(_Notice, frozen=True, kw_only=True, tag="actual"):
    """A notice that people are meant to act on."""


class ExerciseNotice(_Notice, frozen=True, kw_only=True, tag="exercise"):
    """A notice of an exercise, a simulation or a replay; every message made from it says so first."""


Notice = ActualNotice | ExerciseNotice

_decoder: msgspec.json.Decoder[Notice] = msgspec.json.Decoder(Notice)


def decoded(body: bytes) -> Notice:
    """A notice from its JSON; of which of the two types it is stands in it. Raises ``msgspec.MsgspecError`` for what
    is no notice."""
    return _decoder.decode(body)


def levels_told(notice: Notice) -> dict[str, int]:
    """The level of each province that a notice addresses, by code: its own, and at most that of the notice.

    An episode is as bad as its worst province. Of provinces that a notice says nothing about, next door to the episode,
    its own level counts: that is what is coming to them.
    """
    stated = {province.code: province.level for province in notice.provinces if province.level > 0}
    return {code: min(stated.get(code, notice.level), notice.level) for code in notice.audience.provinces}


def notice_id(episode: str, transition: int, rule: str, audience: Audience) -> str:
    """The deterministic id of a notice."""
    return str(uuid.uuid5(_NAMESPACE, f"{episode}|{transition}|{rule}|{audience.key}"))


DELIVERY_NAMESPACE = str(_NAMESPACE)


def delivery_id(notice: str, recipient: str, channel: str) -> str:
    """The deterministic id of one message of a notice to one recipient on one channel.

    A UUID of version 8 (RFC 9562, section 5.8) made of SHA-256, of which databases have a function of their own:
    a million ids are computed where the rows are written (``notifiers/delivery_ids.py``).
    """
    text = f"{DELIVERY_NAMESPACE}|{notice}|{recipient}|{channel}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return str(uuid.UUID(f"{digest[:12]}8{digest[13:16]}8{digest[17:32]}"))
