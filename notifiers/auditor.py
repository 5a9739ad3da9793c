"""The auditor: which rows of the ledger have not come to their end in their time, and since when.

It only reads, so it can run beside any number of dispatchers and from the command line. Everything it finds is a
sentence with a number, an example and what to do; what happens again and again is a gauge and an event for operators.
All times are of the machine's clock: a replay on recorded time has nothing to audit.

What people hold back on purpose, by the stop switch or behind the storm guard, is named as held and told once: it is no
failure of ours, and whoever did it knows. Its patience begins anew when they let it go.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec
import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Float,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from notifiers import operators, switch
from notifiers.database import reading
from notifiers.deliveries import ChannelName
from notifiers.guard import is_waiting
from notifiers.ledger import UNKNOWABLE
from notifiers.operators import Occasion, OperatorEvent
from notifiers.switch import Position
from notifiers.tables import attempts, guarded, ledger, notices
from rules.notices import decoded
from streams.clock import Clock, SystemClock
from streams.metrics import AUDIT_FINDINGS

_log = structlog.get_logger(__name__)
_LOOKS_BACK_S = 2 * 86_400.0
"""Notices older than this are history: nothing of theirs is of use any more."""

Problem = Literal[
    "waiting",
    "beyond-lease",
    "unknown",
    "unknowable",
    "held",
    "unfinished",
    "empty",
    "silent",
    "unserved",
    "stopped",
    "guarded",
]

DELIBERATE: tuple[Problem, ...] = ("stopped", "guarded")
"""Held back by people."""


@dataclass(frozen=True)
class Patience:
    """How long something may take before it is late, seconds.

    Attributes:
        waiting_s: from the moment a row is due to a dispatcher taking it. Beyond a long list behind a slow sender.
        lease_s: after the end of a lease until somebody takes the row back; dispatchers look every half minute.
        unknown_s: for finding out what became of a lost answer.
        fan_out_s: for writing the rows of a notice.
        silent_s: for the provider's word on a message it has accepted. Its queue keeps messages for ten hours at most.
    """

    waiting_s: float = 1_800.0
    lease_s: float = 120.0
    unknown_s: float = 900.0
    fan_out_s: float = 300.0
    silent_s: float = 36_000.0


_SAYS: dict[Problem, tuple[str, str]] = {
    "waiting": ("due for long and taken by no dispatcher", "see that a dispatcher runs and its channel is up"),
    "beyond-lease": ("held by a dispatcher whose lease is over", "start a dispatcher: it takes them back"),
    "unknown": ("whose answer was lost and not found out in time", "see that the provider can be asked"),
    "unknowable": ("of which nobody can tell whether they arrived", "ask the recipient or the provider, and decide"),
    "held": ("held beyond the end of their wait", "see that a dispatcher runs; it lets them go"),
    "unfinished": ("notices whose rows are not all written", "see that the dispatch service runs; it goes on"),
    "empty": ("notices to recipients of whom there is none", "look at the registry and at the notice's provinces"),
    "unserved": (
        "planned for a channel that is not configured here",
        "configure it (plants with a webhook: webhooks.keys; calls: voice.caller), or take the contacts away",
    ),
    "stopped": ("held: all sending is stopped", "`airshed dispatch resume` when the reason is gone"),
    "guarded": ("held by the storm guard", "`airshed notices release`, or let them expire"),
    "silent": ("accepted by the provider, without a word from it since", "see that web.public_url is reached"),
}


_OCCASIONS: dict[Problem, Occasion] = {
    "unknowable": Occasion.UNKNOWABLE,
    "stopped": Occasion.STOPPED,
    "guarded": Occasion.STORM_GUARD,
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has not come to its end in its time.

    Attributes:
        number: rows, or notices for ``unfinished`` and ``empty``.
        example: a delivery's id, or the notice's.
        since_s: how long the oldest has been late, seconds.
    """

    problem: Problem
    channel: str
    notice: str
    number: int
    example: str
    since_s: float

    @property
    def says(self) -> str:
        """What it is, in a sentence."""
        where = f" by {self.channel}" if self.channel else ""
        late = f"; the oldest is {self.since_s / 60:.0f} min late" if self.since_s >= 60 else ""
        return f"{self.number}{where} {_SAYS[self.problem][0]}{late} (such as {self.example})"

    @property
    def remedy(self) -> str:
        """What to do."""
        return _SAYS[self.problem][1]


