"""The one switch that stops all sending. It lies in the ledger's database: every dispatcher sees it at its next claim.

Switching is written down and never changed: the latest entry is how the switch stands. A stopped dispatcher claims
nothing and begins nothing; what a provider has been asked already cannot be taken back, and its answer is still
written down. Escalations make no calls; messages whose time of use passes meanwhile expire as always.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from notifiers.accountable import LONGEST, officer_of, reason_of
from notifiers.tables import switchings


@dataclass(frozen=True)
class Position:
    """How the switch stands.

    Attributes:
        stopped: nothing is sent.
        officer / reason: who switched it last, and why; empty if it was never touched.
        time_s: when, UTC epoch seconds.
    """

    stopped: bool
    officer: str = ""
    reason: str = ""
    time_s: float = 0.0

    @property
    def says(self) -> str:
        """Who switched it, and why."""
        return f"{self.officer}: {self.reason}" if self.officer else ""


_LATEST = select(switchings).order_by(switchings.c.number.desc()).limit(1)


def position(connection: Connection) -> Position:
    """How the switch stands now."""
    row = connection.execute(_LATEST).first()
    return Position(False) if row is None else Position(bool(row.stopped), row.officer, row.reason, row.time_s)


def history(connection: Connection) -> list[Position]:
    """Every switching, the newest first."""
    rows = connection.execute(select(switchings).order_by(switchings.c.number.desc()))
    return [Position(bool(row.stopped), row.officer, row.reason, row.time_s) for row in rows]


def stop(connection: Connection, officer: str, reason: str, now_s: float) -> bool:
    """Stop all sending. False when it is stopped already; that is written down all the same, with the new reason.

    Raises:
        InputError: without an officer or a reason.
    """
    return _switch(connection, officer, reason, now_s, stopped=True)


def resume(connection: Connection, officer: str, reason: str, now_s: float) -> bool:
    """Let sending go on. False when nothing was stopped; then nothing is written down."""
    if not position(connection).stopped:
        return False
    return _switch(connection, officer, reason, now_s, stopped=False)


def _switch(connection: Connection, officer: str, reason: str, now_s: float, *, stopped: bool) -> bool:
    officer = officer_of(officer, "say who switches", longest=LONGEST)
    reason = reason_of(reason, "say why, in a few words", longest=LONGEST)
    changes = position(connection).stopped is not stopped
    connection.execute(insert(switchings).values(stopped=int(stopped), officer=officer, reason=reason, time_s=now_s))
    return changes
