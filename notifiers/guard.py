"""The storm guard: a notice to very many people goes out only after a person has looked at it.

A mistake in a rule, a registry or a feed reaches everybody at once; one look prevents what 38 minutes of apologies
cannot mend. Whether a notice is let go is decided once, in the transaction of the first claim after all of it is
planned, so that none of its messages can slip out before; only what no limit holds, because it is urgent, goes out
while it is still being written. Rows of a notice that waits stay ``planned``, and no dispatcher may claim them: letting
go of a million messages changes one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, literal_column, or_, select, update

from notifiers.deliveries import Mode
from notifiers.tables import guarded, ledger, notices

URGENT = 0
"""Priority of what goes first: emergencies, and requests to facilities."""


@dataclass(frozen=True)
class Guard:
    """When a notice is held.

    Attributes:
        recipients: most messages of one notice that go out without a person's yes; 0 for no guard.
        urgent_recipients: the same for urgent notices (priority 0); 0, the default, lets them all go: a warning
            to save lives must not wait for somebody to wake up. The operators are told, and can stop everything.
    """

    recipients: int = 20_000
    urgent_recipients: int = 0

    def limit_for(self, priority: int) -> int:
        """Most messages that need nobody's yes, 0 for no limit."""
        return self.urgent_recipients if priority <= URGENT else self.recipients


@dataclass(frozen=True)
class Storm:
    """A notice to more people than the guard lets pass without a yes.

    Attributes:
        held: it waits; otherwise it is urgent and goes out, and the operators should know.
    """

    notice: str
    messages: int
    threshold: int
    held: bool


_IS_NEW = notices.c.guard == literal_column("''")
_CLOSED = notices.c.guard.in_([literal_column("''"), literal_column("'waiting'")])
"""Written out, not bound, so that both databases see that the small index of guarded notices answers it."""


def admitted(row: Any = ledger) -> ColumnElement[bool]:
    """Of a ledger row, or of an alias of the ledger: whether its notice has been let go."""
    let_go: ColumnElement[bool] = row.c.notice.not_in(select(notices.c.id).where(_CLOSED))
    return let_go


def may_go(guard: Guard) -> ColumnElement[bool]:
    """Of a ledger row: whether it can be claimed. What no limit holds goes out while more of it is written."""
    if guard.limit_for(URGENT):
        return admitted()
    return or_(admitted(), and_(is_urgent(), ledger.c.notice.in_(select(notices.c.id).where(_CLOSED, _IS_NEW))))


def is_waiting(row: Any = ledger) -> ColumnElement[bool]:
    """Of a ledger row, or of an alias of the ledger: whether its notice waits for a person to let it go."""
    waits: ColumnElement[bool] = row.c.notice.in_(select(notices.c.id).where(_CLOSED, notices.c.guard == "waiting"))
    return waits


def is_urgent() -> ColumnElement[bool]:
    """Of a ledger row: whether it is of the kind that nothing but the stop switch holds up."""
    return ledger.c.priority <= URGENT


def admit(connection: Connection, mode: Mode, guard: Guard, machine_s: float) -> list[Storm]:
    """Look at notices planned since the last call: let go the small ones, hold the others. Returns the large ones.

    Two dispatchers may do so at once: what one has decided the other finds decided.
    """
    return [storm for notice in _new(connection, mode) if (storm := _judge(connection, notice, guard, machine_s))]


def admit_all(connection: Connection, mode: Mode) -> None:
    """Let every notice go that was planned since the last call: for a dispatcher without a guard. What is published
    elsewhere (:mod:`notifiers.cap.publication`) asks whether a notice was let go, and not whether there is a guard."""
    for notice in _new(connection, mode):
        connection.execute(update(notices).where(notices.c.id == notice).values(guard="open"))


def _new(connection: Connection, mode: Mode) -> Sequence[str]:
    """Notices that nobody has looked at, but those that are being written at this moment: no claim waits for these."""
    new = select(notices.c.id).where(notices.c.mode == mode, _IS_NEW).with_for_update(skip_locked=True)
    return connection.execute(new).scalars().all()


def _judge(connection: Connection, notice: str, guard: Guard, machine_s: float) -> Storm | None:
    addressed = ledger.c.notice == notice, ledger.c.state.not_in(("suppressed", "expired"))
    complete = connection.execute(select(notices.c.complete).where(notices.c.id == notice)).scalar_one()
    priority = connection.execute(select(ledger.c.priority).where(*addressed).limit(1)).scalar_one_or_none()
    limit = guard.limit_for(URGENT + 1 if priority is None else priority)
    alarm_at = limit or guard.recipients
    if not limit and alarm_at and not complete:
        return None  # its messages go out (see ``may_go``); how many they are is known when all of them are written
    messages = connection.execute(select(func.count()).select_from(ledger).where(*addressed)).scalar_one()
    held = bool(limit) and messages > limit
    if limit and not held and not complete:
        return None  # its rows are still being written: too early to call it small
    connection.execute(update(notices).where(notices.c.id == notice).values(guard="waiting" if held else "open"))
    if held:
        connection.execute(
            insert(guarded).values(
                notice=notice, messages=messages, threshold=limit, since_s=machine_s, officer="", reason=""
            )
        )
    return Storm(notice, messages, alarm_at, held) if alarm_at and messages > alarm_at else None
