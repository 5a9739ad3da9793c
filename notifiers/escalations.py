"""Escalations in the database: begun when a request has gone out, moved on by the dispatcher's clock, and listed.

Every move is one transaction with the message it plans, so that a crash repeats or loses none; two dispatchers take
turns row by row. The plan is frozen when an escalation begins (:class:`notifiers.escalation.Snapshot`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, literal, literal_column, or_, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.orm import aliased

from notifiers.callbacks import ACKNOWLEDGED
from notifiers.database import insert
from notifiers.deliveries import ChannelName, Mode
from notifiers.escalation import ENOUGH, OPEN, Answers, Decision, EscalationPlan, Snapshot, Standing, decide, snapshot
from notifiers.failpoints import failpoint
from notifiers.tables import acknowledgements, escalation_calls, escalations, facilities, ledger, notices
from rules.notices import delivery_id

REQUESTS = ("request", "order-draft")
_NOT_OUT = ("held", "suppressed", "expired")
_LATE_S = 300.0
"""An open escalation that nobody has looked at for so long: no dispatcher was at work. Ten of its usual looks."""


@dataclass(frozen=True)
class Move:
    """What became of one escalation."""

    notice: str
    recipient: str
    decision: Decision


def tick(
    connection: Connection, mode: Mode, plans: Sequence[EscalationPlan], served: Collection[ChannelName], now_s: float
) -> list[Move]:
    """Begin what is to be followed up and move on what is due. Returns the moves, for logs and operators.

    Args:
        served: channels that the dispatchers here have; a plan's others are left out.
        now_s: the clock that ``valid_until`` is of.
    """
    _begin(connection, mode, plans, served, now_s)
    moves = []
    for row in _due(connection, mode, now_s):
        frozen = msgspec.json.decode(row.plan, type=Snapshot)
        at = Standing(row.state, row.step, row.next_s, row.reopened_s, row.reason)
        decision = decide(frozen, at, _known(connection, row, frozen, now_s), now_s)
        if decision is not None:
            _apply(connection, row, decision, now_s)
            moves.append(Move(row.notice, row.recipient, decision))
    return moves


def overdue(connection: Connection, mode: Mode, now_s: float, late_s: float = _LATE_S) -> int:
    """The audit: open escalations that should have moved on and have not. More than 0: no dispatcher was at work."""
    late = select(func.count()).where(*_is_open(mode), escalations.c.next_s < now_s - late_s)
    return connection.execute(late).scalar_one()


def _begin(
    connection: Connection, mode: Mode, plans: Sequence[EscalationPlan], served: Collection[ChannelName], now_s: float
) -> None:
    for facility, rows in _unfollowed(connection, mode, now_s):
        plan = next((plan for plan in plans if plan.fits(facility.kind, rows[0].priority)), None)
        if plan is None:
            continue
        planned: set[ChannelName] = {row.channel for row in rows}
        frozen = snapshot(plan, _reachable(facility, served), planned)
        row = insert(connection, escalations).values(
            notice=rows[0].notice,
            recipient=facility.facility_id,
            mode=mode,
            plan=msgspec.json.encode(frozen),
            state="calling",
            reason="asked",
            started_s=now_s,
            step=0,
            next_s=now_s + frozen.interval_s,
            reopened_s=0.0,
        )
        connection.execute(row.on_conflict_do_nothing(index_elements=["notice", "recipient"]))


def _unfollowed(connection: Connection, mode: Mode, now_s: float) -> Iterator[tuple[Row[Any], list[Row[Any]]]]:
    """Facilities with the rows of a request that has gone out to them and is not followed up yet."""
    live = select(notices.c.id).where(
        notices.c.mode == mode,
        notices.c.kind.in_(REQUESTS),
        notices.c.time_s > now_s - 4 * 86_400,  # rules say ≤ 72 h
    )
    followed = exists().where(escalations.c.notice == ledger.c.notice, escalations.c.recipient == ledger.c.recipient)
    query = (
        select(ledger.c.notice, ledger.c.recipient, ledger.c.channel, ledger.c.priority, *facilities.c)
        .join(facilities, facilities.c.facility_id == ledger.c.recipient)
        .where(ledger.c.notice.in_(live), ledger.c.registry == "facilities", ledger.c.mode == mode)
        .where(ledger.c.state.not_in(_NOT_OUT), ledger.c.valid_until_s > now_s, ~followed)
        .order_by(ledger.c.notice, ledger.c.recipient)
    )
    together: list[Row[Any]] = []
    for row in connection.execute(query).all():
        if together and (row.notice, row.recipient) != (together[0].notice, together[0].recipient):
            yield together[0], together
            together = []
        together.append(row)
    if together:
        yield together[0], together


def _reachable(facility: Row[Any], served: Collection[ChannelName]) -> set[ChannelName]:
    contacts: dict[ChannelName, object] = {"sms": facility.sms, "email": facility.email, "voice": facility.sms}
    return {channel for channel, contact in contacts.items() if contact is not None and channel in served}


def _is_open(mode: Mode) -> list[ColumnElement[bool]]:
    # written out, not bound, so that both databases see that the small index of open escalations answers it
    return [escalations.c.mode == mode, escalations.c.state.in_([literal_column(f"'{state}'") for state in OPEN])]


def _due(connection: Connection, mode: Mode, now_s: float) -> Sequence[Row[Any]]:
    """Open escalations whose time has come, or whose facility has answered meanwhile."""
    answered = exists().where(
        acknowledgements.c.notice == escalations.c.notice,
        acknowledgements.c.facility == escalations.c.recipient,
        or_(escalations.c.state == "calling", acknowledgements.c.answer != "accepted"),
    )
    query = select(escalations).where(*_is_open(mode), or_(escalations.c.next_s <= now_s, answered))
    ordered = query.order_by(escalations.c.notice, escalations.c.recipient)
    return connection.execute(ordered.with_for_update(skip_locked=True)).all()


def _known(connection: Connection, row: Row[Any], frozen: Snapshot, now_s: float) -> Answers:
    answered = connection.execute(
        select(acknowledgements.c.answer, acknowledgements.c.time_s).where(
            acknowledgements.c.notice == row.notice, acknowledgements.c.facility == row.recipient
        )
    ).all()
    times: dict[str, float] = {answer.answer: answer.time_s for answer in answered}
    return Answers(
        accepted_s=max(times.get("accepted", 0.0), _heard_s(connection, row)),
        refused="refused" in times,
        working_as=next((answer for answer in ("done", "started") if answer in times), ""),
        over=_over(connection, row, frozen, now_s),
    )


def _heard_s(connection: Connection, row: Row[Any]) -> float:
    """When the digit was pressed in a call, as near as the ledger knows it: when that call was planned."""
    pressed = (
        select(func.max(escalation_calls.c.time_s))
        .join(ledger, ledger.c.id == escalation_calls.c.delivery)
        .where(escalation_calls.c.notice == row.notice, escalation_calls.c.recipient == row.recipient)
        .where(ledger.c.channel == "voice", ledger.c.reason == ACKNOWLEDGED)
    )
    return float(connection.execute(pressed).scalar_one() or 0.0)


def _over(connection: Connection, row: Row[Any], frozen: Snapshot, now_s: float) -> str:
    about = (ledger.c.episode, ledger.c.registry, ledger.c.notice_time_s)
    ours = connection.execute(
        select(*about, func.max(ledger.c.valid_until_s).label("end"))
        .where(ledger.c.notice == row.notice, ledger.c.recipient == row.recipient)
        .group_by(*about)
    ).first()
    if ours is None:
        return "withdrawn"
    if ours.end < now_s:
        return "too-late"
    later = aliased(ledger, name="later")
    replaced = and_(later.c.kind.in_(REQUESTS), later.c.state.not_in(("suppressed", "expired", "failed")))
    newer = select(literal(1)).where(
        later.c.recipient == row.recipient,
        later.c.registry == ours.registry,
        later.c.episode == ours.episode,
        later.c.mode == row.mode,
        later.c.notice_time_s > ours.notice_time_s,
        later.c.notice_time_s <= now_s,
        or_(later.c.kind == "all-clear", replaced),
    )
    if connection.execute(newer.limit(1)).first() is not None:
        return "superseded"
    if frozen.responses:
        others = select(func.count(acknowledgements.c.facility.distinct())).where(
            acknowledgements.c.notice == row.notice
        )
        if connection.execute(others).scalar_one() >= frozen.responses:
            return ENOUGH
    return ""


def _apply(connection: Connection, row: Row[Any], decision: Decision, now_s: float) -> None:
    to = decision.standing
    connection.execute(
        update(escalations)
        .where(escalations.c.notice == row.notice, escalations.c.recipient == row.recipient)
        .values(state=to.state, reason=to.reason, step=to.step, next_s=to.next_s, reopened_s=to.reopened_s)
    )
    failpoint("between-escalation")
    if decision.call is not None:
        _plan_call(connection, row, decision, decision.call, now_s)


def _plan_call(connection: Connection, row: Row[Any], decision: Decision, channel: ChannelName, now_s: float) -> None:
    """A further message of the request, like the planner's own, with an id that tells the calls apart."""
    of = (escalation_calls.c.notice == row.notice, escalation_calls.c.recipient == row.recipient)
    number = 1 + connection.execute(select(func.count()).where(*of)).scalar_one()
    first = select(ledger).where(ledger.c.notice == row.notice, ledger.c.recipient == row.recipient).limit(1)
    like = connection.execute(first.order_by(ledger.c.id)).one()
    delivery = delivery_id(row.notice, row.recipient, f"{channel}#{number}")
    fresh = {
        "id": delivery,
        "channel": channel,
        "state": "planned",
        "reason": "escalation" if decision.purpose == "call" else "reminder",
        **dict.fromkeys(("due_s", "lease_until_s"), 0.0),
        **dict.fromkeys(("attempts", "epoch", "revision", "published", "parts", "hold_until_s"), 0),
        **dict.fromkeys(("phase", "worker"), ""),
        "provider_id": None,
    }
    planned = insert(connection, ledger).values({**like._mapping, **fresh})
    connection.execute(planned.on_conflict_do_nothing(index_elements=["id"]))
    connection.execute(
        plain_insert(escalation_calls).values(
            notice=row.notice,
            recipient=row.recipient,
            number=number,
            channel=channel,
            purpose=decision.purpose,
            delivery=delivery,
            time_s=now_s,
        )
    )


