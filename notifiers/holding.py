"""Messages that wait: for somebody's yes, or for the end of the quiet hours. Times are those of ``valid_until``.

A held row is in nobody's way: what comes later to the same recipient may go out before it. When its wait is over it
is only sent if nothing later has made it idle: a newer notice of the same kind says more, and after an all-clear the
warning that was held would be wrong.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal_column, or_, select, true, update
from sqlalchemy.orm import aliased

from notifiers.ledger import Mode
from notifiers.quiet_hours import quiet_until_s
from notifiers.tables import ledger
from rules.notices import Notice


class Held(StrEnum):
    """Why a row waits, and why one that waited is not sent."""

    APPROVAL = "approval"  # an officer has not said yes to the notice yet
    QUIET_HOURS = "quiet-hours"  # it is night at the recipient's; sent when the quiet hours end
    ONLY_IN_QUIET_HOURS = "only-in-quiet-hours"  # its time of use is over before the quiet hours are
    NOT_APPROVED = "not-approved"  # nobody said yes in time
    REJECTED = "rejected"  # an officer said no
    SUPERSEDED = "superseded"  # something later has made it idle while it waited
    EASED = "eased"  # the episode has sunk below the level it warns of, or left the recipient's provinces
    EPISODE_CLOSED = "episode-closed"  # the episode was over before it could be sent
    OWN_QUIET_HOURS = "own-quiet-hours"  # the recipient asked for silence at this time of day


IS_HELD = ledger.c.state == literal_column("'held'")
"""Written out, not bound: only then do both databases see that the small index of held rows answers it. These are asked
at every turn of the dispatcher, beside a ledger of millions."""


def wait_of(notice: Notice, moment: datetime) -> dict[str, Any]:
    """State, reason and end of the wait of a message of a notice that could go out at ``moment``."""
    until_s = quiet_until_s(notice, moment)
    if not until_s:
        return {"state": "planned", "reason": "planned", "hold_until_s": 0}
    if until_s >= notice.valid_until.timestamp():
        return {"state": "suppressed", "reason": Held.ONLY_IN_QUIET_HOURS.value, "hold_until_s": 0}
    return {"state": "held", "reason": Held.QUIET_HOURS.value, "hold_until_s": until_s}


def next_end_s(connection: Connection) -> float:
    """When the next quiet hours that hold a message end, UTC epoch seconds; 0 if none do."""
    ends = select(func.min(ledger.c.hold_until_s)).where(IS_HELD, ledger.c.hold_until_s > 0)
    return float(connection.execute(ends).scalar_one() or 0)


def release(connection: Connection, mode: Mode, now_s: float) -> int:
    """Let go of what waited for the end of the quiet hours. Returns the rows that will be sent now.

    Newer rows are let go together with older ones, so that the older find out that they are idle.
    """
    due = and_(
        ledger.c.mode == mode,
        IS_HELD,
        ledger.c.reason.in_((Held.QUIET_HOURS.value, Held.OWN_QUIET_HOURS.value)),
        ledger.c.hold_until_s <= now_s,
    )
    suppress(connection, and_(due, superseded(now_s)), Held.SUPERSEDED)
    freed = connection.execute(update(ledger).where(due).values(state="planned", reason=Held.QUIET_HOURS.value))
    return freed.rowcount


def suppress(connection: Connection, which: ColumnElement[bool], reason: Held) -> int:
    """End held rows without sending them. Returns how many."""
    ended = connection.execute(
        update(ledger)
        .where(IS_HELD, which)
        .values(state="suppressed", reason=reason.value, revision=ledger.c.revision + 1)
    )
    return ended.rowcount


def superseded(now_s: float | None = None) -> ColumnElement[bool]:
    """Whether something later to the same recipient, of ``now_s`` at the latest, has made a row idle."""
    later = aliased(ledger, name="later")
    happened = true() if now_s is None else later.c.notice_time_s <= now_s
    return exists().where(
        happened,
        later.c.recipient == ledger.c.recipient,
        later.c.channel == ledger.c.channel,
        later.c.episode == ledger.c.episode,
        later.c.registry == ledger.c.registry,
        later.c.mode == ledger.c.mode,
        later.c.notice_time_s > ledger.c.notice_time_s,
        or_(
            later.c.kind == "all-clear",
            and_(later.c.kind == ledger.c.kind, later.c.state.not_in(("suppressed", "expired", "failed"))),
        ),
    )


def expire_held(connection: Connection, mode: Mode, now_s: float) -> list[str]:
    """Close the held rows whose time of use is over, and say what they waited for. Returns their channels."""
    over = and_(ledger.c.mode == mode, IS_HELD, ledger.c.valid_until_s < now_s)
    closed: list[str] = []
    for waited_for, reason in (
        (Held.APPROVAL.value, Held.NOT_APPROVED.value),
        (Held.QUIET_HOURS.value, "too-late"),
        (Held.OWN_QUIET_HOURS.value, "too-late"),
    ):
        ended = connection.execute(
            update(ledger)
            .where(over, ledger.c.reason == waited_for)
            .values(state="expired", reason=reason, revision=ledger.c.revision + 1)
            .returning(ledger.c.channel)
        )
        closed += ended.scalars()
    return closed
