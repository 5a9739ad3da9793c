"""The activation log of a shelf: which pack judges from which hour on, who decided that, and why.

One JSON object per line, only ever appended to. The log counts up to the first line that does not hold, so that a
broken line can neither change what was decided before it nor let later lines mean something else than their author saw.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.clock import HOUR_S, epoch_s
from streams.errors import Problem
from streams.versions import Activation

LOG_NAME = "activations.jsonl"

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""The hour of the first line: its pack is the base, in force before any other."""

LARGEST_BYTES = 10_000_000
"""Some thirty thousand activations: one an hour for three years."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of the log.

    Attributes:
        pack: ``name@version``.
        content: what the file holds: ``sha256:`` and 64 digits.
        from_: the end of the first hour the pack judges, a full hour; ``from`` in the file.
        by: name or role of who decided it; ``reason``: why.
        written: when the line was written. It counts only for hours that ended later, so that nobody can have decided
            them yet. Left out in logs for recorded data.
        episode: the open episode that is to go on under this pack.
    """

    pack: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*@[A-Za-z0-9._-]{1,20}$")]
    content: Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
    from_: Annotated[datetime, Meta(tz=True)] = msgspec.field(name="from")
    by: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Annotated[str, Meta(max_length=1000)] = ""
    written: Annotated[datetime, Meta(tz=True)] | None = None
    episode: str = ""

    @property
    def activation(self) -> Activation:
        """As the stages take it over."""
        return Activation(self.pack, epoch_s(self.from_), self.episode)

    @property
    def file_name(self) -> str:
        """Where the shelf keeps the pack."""
        return f"{self.pack}.yaml"


class Refusal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line that says of an earlier one that it never counted. It changes nothing; it is there for who asks later.

    Attributes:
        refused: the pack that was to judge.
        line: where its activation stands in this file, from 1.
        from_: the hour it was for; ``decided``: up to which hour everything had been decided when it was seen.
    """

    refused: str
    line: int
    from_: Annotated[datetime, Meta(tz=True)] = msgspec.field(name="from")
    decided: Annotated[datetime, Meta(tz=True)]


_REFUSAL = b'{"refused":'


@dataclass(frozen=True)
class Line:
    """An entry and where it stands."""

    number: int
    entry: Entry
    name: str

    def problem(self, message: str, remedy: str, column: int = 1, field: str = "") -> Problem:
        """Something that does not hold in this line."""
        return Problem(message, place=f"{self.name}:{self.number}:{column}", field=field, remedy=remedy)


def read_log(path: Path) -> tuple[list[Line], list[Problem]]:
    """The lines that can be read, up to the first that cannot, and what is wrong with that one."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [Problem(f"cannot be read: {error.strerror}", place=f"{path}:1:1", remedy="check its rights")]
    if len(raw) > LARGEST_BYTES:
        return [], [
            Problem(f"more than {LARGEST_BYTES} bytes", place=f"{path}:1:1", remedy="is this the activation log?")
        ]
    lines: list[Line] = []
    for found in _lines(str(path), raw):
        if isinstance(found, Problem):
            return lines, [found]
        lines.append(found)
    return lines, []


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A shelf for one writer at a time: two orders at once would not know of each other."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def read_refusals(path: Path) -> list[Refusal]:
    """The refusals that are written in a log; what cannot be read is left out, it decides nothing."""
    try:
        lines = path.read_bytes()[:LARGEST_BYTES].split(b"\n")
    except OSError:
        return []
    found = []
    for text in lines:
        if text.startswith(_REFUSAL):
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                found.append(msgspec.json.decode(text, type=Refusal))
    return found


def append(path: Path, entries: Sequence[Entry | Refusal]) -> None:
    """Write lines behind the last one; they are there wholly, and durable, when this returns."""
    body = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, body)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(name: str, raw: bytes) -> Iterator[Line | Problem]:
    for number, text in enumerate(raw.split(b"\n"), start=1):
        if text.strip() and not text.startswith(_REFUSAL):
            yield _line(name, number, text)


def _line(name: str, number: int, text: bytes) -> Line | Problem:
    try:
        line = Line(number, msgspec.json.decode(text, type=Entry), name)
    except msgspec.ValidationError as error:
        column, field = _place_of(str(error), text)
        message = str(error).partition(" - at ")[0].replace("`", "")
        return _problem(name, number, column, message[0].lower() + message[1:], "correct this line", field)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        position = re.search(r"\(byte (\d+)\)", str(error))
        column = int(position[1]) + 1 if position else 1
        remedy = "one JSON object per line; take half a line out, and write it with `airshed rules activate`"
        return _problem(name, number, column, f"not JSON: {error}", remedy)
    entry = line.entry
    column = _column(text, "from")
    if epoch_s(entry.from_) % HOUR_S or entry.from_.microsecond:
        return line.problem(f"{entry.from_:%Y-%m-%dT%H:%M:%S} is no full hour", "decisions fall hourly", column, "from")
    if entry.written is not None and number > 1 and entry.from_ <= entry.written:
        remedy = "that hour may have been decided; activate it for one to come"
        return line.problem(f"written after {entry.from_:%Y-%m-%dT%H:%MZ}, its own hour", remedy, column, "from")
    return line


def _problem(name: str, number: int, column: int, message: str, remedy: str, field: str = "") -> Problem:
    return Problem(message, place=f"{name}:{number}:{column}", field=field, remedy=remedy)


def _place_of(error: str, text: bytes) -> tuple[int, str]:
    """Column and name of the field that msgspec complains about."""
    path = re.search(r"\$\.([a-z_]+)", error)
    field = path[1] if path else (re.search(r"field `([^`]+)`", error) or ["", ""])[1]
    return _column(text, field), field


def _column(text: bytes, field: str) -> int:
    """Where the value of a field begins, in characters from 1; 1 if it is not there."""
    match = re.search(rf'"{re.escape(field)}"\s*:\s*', text.decode("utf-8", "replace")) if field else None
    return match.end() + 1 if match else 1
