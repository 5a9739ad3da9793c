"""What is let go late, by an officer's yes or by the storm guard's release, says only what nobody has said meanwhile.

While a notice waited it spoke for nobody (:mod:`notifiers.told`), so another rule of the same transition told its
people of all their places. They are not told the same a second time; who was left out by the other rule is told now.
Plants are asked all the same: two requests may ask for different things.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update
from sqlalchemy.orm import aliased

from notifiers.audience import Suppressed
from notifiers.ledger import STOOD_IN
from notifiers.place_lists import mentions, without
from notifiers.tables import ledger, notices
from notifiers.told import NOT_GOT
from rules.notices import Notice

_UNCLAIMED = ("planned", "held")


def give_way(connection: Connection, notice: Notice) -> int:
    """Take out of the unclaimed messages of a notice the places that other rules of its transition have told the
    recipient of, or are about to. Returns how many messages have nothing left to say and are suppressed."""
    if notice.audience.recipients != "residents" or not _has_company(connection, notice):
        return 0
    mine = and_(ledger.c.notice == notice.id, ledger.c.state.in_(_UNCLAIMED), ledger.c.places != "")
    _, speaks = _another(notice)

    def told(province: ColumnElement[str]) -> ColumnElement[bool]:
        other, speaks_too = _another(notice)
        return exists().where(speaks_too, mentions(other.c.places, province)).correlate_except(other)

    left = without(ledger.c.places, told)
    nothing = update(ledger).where(mine, exists().where(speaks), left == "")
    idle = {"state": "suppressed", "reason": Suppressed.ALREADY_TOLD.value, "revision": ledger.c.revision + 1}
    ended = connection.execute(nothing.values(**idle)).rowcount
    connection.execute(update(ledger).where(mine, exists().where(speaks), left != ledger.c.places).values(places=left))
    return ended


def _has_company(connection: Connection, notice: Notice) -> bool:
    return connection.execute(select(notices.c.id).where(*_beside(notices, notice)).limit(1)).first() is not None


def _another(notice: Notice) -> tuple[Any, ColumnElement[bool]]:
    """A row of another rule to the same recipient, and the test that it has been let go and was not in vain."""
    other, its_notice = aliased(ledger, name="other"), aliased(notices, name="other_notice")
    same = (other.c[name] == ledger.c[name] for name in ("recipient", "channel", "episode", "registry", "mode", "kind"))
    let_go = select(its_notice.c.id).where(*_beside(its_notice, notice), its_notice.c.guard == "open")
    beside = select(its_notice.c.id).where(*_beside(its_notice, notice))
    says = or_(
        other.c.state.not_in((*NOT_GOT, *_UNCLAIMED)),
        other.c.reason == STOOD_IN,
        and_(other.c.state == "planned", other.c.notice.in_(let_go)),
    )
    return other, and_(*same, other.c.notice.in_(beside), says)


def _beside(table: Any, notice: Notice) -> tuple[ColumnElement[bool], ...]:
    return table.c.episode == notice.episode, table.c.transition == notice.transition, table.c.id != notice.id
