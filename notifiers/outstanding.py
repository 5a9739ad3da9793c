"""What has not been sent yet, and why: for the officer who asks, with counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, case, func, literal, select

from notifiers import switch
from notifiers.guard import is_waiting
from notifiers.ledger import UNKNOWABLE
from notifiers.tables import ledger, notices


class Waits(StrEnum):
    """Why a message that is meant to go out has not gone out."""

    STOPPED = "stopped"  # all sending is stopped
    GUARD = "storm-guard"  # its notice goes to very many, and a person has to let it go
    APPROVAL = "approval"  # an officer has not said yes to the notice
    QUIET_HOURS = "quiet-hours"  # of the rule, or the person's own
    TRIES = "tries-again"  # the provider would not take it just now, or its pace or ceiling is reached
    QUEUE = "queue"  # nothing holds it; its turn comes
    UNDER_WAY = "under-way"  # in the hands of a dispatcher
    UNKNOWN = "unknown"  # the answer was lost, and is being asked for
    UNKNOWABLE = "unknowable"  # nobody can tell whether it arrived: an officer decides


@dataclass(frozen=True)
class Held:
    """Messages of one notice on one channel that wait for the same reason.

    Attributes:
        why: the reason; ``detail`` is the ledger's own word for it.
        until_s: end of the latest quiet hours or wait, 0 where there is no such time.
    """

    why: Waits
    mode: str
    notice: str
    kind: str
    priority: int
    channel: str
    detail: str
    messages: int
    until_s: float


def held(connection: Connection, machine_s: float) -> list[Held]:
    """Everything that waits, the most urgent first. ``machine_s``: now, for what tries again later."""
    stopped = literal(switch.position(connection).stopped)
    planned = ledger.c.state == "planned"
    why = case(
        (ledger.c.state == "held", case((ledger.c.reason == "approval", Waits.APPROVAL), else_=Waits.QUIET_HOURS)),
        (planned & is_waiting(), literal(Waits.GUARD.value)),
        (planned & stopped, literal(Waits.STOPPED.value)),
        (planned & (ledger.c.due_s > machine_s), literal(Waits.TRIES.value)),
        (planned, literal(Waits.QUEUE.value)),
        (ledger.c.state != "unknown", literal(Waits.UNDER_WAY.value)),
        (ledger.c.reason == UNKNOWABLE, literal(Waits.UNKNOWABLE.value)),
        else_=literal(Waits.UNKNOWN.value),
    ).label("why")
    until_s = func.max(case((ledger.c.state == "held", ledger.c.hold_until_s), else_=ledger.c.due_s))
    of = (ledger.c.mode, ledger.c.notice, ledger.c.kind, ledger.c.priority, ledger.c.channel)
    detail = ledger.c.reason.label("detail")
    query = (
        select(why, *of, detail, func.count().label("messages"), until_s.label("until_s"))
        .where(ledger.c.state.in_(("planned", "held", "claimed", "sending", "unknown")))
        .group_by(why, *of, detail)
        .order_by(ledger.c.priority, ledger.c.notice, ledger.c.channel, why, detail)
    )
    rows = connection.execute(query)
    return [Held(**{**row._mapping, "why": Waits(row.why), "until_s": float(row.until_s or 0)}) for row in rows]


def notices_like(connection: Connection, start: str) -> list[str]:
    """Ids of the notices that begin so, at most ten: for commands that take the first letters of an id."""
    found = select(notices.c.id).where(notices.c.id.startswith(start, autoescape=True)).order_by(notices.c.id).limit(10)
    return list(connection.execute(found).scalars())
