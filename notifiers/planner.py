"""From a notice to ledger rows: one per recipient and channel, each with the reason it is sent or not sent.

The rows are written by the database itself, one INSERT … SELECT per channel and slice of the registry
(:mod:`notifiers.audience` says who and why not), so that nothing of a million people passes through this process. How
far a notice is planned stands beside it (:mod:`notifiers.fan_out_parts`), and in its own row whether it is complete.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, literal, select, text, update
from sqlalchemy.orm import aliased

from notifiers import audience, fan_out_parts, silences
from notifiers.audience import Circumstances, Slice, Suppressed
from notifiers.database import insert as dialect_insert
from notifiers.database import save_progress
from notifiers.deliveries import ChannelName
from notifiers.delivery_ids import delivery_ids
from notifiers.failpoints import failpoint
from notifiers.fan_out_parts import SIDE_BY_SIDE
from notifiers.holding import Held
from notifiers.place_lists import together
from notifiers.superseding import SUPERSEDED
from notifiers.tables import ledger, notices
from notifiers.told import DEFAULT_CAPS, Caps, already_told, can_say_more, left_to_say, mode_of, told_of_some
from notifiers.transitions import sources
from notifiers.waiting import Wait, wait_in_sql
from rules.notices import Notice, decoded

CHUNK = 20_000
"""Recipients per slice. A transaction of :func:`fan_out` takes some tenths of a second then: others wait no longer for
SQLite's write lock, and a crash repeats no more than that. Ten times as many are not measurably faster."""


@dataclass(frozen=True)
class Progress:
    """Where a consumer stands once the notice is planned: the first offset it has not consumed yet."""

    consumer: str
    topic: str
    partition: int
    next_offset: int


def plan(
    connection: Connection,
    notice: Notice,
    *,
    progress: Progress | None = None,
    caps: Caps = DEFAULT_CAPS,
) -> int:
    """Write the notice and a row per recipient and channel, in the caller's transaction. Returns the rows written.

    A notice that is planned already changes nothing. What is planned depends on the registries and on what was
    planned before, never on how far sending has come (but for corrections, which go to those who may have got what was
    wrong, and for rules of one transition, which share a message while it can still be changed). Notices to authorities
    get no rows: the console shows them.
    """
    fan = _FanOut(notice, caps, CHUNK)
    written = 0
    for part in fan.begin(connection):
        while (more := fan.write_slice(connection, part)) is not None:
            written += more
    _end(connection, notice, progress)
    return written


def fan_out(
    engine: Engine,
    notice: Notice,
    *,
    progress: Progress | None = None,
    caps: Caps = DEFAULT_CAPS,
    chunk: int = CHUNK,
) -> int:
    """As :func:`plan`, in a transaction per slice: memory and transactions stay small however many are addressed.

    A registry of more than one slice is written in parts side by side, where the database can. Killed in between, the
    same call later goes on where it was; ``progress`` is kept with the end only, so the notice comes again until then.
    Two processes that plan the same notice take turns slice by slice. Messages of earlier slices may go out while later
    ones are written. When one part fails, the others come to their end before the error is raised.
    """
    fan = _FanOut(notice, caps, chunk)
    with engine.begin() as connection:
        parts = fan.begin(connection, SIDE_BY_SIDE if connection.dialect.name == "postgresql" else 1)
    failpoint("after-notice")
    if len(parts) > 1:
        with ThreadPoolExecutor(len(parts), thread_name_prefix="fan-out") as threads:
            written = sum(threads.map(lambda part: _write_part(engine, fan, part), parts))
    else:
        written = sum(_write_part(engine, fan, part) for part in parts)
    with engine.begin() as connection:
        _end(connection, notice, progress)
    failpoint("after-fan-out")
    return written


def _write_part(engine: Engine, fan: _FanOut, part: int) -> int:
    """Slice after slice, until nothing of the part is left."""
    written = 0
    while True:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL jit = off"))  # compiling a slice takes longer than running it
            more = fan.write_slice(connection, part)
            if more is None:
                return written
            written += more
            failpoint("before-slice-commit")
        failpoint("after-slice")


