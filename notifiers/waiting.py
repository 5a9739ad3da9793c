"""How long a message waits for the morning: the pack's quiet hours and the recipient's own, as SQL over many rows.

A message waits while the pack's quiet hours last, and then, or from the start, while the recipient's own do. What is
urgent (priority 0) does not wait for a recipient's own quiet hours: a pack gives that priority to emergencies only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Integer, String, and_, case, literal, or_

from notifiers.holding import Held
from notifiers.quiet_hours import quiet_until_s
from rules.notices import Notice
from streams.clock import utc

_DAY_S = 86_400
_SURELY_CHANGED = time(6)  # clocks are changed before this hour, wherever they are


@dataclass(frozen=True)
class Wait:
    """State, reason, end of the wait (UTC epoch seconds, 0 for none) and revision of rows, as SQL."""

    state: ColumnElement[str]
    reason: ColumnElement[str]
    hold_until_s: ColumnElement[int]
    revision: ColumnElement[int]

    @classmethod
    def constant(cls, state: str, reason: str, until_s: int = 0) -> Wait:
        """The same for every row."""
        return cls(
            literal(state, String()),
            literal(reason, String()),
            literal(until_s, BigInteger()),
            literal(int(state == "suppressed"), Integer()),
        )

    def unless(self, reason: ColumnElement[str]) -> Wait:
        """This, but suppressed where there is a reason."""
        return _either(reason != "", replace(Wait.constant("suppressed", ""), reason=reason), self)


def own_wait_in_sql(notice: Notice, moment: datetime, quiet_from: Any, quiet_to: Any) -> ColumnElement[int]:
    """When the recipient's own quiet hours that hold a message end, UTC epoch seconds; 0 if they do not hold it.

    Args:
        moment: when messages of the notice could go out.
        quiet_from: SQL: when the recipient's quiet hours begin, minutes of the local day; null for none.
        quiet_to: SQL: when they end; they may run over midnight.
    """
    if notice.audience.recipients != "residents" or notice.priority == 0:
        return literal(0, BigInteger())
    pack_until_s = quiet_until_s(notice, moment)
    inside, until = _own_quiet_hours(notice, utc(pack_until_s) if pack_until_s else moment, quiet_from, quiet_to)
    return case((inside, until), else_=0)


def wait_in_sql(notice: Notice, moment: datetime, own_until_s: ColumnElement[int]) -> Wait:
    """What becomes of messages of a notice that could go out at ``moment``; see :func:`own_wait_in_sql`."""
    pack_until_s = quiet_until_s(notice, moment)
    plain = _held_until(notice, pack_until_s) if pack_until_s else Wait.constant("planned", "planned")
    too_long = Wait.constant("suppressed", Held.ONLY_IN_QUIET_HOURS.value)
    held = replace(Wait.constant("held", Held.QUIET_HOURS.value), hold_until_s=own_until_s)
    waits = _either(own_until_s >= int(notice.valid_until.timestamp()), too_long, held)
    return _either(own_until_s > 0, waits, plain)


def _held_until(notice: Notice, until_s: int) -> Wait:
    if until_s >= notice.valid_until.timestamp():
        return Wait.constant("suppressed", Held.ONLY_IN_QUIET_HOURS.value)
    return Wait.constant("held", Held.QUIET_HOURS.value, until_s)


def _own_quiet_hours(
    notice: Notice, moment: datetime, quiet_from: Any, quiet_to: Any
) -> tuple[ColumnElement[bool], ColumnElement[int]]:
    """Whether ``moment`` lies in a recipient's quiet hours, and when they end, UTC epoch seconds.

    The day is counted from a morning hour by which a change of the clocks is over, so that an end after it is right on
    such days too; one before it may be an hour off, twice a year.
    """
    local = moment.astimezone(ZoneInfo(notice.zone))
    minute = local.hour * 60 + local.minute
    morning = datetime.combine(local.date(), _SURELY_CHANGED, local.tzinfo)
    day_s = int(morning.timestamp()) - _SURELY_CHANGED.hour * 3600
    over_midnight = quiet_to < quiet_from
    begun, not_ended = quiet_from <= minute, quiet_to > minute
    inside = or_(and_(over_midnight, or_(begun, not_ended)), and_(begun, not_ended))
    until: Any = literal(day_s, BigInteger()) + quiet_to * 60 + case((and_(over_midnight, begun), _DAY_S), else_=0)
    return and_(quiet_from.is_not(None), quiet_to.is_not(None), inside), until


def _either(test: ColumnElement[bool], one: Wait, other: Wait) -> Wait:
    return Wait(
        case((test, one.state), else_=other.state),
        case((test, one.reason), else_=other.reason),
        case((test, one.hold_until_s), else_=other.hold_until_s),
        case((test, one.revision), else_=other.revision),
    )
