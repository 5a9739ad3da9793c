"""What people agreed to: when, in which words, how they took it back. And the words.

Viet Nam's Law on Personal Data Protection (91/2025/QH15): consent is voluntary, informed and explicit, given for a
purpose, and can be taken back at any time; silence is none. A flag for sensitive groups is asked for on its own,
because it can say something about health; never a diagnosis.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Label, func, select, update

from notifiers.database import insert
from notifiers.tables import consents, subscribers

SENSITIVE = "sensitive"
"""Consent to keep the flag for sensitive groups; the others are named like the channels they are for."""

WORDING_VERSION = "2026-01"
"""Changes whenever a word below changes (a test compares): what a person agreed to can be read again years later."""

WORDING = {
    "vi": {
        "messages": "Tôi đồng ý nhận tin cảnh báo chất lượng không khí tại các nơi tôi chọn. Số điện thoại hoặc địa "
        "chỉ thư chỉ dùng để gửi tin, được mã hóa khi lưu và chỉ chuyển cho nhà cung cấp dịch vụ gửi tin. Tôi có thể "
        "dừng hoặc yêu cầu xóa bất cứ lúc nào. Tôi đủ 16 tuổi, hoặc cha mẹ/người giám hộ cũng đồng ý.",
        SENSITIVE: "Tôi thuộc nhóm nhạy cảm, hoặc chăm sóc người thuộc nhóm này, và muốn nhận lời khuyên riêng. Hệ "
        "thống chỉ lưu lựa chọn này, không lưu lý do.",
    },
    "en": {
        "messages": "I agree to receive air-quality warnings for the places I choose. My number or address is used "
        "for that alone, is stored encrypted and is given to nobody but the provider who delivers the messages. I "
        "can stop them, or have everything erased, at any time. I am 16 or older, or a parent or guardian agrees too.",
        SENSITIVE: "I belong to a sensitive group, or care for somebody who does, and want the advice made for it. "
        "Only this choice is stored, never the reason.",
    },
}


def give(
    connection: Connection,
    person: str,
    what: Iterable[str],
    *,
    by: str,
    now_s: float,
    wording_version: str = WORDING_VERSION,
) -> None:
    """Record consent to each of ``what`` (channels, ``sensitive``). Repeating it changes nothing."""
    rows = [
        {
            "subscriber_id": person,
            "what": one,
            "given_s": int(now_s),
            "wording_version": wording_version,
            "given_by": by,
        }
        for one in what
    ]
    if rows:
        connection.execute(insert(connection, consents).on_conflict_do_nothing(), rows)


def take_back(connection: Connection, person: str, *, by: str, now_s: float, what: Iterable[str] | None = None) -> int:
    """Mark the consents still standing (all, or those to ``what``) as withdrawn. Returns how many there were."""
    standing = (consents.c.subscriber_id == person) & consents.c.withdrawn_s.is_(None)
    if what is not None:
        standing &= consents.c.what.in_(list(what))
    marked = update(consents).where(standing).values(withdrawn_s=int(now_s), withdrawn_by=by)
    return connection.execute(marked).rowcount


def consents_of(connection: Connection, person: str) -> list[dict[str, Any]]:
    """Everything a person agreed to and took back, oldest first."""
    query = select(consents).where(consents.c.subscriber_id == person).order_by(consents.c.given_s, consents.c.what)
    return [dict(row) for row in connection.execute(query).mappings()]


def latest_withdrawal() -> Label[int | None]:
    """Column ``withdrawn_s``: when the person of the row of ``subscribers`` last took a consent back."""
    latest = select(func.max(consents.c.withdrawn_s)).where(consents.c.subscriber_id == subscribers.c.subscriber_id)
    return latest.scalar_subquery().label("withdrawn_s")


PAGE = "page"
"""``given_by`` of what a person agreed to on our own page."""


def given_on_page(connection: Connection, people: Iterable[str]) -> dict[str, int]:
    """When those of ``people`` who chose on the page, and stand by it, did so."""
    query = (
        select(consents.c.subscriber_id, func.max(consents.c.given_s).label("given_s"))
        .where(consents.c.subscriber_id.in_(list(people)), consents.c.given_by == PAGE)
        .where(consents.c.withdrawn_s.is_(None))
        .group_by(consents.c.subscriber_id)
    )
    return {row.subscriber_id: row.given_s for row in connection.execute(query)}
