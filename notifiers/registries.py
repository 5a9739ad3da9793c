"""Reading a registry file (subscribers, facilities) row by row: every row is taken or refused with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Table, func, select

from notifiers.contacts import Vault, normal_address, normal_number
from notifiers.database import insert
from notifiers.places import Gazetteer
from notifiers.words import LANGUAGES as LANGUAGES
from streams.airsheds import Airshed
from streams.errors import InputError, RegistryError
from streams.geography.outlines import Outlines
from streams.plain import plain_label
from streams.registry_rows import Row, rows

CHANNELS = ("sms", "email")
_LONGEST_TEXT = 200  # names appear in messages; nothing in the field is longer than that
MOST_REFUSED = 100_000
"""Refusals kept of one file, each about a kilobyte. A file of short nonsense would have millions of them and fill the
memory; a registry of a million with a tenth of it unusable was made wrongly as a whole."""
_CHUNK = 1_000  # rows per statement: 1 000 x 12 values stay below SQLite's 32 766 bound parameters


@dataclass(frozen=True)
class ImportRules:
    """What an import needs to know besides the file.

    Attributes:
        airsheds: provinces are looked up here, by code, name or former name.
        default_region: region of phone numbers written without +.
        countries: regions whose numbers are written to; empty for any.
        languages: languages that have templates; the first is the default.
        outlines: of the provinces, for circles around a point; ``None`` = Viet Nam's.
    """

    airsheds: Sequence[Airshed]
    default_region: str = "VN"
    countries: Sequence[str] = ()
    languages: Sequence[str] = LANGUAGES
    outlines: Outlines | None = None

    @property
    def gazetteer(self) -> Gazetteer:
        """Finds the places."""
        return Gazetteer(self.airsheds, self.outlines)


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


Parse = Callable[[Row, str, ImportReport], dict[str, Any]]
Parsed = tuple[dict[str, Any], str]
"""What a row says, and its place in the file."""
Store = Callable[[Connection, list[Parsed]], list[RegistryError]]
"""Writes rows, and returns the refusals of those it would not write."""


def import_rows(
    connection: Connection, path: Path, key: str, required: Iterable[str], parse: Parse, store: Store
) -> ImportReport:
    """Store every usable row of a CSV file, in the caller's transaction, chunk by chunk.

    Raises:
        RegistryError: the file as a whole cannot be read (no such columns, not UTF-8), or more than ``MOST_REFUSED``
            of its rows cannot be used.
    """
    report = ImportReport()
    chunk: list[Parsed] = []
    seen: dict[str, str] = {}
    for row, place in rows(path, required):
        try:
            if isinstance(row, RegistryError):
                raise row
            values = parse(row, place, report)
            _check_new(values[key], seen, key, place)
        except RegistryError as error:
            error.__context__ = None  # nor the traceback: they would keep the whole row alive, for every refused one
            report.refused.append(error.with_traceback(None))
            _check_worth(report, path)
            continue
        seen[values[key]] = place
        chunk.append((values, place))
        if len(chunk) >= _CHUNK:
            _keep(report, len(chunk), store(connection, chunk))
            chunk = []
    if chunk:
        _keep(report, len(chunk), store(connection, chunk))
    return report


def _keep(report: ImportReport, number: int, refused: list[RegistryError]) -> None:
    report.accepted += number - len(refused)
    report.refused += refused


def _check_worth(report: ImportReport, path: Path) -> None:
    if len(report.refused) > MOST_REFUSED:
        first = "; ".join(str(error) for error in report.refused[:3])
        remedy = "is it the right file, with the right separator? mend what its rows have in common"
        message = f"more than {MOST_REFUSED} rows cannot be used, none was taken; the first: {first}"
        raise RegistryError(message, place=str(path), remedy=remedy)


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
            contact = (
                normal_number(text, rules.default_region, rules.countries) if channel == "sms" else normal_address(text)
            )
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
    with at(place):
        return rules.gazetteer.province(row.get("province") or "").provinces[0]


@contextmanager
def at(place: str, field: str = "") -> Iterator[None]:
    """Gives what is wrong with a value its place in the file."""
    try:
        yield
    except RegistryError:
        raise
    except InputError as error:
        named = error.field or field
        raise RegistryError(error.message, place=place, field=named, remedy=error.remedy) from None


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
    with at(place, column):
        return plain_label(row.get(column) or "", _LONGEST_TEXT)


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


def replace(connection: Connection, table: Table, key: str, values: list[dict[str, Any]]) -> None:
    """Write rows; one with a known key has the columns named here replaced, and keeps its others."""
    statement = insert(connection, table)
    columns = {name: statement.excluded[name] for name in values[0] if name != key}
    connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=columns), values)
