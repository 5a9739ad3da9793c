"""The ledger: one row per message, and the only ways in which a row may move.

    planned ──claim──► claimed ──begin──► sending ──settle──► sent ──callback──► delivered · failed
       ▲                                     └──► unknown ──look-up──► sent · delivered · failed
       └──────── surely not accepted ────────┴───────┘

The whole table, with held, suppressed and expired rows, is :mod:`notifiers.transitions`.

``begin`` is durable BEFORE the provider is called; that is what makes a crash in between visible. Every claim
raises the row's *epoch*, and whoever holds an older one is fenced off: a dispatcher that was paused beyond its
lease can no longer move the row. A provider's callbacks may come twice, in any order and before the answer to the
call; they only ever move a row forward. Every transition returns a named reason.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import aliased

from notifiers import guard, suppressions
from notifiers.deliveries import ChannelName, DeliveryState, Mode
from notifiers.moves import Moved, end_attempt, move
from notifiers.place_lists import meets, provinces_in
from notifiers.tables import attempts, heard, ledger
from notifiers.transitions import sources
from rules.notices import NoticeKind

Phase = Literal["connect", "request", "data"]
"""How far an attempt has come: ``connect``: nothing the provider could have accepted has been sent yet;
``request`` (SMS) and ``data`` (mail): it may have accepted the message."""

UNKNOWABLE = "unknowable"
"""Reason of an unknown row that nobody can ask about and that must not be repeated: it is an operator's to see."""

STOOD_IN = "fallback"
"""Reason of a row that ended because another channel stands in for it (:mod:`notifiers.fallback`), and of the one that
took its place until it is claimed."""

WARNING_KINDS: tuple[NoticeKind, ...] = ("advisory", "instruction", "request", "order-draft")
MAY_HAVE_ARRIVED: tuple[DeliveryState, ...] = ("sent", "delivered", "unknown")
"""States of a row whose message the recipient has, or may have."""
_UNDER_WAY: tuple[DeliveryState, ...] = ("planned", "claimed", "sending")

NEVER_LEFT = "30001"
"""The provider's own queue was full."""
UNREACHABLE = "30003"
"""The handset could not be reached."""
MAY_HAVE_ARRIVED_CODE = "30008"
"""The provider's "unknown error": the one failure after which a message may turn up all the same."""
SECOND_TRY_CODES = (NEVER_LEFT, UNREACHABLE, MAY_HAVE_ARRIVED_CODE)
"""The provider's codes that are not the end of a delivery (:mod:`notifiers.undelivered`)."""


@dataclass(frozen=True)
class Claimed:
    """A row in the hands of one dispatcher."""

    id: str
    notice: str
    mode: Mode
    episode: str
    kind: str
    registry: str
    recipient: str
    channel: ChannelName
    language: str
    state: DeliveryState
    attempts: int
    epoch: int
    notice_time_s: int
    valid_until_s: int
    priority: int
    places: str = ""  # of the recipient that it is about: "0:01,1:24"

    @property
    def provinces(self) -> list[str]:
        """Codes of the provinces of ``places``, in the recipient's order, each once."""
        return provinces_in(self.places)

    @classmethod
    def of(cls, row: Row[Any]) -> Claimed:
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


_CLAIMED_COLUMNS = [ledger.c[name] for name in Claimed.__dataclass_fields__]


def claim(
    connection: Connection,
    *,
    mode: Mode,
    channel: ChannelName,
    limit: int,
    worker: str,
    lease_s: float,
    machine_s: float,
    also: ColumnElement[bool] | None = None,
) -> list[Claimed]:
    """Take up to ``limit`` due rows, most urgent first: by priority, then time of the notice, then recipient.

    Any number of dispatchers may claim side by side; on PostgreSQL they skip each other's rows, on SQLite writers
    take turns. A later message of an episode waits for the earlier ones to the same recipient on the same
    channel, so that nobody reads the end before the warning. ``also`` narrows the choice further.
    """
    due = (
        select(ledger.c.id)
        .where(ledger.c.mode == mode, ledger.c.channel == channel, ledger.c.state == "planned")
        .where(ledger.c.due_s <= machine_s, ~_waits_for_earlier(), *([] if also is None else [also]))
        .order_by(ledger.c.priority, ledger.c.notice_time_s, ledger.c.recipient, ledger.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)  # left out by SQLite's compiler, which has no such clause
    )
    return _take(connection, due, {"state": "claimed"}, worker, machine_s + lease_s)


