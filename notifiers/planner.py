"""From a notice to ledger rows: one per recipient and channel, each with the reason it is sent or not sent.

The audience is one query per channel; rows go in by chunks. A fan-out in a single INSERT … SELECT would need the
deterministic delivery id (uuid5) to be computed by the database, which neither SQLite nor PostgreSQL offers out of
the box; reading and writing by chunks keeps memory flat all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Table, case, exists, func, literal, select
from sqlalchemy import insert as plain_insert

from notifiers.database import facilities, insert, ledger, notices, save_progress, subscribers
from notifiers.deliveries import ChannelName
from notifiers.holding import Held, wait_of
from notifiers.ledger import WARNING_KINDS, Mode
from rules.notices import ActualNotice, Notice, delivery_id

_CHUNK = 1_000  # rows per round trip: beyond it the time per row no longer falls
_CHANNELS: tuple[ChannelName, ...] = ("sms", "email")
_notice_decoder: msgspec.json.Decoder[Notice] = msgspec.json.Decoder(Notice)


class Suppressed(StrEnum):
    """Why a recipient of the audience gets no message. Every such row stands in the ledger."""

    NO_CONTACT = "no-contact"  # wants the channel, has no usable number or address for it
    BELOW_THRESHOLD = "below-threshold"  # asked to hear of higher levels only
    NOT_TOLD = "not-told"  # was never warned in this episode, so needs no all-clear
    SAME_CONTACT = "same-contact"  # the same number or address gets this notice for another recipient


@dataclass(frozen=True)
class Progress:
    """Where a consumer stands once the notice is planned: the first offset it has not consumed yet."""

    consumer: str
    topic: str
    partition: int
    next_offset: int


def plan(connection: Connection, notice: Notice, *, progress: Progress | None = None) -> int:
    """Write the notice and a row per recipient and channel, in the caller's transaction. Returns the rows written.

    A notice that is planned already changes nothing. What is planned depends on the registries and on what was
    planned before, never on how far sending has come. Notices to authorities get no rows: the console shows them.
    """
    if progress is not None:
        save_progress(connection, progress.consumer, progress.topic, progress.partition, progress.next_offset)
    if not _first_time(connection, notice):
        return 0
    if notice.audience.recipients == "authorities":
        return 0
    written = 0
    for channel in _CHANNELS:
        for chunk in _chunks(connection, notice, channel):
            connection.execute(plain_insert(ledger), chunk)
            written += len(chunk)
    return written


def load_notice(connection: Connection, notice: str) -> Notice:
    """A planned notice. Raises ``LookupError`` when there is none of that id."""
    body = connection.execute(select(notices.c.body).where(notices.c.id == notice)).scalar_one_or_none()
    if body is None:
        raise LookupError(f"no notice {notice}")
    return _notice_decoder.decode(body)


def mode_of(notice: Notice) -> Mode:
    """The mode a notice, its rows, its messages and their channels all have in common."""
    return "actual" if isinstance(notice, ActualNotice) else "exercise"


def _first_time(connection: Connection, notice: Notice) -> bool:
    row = insert(connection, notices).values(
        id=notice.id,
        mode=mode_of(notice),
        kind=notice.kind,
        episode=notice.episode,
        time_s=int(notice.time.timestamp()),
        body=msgspec.json.encode(notice),
        approval=notice.approval,
    )
    new = row.on_conflict_do_nothing(index_elements=["id"]).returning(notices.c.id)
    return connection.execute(new).first() is not None


def _chunks(connection: Connection, notice: Notice, channel: ChannelName) -> Iterator[list[dict[str, Any]]]:
    shared = _shared_values(notice) | {"channel": channel}
    sendable = _sendable(notice)
    found = connection.execute(_audience(notice, channel).execution_options(yield_per=_CHUNK))
    for rows in found.partitions(_CHUNK):
        yield [
            shared
            | {
                "id": delivery_id(notice.id, row.recipient, channel),
                "recipient": row.recipient,
                "language": row.language,
                **(_SUPPRESSED | {"reason": row.reason} if row.reason else sendable),
            }
            for row in rows
        ]


_SUPPRESSED = {"state": "suppressed", "revision": 1, "hold_until_s": 0}


def _sendable(notice: Notice) -> dict[str, Any]:
    """State and reason of the messages of a notice that nothing speaks against."""
    if notice.approval != "none":
        return {"state": "held", "reason": Held.APPROVAL.value, "revision": 0, "hold_until_s": 0}
    values = wait_of(notice, notice.time)
    return values | {"revision": 1 if values["state"] == "suppressed" else 0}


def _shared_values(notice: Notice) -> dict[str, Any]:
    return {
        "notice": notice.id,
        "mode": mode_of(notice),
        "episode": notice.episode,
        "kind": notice.kind,
        "registry": notice.audience.recipients,
        "phase": "",
        "parts": 0,
        "priority": notice.priority,
        "notice_time_s": int(notice.time.timestamp()),
        "valid_until_s": int(notice.valid_until.timestamp()),
        "due_s": 0.0,
        "attempts": 0,
        "provider_id": None,
        "worker": "",
        "epoch": 0,
        "lease_until_s": 0.0,
        "published": 0,
    }


def _audience(notice: Notice, channel: ChannelName) -> Select[Any]:
    """Recipient, language and reason (empty = send) of everybody in the audience who uses the channel."""
    table, key = _registry(notice)
    fingerprint = table.c[f"{channel}_hash"]
    everybody = (
        select(key.label("recipient"), table.c.language, fingerprint.label("fingerprint"), _reason(notice, channel))
        .where(table.c.province.in_(notice.audience.provinces))
        .where((" " + table.c.channels + " ").contains(f" {channel} ", autoescape=True))
        .subquery()
    )
    nth_of_contact = func.row_number().over(
        partition_by=(everybody.c.fingerprint, everybody.c.reason), order_by=everybody.c.recipient
    )
    numbered = select(everybody, nth_of_contact.label("nth")).subquery()
    reason = case(
        ((numbered.c.reason == "") & (numbered.c.nth > 1), literal(Suppressed.SAME_CONTACT.value)),
        else_=numbered.c.reason,
    )
    return select(numbered.c.recipient, numbered.c.language, reason.label("reason")).order_by(numbered.c.recipient)


def _registry(notice: Notice) -> tuple[Table, ColumnElement[str]]:
    if notice.audience.recipients == "residents":
        return subscribers, subscribers.c.subscriber_id
    return facilities, facilities.c.facility_id


def _reason(notice: Notice, channel: ChannelName) -> ColumnElement[str]:
    table, key = _registry(notice)
    tests: list[tuple[ColumnElement[bool], ColumnElement[str]]] = [
        (table.c[f"{channel}_hash"].is_(None), literal(Suppressed.NO_CONTACT.value))
    ]
    if notice.audience.recipients == "residents" and notice.kind in WARNING_KINDS:
        tests.append((subscribers.c.level > notice.level, literal(Suppressed.BELOW_THRESHOLD.value)))
    if notice.audience.told_in is not None:
        told = exists().where(
            ledger.c.recipient == key,
            ledger.c.channel == channel,
            ledger.c.episode == notice.audience.told_in,
            ledger.c.registry == notice.audience.recipients,
            ledger.c.mode == mode_of(notice),
            ledger.c.kind.in_(WARNING_KINDS),
            ledger.c.state != "suppressed",
        )
        tests.append((~told, literal(Suppressed.NOT_TOLD.value)))
    return case(*tests, else_=literal("")).label("reason")
