"""What a dispatcher may take up now: nothing while all sending is stopped, nothing the storm guard holds, and nothing
that fails the last look. All of it in the transaction of the claim, so that there is no moment in between."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, and_

from notifiers import guard, last_look, ledger, switch
from notifiers.deliveries import ChannelName
from notifiers.guard import Guard, Storm
from notifiers.ledger import Claimed, Mode


@dataclass(frozen=True)
class Claimant:
    """Who claims what: one dispatcher for one channel."""

    mode: Mode
    channel: ChannelName
    worker: str
    lease_s: float
    guard: Guard | None = None


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


def take(
    connection: Connection, who: Claimant, limit: int, machine_s: float, now_s: float, *, only_urgent: bool = False
) -> Taken:
    """Claim up to ``limit`` rows that may be sent now.

    Args:
        machine_s: the clock of leases; ``now_s``: the clock of ``valid_until``.
        only_urgent: nothing but the most urgent rows, because a ceiling is reached.
    """
    position = switch.position(connection)
    if position.stopped:
        return Taken(stopped=True, position=position.says)
    storms = guard.admit(connection, who.mode, who.guard, machine_s) if who.guard else []
    conditions = [guard.admitted()] if who.guard else []
    if only_urgent:
        conditions.append(guard.is_urgent())
    claimed = ledger.claim(
        connection,
        mode=who.mode,
        channel=who.channel,
        limit=limit,
        worker=who.worker,
        lease_s=who.lease_s,
        machine_s=machine_s,
        also=and_(*conditions) if conditions else None,
    )
    verdicts = last_look.look(connection, claimed, now_s)
    put_aside: dict[str, int] = {}
    for row in claimed:
        if row.id in verdicts and last_look.apply(connection, row, verdicts[row.id]):
            state = verdicts[row.id].state
            put_aside[state] = put_aside.get(state, 0) + 1
    rows = [row for row in claimed if row.id not in verdicts]
    return Taken(rows, put_aside, storms, position=position.says)


def take_unknown(connection: Connection, who: Claimant, limit: int, machine_s: float) -> list[Claimed]:
    """Claim rows whose lost answer can be asked for now. Asking sends nothing: it goes on while sending is stopped."""
    return ledger.claim_unknown(
        connection,
        mode=who.mode,
        channel=who.channel,
        limit=limit,
        worker=who.worker,
        lease_s=who.lease_s,
        machine_s=machine_s,
    )
