"""What a later message to the same recipient makes of an earlier one that has not gone out: idle, or shorter.

A later message speaks for the places it is about, and for no others. An all-clear takes its places out of what was to
warn of them; a newer message of the same kind says more of its own, and takes over the rest, so that people with
several places read one message. Only an earlier message that has no place left of which nothing newer is said is idle.
What waits for an officer or for the storm guard has said nothing yet, and ends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Float,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import aliased

from notifiers import guard
from notifiers.ledger import Claimed, precedes
from notifiers.place_lists import covers, holds, items, mentions, province_of, without
from notifiers.tables import ledger

Moment = float | BindParameter[float]
Rows = Callable[[Any], ColumnElement[bool]]
"""Which rows, as a test of the ledger or of an alias of it."""

SUPERSEDED = "superseded"
"""Reason of what has ended so."""

_AT_ONCE = 10_000  # rows: some tenths of a second
_UNCLAIMED = ("planned", "held")
_UNDER_WAY = ("claimed", "sending", "unknown", "sent", "delivered")


def superseded(now_s: float | None = None) -> ColumnElement[bool]:
    """Of a ledger row: whether later messages, of ``now_s`` at the latest, speak for every place it is about."""
    place = items(ledger.c.places)
    left = exists().select_from(place).where(~_spoken_for(province_of(place.c.value), now_s)).correlate_except(place)
    return and_(_followed(now_s), ~left)


def give_way(connection: Connection, which: Rows, now_s: float) -> None:
    """Take out of rows, none of which is superseded, the places that others speak for, and let the newest unclaimed
    message of the kind take over the rest; what it took over is superseded then."""
    partly = and_(which(ledger), _followed(now_s))
    if connection.execute(select(ledger.c.id).where(partly).limit(1)).first() is None:
        return
    left = without(ledger.c.places, lambda province: _spoken_for(province, now_s, _UNDER_WAY))
    connection.execute(update(ledger).where(partly, left.not_in(("", ledger.c.places))).values(places=left))
    _hand_over(connection, which, now_s)


def shortened(connection: Connection, rows: Sequence[Claimed], now_s: float) -> list[Claimed]:
    """Claimed rows after they have given way; those that are superseded are left as they are."""
    followed = _followed_among(connection, rows, now_s)
    if not followed:
        return list(rows)
    partly = select(ledger.c.id).where(ledger.c.id.in_(followed), ~superseded(now_s))
    found = list(connection.execute(partly).scalars())
    if not found:
        return list(rows)
    give_way(connection, lambda table: table.c.id.in_(found), now_s)
    query = select(ledger.c.id, ledger.c.places).where(ledger.c.id.in_(found))
    places = {row.id: row.places for row in connection.execute(query)}
    return [replace(row, places=places.get(row.id, row.places)) for row in rows]


def idle(connection: Connection, rows: Sequence[Claimed], now_s: float) -> set[str]:
    """The ids of those of claimed rows that are superseded."""
    followed = _followed_among(connection, rows, now_s)
    if not followed:
        return set()
    return set(connection.execute(select(ledger.c.id).where(ledger.c.id.in_(followed), superseded(now_s))).scalars())


def sweep(connection: Connection, rows: Sequence[Claimed], now_s: float) -> int:
    """End more planned messages of the notices of these rows, which were superseded, as far as they are as well: or a
    list of a million would be claimed a few at a time to find out. Returns how many, at most 10 000 of a notice."""
    ended = 0
    for mode, channel, notice, priority, time_s in {
        (row.mode, row.channel, row.notice, row.priority, row.notice_time_s) for row in rows
    }:
        waiting = (
            select(ledger.c.id)
            .where(ledger.c.mode == mode, ledger.c.channel == channel, ledger.c.state == literal_column("'planned'"))
            .where(ledger.c.priority == priority, ledger.c.notice_time_s == time_s, ledger.c.notice == notice)
            .where(superseded(now_s))
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        ids = list(connection.execute(waiting).scalars())
        idle = update(ledger).where(ledger.c.id.in_(ids))
        if ids:
            connection.execute(idle.values(state="suppressed", reason=SUPERSEDED, revision=ledger.c.revision + 1))
        ended += len(ids)
    return ended


def _hand_over(connection: Connection, which: Rows, now_s: float) -> None:
    older, taker, newer = (aliased(ledger, name=name) for name in ("older", "taker", "newer"))
    places, rules = items(older.c.places), items(older.c.rules)
    yields = and_(which(older), precedes(older, ledger), older.c.kind == ledger.c.kind)
    takes = (taker.c.kind == older.c.kind, taker.c.state.in_(_UNCLAIMED), _has_happened(taker, now_s))
    is_newest = ~exists().where(
        precedes(taker, newer),
        newer.c.kind == taker.c.kind,
        newer.c.state.in_(_UNCLAIMED),
        _has_happened(newer, now_s),
        _is_let_go(newer),
    )
    # driven by the few that yield, not by all that are planned
    takers = select(taker.c.id).where(
        which(older),
        precedes(older, taker),
        *takes,
        _is_let_go(taker),
        is_newest,
        ~covers(taker.c.places, older.c.places),
    )
    more_places = _added(older, places, yields, ~mentions(ledger.c.places, province_of(places.c.value)))
    more_rules = _added(older, rules, yields, ~holds(ledger.c.rules, rules.c.value))
    connection.execute(
        update(ledger)
        .where(ledger.c.id.in_(takers))
        .values(places=ledger.c.places + more_places, rules=ledger.c.rules + more_rules)
    )


def _added(older: Any, parts: Any, *tests: ColumnElement[bool]) -> ColumnElement[str]:
    """What is put behind a list: each part once, in order, with a comma in front."""
    once = select(parts.c.value).select_from(older.join(parts, true())).where(*tests)
    each = once.distinct().order_by(parts.c.value).correlate(ledger).subquery()
    return func.coalesce(select(func.aggregate_strings("," + each.c.value, "")).scalar_subquery(), "")


def _followed(now_s: Moment | None) -> ColumnElement[bool]:
    _, speaks = _speaker(now_s, _UNCLAIMED + _UNDER_WAY)
    return exists().where(speaks)


def _followed_among(connection: Connection, rows: Sequence[Claimed], now_s: float) -> list[str]:
    """The cheap half of the question whether a row is superseded, asked at every claim: of a warning that nothing has
    followed yet, the other half need not be asked."""
    asked = {"among": [row.id for row in rows], "until_s": now_s}
    return list(connection.execute(_followed_statement(), asked).scalars()) if rows else []


@lru_cache(maxsize=1)
def _followed_statement() -> Select[str]:
    now_s = bindparam("until_s", type_=Float)
    return select(ledger.c.id).where(ledger.c.id.in_(bindparam("among", expanding=True)), _followed(now_s))


def _spoken_for(
    province: ColumnElement[str], now_s: Moment | None, states: Sequence[str] = _UNCLAIMED + _UNDER_WAY
) -> ColumnElement[bool]:
    later, speaks = _speaker(now_s, states)
    return exists().where(speaks, mentions(later.c.places, province)).correlate_except(later)


def _speaker(now_s: Moment | None, states: Sequence[str]) -> tuple[Any, ColumnElement[bool]]:
    """A later row, and the test that it speaks for its places: an end whatever became of it, a newer message of the
    kind if it is in one of these states."""
    later = aliased(ledger, name="later")
    speaks = and_(
        precedes(ledger, later),
        _has_happened(later, now_s),
        _is_let_go(later),
        or_(later.c.kind == "all-clear", and_(later.c.kind == ledger.c.kind, later.c.state.in_(states))),
    )
    return later, speaks


def _is_let_go(row: Any) -> ColumnElement[bool]:
    return and_(~and_(row.c.state == "held", row.c.reason == "approval"), guard.admitted(row))


def _has_happened(row: Any, now_s: Moment | None) -> ColumnElement[bool]:
    return true() if now_s is None else row.c.notice_time_s <= now_s
