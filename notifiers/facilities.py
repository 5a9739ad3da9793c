"""Plants that are asked to cut their emissions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from notifiers.contacts import Vault
from notifiers.database import facilities
from notifiers.registries import (
    CHANNELS,
    ImportReport,
    ImportRules,
    Parsed,
    Row,
    contacts,
    degrees,
    identifier,
    import_rows,
    language,
    plain_text,
    province,
    replace,
)
from streams.errors import RegistryError


def import_facilities(connection: Connection, path: Path, vault: Vault, rules: ImportRules) -> ImportReport:
    """Take in ``facility_id,name,kind,province,lat,lon,language,email,phone``; importing again updates.

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
    return values | contacts(row, place, vault, rules, report) | {"channels": " ".join(CHANNELS)}
