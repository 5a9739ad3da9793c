"""Taking back a warning that was wrong: an apology to exactly those who may have got it, and to nobody else.

A false alarm by a faulty station, a wrong level in a pack, an exercise that looked live: an officer decides that a
notice was wrong, never the system. Its messages that have not gone out are withdrawn in the same transaction, whoever
may have received one is told that it was wrong, and the public alert is cancelled. The words are there before anybody
needs them (``notifiers/templates/retraction.*``); it needs no second yes, the storm guard does not hold it, and no
silence does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, func, select, update

from notifiers.accountable import officer_of, reason_of
from notifiers.audience import may_have_got
from notifiers.ledger import WARNING_KINDS
from notifiers.planner import load_notice, plan
from notifiers.tables import ledger, notices
from notifiers.transitions import sources
from rules.notices import Audience, Notice, notice_id
from streams.errors import InputError

RULE = "retraction"
"""In the place of a rule's id: no rule makes it. Also the family of its templates."""
_HOURS = 24
"""For how long it is of use: whoever switches the telephone on tomorrow has read the warning first."""
_MOST_PRIORITY = 1
_SMS_PARTS = 2
_REMEDY = "say who takes it back, and why"


@dataclass(frozen=True)
class Retracted:
    """What a retraction does, or has done.

    Attributes:
        notice: the notice that takes back.
        withdrawn: messages that had not gone out, and will not.
        told: messages that may have arrived: to their recipients it goes, unless they have stopped since.
        before: it was retracted before; nothing changed.
    """

    notice: Notice
    withdrawn: int
    told: int
    before: bool


def retract(
    connection: Connection, wrong: str, officer: str, reason: str, now: datetime, *, dry: bool = False
) -> Retracted:
    """Take back a notice.

    Args:
        wrong: its id.
        now: on the clock that ``valid_until`` is of.
        dry: change nothing, only say what would be done.

    Raises:
        InputError: there is no such notice, it warned nobody, or nobody or no reason is named.
    """
    officer = officer_of(officer, _REMEDY, missing="no officer is given")
    reason = reason_of(reason, _REMEDY)
    try:
        said = load_notice(connection, wrong)
    except LookupError:
        raise InputError(f"there is no notice {wrong}", remedy="see `airshed dispatch held` or notices.jsonl") from None
    if said.kind not in WARNING_KINDS or said.audience.recipients == "authorities":
        raise InputError(
            f"{wrong} is a notice of kind {said.kind} to {said.audience.recipients}",
            remedy="only warnings and requests to residents and plants can be taken back",
        )
    made = _notice(said, f"{officer}: {reason}", now)
    before = connection.execute(select(notices.c.id).where(notices.c.id == made.id)).first() is not None
    counted = Retracted(made, *_counts(connection, wrong), before)
    if not dry and not before:
        plan(connection, made)
        connection.execute(update(notices).where(notices.c.id == made.id).values(guard="open"))
    return counted


def _notice(said: Notice, why: str, now: datetime) -> Notice:
    """``onset`` is when the wrong notice spoke: the words name it. What could come at night is taken back at night."""
    audience = Audience(recipients=said.audience.recipients, provinces=list(said.audience.provinces), corrects=said.id)
    return msgspec.structs.replace(
        said,
        id=notice_id(said.episode, said.transition, RULE, audience),
        kind="bulletin",
        rule=RULE,
        template=RULE,
        audience=audience,
        onset=said.time,
        time=now,
        valid_until=now + timedelta(hours=_HOURS),
        priority=min(said.priority, _MOST_PRIORITY),
        sms_parts=max(said.sms_parts, _SMS_PARTS),
        provinces=[],  # its values were what was wrong
        actions={},
        approval="none",
        reason=f"retracted by {why}",
    )


def _counts(connection: Connection, wrong: str) -> tuple[int, int]:
    of_it = select(func.count()).select_from(ledger).where(ledger.c.notice == wrong)
    unsent = ledger.c.state.in_(sources("withdraw", "suppressed"))
    return (
        connection.execute(of_it.where(unsent)).scalar_one(),
        connection.execute(of_it.where(~unsent, may_have_got(ledger))).scalar_one(),
    )
