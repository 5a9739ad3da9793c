"""Silences: an officer keeps a rule, a province or a plant quiet until a stated time, and says why.

For station maintenance, a plant that is shut down, or words that are being mended: what everybody knows already should
not wake anybody. A silence is neither an approval (which lets one notice out) nor the stop switch (which holds
everything back): what it keeps quiet is not sent later. Each row it keeps quiet stands in the ledger as ``suppressed``,
reason ``silenced``.

* It has an author, a reason and an end; nothing lasts longer than :data:`LONGEST_S`. It is ended early, never changed.
* Whoever is warned in several provinces is told if one of them is not silenced.
* What is urgent (priority 0) goes out all the same, unless the silence says that it means that too.
* Ends and corrections are never silenced: who was warned before must hear that it is over.
* Who was silenced counts as not told: the next notice after the silence reaches them, and no all-clear before it.

The planner asks by the hour a notice is about, inside its INSERT … SELECT; the last look before sending asks again by
the time it is then, so that a silence also holds what was planned a moment before it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, false, func, insert, literal, or_, select, true, update

from notifiers.accountable import LONGEST, officer_of, reason_of
from notifiers.guard import URGENT
from notifiers.place_lists import mentions, provinces_in
from notifiers.tables import ledger, notices, silences
from rules.notices import Notice, Recipients, decoded
from streams.clock import HOUR_S
from streams.errors import InputError

LONGEST_S = 31 * 24 * HOUR_S
"""A month. Longer than any maintenance; what should never be said belongs into the rule pack."""
_REMEDY = "say who silences, and why, in a few words"


@dataclass(frozen=True, kw_only=True)
class Silence:
    """What is not said, and why. An empty field means any.

    Attributes:
        id: short, for the command line.
        from_s / until_s: UTC epoch seconds; ``until_s`` is where it really ended, if it was ended early.
        rule: id of a rule of the pack.
        recipients: ``residents`` or ``facilities``.
        provinces: codes; a message is silenced if every place it is about lies in them.
        facility: id of one plant.
        urgent: silences what is urgent as well.
        ended_by / ended_reason: who ended it early.
    """

    id: str
    officer: str
    reason: str
    created_s: float
    from_s: int
    until_s: int
    rule: str = ""
    recipients: Recipients | str = ""
    provinces: tuple[str, ...] = ()
    facility: str = ""
    urgent: bool = False
    ended_by: str = ""
    ended_reason: str = ""

    def holds(self, moment_s: float) -> bool:
        """Whether it is in force."""
        return self.from_s <= moment_s < self.until_s

    def concerns(self, notice: Notice) -> bool:
        """Whether it can keep messages of a notice quiet, as far as the notice itself says."""
        if notice.kind == "all-clear" or notice.audience.corrects is not None:
            return False
        if notice.priority <= URGENT and not self.urgent:
            return False
        if self.facility and notice.audience.recipients != "facilities":
            return False
        return self.rule in ("", notice.rule) and self.recipients in ("", notice.audience.recipients)


def add(connection: Connection, silence: Silence, now_s: float) -> Silence:
    """Put a silence in force. Returns it with its id.

    Raises:
        InputError: it silences everything, has no author or reason, is over already, or lasts too long.
    """
    officer, reason = _said(silence.officer, silence.reason)
    if not (silence.rule or silence.provinces or silence.facility):
        raise InputError(
            "it would silence everything",
            remedy="name a rule, a province or a plant; to stop all: `airshed dispatch stop`",
        )
    if silence.until_s <= now_s or silence.until_s <= silence.from_s:
        raise InputError("it would be over before it begins", field="until", remedy="give a later end")
    if silence.until_s - silence.from_s > LONGEST_S:
        raise InputError(
            f"it would last longer than {LONGEST_S // 86_400} days", field="until", remedy="give an end sooner"
        )
    values = {name: getattr(silence, name) for name in Silence.__dataclass_fields__}
    values |= {"id": uuid.uuid4().hex[:8], "officer": officer, "reason": reason, "created_s": now_s}
    connection.execute(insert(silences).values(_row(values)))
    return Silence(**values)


def end(connection: Connection, silence: str, officer: str, reason: str, now_s: float) -> bool:
    """End a silence now. False when there is none of that id that is not over.

    Raises:
        InputError: without an officer or a reason.
    """
    officer, reason = _said(officer, reason)
    open_one = update(silences).where(silences.c.id == silence, silences.c.until_s > now_s)
    until = {"until_s": int(now_s), "ended_by": officer, "ended_reason": reason}
    return connection.execute(open_one.values(until)).rowcount > 0


def listed(connection: Connection, *, after_s: float = 0.0) -> list[Silence]:
    """Silences that were not over by ``after_s``, the latest end first."""
    query = select(silences).where(silences.c.until_s > after_s)
    rows = connection.execute(query.order_by(silences.c.until_s.desc(), silences.c.id))
    return [_silence(row) for row in rows]


def in_force(connection: Connection, notice: Notice, moment_s: float) -> list[Silence]:
    """Those that may keep messages of a notice quiet at a moment."""
    return [one for one in listed(connection, after_s=moment_s) if one.holds(moment_s) and one.concerns(notice)]


def silenced(
    notice: Notice, by: Sequence[Silence], recipient: ColumnElement[str], places: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether a message of a notice is silenced, as SQL: by its recipient and the places of theirs it is about."""
    tests: list[ColumnElement[bool]] = []
    for facility, provinces in _scopes(by):
        # rather what is left outside: with the notice's few provinces that is a look at a short text, on any database
        outside = [code for code in notice.audience.provinces if provinces and code not in provinces]
        inside = and_(true(), *(~mentions(places, literal(code)) for code in outside))
        tests.append(and_(inside, recipient == facility) if facility else inside)
    return or_(false(), *tests)


