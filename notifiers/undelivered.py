"""What becomes of a message that the provider had accepted and then could not deliver.

Twilio's 30003 says that the handset could not be reached (switched off, out of coverage): the message has surely not
arrived. 30008 says that the carrier gave no reason: it may have arrived all the same. 30001 says that the provider's
own queue was full: it never left. Every other code is final and kept as the provider gave it.

====== ============================================ ==================================================
code   requests, ends, instructions; all urgent     advisories, bulletins
====== ============================================ ==================================================
30001  once more, later                             once more, later
30003  once more, later; then the other channel     the other channel that the person has, if any
30008  once more, later                             nothing: a second copy would be worse than a gap
====== ============================================ ==================================================

The left column promises "at least once", so a 30008 is tried again although the first copy may turn up; the right one
promises "at most once", on any channel. "Once more" is counted in the attempts, and nothing is tried whose time of use
would be over by then. The provider's id of the message that ended is remembered: late copies of its callbacks move
nothing any more, and a look-up does not take it for the second message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, update

from notifiers.deliveries import DEFAULT_FALLBACKS, ChannelName
from notifiers.fallback import stand_in
from notifiers.guard import URGENT
from notifiers.ledger import NEVER_LEFT, SECOND_TRY_CODES, STOOD_IN, UNREACHABLE
from notifiers.settings import DEFAULT_POLICY, UnknownPolicy
from notifiers.tables import attempts, ledger
from notifiers.transitions import sources


class Next(StrEnum):
    """What follows when a message was not delivered."""

    AGAIN = "tries-again"  # the same row, once more
    OTHER_CHANNEL = "fallback"  # the row has failed, another one stands in for it
    NOTHING = "nothing"  # it has failed


@dataclass(frozen=True)
class SecondTries:
    """How an installation goes on after an undelivered message.

    Attributes:
        policy: by kind of notice; ``resend`` is the left column of the table above, ``leave`` the right one.
        fallbacks: by channel, the one that stands in for it.
        again_after_s: wait before the second try. Ten minutes: a handset that is off or in a lift rarely comes back
            within one, and an emergency is still of use after ten.
    """

    policy: Mapping[str, UnknownPolicy] = field(default_factory=lambda: dict(DEFAULT_POLICY))
    fallbacks: Mapping[ChannelName, ChannelName] = field(default_factory=lambda: dict(DEFAULT_FALLBACKS))
    again_after_s: float = 600.0

    def follow(self, connection: Connection, row: Row[Any], code: str, now_s: float) -> Next:
        """Do what follows for a row whose message has ended with ``code``; the caller has locked the row, and writes
        the end of the attempt down afterwards.

        Args:
            row: of the ledger, all columns.
            code: one of :data:`~notifiers.ledger.SECOND_TRY_CODES`.
            now_s: machine time; live, ``valid_until`` is of the same clock. In a replay of recorded time every time of
                use is over by it, so nothing is tried again.
        """
        insists = row.priority <= URGENT or self.policy.get(row.kind, "leave") == "resend"
        tried = _tried_again(connection, row.id)
        in_time = now_s + self.again_after_s < row.valid_until_s
        may = row.state in sources("second try", "planned") and not tried and in_time
        if may and (insists or code == NEVER_LEFT):
            self._plan_again(connection, row.id, code, now_s)
            return Next.AGAIN
        to = self.fallbacks.get(row.channel)
        if code == UNREACHABLE and to is not None and now_s < row.valid_until_s and stand_in(connection, row, to):
            return Next.OTHER_CHANNEL
        return Next.NOTHING

    def _plan_again(self, connection: Connection, delivery: str, code: str, now_s: float) -> None:
        connection.execute(
            update(ledger)
            .where(ledger.c.id == delivery)
            .values(
                state="planned",
                reason=code,
                due_s=now_s + self.again_after_s,
                provider_id=None,
                phase="",
                worker="",
                lease_until_s=0.0,
                epoch=ledger.c.epoch + 1,  # an answer to the first call that is still on its way finds itself fenced
            )
        )


def reason_of(following: Next, code: str) -> str:
    """Reason of the row that has failed: the code, or that another channel stands in for it (the code is then in the
    attempt)."""
    return STOOD_IN if following is Next.OTHER_CHANNEL else code


def _tried_again(connection: Connection, delivery: str) -> bool:
    """Whether an earlier attempt ended with one of these codes."""
    found = select(attempts.c.number).where(attempts.c.delivery == delivery, attempts.c.code.in_(SECOND_TRY_CODES))
    return connection.execute(found.limit(1)).first() is not None
