"""Residents who asked to be told: the registry file.

A file never brings back who has said no. Who has stopped stays stopped until a consent younger than that is given,
and the id of an erased person cannot be used again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace as changed
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, or_, select

from notifiers import consents
from notifiers.choices import PERSONAL_CHANNELS, Choices, read_choices
from notifiers.contacts import Vault
from notifiers.places import Gazetteer, Place, store_places
from notifiers.registries import ImportReport, ImportRules, Parsed, at, contacts, identifier, import_rows, replace
from notifiers.tables import erasures, subscribers
from streams.errors import InputError, RegistryError
from streams.plain import plain_label
from streams.registry_rows import Row

_CHOSEN = ("language", "level", "channels", "sensitive", "timing", "quiet_hours", "accented")
_LONGEST_SOURCE = 200


def import_subscribers(
    connection: Connection, path: Path, vault: Vault, rules: ImportRules, *, now_s: float = 0.0
) -> ImportReport:
    """Take in people from a CSV file; importing again updates. Every row is accepted, or refused with its reason.

    Columns: ``subscriber_id``; ``phone``, ``email`` (at least one); a place: ``province``, or ``places`` (see
    ``Gazetteer.written``), or ``lat, lon, radius_km``; and if there are any: ``language``, ``level`` (lowest to hear
    of), ``channels`` (default: those with a contact), ``sensitive``, ``timing``, ``quiet_hours``, ``accented``,
    ``label``; ``consent_source`` with ``consent_date`` and ``consent_wording``.

    ``now_s`` is remembered as the time when a person came in.
    """
    parse = partial(_subscriber, vault=vault, rules=rules)
    return import_rows(connection, path, "subscriber_id", ["subscriber_id"], parse, partial(_store, now_s=now_s))


def _subscriber(row: Row, place: str, report: ImportReport, *, vault: Vault, rules: ImportRules) -> dict[str, Any]:
    person = identifier(row, "subscriber_id", place)
    with at(place):
        places = _places(row, rules.gazetteer)
        choices = read_choices({name: row.get(name) or "" for name in _CHOSEN}, rules.languages)
        consent = _consent(row)
    found = contacts(row, place, vault, rules, report)
    choices = choices if choices.channels else changed(choices, channels=_with_contact(found))
    values = {"subscriber_id": person, "province": places[0].provinces[0], **choices.columns(), **found}
    return values | {_PLACES: places, _CONSENT: consent, _CHOICES: choices}


_PLACES, _CONSENT, _CHOICES = "*places", "*consent", "*choices"
"""Beside the columns of the table; no column's name begins like that."""


def _places(row: Row, gazetteer: Gazetteer) -> list[Place]:
    given = {name: (row.get(name) or "").strip() for name in ("places", "lat", "lon", "radius_km", "label", "commune")}
    if given["places"]:
        return gazetteer.written(given["places"])
    if given["lat"] or given["lon"]:
        lat, lon, radius_km = (_number(given, name) for name in ("lat", "lon", "radius_km"))
        return [gazetteer.point(lat, lon, radius_km, given["label"])]
    if given["commune"]:
        return [gazetteer.commune(given["commune"], row.get("province"), given["label"])]
    return [gazetteer.province(row.get("province") or "", given["label"])]


def _number(given: dict[str, str], name: str) -> float:
    try:
        return float(given[name])
    except ValueError:
        remedy = "give WGS 84 degrees and kilometres, e.g. 21.0285, 105.8542, 5"
        raise InputError(f"{given[name][:40]!r} is not a number", field=name, remedy=remedy) from None


def _with_contact(found: dict[str, Any]) -> Any:
    return tuple(channel for channel in PERSONAL_CHANNELS if found[channel])


def _consent(row: Row) -> tuple[float, str, str] | None:
    """When, by which way and in which words the person agreed; ``None`` where the file does not speak of it."""
    source, date = (row.get("consent_source") or "").strip(), (row.get("consent_date") or "").strip()
    if "consent_source" not in row and "consent_date" not in row:
        return None
    remedy = (
        "say where and when the person agreed, e.g. form at the clinic, 2026-01-15; without consent leave the row out"
    )
    if not source or not date:
        raise InputError("no consent", field="consent_date" if source else "consent_source", remedy=remedy)
    try:
        given = datetime.fromisoformat(date[:40])
    except ValueError:
        raise InputError(f"{date[:40]!r} is not a date", field="consent_date", remedy=remedy) from None
    try:
        source = plain_label(source, _LONGEST_SOURCE)
        wording = plain_label(row.get("consent_wording") or "", _LONGEST_SOURCE) or "not stated"
    except InputError as error:
        raise InputError(error.message, field="consent_source", remedy=error.remedy) from None
    given = given if given.tzinfo else given.replace(tzinfo=UTC)
    return given.timestamp(), f"import: {source}", wording


