"""The last look at a message before it is sent: whether it is still true, still new, and may be heard at this hour.

Between planning and sending lie minutes or a night: quiet hours, an outage, a guard, a long list. A message is judged
by what holds when it is claimed. What fails the look ends with a named reason, or waits for the end of the quiet hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select, update

from notifiers import silences, standings, superseding
from notifiers.audience import Suppressed
from notifiers.guard import URGENT
from notifiers.holding import Held
from notifiers.ledger import WARNING_KINDS, Claimed, was_told
from notifiers.quiet_hours import own_quiet_until_s, quiet_until_s
from notifiers.silences import Silence
from notifiers.tables import ledger, notices, subscribers
from rules.notices import Notice, decoded
from streams.clock import utc
from streams.schemas import EpisodeEvent


@dataclass(frozen=True)
class Verdict:
    """Why a row is not sent now. ``held``: until ``hold_until_s``, on the clock of ``valid_until``."""

    state: Literal["suppressed", "held"]
    reason: str
    hold_until_s: int = 0


def look(connection: Connection, rows: Sequence[Claimed], now_s: float) -> dict[str, Verdict]:
    """The rows that are not to be sent now, by delivery id. ``now_s``: the clock that ``valid_until`` is of."""
    about = [row for row in rows if row.notice]  # a confirmation code belongs to no notice and goes at once
    if not about:
        return {}
    idle = superseding.idle(connection, about, now_s)
    told = _notices(connection, {row.notice for row in about})
    events = standings.of(connection, {row.episode for row in about}, now_s)
    hours = _own_hours(connection, about)
    silent = [one for one in silences.listed(connection, after_s=now_s) if one.holds(now_s)]
    quiet = {name: [one for one in silent if one.concerns(notice)] for name, notice in told.items()}
    verdicts = {}
    for row in about:
        if verdict := _idle_or_untold(connection, row, idle, told.get(row.notice)):
            verdicts[row.id] = verdict
        elif (notice := told.get(row.notice)) is not None:
            judged = (
                _untrue(row, notice, events.get(row.episode))
                or _silenced(row, quiet[row.notice])
                or _too_early(row, notice, hours, now_s)
            )
            if judged is not None:
                verdicts[row.id] = judged
    return verdicts


def apply(connection: Connection, row: Claimed, verdict: Verdict) -> bool:
    """Move a claimed row as judged. False when somebody else holds it by now."""
    moved = connection.execute(
        update(ledger)
        .where(ledger.c.id == row.id, ledger.c.epoch == row.epoch, ledger.c.state == "claimed")
        .values(
            state=verdict.state,
            reason=verdict.reason,
            hold_until_s=verdict.hold_until_s,
            worker="",
            lease_until_s=0.0,
            revision=ledger.c.revision + int(verdict.state == "suppressed"),
        )
    )
    return bool(moved.rowcount)


def _idle_or_untold(connection: Connection, row: Claimed, idle: set[str], notice: Notice | None) -> Verdict | None:
    """Ends and corrections are for who may have received what they are about; who was planned it may not have."""
    if row.id in idle:
        return Verdict("suppressed", superseding.SUPERSEDED)
    told_in = notice.audience.told_in if notice is not None else None
    if (row.kind == "all-clear" or told_in is not None) and not was_told(connection, row, told_in):
        return Verdict("suppressed", Suppressed.NOT_TOLD.value)
    return None


def _untrue(row: Claimed, notice: Notice, event: EpisodeEvent | None) -> Verdict | None:
    if event is None or notice.kind not in WARNING_KINDS:
        return None
    if standings.is_over(event):
        return Verdict("suppressed", Held.EPISODE_CLOSED.value)
    told = row.provinces or notice.audience.provinces
    return Verdict("suppressed", Held.EASED.value) if standings.has_eased(notice, event, told) else None


def _silenced(row: Claimed, by: Sequence[Silence]) -> Verdict | None:
    quiet = silences.silences_places(by, row.recipient, row.places)
    return Verdict("suppressed", Suppressed.SILENCED.value) if quiet else None


def _too_early(
    row: Claimed, notice: Notice, hours: dict[str, tuple[int | None, int | None]], now_s: float
) -> Verdict | None:
    """Quiet hours of the rule and of the person. What is urgent overrides the person's."""
    now = utc(now_s)
    of_rule = quiet_until_s(notice, now)
    of_person = 0
    if (
        row.registry == "residents"
        and row.recipient in hours
        and not (notice.priority <= URGENT and not notice.quiet_hours)
    ):
        of_person = own_quiet_until_s(*hours[row.recipient], notice.zone, now)
    until_s = max(of_rule, of_person)
    if not until_s:
        return None
    if until_s >= row.valid_until_s:
        return Verdict("suppressed", Held.ONLY_IN_QUIET_HOURS.value)
    return Verdict("held", (Held.QUIET_HOURS if of_rule >= of_person else Held.OWN_QUIET_HOURS).value, until_s)


def _notices(connection: Connection, ids: set[str]) -> dict[str, Notice]:
    found = connection.execute(select(notices.c.id, notices.c.body).where(notices.c.id.in_(sorted(ids))))
    return {row.id: decoded(row.body) for row in found}


def _own_hours(connection: Connection, rows: Sequence[Claimed]) -> dict[str, tuple[int | None, int | None]]:
    """Quiet hours of the residents among the recipients who have chosen some."""
    people = sorted({row.recipient for row in rows if row.registry == "residents"})
    if not people:
        return {}
    query = select(subscribers.c.subscriber_id, subscribers.c.quiet_from, subscribers.c.quiet_to)
    found = connection.execute(
        query.where(subscribers.c.subscriber_id.in_(people), subscribers.c.quiet_from.is_not(None))
    )
    return {row.subscriber_id: (row.quiet_from, row.quiet_to) for row in found}
