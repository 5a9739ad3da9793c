"""What a dispatcher may take up now: nothing while all sending is stopped, nothing the storm guard holds, and nothing
that fails the last look. All of it in the transaction of the claim, so that there is no moment in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from sqlalchemy import ColumnElement, Connection, and_, literal_column, select

from notifiers import guard, last_look, ledger, superseding, switch
from notifiers.deliveries import ChannelName, Mode
from notifiers.guard import Guard, Storm
from notifiers.ledger import Claimed
from notifiers.tables import ledger as ledger_rows


class _Terms(TypedDict):
    mode: Mode
    channel: ChannelName
    worker: str
    lease_s: float


@dataclass(frozen=True)
class Claimant:
    """Who claims what: one dispatcher for one channel."""

    mode: Mode
    channel: ChannelName
    worker: str
    lease_s: float
    guard: Guard | None = None

    def terms(self) -> _Terms:
        """What every claim of it says to the ledger."""
        return _Terms(mode=self.mode, channel=self.channel, worker=self.worker, lease_s=self.lease_s)


@dataclass(frozen=True)
class Taken:
    """What came of claiming.

    Attributes:
        rows: to be sent.
        put_aside: rows that were claimed and failed the last look: (state, number).
        storms: large notices that were planned since the last claim.
        stopped: all sending is stopped; nothing was claimed. ``position`` says since when, by whom and why.
    """

    rows: list[Claimed] = field(default_factory=list)
    put_aside: dict[str, int] = field(default_factory=dict)
    storms: list[Storm] = field(default_factory=list)
    stopped: bool = False
    position: str = ""


_MOST_LISTS = 8
"""Lists that are taken from in turn: with more, each claim would ask more questions than it takes rows."""


def take(
    connection: Connection,
    who: Claimant,
    limit: int,
    machine_s: float,
    now_s: float,
    *,
    only_urgent: bool = False,
    turn: int = 0,
) -> Taken:
    """Claim up to ``limit`` rows that may be sent now.

    Args:
        machine_s: the clock of leases; ``now_s``: the clock of ``valid_until``.
        only_urgent: nothing but the most urgent rows, because a ceiling is reached.
        turn: counts the claims of a lane; the lists of one priority come first in turn.
    """
    position = switch.position(connection)
    if position.stopped:
        return Taken(stopped=True, position=position.says)
    storms: list[Storm] = []
    if who.guard:
        storms = guard.admit(connection, who.mode, who.guard, machine_s)
    else:
        guard.admit_all(connection, who.mode)
    conditions = [ledger_rows.c.valid_until_s >= now_s]  # what is over waits for its end in words, not for a sender
    if who.guard:
        conditions.append(guard.may_go(who.guard))
    if only_urgent:
        conditions.append(guard.is_urgent())
    claimed = _claim_in_turn(connection, who, limit, machine_s, conditions, turn)
    claimed = superseding.shortened(connection, claimed, now_s)
    verdicts = last_look.look(connection, claimed, now_s)
    put_aside: dict[str, int] = {}
    for row in claimed:
        if row.id in verdicts and last_look.apply(connection, row, verdicts[row.id]):
            state = verdicts[row.id].state
            put_aside[state] = put_aside.get(state, 0) + 1
    idle = [row for row in claimed if row.id in verdicts and verdicts[row.id].reason == superseding.SUPERSEDED]
    if idle:
        put_aside["suppressed"] = put_aside.get("suppressed", 0) + superseding.sweep(connection, idle, now_s)
    rows = [row for row in claimed if row.id not in verdicts]
    return Taken(rows, put_aside, storms, position=position.says)


def _claim_in_turn(
    connection: Connection,
    who: Claimant,
    limit: int,
    machine_s: float,
    conditions: Sequence[ColumnElement[bool]],
    turn: int,
) -> list[Claimed]:
    """Rows of the highest priority there is, from each of its lists in the same measure; then whatever else is due.

    A list is what was decided at one hour. The list of a province with a million people takes hours; that of its
    neighbour, an hour younger, must not wait until it is through.
    """
    lists = _lists(connection, who)
    lists = lists[turn % len(lists) :] + lists[: turn % len(lists)] if lists else []
    share = max(1, -(-limit // max(len(lists), 1)))
    claimed: list[Claimed] = []
    for priority, time_s in lists if len(lists) > 1 else []:
        here = (ledger_rows.c.priority == priority, ledger_rows.c.notice_time_s == time_s)
        claimed += _claim(connection, who, min(share, limit - len(claimed)), machine_s, [*conditions, *here])
    return claimed + _claim(connection, who, limit - len(claimed), machine_s, conditions)


def _lists(connection: Connection, who: Claimant) -> list[tuple[int, int]]:
    """Priority and time of the lists of the highest priority that waits, the oldest first; one index look-up each."""
    waiting = (
        select(ledger_rows.c.priority, ledger_rows.c.notice_time_s)
        .where(ledger_rows.c.mode == who.mode, ledger_rows.c.channel == who.channel)
        .where(ledger_rows.c.state == literal_column("'planned'"))
        .order_by(ledger_rows.c.priority, ledger_rows.c.notice_time_s)
        .limit(1)
    )
    found: list[tuple[int, int]] = []
    row = connection.execute(waiting).first()
    while row is not None and len(found) < _MOST_LISTS:
        found.append((row.priority, row.notice_time_s))
        same = ledger_rows.c.priority == row.priority
        row = connection.execute(waiting.where(same, ledger_rows.c.notice_time_s > row.notice_time_s)).first()
    return found


def _claim(
    connection: Connection, who: Claimant, limit: int, machine_s: float, conditions: Sequence[ColumnElement[bool]]
) -> list[Claimed]:
    if limit <= 0:
        return []
    also = and_(*conditions) if conditions else None
    return ledger.claim(connection, limit=limit, machine_s=machine_s, also=also, **who.terms())


def take_unknown(connection: Connection, who: Claimant, limit: int, machine_s: float) -> list[Claimed]:
    """Claim rows whose lost answer can be asked for now. Asking sends nothing: it goes on while sending is stopped."""
    return ledger.claim_unknown(connection, limit=limit, machine_s=machine_s, **who.terms())
