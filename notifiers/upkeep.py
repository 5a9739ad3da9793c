"""What keeps the ledger moving when a dispatcher has died or a time has passed, and what it forgets in time."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Update, and_, or_, update

from notifiers import confirmations, quotas
from notifiers.deliveries import Mode
from notifiers.holding import expire_held
from notifiers.tables import attempts, ledger
from notifiers.transitions import sources


def recover(connection: Connection, worker: str | None, machine_s: float, lookup_after_s: float) -> dict[str, int]:
    """Take back what dead dispatchers held: rows whose lease has run out, and at a start those of ``worker`` at once.

    Claimed rows and attempts that had not yet reached the point of acceptance become ``planned``; attempts
    beyond it become ``unknown``, to be looked up after ``lookup_after_s``. Returns how many of each.
    Two dispatchers must not share a name (:mod:`notifiers.dispatcher_names` sees to it): the second would take the
    first one's rows.
    """
    dead = ledger.c.lease_until_s <= machine_s
    if worker is not None:
        dead = or_(ledger.c.worker == worker, dead)
    freed: dict[str, Any] = {"worker": "", "lease_until_s": 0.0, "epoch": ledger.c.epoch + 1}
    untouched = or_(ledger.c.state == "claimed", and_(ledger.c.state == "sending", ledger.c.phase == "connect"))
    planned = update(ledger).where(ledger.c.state.in_(sources("recover", "planned")), dead, untouched)
    unknown = update(ledger).where(ledger.c.state == "sending", dead)
    lookup = {"state": "unknown", "reason": "interrupted", "due_s": machine_s + lookup_after_s}
    back = {
        "planned": _move(connection, planned.values(state="planned", reason="recovered", **freed)),
        "unknown": _move(connection, unknown.values(**lookup, **freed)),
    }
    _end_attempts(connection, back["planned"], "planned", "recovered", machine_s)
    _end_attempts(connection, back["unknown"], "unknown", "interrupted", machine_s)
    held = update(ledger).where(ledger.c.state == "unknown", ledger.c.worker != "", dead)
    connection.execute(held.values(**freed))
    return {state: len(rows) for state, rows in back.items()}


def _move(connection: Connection, change: Update) -> list[str]:
    return list(connection.execute(change.returning(ledger.c.id)).scalars())


def _end_attempts(connection: Connection, rows: list[str], outcome: str, code: str, machine_s: float) -> None:
    """The attempts that a death has cut off say so; the audit counts a provider's silence from their end."""
    if not rows:
        return
    begun = update(attempts).where(attempts.c.delivery.in_(rows), attempts.c.outcome == "")
    connection.execute(begun.values(outcome=outcome, code=code, ended_s=machine_s))


def expire(connection: Connection, mode: Mode, now_s: float) -> dict[str, int]:
    """Close the planned and held rows whose time of use is over (``now_s``: the clock that ``valid_until`` is of).

    Returns how many by channel.
    """
    closed = connection.execute(
        update(ledger)
        .where(ledger.c.mode == mode, ledger.c.state == "planned", ledger.c.valid_until_s < now_s)
        .values(state="expired", reason="too-late", revision=ledger.c.revision + 1)
        .returning(ledger.c.channel)
    )
    return dict(Counter([*closed.scalars(), *expire_held(connection, mode, now_s)]))


def forget(connection: Connection, now_s: float) -> int:
    """Drop sign-ups that nobody confirmed within a day, with the contacts in them, and who asked for codes how often.

    Also where nobody signs up any more: the promise to people does not hang on the next one who comes. Returns how many
    requests for a code were dropped; there may be more when it is not 0.
    """
    quotas.forget(connection, now_s)
    return confirmations.forget(connection, now_s)