@lru_cache(maxsize=1)  # building it took as long as the database takes to answer it
def _waits_for_earlier() -> ColumnElement[bool]:
    """Whether an earlier message of the story has not come to its end."""
    earlier = aliased(ledger, name="earlier")
    return exists().where(
        precedes(earlier, ledger),
        or_(
            # what waits for its second try (:mod:`notifiers.undelivered`) or for a person to let its notice go
            # (:mod:`notifiers.guard`) holds up nothing that is newer
            and_(
                earlier.c.state == "planned",
                earlier.c.reason.not_in(SECOND_TRY_CODES),
                ~guard.is_waiting(earlier),
            ),
            earlier.c.state.in_(("claimed", "sending")),
            and_(earlier.c.state == "unknown", earlier.c.reason != UNKNOWABLE),
            # an end waits for the warning that goes by another channel, too: until then nobody can say who was told
            and_(ledger.c.kind == "all-clear", earlier.c.reason == STOOD_IN, _stand_in(earlier, _UNDER_WAY)),
        ),
    )


def claim_unknown(
    connection: Connection,
    *,
    mode: Mode,
    channel: ChannelName,
    limit: int,
    worker: str,
    lease_s: float,
    machine_s: float,
) -> list[Claimed]:
    """Take unknown rows whose turn to be looked up has come. They stay unknown while they are looked up."""
    due = (
        select(ledger.c.id)
        .where(ledger.c.mode == mode, ledger.c.channel == channel, ledger.c.state == "unknown")
        .where(ledger.c.due_s <= machine_s, ledger.c.reason != UNKNOWABLE, ledger.c.lease_until_s <= machine_s)
        .order_by(ledger.c.priority, ledger.c.notice_time_s, ledger.c.recipient, ledger.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return _take(connection, due, {}, worker, machine_s + lease_s)


def begin(
    connection: Connection,
    row: Claimed,
    worker: str,
    phase: Phase,
    machine_s: float,
    content: str = "",
    *,
    lease_s: float | None = None,
) -> Moved:
    """Write down that an attempt starts now. Only after this is committed may the provider be called.

    ``content`` is the digest of the words that go out, by which they can be found at the provider even if the
    same message would be worded differently by then. ``lease_s``: the lease counts anew from here; the row may have
    waited for its start.

    Refused (``FENCED``) when the lease has run out: another dispatcher may hold the row by now.
    """
    number = row.attempts + 1
    moved = move(
        connection,
        row.id,
        row.epoch,
        from_states=sources("begin", "sending"),
        values={"state": "sending", "phase": phase, "attempts": number, "reason": "sending"}
        | _lease(machine_s, lease_s),
        held_at_s=machine_s,
    )
    if moved is Moved.APPLIED:
        begun = {"delivery": row.id, "number": number, "worker": worker, "epoch": row.epoch, "started_s": machine_s}
        connection.execute(insert(attempts), begun | {"ended_s": None, "content": content, "outcome": "", "code": ""})
    return moved


def enter_data(connection: Connection, row: Claimed, machine_s: float = 0.0, *, lease_s: float | None = None) -> Moved:
    """Write down that the body of a mail goes out now; until this is committed nothing can have been accepted.

    ``lease_s``: the lease counts anew from here. A slow server takes minutes for what comes before the body; if the
    lease ended while it reads that, the row would become unknown, and some are sent again then.
    """
    values = {"phase": "data"} | _lease(machine_s, lease_s)
    return move(connection, row.id, row.epoch, from_states=sources("enter data", "sending"), values=values)


def _lease(machine_s: float, lease_s: float | None) -> dict[str, Any]:
    return {} if lease_s is None else {"lease_until_s": machine_s + lease_s}


def settle(
    connection: Connection,
    row: Claimed,
    state: DeliveryState,
    reason: str,
    machine_s: float,
    *,
    provider_id: str | None = None,
    parts: int | None = None,
    due_s: float | None = None,
    code: str = "",
) -> Moved:
    """End a claim: what became of the attempt, or of looking it up.

    ``state`` ``planned`` means: surely not accepted, due again at ``due_s`` (machine time). When a callback was
    faster, the row is already further on and stays there (``BACKWARD``).
    """
    values: dict[str, Any] = {"state": state, "reason": reason, "worker": "", "lease_until_s": 0.0}
    if state not in ("planned", "claimed", "unknown"):
        values["phase"] = ""
    values |= {name: value for name, value in (("provider_id", provider_id), ("due_s", due_s)) if value is not None}
    if parts is not None:
        values["parts"] = parts
    tells = _worth_telling(state, reason)
    moved = move(connection, row.id, row.epoch, from_states=sources("settle", state), values=values, tells=tells)
    if moved is not Moved.FENCED:
        end_attempt(connection, row.id, state, code or reason, machine_s)
    if moved is Moved.APPLIED and state == "failed":
        suppressions.remember(connection, row.id, reason, machine_s)
    return moved


def precedes(one: Any, other: Any) -> ColumnElement[bool]:
    """Whether two rows of the ledger (or of aliases of it) are of one story, told to one recipient on one channel, and
    ``one`` is the earlier."""
    return and_(
        one.c.recipient == other.c.recipient,
        one.c.channel == other.c.channel,
        one.c.episode == other.c.episode,
        one.c.registry == other.c.registry,
        one.c.mode == other.c.mode,
        one.c.notice_time_s < other.c.notice_time_s,
    )


def was_told(connection: Connection, row: Claimed, episode: str | None = None) -> bool:
    """Whether this recipient may have received an earlier warning of the episode, about any province that the row is
    about, on the same channel, or on another one that stood in for it while it was down.

    Asked when the row is claimed; by then every earlier row to the recipient has come to its end, so the answer
    does not depend on how fast anything was sent.

    ``episode``: the one that the warning was of, where that has gone on in the row's own since (merged, split).
    """
    stood_in = _stand_in(ledger, MAY_HAVE_ARRIVED)
    perhaps = exists().where(attempts.c.delivery == ledger.c.id, attempts.c.code == MAY_HAVE_ARRIVED_CODE)
    told = select(func.count()).where(
        ledger.c.recipient == row.recipient,
        ledger.c.registry == row.registry,
        ledger.c.channel == row.channel,
        ledger.c.episode == (episode or row.episode),
        ledger.c.kind.in_(WARNING_KINDS),
        ledger.c.notice_time_s <= row.notice_time_s,
        or_(ledger.c.state.in_(MAY_HAVE_ARRIVED), and_(ledger.c.reason == STOOD_IN, stood_in), perhaps),
        *([meets(ledger.c.places, literal(row.places))] if row.places else []),
    )
    return connection.execute(told).scalar_one() > 0


def _stand_in(row: Any, states: Collection[DeliveryState]) -> ColumnElement[bool]:
    """Of the ledger or an alias of it: whether the same message is in one of these states on another channel."""
    other = aliased(ledger, name="other")
    return exists().where(
        other.c.notice == row.c.notice,
        other.c.recipient == row.c.recipient,
        other.c.registry == row.c.registry,
        other.c.channel != row.c.channel,
        other.c.state.in_(states),
    )


def taken_ids(connection: Connection, provider_ids: Collection[str]) -> set[str]:
    """Which of these provider ids belong to a row already (two rows may carry the same words to one number), or to a
    message that has ended undelivered and whose row is being tried once more."""
    found = connection.execute(select(ledger.c.provider_id).where(ledger.c.provider_id.in_(list(provider_ids))))
    over = {ended_id(provider_id): provider_id for provider_id in provider_ids}
    ended = connection.execute(select(heard.c.id).where(heard.c.id.in_(list(over))))
    return {str(provider_id) for provider_id in found.scalars()} | {over[name] for name in ended.scalars()}


def ended_id(provider_id: str) -> str:
    """Under which a message that has ended undelivered is remembered among what was heard from providers."""
    return f"ended:{provider_id}"


def _worth_telling(state: DeliveryState, reason: str) -> bool:
    """Whether the world should hear of it. Steps on the way are not told: they differ between runs."""
    return state in ("sent", "delivered", "failed", "expired", "suppressed") or reason == UNKNOWABLE


def _take(
    connection: Connection, due: Select[str], values: dict[str, Any], worker: str, lease_until_s: float
) -> list[Claimed]:
    """Lock the due rows, then mark them. Two statements, because PostgreSQL may run a locking sub-select with a
    LIMIT once per row of the UPDATE around it and so take more than was asked for."""
    ids = list(connection.execute(due).scalars())
    if not ids:
        return []
    taken = connection.execute(
        update(ledger)
        .where(ledger.c.id.in_(ids))
        .values(worker=worker, epoch=ledger.c.epoch + 1, lease_until_s=lease_until_s, **values)
        .returning(*_CLAIMED_COLUMNS)
    )
    return sorted((Claimed.of(row) for row in taken), key=lambda row: ids.index(row.id))
