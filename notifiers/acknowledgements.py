"""What facilities answer to a request: accepted or refused (with the reason), then started, then done. Each once.

An acceptance that nothing followed is taken back (:mod:`notifiers.escalation`); then the facility is asked anew and may
accept once more, or refuse.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args

from sqlalchemy import Connection, select, update

from notifiers.database import insert
from notifiers.gsm7 import readable
from notifiers.planner import load_notice
from notifiers.tables import acknowledgements, escalations, facilities, ledger
from rules.notices import Notice

Answer = Literal["accepted", "refused", "started", "done"]
ANSWERS: tuple[str, ...] = get_args(Answer)
LONGEST_REASON = 1_000  # characters: a paragraph

_ANSWERABLE_AFTER_S = 7 * 86_400
"""How long after a request's end it can still be answered: the report that it was done comes when the shift that did
it has written it up. A week, and the link is dead."""


class Recorded(StrEnum):
    """What came of an answer."""

    RECORDED = "recorded"
    REPEATED = "repeated"  # the same answer stands there already
    CONTRADICTS = "contradicts"  # accepted and refused exclude each other; the first stands
    NEEDS_REASON = "needs-reason"  # a refusal says why
    TOO_LATE = "too-late"


class Request:
    """A request as its recipient sees it."""

    def __init__(self, delivery: str, facility: str, facility_name: str, language: str, notice: Notice) -> None:
        self.delivery = delivery
        self.facility = facility
        self.facility_name = facility_name
        self.language = language
        self.notice = notice

    def is_open(self, now_s: float) -> bool:
        """Whether it can still be answered."""
        return now_s <= self.notice.valid_until.timestamp() + _ANSWERABLE_AFTER_S


def find_request(connection: Connection, delivery: str) -> Request | None:
    """The request that a delivery carried; ``None`` if there is no such delivery or it cannot be answered."""
    row = connection.execute(
        select(ledger.c.notice, ledger.c.recipient, ledger.c.language, facilities.c.name)
        .join(facilities, facilities.c.facility_id == ledger.c.recipient)
        .where(ledger.c.id == delivery, ledger.c.registry == "facilities")
        .where(ledger.c.kind.in_(("request", "order-draft")))
    ).first()
    if row is None:
        return None
    return Request(delivery, row.recipient, row.name, row.language, load_notice(connection, row.notice))


def answers(connection: Connection, notice: str, facility: str) -> dict[str, tuple[float, str]]:
    """Answers given so far: (time, reason) by answer."""
    rows = connection.execute(
        select(acknowledgements.c.answer, acknowledgements.c.time_s, acknowledgements.c.reason).where(
            acknowledgements.c.notice == notice, acknowledgements.c.facility == facility
        )
    )
    return {row.answer: (row.time_s, row.reason) for row in rows}


def is_asked_anew(connection: Connection, notice: str, facility: str) -> bool:
    """Whether the facility's acceptance was taken back because nothing followed, and it has not answered since."""
    given = answers(connection, notice, facility)
    if set(given) != {"accepted"}:
        return False
    reopened = select(escalations.c.reopened_s).where(
        escalations.c.notice == notice, escalations.c.recipient == facility
    )
    return given["accepted"][0] < (connection.execute(reopened).scalar_one_or_none() or 0.0)


def record(connection: Connection, request: Request, answer: Answer, reason: str, now_s: float) -> Recorded:
    """Record an answer, once per request and facility whichever message it came through. Idempotent.

    What a facility that is asked anew answers, stands beside its acceptance, or is that at the later time.
    """
    if not request.is_open(now_s):
        return Recorded.TOO_LATE
    given = answers(connection, request.notice.id, request.facility)
    anew = is_asked_anew(connection, request.notice.id, request.facility)
    if answer in given and not anew:
        return Recorded.REPEATED
    if "refused" in given or (answer == "refused" and given and not anew):
        return Recorded.CONTRADICTS
    reason = readable(" ".join(reason.split()))[:LONGEST_REASON]
    if answer == "refused" and not reason:
        return Recorded.NEEDS_REASON
    if answer in given:
        return _accept_again(connection, request, now_s)
    written = connection.execute(
        insert(connection, acknowledgements)
        .values(
            notice=request.notice.id,
            facility=request.facility,
            answer=answer,
            delivery=request.delivery,
            reason=reason,
            time_s=now_s,
        )
        .on_conflict_do_nothing(index_elements=["notice", "facility", "answer"])
        .returning(acknowledgements.c.answer)
    )
    return Recorded.RECORDED if written.first() else Recorded.REPEATED


def _accept_again(connection: Connection, request: Request, now_s: float) -> Recorded:
    table = acknowledgements
    connection.execute(
        update(table)
        .where(table.c.notice == request.notice.id, table.c.facility == request.facility)
        .where(table.c.answer == "accepted")
        .values(time_s=now_s, delivery=request.delivery)
    )
    return Recorded.RECORDED