def load_notice(connection: Connection, notice: str) -> Notice:
    """A planned notice. Raises ``LookupError`` when there is none of that id."""
    body = connection.execute(select(notices.c.body).where(notices.c.id == notice)).scalar_one_or_none()
    if body is None:
        raise LookupError(f"no notice {notice}")
    return decoded(body)


def _end(connection: Connection, notice: Notice, progress: Progress | None) -> None:
    fan_out_parts.finish(connection, notice.id)
    if progress is not None:
        save_progress(connection, progress.consumer, progress.topic, progress.partition, progress.next_offset)


class _FanOut:
    """The writing of one notice's rows, slice after slice; what is written stands in the database alone."""

    def __init__(self, notice: Notice, caps: Caps, chunk: int) -> None:
        self._notice, self._caps, self._chunk = notice, caps, chunk
        self._known: dict[ChannelName, Circumstances] = {}
        self._time_s = int(notice.time.timestamp())

    def begin(self, connection: Connection, side_by_side: int = 1) -> list[int]:
        """Write the notice, in so many parts; nothing if it is there. Returns the parts that are left to be written."""
        notice = self._notice
        row = dialect_insert(connection, notices).values(
            id=notice.id,
            mode=mode_of(notice),
            kind=notice.kind,
            episode=notice.episode,
            time_s=self._time_s,
            body=msgspec.json.encode(notice),
            approval=notice.approval,
            rule=notice.rule,
            transition=notice.transition,
            level=notice.level,
            complete=int(notice.audience.recipients == "authorities"),
            taken_s=time.time(),
        )
        new = row.on_conflict_do_nothing(index_elements=["id"]).returning(notices.c.id)
        if connection.execute(new).first() is not None and notice.audience.recipients != "authorities":
            fan_out_parts.divide(connection, notice, side_by_side, self._chunk)
            if notice.audience.corrects is not None:
                self._withdraw_wrong(connection)
        left = fan_out_parts.open_ones(connection, notice.id)
        if left:
            self._known = {name: self._circumstances(connection, name) for name in audience.channels_of(notice)}
        return left

    def write_slice(self, connection: Connection, part: int) -> int | None:
        """Write the rows of the next slice of a part, and how far that is. Returns the rows written; ``None``, when
        nothing of the part is left. Locks it until the end of the transaction."""
        left = fan_out_parts.locked(connection, self._notice.id, part)
        if left is None:
            return None
        behind = Slice(left.planned_to, left.upto)
        upto = connection.execute(audience.boundary(self._notice, behind, self._chunk)).scalar_one_or_none()
        here, written = Slice(left.planned_to, upto or left.upto), 0
        for channel in audience.channels_of(self._notice):
            written += self._write(connection, channel, here)
        fan_out_parts.reached(connection, self._notice.id, part, upto)
        return written

    def _write(self, connection: Connection, channel: ChannelName, part: Slice) -> int:
        known = self._known[channel]
        found = audience.audience(self._notice, channel, part, self._caps, known).cte("found")
        found = found.prefix_with("MATERIALIZED")  # or each column would ask for the reason again
        values = self._values(channel, found.c)
        # "WHERE …" because SQLite would else read the ON of ON CONFLICT as that of a join
        chosen = select(*(value.label(name) for name, value in values.items())).where(found.c.recipient != "")
        rows = dialect_insert(connection, ledger).from_select(list(values), chosen)
        # the slice is new by its part's progress; the unique id makes sure of it whatever else may have happened
        rows = rows.on_conflict_do_nothing(index_elements=["id"])
        written = connection.execute(rows.execution_options(preserve_rowcount=True)).rowcount
        if written < 0:  # SQLite's driver does not count those of a statement that begins with WITH
            written = connection.exec_driver_sql("SELECT changes()").scalar_one()
        if known.beside:
            self._merge(connection, channel, part)
            self._say_the_rest(connection, channel, part)
        return written

    def _circumstances(self, connection: Connection, channel: ChannelName) -> Circumstances:
        transitions = set(connection.execute(audience.earlier_notices(self._notice)).scalars())
        return Circumstances(
            earlier=bool(transitions),
            beside=self._notice.transition in transitions,
            shared=connection.execute(audience.shared_contacts(self._notice, channel)).first() is not None,
            refused=connection.execute(audience.refused_contacts(channel)).first() is not None,
            silences=tuple(silences.in_force(connection, self._notice, self._time_s)),
        )

    def _values(self, channel: ChannelName, person: Any) -> dict[str, ColumnElement[Any]]:
        """Every column of a row, from a row of the audience."""
        notice = self._notice
        wait = self._wait(person)
        constant: dict[str, Any] = {
            "notice": notice.id,
            "mode": mode_of(notice),
            "episode": notice.episode,
            "kind": notice.kind,
            "registry": notice.audience.recipients,
            "channel": channel,
            "phase": "",
            "parts": 0,
            "priority": notice.priority,
            "notice_time_s": self._time_s,
            "valid_until_s": int(notice.valid_until.timestamp()),
            "due_s": 0.0,
            "attempts": 0,
            "worker": "",
            "epoch": 0,
            "lease_until_s": 0.0,
            "published": 0,
            "rules": notice.rule,
        }
        return {
            "id": delivery_ids(notice.id, person.recipient, channel),
            "recipient": person.recipient,
            "language": person.language,
            "places": person.places,
            "threshold": person.threshold,
            "state": wait.state,
            "reason": wait.reason,
            "revision": wait.revision,
            "hold_until_s": wait.hold_until_s,
            **{name: literal(value, ledger.c[name].type) for name, value in constant.items()},
        }

    def _wait(self, person: Any) -> Wait:
        """State and reason of a row: suppressed, held, or due at once."""
        if self._notice.approval != "none":
            return Wait.constant("held", Held.APPROVAL.value).unless(person.reason)
        return wait_in_sql(self._notice, self._notice.time, person.own_until_s).unless(person.reason)

    def _withdraw_wrong(self, connection: Connection) -> None:
        """What was wrong and has not gone out yet does not go out any more."""
        connection.execute(
            update(ledger)
            .where(ledger.c.notice == self._notice.audience.corrects)
            .where(ledger.c.state.in_(sources("withdraw", "suppressed")))
            .values(state="suppressed", reason=SUPERSEDED, revision=ledger.c.revision + 1)
        )

    def _merge(self, connection: Connection, channel: ChannelName, part: Slice) -> None:
        """A message of the same transition that another rule has planned, and that waits, is about our places too."""
        ours, theirs = aliased(ledger, name="ours"), aliased(notices, name="theirs")
        mine = and_(
            ours.c.notice == self._notice.id,
            ours.c.recipient == ledger.c.recipient,
            ours.c.channel == ledger.c.channel,
            ours.c.reason == Suppressed.ALREADY_TOLD.value,
        )
        places = select(ours.c.places).where(mine).correlate(ledger).scalar_subquery()
        more = left_to_say(self._notice, channel, ledger.c.recipient, places)
        connection.execute(
            update(ledger)
            .where(part.of(ledger.c.recipient), ledger.c.channel == channel, ledger.c.episode == self._notice.episode)
            .where(ledger.c.kind == self._notice.kind, ledger.c.mode == mode_of(self._notice))
            .where(ledger.c.notice != self._notice.id, exists().where(mine))
            .where(exists().where(theirs.c.id == ledger.c.notice, can_say_more(ledger, theirs, self._notice)))
            .values(places=together(ledger.c.places, more), rules=ledger.c.rules + "," + self._notice.rule)
        )

    def _say_the_rest(self, connection: Connection, channel: ChannelName, part: Slice) -> None:
        """What the other rules of the transition do not say after all, because a dispatcher was faster than we, is said
        by our own message; and that says nothing that they have said."""
        mine = and_(ledger.c.notice == self._notice.id, ledger.c.channel == channel, part.of(ledger.c.recipient))
        told = already_told(self._notice, channel, ledger.c.recipient, ledger.c.places, self._caps, beside=True)
        connection.execute(
            update(ledger)
            .where(mine, ledger.c.reason == Suppressed.ALREADY_TOLD.value, ~told)
            .values(state="planned", reason="planned", revision=0)
        )
        left = left_to_say(self._notice, channel, ledger.c.recipient, ledger.c.places)
        connection.execute(
            update(ledger)
            .where(mine, ledger.c.state.in_(("planned", "held")))
            .where(told_of_some(self._notice, channel, ledger.c.recipient), left.not_in(("", ledger.c.places)))
            .values(places=left)
        )