def _store(connection: Connection, rows: list[Parsed], *, now_s: float) -> list[RegistryError]:
    refusals = {values["subscriber_id"]: error for values, error in _refused(connection, rows)}
    taken = [values for values, _ in rows if values["subscriber_id"] not in refusals]
    if not taken:
        return list(refusals.values())
    known = _known(connection, [values["subscriber_id"] for values in taken])
    columns = [
        {name: value for name, value in values.items() if not name.startswith("*")}
        | {"state": "active", "stopped_channels": "", "created_s": known.get(values["subscriber_id"], int(now_s))}
        for values in taken
    ]
    replace(connection, subscribers, "subscriber_id", columns)
    store_places(connection, {values["subscriber_id"]: values[_PLACES] for values in taken})
    for values in taken:
        if values[_CONSENT] is not None:
            _record(connection, values["subscriber_id"], values[_CHOICES], values[_CONSENT])
    return list(refusals.values())


def _record(connection: Connection, person: str, choices: Choices, consent: tuple[float, str, str]) -> None:
    given_s, source, wording = consent
    what = [*choices.channels, *([consents.SENSITIVE] if choices.sensitive else [])]
    consents.give(connection, person, what, by=source, now_s=given_s, wording_version=wording)


def _known(connection: Connection, people: list[str]) -> dict[str, int]:
    query = select(subscribers.c.subscriber_id, subscribers.c.created_s).where(subscribers.c.subscriber_id.in_(people))
    return {row.subscriber_id: row.created_s for row in connection.execute(query)}


def _refused(connection: Connection, rows: list[Parsed]) -> Iterable[tuple[dict[str, Any], RegistryError]]:
    """Rows that would bring back who was erased or has stopped since they agreed, or overrule their own choice."""
    people = [values["subscriber_id"] for values, _ in rows]
    erased, stopped = _erased(connection, people), _stopped(connection, rows)
    own = consents.given_on_page(connection, people)
    for values, place in rows:
        person = values["subscriber_id"]
        hashes = (values["sms_hash"], values["email_hash"])
        stopped_s = max((stopped[known] for known in (person, *hashes) if known in stopped), default=None)
        agreed_s = values[_CONSENT][0] if values[_CONSENT] is not None else float("-inf")
        if person in erased:
            remedy = "leave the row out; a person who wants to come back signs up, or gets a new id"
            yield values, RegistryError("was erased on request", place=place, field="subscriber_id", remedy=remedy)
        elif stopped_s is not None and agreed_s <= stopped_s:
            when = datetime.fromtimestamp(stopped_s, UTC).date()
            remedy = "leave the row out, or give consent_source and consent_date of a consent given after that"
            message = f"consent was withdrawn on {when}"
            yield values, RegistryError(message, place=place, field="consent_date", remedy=remedy)
        elif person in own and agreed_s <= own[person]:
            remedy = "leave the row out: what a person chose on the page is not overruled by a file"
            yield values, RegistryError("has chosen on the page", place=place, field="subscriber_id", remedy=remedy)


def _erased(connection: Connection, people: list[str]) -> set[str]:
    query = select(erasures.c.subscriber_id).where(erasures.c.subscriber_id.in_(people))
    return set(connection.execute(query).scalars())


def _stopped(connection: Connection, rows: list[Parsed]) -> dict[str, float]:
    """When consent was last withdrawn, by subscriber id and by contact hash."""
    table, withdrawn = subscribers, consents.latest_withdrawal()
    people = [values["subscriber_id"] for values, _ in rows]
    hashes = [found for values, _ in rows for found in (values["sms_hash"], values["email_hash"]) if found]
    query = (
        select(table.c.subscriber_id, table.c.stopped_channels, table.c.sms_hash, table.c.email_hash, withdrawn)
        .where(table.c.stopped_channels != "")
        .where(or_(table.c.subscriber_id.in_(people), table.c.sms_hash.in_(hashes), table.c.email_hash.in_(hashes)))
    )
    found: dict[str, float] = {}
    for row in connection.execute(query):
        stopped_s = float(row.withdrawn_s or 0)
        found[row.subscriber_id] = max(stopped_s, found.get(row.subscriber_id, 0.0))
        for channel in row.stopped_channels.split():
            fingerprint = row.sms_hash if channel == "sms" else row.email_hash
            if fingerprint:
                found[fingerprint] = max(stopped_s, found.get(fingerprint, 0.0))
    return found
