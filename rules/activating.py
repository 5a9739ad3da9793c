"""Putting a pack on the shelf and saying from when on it judges: checked whole, then written, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from rules.activations import BEGINNING, Entry, append, locked
from rules.documents import read_document
from rules.loading import PackFile
from rules.model import Pack
from rules.shelf import Shelf, digest
from rules.structure import mismatches
from rules.successors import structural_problems, unheard
from streams.clock import HOUR_S, epoch_s
from streams.errors import PackError, Problem

NOTICE_S = 60
"""How long before its hour an activation is written at the latest. Workers look at the shelf every second, and decide
the hour when it has ended and its readings have been waited for; a minute is plenty, and a shared disk may be slow."""


@dataclass(frozen=True)
class Order:
    """Who wants a pack to judge from when on.

    Attributes:
        from_: end of the first hour it judges, a full hour.
        written: now; ``None`` for recorded data, where the hours are past.
        episode: open episode to be moved, if any.
    """

    from_: datetime
    by: str
    reason: str = ""
    written: datetime | None = None
    episode: str = ""


def activate(folder: Path, source: PackFile, order: Order, configured: PackFile | None = None) -> Entry:
    """Copy a pack onto the shelf under its name and version, and append its activation to the log.

    With an empty log the configured pack goes first, as the base.

    Raises:
        PackError: every reason why not; nothing was written then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        base = configured.parsed() if configured else None
        pack, shelf = source.parsed(), Shelf(folder, base)
        new = [(source, _entry(pack, source, order))]
        if configured is not None and base is not None and not shelf.contents.lines:
            if base.reference == pack.reference:
                raise PackError([_in_force_already(source, pack)])
            beginning = Order(from_=BEGINNING, by="airshed", reason="the configured pack", written=order.written)
            new.insert(0, (configured, _entry(base, configured, beginning)))
        problems = [*_untimely(order), *_broken(shelf), *_contrary(folder, new), *_unfit(source, pack, order, shelf)]
        if problems:
            raise PackError(problems)
        for file, entry in new:
            _put(folder / entry.file_name, file.raw)
        append(shelf.log, [entry for _, entry in new])
    return new[-1][1]


def _in_force_already(source: PackFile, pack: Pack) -> Problem:
    document = read_document(source.name, source.raw)
    remedy = "leave the configured file as it is; copy it, raise the version in the copy, and activate that"
    return document.problem(("version",), f"{pack.reference} is the configured pack, in force already", remedy)


def _broken(shelf: Shelf) -> list[Problem]:
    """What keeps a line at the end of the log from counting."""
    remedy = "a line behind it would not count: mend it first"
    return [Problem(found.message, place=found.place, field=found.field, remedy=remedy) for found in shelf.broken]


def _entry(pack: Pack, source: PackFile, order: Order) -> Entry:
    entry = Entry(
        pack=pack.reference,
        content=digest(source.raw),
        from_=order.from_,
        by=order.by,
        reason=order.reason,
        written=order.written,
        episode=order.episode,
    )
    try:
        return msgspec.json.decode(msgspec.json.encode(entry), type=Entry)
    except msgspec.ValidationError as error:
        document = read_document(source.name, source.raw)
        found = list(mismatches(document, Pack, document.value))
        remedy = "a version on the shelf is letters, digits, dots, _ and -, at most 20 of them"
        raise PackError(found or [document.problem(("version",), str(error), remedy)]) from None


def _contrary(folder: Path, new: list[tuple[PackFile, Entry]]) -> Iterator[Problem]:
    """Versions that are on the shelf already, with other content."""
    for source, entry in new:
        path = folder / entry.file_name
        if path.exists() and digest(path.read_bytes()) != entry.content:
            document = read_document(source.name, source.raw)
            message = f"{entry.pack} is on the shelf already, with other content"
            yield document.problem(("version",), message, "raise the version")


def _unfit(source: PackFile, pack: Pack, order: Order, shelf: Shelf) -> list[Problem]:
    """What keeps a pack from taking over from those that are on the shelf."""
    if shelf.empty:
        return []
    document = read_document(source.name, source.raw)
    problems = structural_problems(document, shelf.base, pack)
    former = shelf.latest
    silent = unheard(former, pack) if order.episode else []
    if silent:
        message = f"never tells {', '.join(silent)} that it is over; {former.reference} warns them"
        remedy = "add an all-clear on closed for them, or let the episode end under its own pack"
        problems.append(document.problem(("rules",), message, remedy))
    return problems


def _put(path: Path, raw: bytes) -> None:
    """Write a file that is there wholly or not at all; one that is there already is the same."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def first_hour(now: datetime, *, soon: bool) -> datetime:
    """The hour from which on a pack is to judge if nobody says: the first that ends more than an hour from now.

    Args:
        soon: the first that may be at all, ``NOTICE_S`` from now.
    """
    ahead = now + (timedelta(seconds=NOTICE_S) if soon else timedelta(hours=1))
    full = ahead.replace(minute=0, second=0, microsecond=0)
    return full if full == ahead else full + timedelta(hours=1)


def _untimely(order: Order) -> Iterator[Problem]:
    """Hours that decide nothing, and those that are too near."""
    given = f"{order.from_:%Y-%m-%dT%H:%M:%S%z}"
    if epoch_s(order.from_) % HOUR_S or order.from_.microsecond:
        yield Problem(f"{given} is no full hour", field="from", remedy="decisions fall hourly: give the end of an hour")
    elif order.written is not None and order.from_ < order.written + timedelta(seconds=NOTICE_S):
        earliest = first_hour(order.written, soon=True)
        message = f"{given} is past, or too near for every worker to hear of it in time"
        yield Problem(message, field="from", remedy=f"from {earliest:%Y-%m-%dT%H:%MZ} on, or leave it out")