def audit(
    connection: Connection,
    now_s: float,
    patience: Patience | None = None,
    channels: Collection[str] | None = None,
) -> list[Finding]:
    """Everything that is late at ``now_s``, machine time.

    Args:
        channels: those that the installation has; ``None``: every one. What is planned for another is found at once.
    """
    patience = patience or Patience()
    served = frozenset(get_args(ChannelName) if channels is None else channels)
    return [*_rows(connection, now_s, patience, served), *_notices(connection, now_s, patience)]


class Auditor:
    """Looks every now and then, sets the gauges and tells operators."""

    def __init__(
        self,
        engine: Engine,
        *,
        every_s: float = 300.0,
        patience: Patience | None = None,
        channels: Collection[str] | None = None,
        clock: Clock | None = None,
        tell: Callable[[OperatorEvent], None] = operators.tell,
    ) -> None:
        self._engine, self._every_s, self._patience = engine, every_s, patience
        self._clock = clock or SystemClock()
        self._tell = tell
        self._channels = channels
        self._known: set[tuple[Problem, str, float]] = set()
        self.findings: list[Finding] = []
        self.stopped = False
        """Whether all sending was stopped at the last look."""

    async def run(self, stop: asyncio.Event) -> None:
        """Look until ``stop`` is set. A database that is away is looked at again."""
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.look)
            except SQLAlchemyError as error:
                _log.error("the ledger cannot be audited", error=type(error).__name__, remedy="check the database")
            try:
                await asyncio.wait_for(stop.wait(), self._every_s)
            except TimeoutError:
                continue

    def look(self) -> list[Finding]:
        """One look. Returns what it found and keeps it in ``findings``."""
        with reading(self._engine) as connection:
            self.findings = audit(connection, self._clock.now_s(), self._patience, self._channels)
            position = switch.position(connection)
        self.stopped = position.stopped
        numbers = Counter[Problem]()
        for finding in self.findings:
            numbers[finding.problem] += finding.number
            if finding.problem in DELIBERATE and self._is_known(finding, position):
                continue
            _log.warning("late", problem=finding.problem, notice=finding.notice, says=finding.says)
            occasion = _OCCASIONS.get(finding.problem, Occasion.OVERDUE)
            about = f"{finding.problem} {finding.notice or finding.channel}"
            self._tell(OperatorEvent(occasion=occasion, about=about, says=finding.says, remedy=finding.remedy))
        for problem in _SAYS:
            AUDIT_FINDINGS.labels(problem).set(numbers[problem])
        return self.findings

    def _is_known(self, finding: Finding, position: Position) -> bool:
        """Whether this holding back was told before: once for a stop, once for a notice behind the guard."""
        about = (finding.problem, finding.notice, 0.0)
        if finding.problem == "stopped":
            about = (finding.problem, "", position.time_s)
        known = about in self._known
        self._known.add(about)
        return known


