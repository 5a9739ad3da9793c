"""Plants that are asked to cut their emissions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from notifiers.contacts import Vault
from notifiers.registries import (
    CHANNELS,
    ImportReport,
    ImportRules,
    Parsed,
    contacts,
    degrees,
    identifier,
    import_rows,
    language,
    plain_text,
    province,
    replace,
)
from notifiers.tables import facilities
from streams.errors import RegistryError
from streams.registry_rows import Row

_LONGEST_ADDRESS = 1_000  # characters of a webhook's address


def import_facilities(connection: Connection, path: Path, vault: Vault, rules: ImportRules) -> ImportReport:
    """Take in ``facility_id,name,kind,province,lat,lon,language,email,phone,webhook``; importing again updates.

    A facility is written to on every channel it has, so that its duty officer is reached.
    """
    parse = partial(_facility, vault=vault, rules=rules)
    return import_rows(connection, path, "facility_id", ["facility_id", "name", "province"], parse, _store)


def _store(connection: Connection, rows: list[Parsed]) -> list[RegistryError]:
    replace(connection, facilities, "facility_id", [values for values, _ in rows])
    return []


def _facility(row: Row, place: str, report: ImportReport, *, vault: Vault, rules: ImportRules) -> dict[str, Any]:
    values = {
        "facility_id": identifier(row, "facility_id", place),
        "name": plain_text(row, "name", place),
        "kind": plain_text(row, "kind", place),
        "province": province(row, place, rules),
        "lat": degrees(row, "lat", place),
        "lon": degrees(row, "lon", place),
        "language": language(row, place, rules),
    }
    values |= contacts(row, place, vault, rules, report) | _webhook(row, place, vault, report)
    channels = [*CHANNELS, "webhook"] if values["webhook"] else CHANNELS
    return values | {"channels": " ".join(channels)}


def _webhook(row: Row, place: str, vault: Vault, report: ImportReport) -> dict[str, Any]:
    """The sealed address of the plant's own system. Only its form is looked at here; whether it may be reached is
    seen when something is sent, because networks that are allowed may change."""
    text = (row.get("webhook") or "").strip()
    if not text:
        return {"webhook": None, "webhook_hash": None}
    url = urlsplit(text)
    if url.scheme not in ("https", "http") or not url.hostname or "@" in url.netloc or len(text) > _LONGEST_ADDRESS:
        remedy = "write it like https://plant.example.org/airshed"
        report.warnings.append(RegistryError("no address of a webhook", place=place, field="webhook", remedy=remedy))
        return {"webhook": None, "webhook_hash": None}
    return {"webhook": vault.seal(text), "webhook_hash": vault.fingerprint(text)}
