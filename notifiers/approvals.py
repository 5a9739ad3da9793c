"""Officers' answers to notices that need one: what is waiting, a yes, a no. Two officers are two different people.

The answers are kept beside the ledger and never changed. A notice to authorities has no rows: its answer is what the
operations centre shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update
from sqlalchemy import insert as plain_insert

from notifiers import beside
from notifiers.holding import Held, end_idle, is_held, suppress, wait_of
from notifiers.tables import approvals, ledger, notices
from rules.notices import Approval, Notice, decoded
from streams.clock import utc

NEEDED: dict[Approval, int] = {"none": 0, "officer": 1, "two-officers": 2}
"""How many different officers must say yes."""


class Answered(StrEnum):
    """What came of an officer's answer."""

    RELEASED = "released"  # everybody needed has said yes: messages go out
    NEEDS_ANOTHER = "needs-another"  # a second officer, a different one, has to say yes
    REJECTED = "rejected"  # the messages will not be sent
    ALREADY_ANSWERED = "already-answered"  # this officer has answered before; nothing changed
    ALREADY_DECIDED = "already-decided"  # the notice was released or rejected before; nothing changed
    TOO_LATE = "too-late"  # its time of use is over
    NOT_NEEDED = "not-needed"  # the notice needs nobody's yes
    NO_SUCH_NOTICE = "no-such-notice"


@dataclass(frozen=True)
class Waiting:
    """A notice and what officers have said to it.

    Attributes:
        state: ``waiting``, ``released``, ``rejected`` or ``expired``.
        approved_by: officers who have said yes; ``rejected_by``: the one who said no.
        messages: held rows.
    """

    notice: Notice
    state: Literal["waiting", "released", "rejected", "expired"]
    approved_by: list[str]
    rejected_by: str
    messages: int


def listed(connection: Connection, now_s: float) -> list[Waiting]:
    """Every notice that needs a yes, the newest first."""
    wanted = select(notices.c.id, notices.c.body).where(notices.c.approval != "none")
    rows = connection.execute(wanted.order_by(notices.c.time_s.desc(), notices.c.id)).all()
    return [_waiting(connection, row, now_s) for row in rows]


def approve(connection: Connection, notice: str, officer: str, now_s: float) -> Answered:
    """An officer's yes. With the last one that is needed the messages are let go, as far as they are not idle.

    Args:
        officer: the officer's own name or number; capitals and blanks around it make no other person.
        now_s: the clock that ``valid_until`` is of, UTC epoch seconds.
    """
    refused, waiting = _open(connection, notice, officer, now_s)
    if waiting is None:
        return refused
    _write(connection, notice, officer, "approved", "", now_s)
    if len(waiting.approved_by) + 1 < NEEDED[waiting.notice.approval]:
        return Answered.NEEDS_ANOTHER

    def held(table: Any = ledger) -> ColumnElement[bool]:
        return and_(table.c.notice == notice, is_held(table), table.c.reason == Held.APPROVAL.value)

    beside.give_way(connection, waiting.notice)
    end_idle(connection, held, now_s)
    values = wait_of(waiting.notice, utc(int(now_s)))
    if values["state"] == "suppressed":
        values["revision"] = ledger.c.revision + 1
    connection.execute(update(ledger).where(held()).values(**values))
    return Answered.RELEASED


def reject(connection: Connection, notice: str, officer: str, reason: str, now_s: float) -> Answered:
    """An officer's no: the messages are not sent. One no is enough."""
    refused, waiting = _open(connection, notice, officer, now_s)
    if waiting is None:
        return refused
    _write(connection, notice, officer, "rejected", reason, now_s)
    suppress(connection, ledger.c.notice == notice, Held.REJECTED)
    return Answered.REJECTED


def _open(connection: Connection, notice: str, officer: str, now_s: float) -> tuple[Answered, Waiting | None]:
    """The notice if this officer can still answer it, else why not."""
    # the row is locked until the end of the transaction: two officers at the same moment come one after the other
    found = select(notices.c.id, notices.c.body).where(notices.c.id == notice).with_for_update()
    row = connection.execute(found).first()
    if row is None:
        return Answered.NO_SUCH_NOTICE, None
    waiting = _waiting(connection, row, now_s)
    if waiting.notice.approval == "none":
        return Answered.NOT_NEEDED, None
    if waiting.state in ("released", "rejected"):
        return Answered.ALREADY_DECIDED, None
    if waiting.state == "expired":
        return Answered.TOO_LATE, None
    if _person(officer) in waiting.approved_by:
        return Answered.ALREADY_ANSWERED, None
    return Answered.RELEASED, waiting


def _waiting(connection: Connection, row: Row[Any, Any], now_s: float) -> Waiting:
    notice = decoded(row.body)
    answers = connection.execute(
        select(approvals.c.officer, approvals.c.answer)
        .where(approvals.c.notice == row.id)
        .order_by(approvals.c.time_s, approvals.c.officer)
    ).all()
    held = select(func.count()).where(ledger.c.notice == row.id, ledger.c.state == "held")
    yes = [officer for officer, answer in answers if answer == "approved"]
    no = next((officer for officer, answer in answers if answer == "rejected"), "")
    return Waiting(notice, _state(notice, yes, no, now_s), yes, no, connection.execute(held).scalar_one())


def _state(
    notice: Notice, yes: Sequence[str], no: str, now_s: float
) -> Literal["waiting", "released", "rejected", "expired"]:
    if no:
        return "rejected"
    if len(yes) >= NEEDED[notice.approval]:
        return "released"
    return "expired" if notice.valid_until.timestamp() < now_s else "waiting"


def _write(connection: Connection, notice: str, officer: str, answer: str, reason: str, now_s: float) -> None:
    values = {"notice": notice, "officer": _person(officer), "answer": answer, "reason": reason, "time_s": now_s}
    connection.execute(plain_insert(approvals).values(values))


def _person(officer: str) -> str:
    return " ".join(officer.split()).casefold()