def _rows(connection: Connection, now_s: float, patience: Patience, served: frozenset[str]) -> Iterator[Finding]:
    """Late rows, together by channel and notice. The states are written out: they are those of small indexes."""
    position = switch.position(connection)
    due_s = _due_s(position)
    late_s = due_s + patience.waiting_s
    overdue = and_(_is("planned"), ledger.c.channel.in_(served), late_s < now_s)
    late: list[tuple[Problem, ColumnElement[bool], ColumnElement[Any]]] = [
        ("unserved", and_(_is("planned"), ledger.c.channel.not_in(served)), due_s),
        ("guarded", and_(overdue, is_waiting()), late_s),
        ("stopped" if position.stopped else "waiting", and_(overdue, ~is_waiting()), late_s),
        (
            "beyond-lease",
            and_(or_(_is("claimed"), _is("sending")), ledger.c.lease_until_s < now_s - patience.lease_s),
            ledger.c.lease_until_s + patience.lease_s,
        ),
        (
            "unknown",
            and_(_is("unknown"), ledger.c.reason != UNKNOWABLE, ledger.c.due_s < now_s - patience.unknown_s),
            ledger.c.due_s + patience.unknown_s,
        ),
        ("unknowable", and_(_is("unknown"), ledger.c.reason == UNKNOWABLE), ledger.c.due_s),
        (
            "held",
            and_(
                _is("held"),
                ledger.c.hold_until_s > 0,
                ledger.c.hold_until_s < now_s - patience.lease_s,
            ),
            ledger.c.hold_until_s + patience.lease_s,
        ),
    ]
    for problem, which, since in late:
        yield from _grouped(connection, problem, select(ledger).where(which), since, now_s)
    yield from _grouped(connection, "silent", _silent(now_s, patience), attempts.c.ended_s + patience.silent_s, now_s)


def _due_s(position: Position) -> ColumnElement[Any]:
    """Since when a planned row could have been taken: when it is due, and everybody who held it has let it go."""
    let_go = select(guarded.c.released_s).where(guarded.c.notice == ledger.c.notice).scalar_subquery()
    resumed_s = 0.0 if position.stopped else position.time_s
    latest: ColumnElement[Any] = cast(ledger.c.notice_time_s, Float)
    for other in (ledger.c.due_s, cast(ledger.c.hold_until_s, Float), func.coalesce(let_go, 0.0), literal(resumed_s)):
        latest = case((other > latest, other), else_=latest)
    return latest


def _silent(now_s: float, patience: Patience) -> Any:
    """Accepted by a provider that reports on messages, whose last word is its answer to the call."""
    latest = and_(attempts.c.delivery == ledger.c.id, attempts.c.number == ledger.c.attempts)
    return (
        select(ledger)
        .join(notices, and_(notices.c.id == ledger.c.notice, notices.c.time_s > now_s - _LOOKS_BACK_S))
        .join(attempts, latest)
        .where(ledger.c.state == "sent", ledger.c.channel.in_(("sms", "voice")))
        .where(attempts.c.ended_s < now_s - patience.silent_s)
    )


def _grouped(
    connection: Connection, problem: Problem, query: Any, since: ColumnElement[Any], now_s: float
) -> Iterator[Finding]:
    columns = (ledger.c.channel, ledger.c.notice)
    together = query.with_only_columns(
        *columns, func.count().label("number"), func.min(ledger.c.id).label("example"), func.min(since).label("since")
    )
    for row in connection.execute(together.group_by(*columns).order_by(*columns)):
        yield Finding(
            problem=problem,
            channel=row.channel,
            notice=row.notice,
            number=row.number,
            example=row.example,
            since_s=max(now_s - float(row.since), 0.0),
        )


def _notices(connection: Connection, now_s: float, patience: Patience) -> Iterator[Finding]:
    """Notices that are not planned to the end, and those that found nobody."""
    by_s = now_s - patience.fan_out_s
    unfinished = select(notices.c.id, notices.c.taken_s).where(
        notices.c.complete == literal_column("0"), notices.c.taken_s < by_s
    )
    for row in connection.execute(unfinished):
        yield _of_notice("unfinished", row.id, now_s - row.taken_s)
    without = select(notices.c.id, notices.c.body).where(
        notices.c.time_s > now_s - _LOOKS_BACK_S,
        notices.c.complete == 1,
        ~exists().where(ledger.c.notice == notices.c.id),
    )
    for row in connection.execute(without):
        if decoded(row.body).audience.recipients != "authorities":
            yield _of_notice("empty", row.id, 0.0)


def _of_notice(problem: Problem, notice: str, since_s: float) -> Finding:
    return Finding(problem=problem, channel="", notice=notice, number=1, example=notice, since_s=since_s)


def _is(state: str) -> ColumnElement[bool]:
    return ledger.c.state == literal_column(f"'{state}'")
