"""Rows of a registry file (stations, subscribers, facilities), each with its place, in flat memory.

What cannot be read as a row is refused as one row, whatever it holds: the lines inside a cell that is far too long are
never taken for rows of their own, or whoever can write a name into such a file could write whole rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from streams.errors import RegistryError

Row = Mapping[str, str]

_LONGEST_CELL = 2_000  # the longest cell that means something, five places with labels, has some hundreds
_LONGEST_LINE = 262_144  # characters; twice what the csv module takes for a cell
_QUOTE = '"'


def rows(path: Path, required: Iterable[str]) -> Iterator[tuple[Row | RegistryError, str]]:
    """Rows of a CSV file, each with its place; what cannot be read as a row is the refusal instead.

    Raises:
        RegistryError: a column is missing, or the file is not UTF-8.
        OSError: the file cannot be opened.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _Lines(file)
            reader = csv.DictReader(lines, strict=False)
            head = _head(reader, path) or ()
            absent = [column for column in required if column not in head]
            if absent:
                found = ", ".join(column[:40] for column in head[:20]) or "nothing"
                remedy = f"the first line names the columns, separated by commas; found: {found}"
                raise RegistryError(f"no column {', '.join(absent)}", place=f"{path}:1", remedy=remedy)
            yield from _rows(reader, lines, path)
    except UnicodeDecodeError as error:
        raise RegistryError(f"not UTF-8 ({error.reason})", place=str(path), remedy="save the file as UTF-8") from None


def _head(reader: csv.DictReader[str], path: Path) -> Sequence[str] | None:
    try:
        return reader.fieldnames
    except csv.Error as error:
        raise RegistryError(
            f"not readable as CSV ({error})", place=f"{path}:1", remedy="save the file again as CSV"
        ) from None


def _rows(reader: csv.DictReader[str], lines: _Lines, path: Path) -> Iterator[tuple[Row | RegistryError, str]]:
    while True:
        first = lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # above all a cell longer than the module takes
            lines.skip_cell()
            extent = f"; lines {first} to {lines.number} were not used" if lines.number > first else ""
            remedy = "look for a missing quotation mark, or a cell that is far too long"
            place = f"{path}:{first}"
            yield RegistryError(f"not readable as CSV ({error}){extent}", place=place, remedy=remedy), place
            continue
        place = f"{path}:{lines.number}"
        yield _misshapen(row, place) or row, place


def _misshapen(row: dict[Any, Any], place: str) -> RegistryError | None:
    if any(row.pop(None, ())):  # where DictReader puts cells beyond the head
        remedy = "put quotation marks around a cell that has commas"
        return RegistryError("more cells than columns", place=place, remedy=remedy)
    for column, value in row.items():
        if value and len(value) > _LONGEST_CELL:
            remedy = f"at most {_LONGEST_CELL} characters"
            return RegistryError(f"{len(value)} characters", place=place, field=column[:80], remedy=remedy)
    return None


class _Lines:
    """The lines of a file for the csv module. One longer than ``_LONGEST_LINE`` is not kept: it is an error.

    Attributes:
        number: of the line that was read last, from 1.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._quotes = 0
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        """The next line.

        Raises:
            csv.Error: it is too long; the line behind it is the next one.
        """
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        self._quotes += line.count(_QUOTE)
        if len(line) < _LONGEST_LINE or line.endswith("\n"):
            return line
        while line and not line.endswith("\n"):
            line = self._file.readline(_LONGEST_LINE)
            self._quotes += line.count(_QUOTE)
        raise csv.Error(f"a line longer than {_LONGEST_LINE} characters")

    def begin(self) -> int:
        """A row begins with the next line, whose number is returned."""
        self._quotes = 0
        return self.number + 1

    def skip_cell(self) -> None:
        """Read to the end of the cell in which the row broke off: where its quotation marks are even in number."""
        while self._quotes % 2:
            try:
                next(self)
            except StopIteration:
                return
            except csv.Error:
                continue
