"""A person's yes to what the storm guard holds (:mod:`notifiers.guard`), and what waits for one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, literal, select, update

from notifiers import beside
from notifiers.accountable import officer_of, one_line
from notifiers.tables import guarded, notices
from rules.notices import Notice, decoded


class Released(StrEnum):
    """What came of letting a notice go."""

    RELEASED = "released"
    ALREADY_RELEASED = "already-released"
    NOT_GUARDED = "not-guarded"  # the guard has never held it
    NO_SUCH_NOTICE = "no-such-notice"


def release(connection: Connection, notice: str, officer: str, reason: str, machine_s: float) -> Released:
    """A person's yes to a guarded notice. Its messages go out, as far as nothing has made them idle meanwhile.

    Raises:
        InputError: when nobody is named.
    """
    officer = officer_of(officer, "say who lets the notice go")
    state = connection.execute(select(notices.c.guard).where(notices.c.id == notice).with_for_update()).scalar()
    if state is None:
        return Released.NO_SUCH_NOTICE
    if state != "waiting":
        was = connection.execute(select(literal(1)).where(guarded.c.notice == notice)).first()
        return Released.ALREADY_RELEASED if was else Released.NOT_GUARDED
    body = connection.execute(select(notices.c.body).where(notices.c.id == notice)).scalar_one()
    beside.give_way(connection, decoded(body))
    connection.execute(update(notices).where(notices.c.id == notice).values(guard="open"))
    connection.execute(
        update(guarded)
        .where(guarded.c.notice == notice)
        .values(officer=officer, reason=one_line(reason), released_s=machine_s)
    )
    return Released.RELEASED


@dataclass(frozen=True)
class Guarded:
    """A notice that the guard held, or holds.

    Attributes:
        messages / threshold: how many it was to send, and how many may go without a yes.
        officer: who let it go; empty while it waits.
    """

    notice: Notice
    messages: int
    threshold: int
    since_s: float
    officer: str
    reason: str
    released_s: float | None


def listed(connection: Connection, *, waiting_only: bool = False) -> list[Guarded]:
    """Notices that the guard has held, the newest first."""
    query = select(notices.c.body, guarded).join(guarded, guarded.c.notice == notices.c.id)
    if waiting_only:
        query = query.where(guarded.c.released_s.is_(None))
    return [_guarded(row) for row in connection.execute(query.order_by(guarded.c.since_s.desc(), notices.c.id))]


def _guarded(row: Row[*tuple[object, ...]]) -> Guarded:
    values = row._mapping
    columns = ("messages", "threshold", "since_s", "officer", "reason", "released_s")
    return Guarded(decoded(values["body"]), **{name: values[name] for name in columns})
