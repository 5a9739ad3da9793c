"""Following requests up, beside the sending: escalations are moved on, audited, and operators told of what they must
know."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import structlog
from sqlalchemy import Connection

from notifiers import escalations, operators, switch
from notifiers.deliveries import ChannelName, Mode
from notifiers.escalation import EscalationPlan, Happened
from notifiers.escalations import Move
from notifiers.operators import Occasion, OperatorEvent

_log = structlog.get_logger(__name__)

_WORDS = {
    Happened.EXHAUSTED: (Occasion.UNANSWERED, "all calls were made and nobody has answered"),
    Happened.NOTHING_FOLLOWED: (Occasion.UNANSWERED, "it was accepted, but neither started nor done; calls go on"),
    Happened.REFUSED: (Occasion.REFUSED, "it was refused; the reason stands in `airshed facilities escalations`"),
}


class FollowUp:
    """The escalations of one dispatcher's mode."""

    def __init__(self, mode: Mode, plans: Sequence[EscalationPlan], served: Collection[ChannelName]) -> None:
        self._mode: Mode = mode
        self._plans, self._served = plans, served

    def turn(self, connection: Connection, now_s: float) -> list[Move]:
        """One look at everything that is followed up, in the caller's transaction. While all sending is stopped no
        call is made; the calls go on where they were."""
        if switch.position(connection).stopped:
            return []
        if late := escalations.overdue(connection, self._mode, now_s):
            says = f"{late} escalations stood still: no dispatcher was at work. They go on now."
            operators.tell(OperatorEvent(occasion=Occasion.OVERDUE, about="escalations", says=says))
        moves = escalations.tick(connection, self._mode, self._plans, self._served, now_s)
        for move in moves:
            _tell(move)
        return moves


def _tell(move: Move) -> None:
    to, what = move.decision.standing, move.decision
    _log.info(
        "escalation",
        notice=move.notice,
        facility=move.recipient,
        state=to.state,
        reason=to.reason,
        call=what.call or "",
    )
    if what.happened is not None:
        occasion, says = _WORDS[what.happened]
        which = f"{move.recipient} {move.notice[:8]}"
        operators.tell(OperatorEvent(occasion=occasion, about=which, says=f"request to {move.recipient}: {says}"))