@dataclass(frozen=True)
class Escalation:
    """An escalation as it is shown.

    Attributes:
        facility_name: of the registry; empty if the facility is gone from it.
        calls: made so far: (channel, purpose, time, state of the message).
        next_s: when it is looked at again, 0 when it has ended.
    """

    notice: str
    recipient: str
    facility_name: str
    mode: str
    state: str
    reason: str
    started_s: float
    next_s: float
    calls: list[tuple[str, str, float, str]]


def listed(connection: Connection, *, open_only: bool = False) -> list[Escalation]:
    """Escalations, the newest first."""
    query = select(escalations, facilities.c.name).join_from(
        escalations, facilities, facilities.c.facility_id == escalations.c.recipient, isouter=True
    )
    if open_only:
        query = query.where(escalations.c.state.in_(OPEN))
    ordered = query.order_by(escalations.c.started_s.desc(), escalations.c.notice, escalations.c.recipient)
    made: dict[tuple[str, str], list[tuple[str, str, float, str]]] = {}
    calls = select(escalation_calls, ledger.c.state).join(ledger, ledger.c.id == escalation_calls.c.delivery)
    for call in connection.execute(calls.order_by(escalation_calls.c.number)):
        entry = (call.channel, call.purpose, call.time_s, call.state)
        made.setdefault((call.notice, call.recipient), []).append(entry)
    return [
        Escalation(
            notice=row.notice,
            recipient=row.recipient,
            facility_name=row.name or "",
            mode=row.mode,
            state=row.state,
            reason=row.reason,
            started_s=row.started_s,
            next_s=row.next_s if row.state in OPEN else 0.0,
            calls=made.get((row.notice, row.recipient), []),
        )
        for row in connection.execute(ordered).all()
    ]