def silences_places(by: Sequence[Silence], recipient: str, places: str) -> bool:
    """The same of one row."""
    codes = set(provinces_in(places))
    return any(
        facility in ("", recipient) and (not provinces or (bool(codes) and codes <= provinces))
        for facility, provinces in _scopes(by)
    )


def wholly(notice: Notice, by: Sequence[Silence]) -> bool:
    """Whether no resident at all is to hear of a notice: it does not appear in public either."""
    return bool(by) and not loud(notice, by)


def loud(notice: Notice, by: Iterable[Silence]) -> list[str]:
    """The notice's provinces in which residents still hear it."""
    scopes = [provinces for facility, provinces in _scopes(by) if not facility]
    if any(not provinces for provinces in scopes):
        return []
    quiet = frozenset().union(*scopes)
    return [code for code in notice.audience.provinces if code not in quiet]


@dataclass(frozen=True)
class Preview:
    """What a silence would have kept quiet: messages that went out or were to, and notices they were of."""

    messages: int
    notices: int


def preview(connection: Connection, silence: Silence, since_s: float) -> Preview:
    """What a silence would have kept quiet since then, whenever it is to be in force."""
    total = Preview(0, 0)
    found = connection.execute(select(notices.c.body).where(notices.c.time_s >= since_s)).scalars()
    for body in found.all():
        notice = decoded(body)
        if not silence.concerns(notice):
            continue
        which = silenced(notice, [silence], ledger.c.recipient, ledger.c.places)
        counted = select(func.count()).where(ledger.c.notice == notice.id, ledger.c.state != "suppressed", which)
        number = connection.execute(counted).scalar_one()
        total = Preview(total.messages + number, total.notices + (number > 0))
    return total


def _scopes(by: Iterable[Silence]) -> list[tuple[str, frozenset[str]]]:
    """(facility, provinces) of each; those for provinces count together: who lives in two of them hears nothing."""
    found = [(one.facility, frozenset(one.provinces)) for one in by]
    together = frozenset(code for facility, provinces in found if not facility for code in provinces)
    return [*found, *([("", together)] if together else [])]


def _said(officer: str, reason: str) -> tuple[str, str]:
    return officer_of(officer, _REMEDY, longest=LONGEST), reason_of(reason, _REMEDY, longest=LONGEST)


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "provinces": " ".join(sorted(values["provinces"])), "urgent": int(values["urgent"])}


def _silence(row: Row[Any]) -> Silence:
    values = dict(row._mapping)
    return Silence(**{**values, "provinces": tuple(values["provinces"].split()), "urgent": bool(values["urgent"])})
