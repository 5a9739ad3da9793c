"""How a row of the ledger is moved by whoever holds it, and how an attempt ends: statements made once, run for every
message."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Update, and_, bindparam, func, select, update

from notifiers.deliveries import DeliveryState
from notifiers.tables import attempts, ledger

_LATEST = select(func.max(attempts.c.number)).where(attempts.c.delivery == bindparam("of")).scalar_subquery()
_OVERWRITTEN = (
    update(attempts)
    .where(attempts.c.delivery == bindparam("of"), attempts.c.number == _LATEST)
    .values(outcome=bindparam("became"), code=bindparam("by"), ended_s=bindparam("at_s"))
)
_ENDED = _OVERWRITTEN.where(attempts.c.outcome.in_(("", "unknown")))


class Moved(StrEnum):
    """What came of asking for a transition."""

    APPLIED = "applied"
    ALREADY_THERE = "already-there"  # a repeat; nothing changed
    FENCED = "fenced"  # somebody else holds the row by now
    BACKWARD = "backward"  # the row is further on; late news change nothing
    NO_SUCH_DELIVERY = "no-such-delivery"


def move(
    connection: Connection,
    delivery: str,
    epoch: int,
    *,
    from_states: tuple[DeliveryState, ...],
    values: dict[str, Any],
    tells: bool = False,
    held_at_s: float | None = None,
) -> Moved:
    """Move a row that is still the holder's. ``tells``: the world is to hear of it; ``held_at_s``: only under a lease
    that lasts beyond this time."""
    statement = _moving(tuple(values), from_states, tells=tells, held=held_at_s is not None)
    given = {f"new_{name}": value for name, value in values.items()} | {"of": delivery, "held_epoch": epoch}
    changed = connection.execute(statement, given if held_at_s is None else given | {"at_s": held_at_s})
    if changed.rowcount:
        return Moved.APPLIED
    now = connection.execute(select(ledger.c.state, ledger.c.epoch).where(ledger.c.id == delivery)).first()
    if now is None:
        return Moved.NO_SUCH_DELIVERY
    if now.epoch != epoch or now.state in from_states:
        return Moved.FENCED
    return Moved.ALREADY_THERE if now.state == values.get("state") else Moved.BACKWARD


@lru_cache(maxsize=64)
def _moving(names: tuple[str, ...], from_states: tuple[DeliveryState, ...], *, tells: bool, held: bool) -> Update:
    """The statement of one kind of move. Made anew for every message it took a quarter of a dispatcher's work."""
    mine = and_(ledger.c.id == bindparam("of"), ledger.c.epoch == bindparam("held_epoch"))
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=ledger.c[name].type) for name in names}
    if tells:
        values["revision"] = ledger.c.revision + 1
    statement = update(ledger).where(mine, ledger.c.state.in_(from_states)).values(values)
    return statement.where(ledger.c.lease_until_s > bindparam("at_s")) if held else statement


def end_attempt(
    connection: Connection, delivery: str, outcome: str, code: str, machine_s: float, *, overwrite: bool = False
) -> None:
    """Write down what became of the latest attempt at a delivery, unless that is known already; ``overwrite``: even
    then, because what was accepted could not be delivered."""
    connection.execute(
        _OVERWRITTEN if overwrite else _ENDED, {"of": delivery, "became": outcome, "by": code, "at_s": machine_s}
    )
