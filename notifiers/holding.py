"""Messages that wait: for somebody's yes, or for the end of the quiet hours. Times are those of ``valid_until``.

A held row is in nobody's way: what comes later to the same recipient may go out before it. When its wait is over it
is only sent, and only says, what nothing later has made idle (:mod:`notifiers.superseding`).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, select, update

from notifiers.deliveries import Mode
from notifiers.quiet_hours import quiet_until_s
from notifiers.superseding import SUPERSEDED, Rows, give_way, superseded
from notifiers.tables import ledger
from rules.notices import Notice


class Held(StrEnum):
    """Why a row waits, and why one that waited is not sent."""

    APPROVAL = "approval"  # an officer has not said yes to the notice yet
    QUIET_HOURS = "quiet-hours"  # it is night at the recipient's; sent when the quiet hours end
    ONLY_IN_QUIET_HOURS = "only-in-quiet-hours"  # its time of use is over before the quiet hours are
    NOT_APPROVED = "not-approved"  # nobody said yes in time
    REJECTED = "rejected"  # an officer said no
    EASED = "eased"  # the episode has sunk below the level it warns of, or left the recipient's provinces
    EPISODE_CLOSED = "episode-closed"  # the episode was over before it could be sent
    OWN_QUIET_HOURS = "own-quiet-hours"  # the recipient asked for silence at this time of day


def is_held(table: Any = ledger) -> ColumnElement[bool]:
    """Whether a row of the ledger, or of an alias of it, is held.

    Written out, not bound: only then do both databases see that the small index of held rows answers it. It is asked
    at every turn of the dispatcher, beside a ledger of millions.
    """
    held: ColumnElement[bool] = table.c.state == literal_column("'held'")
    return held


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
    ends = select(func.min(ledger.c.hold_until_s)).where(is_held(), ledger.c.hold_until_s > 0)
    return float(connection.execute(ends).scalar_one() or 0)


def release(connection: Connection, mode: Mode, now_s: float) -> int:
    """Let go of what waited for the end of the quiet hours. Returns the rows that will be sent now.

    Newer rows are let go together with older ones, so that the older find out that they are idle.
    """

    def due(table: Any) -> ColumnElement[bool]:
        return and_(
            table.c.mode == mode,
            is_held(table),
            table.c.reason.in_((Held.QUIET_HOURS.value, Held.OWN_QUIET_HOURS.value)),
            table.c.hold_until_s <= now_s,
        )

    end_idle(connection, due, now_s)
    freed = connection.execute(update(ledger).where(due(ledger)).values(state="planned", reason=Held.QUIET_HOURS.value))
    return freed.rowcount


def end_idle(connection: Connection, which: Rows, now_s: float) -> int:
    """End those of the held rows that later messages have made idle; what is left of the others is what still holds."""
    ended = suppress(connection, and_(which(ledger), superseded(now_s)), SUPERSEDED)
    give_way(connection, which, now_s)
    return ended + suppress(connection, and_(which(ledger), superseded(now_s)), SUPERSEDED)


def suppress(connection: Connection, which: ColumnElement[bool], reason: str) -> int:
    """End held rows without sending them. Returns how many."""
    ended = connection.execute(
        update(ledger)
        .where(is_held(), which)
        .values(state="suppressed", reason=str(reason), revision=ledger.c.revision + 1)
    )
    return ended.rowcount


def expire_held(connection: Connection, mode: Mode, now_s: float) -> list[str]:
    """Close the held rows whose time of use is over, and say what they waited for. Returns their channels."""
    over = and_(ledger.c.mode == mode, is_held(), ledger.c.valid_until_s < now_s)
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
