"""Reading a registry file (subscribers, facilities) row by row: every row is taken or refused with its reason."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Table, func, select

from notifiers.contacts import Vault, normal_address, normal_number
from notifiers.database import insert
from streams.airsheds import Airshed
from streams.errors import InputError, RegistryError

LANGUAGES = ("vi", "en")
CHANNELS = ("sms", "email")
_LONGEST_TEXT = 200  # names appear in messages; nothing in the field is longer than that
_CHUNK = 1_000  # rows per statement: 1 000 x 12 values stay below SQLite's 32 766 bound parameters


@dataclass(frozen=True)
class ImportRules:
    """What an import needs to know besides the file.

    Attributes:
        airsheds: provinces are looked up here, by code, name or former name.
        default_region: region of phone numbers written without +.
        languages: languages that have templates; the first is the default.
    """

    airsheds: Sequence[Airshed]
    default_region: str = "VN"
    languages: Sequence[str] = LANGUAGES


@dataclass
class ImportReport:
    """What became of a file.

    Attributes:
        accepted: rows stored.
        refused: rows that were not stored, with place, field, reason and remedy.
        warnings: rows stored without one of their contacts, which could not be used.
    """

    accepted: int = 0
    refused: list[RegistryError] = field(default_factory=list)
    warnings: list[RegistryError] = field(default_factory=list)


Row = Mapping[str, str]
Parse = Callable[[Row, str, ImportReport], dict[str, Any]]
Store = Callable[[Connection, list[dict[str, Any]]], None]


def import_rows(
    connection: Connection, path: Path, key: str, required: Iterable[str], parse: Parse, store: Store
) -> ImportReport:
    """Store every usable row of a CSV file, in the caller's transaction, chunk by chunk.

    Raises:
        RegistryError: the file as a whole cannot be read (no such columns, not UTF-8).
    """
    report = ImportReport()
    chunk: dict[str, dict[str, Any]] = {}
    seen: dict[str, str] = {}
    for row, place in rows(path, required):
        try:
            values = parse(row, place, report)
            _check_new(values[key], seen, key, place)
        except RegistryError as error:
            report.refused.append(error)
            continue
        seen[values[key]] = place
        chunk[values[key]] = values
        report.accepted += 1
        if len(chunk) >= _CHUNK:
            store(connection, list(chunk.values()))
            chunk.clear()
    if chunk:
        store(connection, list(chunk.values()))
    return report


def _check_new(identity: str, seen: Mapping[str, str], key: str, place: str) -> None:
    if identity in seen:
        raise RegistryError(
            f"{identity!r} stands in {seen[identity]} already",
            place=place,
            field=key,
            remedy="give every row its own id",
        )


def count(connection: Connection, table: Table) -> int:
    """Number of rows of a registry."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def contacts(row: Row, place: str, vault: Vault, rules: ImportRules, report: ImportReport) -> dict[str, Any]:
    """The sealed contacts of a row. One unusable contact is a warning; a row without any usable one is refused."""
    values: dict[str, Any] = {"sms": None, "sms_hash": None, "email": None, "email_hash": None}
    problems: list[RegistryError] = []
    for column, channel in (("phone", "sms"), ("email", "email")):
        text = (row.get(column) or "").strip()
        if not text:
            continue
        try:
            contact = normal_number(text, rules.default_region) if channel == "sms" else normal_address(text)
        except InputError as error:
            problems.append(RegistryError(error.message, place=place, field=error.field, remedy=error.remedy))
            continue
        values[channel], values[f"{channel}_hash"] = vault.seal(contact), vault.fingerprint(contact)
    if values["sms"] is None and values["email"] is None:
        raise (
            problems[0]
            if problems
            else RegistryError(
                "neither phone nor email", place=place, field="phone", remedy="give at least one contact"
            )
        )
    report.warnings += problems
    return values


def identifier(row: Row, column: str, place: str) -> str:
    """The row's id: 1 to 64 letters, digits, ``. _ -``, because it appears in logs, links and file names."""
    text = (row.get(column) or "").strip()
    if not text or len(text) > 64 or not all(c.isascii() and (c.isalnum() or c in "._-") for c in text):
        raise RegistryError(
            f"{text[:80]!r} cannot be an id", place=place, field=column, remedy="use letters, digits, dots, _ and -"
        )
    return text


def province(row: Row, place: str, rules: ImportRules) -> str:
    """The province's code."""
    text = (row.get("province") or "").strip()
    for airshed in rules.airsheds:
        found = airshed.province(text)
        if found is not None:
            return found.code
    known = ", ".join(f"{p.code} {next(iter(p.names.values()))}" for a in rules.airsheds for p in a.provinces)
    raise RegistryError(f"unknown province {text[:80]!r}", place=place, field="province", remedy=f"use one of: {known}")


def language(row: Row, place: str, rules: ImportRules) -> str:
    """The row's language, by default the first there is."""
    text = (row.get("language") or rules.languages[0]).strip().lower()
    if text not in rules.languages:
        raise RegistryError(
            f"no messages in {text[:20]!r}", place=place, field="language", remedy="use " + " or ".join(rules.languages)
        )
    return text


def plain_text(row: Row, column: str, place: str) -> str:
    """A name for people, without control, zero-width and direction-changing characters."""
    text = " ".join((row.get(column) or "").split())
    if len(text) > _LONGEST_TEXT:
        raise RegistryError(
            f"{len(text)} characters", place=place, field=column, remedy=f"at most {_LONGEST_TEXT} characters"
        )
    return unicodedata.normalize("NFC", "".join(c for c in text if unicodedata.category(c)[0] != "C"))


def degrees(row: Row, column: Literal["lat", "lon"], place: str) -> float | None:
    """WGS 84 degrees, ``None`` where the file gives none."""
    text = (row.get(column) or "").strip()
    limit = 90.0 if column == "lat" else 180.0
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= limit:  # also refuses NaN
        raise RegistryError(
            f"{text[:40]!r} is not a position", place=place, field=column, remedy="give WGS 84 degrees, e.g. 21.0285"
        )
    return value


def rows(path: Path, required: Iterable[str]) -> Iterator[tuple[Row, str]]:
    """Rows of a CSV file, each with its place.

    Raises:
        RegistryError: a column is missing, or the file is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            absent = [column for column in required if column not in (reader.fieldnames or ())]
            if absent:
                raise RegistryError(
                    f"no column {', '.join(absent)}",
                    place=f"{path}:1",
                    remedy="the first line names the columns, separated by commas",
                )
            for row in reader:
                yield row, f"{path}:{reader.line_num}"
    except UnicodeDecodeError as error:
        raise RegistryError(f"not UTF-8 ({error.reason})", place=str(path), remedy="save the file as UTF-8") from None
    except csv.Error as error:
        raise RegistryError(
            f"not readable as CSV ({error})", place=str(path), remedy="save the file again as CSV"
        ) from None


def replace(connection: Connection, table: Table, key: str, values: list[dict[str, Any]]) -> None:
    """Write rows; one with a known key has the columns named here replaced, and keeps its others."""
    statement = insert(connection, table)
    columns = {name: statement.excluded[name] for name in values[0] if name != key}
    connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=columns), values)
