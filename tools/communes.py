"""Derives ``streams/geography/communes.json``: the 3 321 communes of Viet Nam since 1 July 2025, with their centres.

    python -m tools.communes          # writes the file anew; the same input gives the same bytes

Source: ``vietnamadminunits``, as for the outlines of the provinces (:mod:`tools.vietnam`).
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from tools.vietnam import database

TARGET = Path(__file__).parent.parent / "streams" / "geography" / "communes.json"
_DIGITS = 4
"""Of a degree: about ten metres, as the source gives it."""


def main() -> None:
    """Write the file."""
    TARGET.write_text(text_of(read_communes()), encoding="utf-8")


def read_communes() -> list[list[Any]]:
    """Code, name with its kind (phường, xã, đặc khu), code of the province, latitude and longitude of the centre."""
    with sqlite3.connect(f"file:{database()}?mode=ro", uri=True) as connection:
        found = connection.execute(
            "select wardCode, ward, provinceCode, wardLat, wardLon from admin_units order by wardCode"
        ).fetchall()
    return [
        [code, name, province, round(lat, _DIGITS), round(lon, _DIGITS)] for code, name, province, lat, lon in found
    ]


def text_of(communes: list[list[Any]]) -> str:
    """The file: one commune a line, so that a change can be read."""
    lines = (json.dumps(commune, ensure_ascii=False, separators=(",", ":")) for commune in communes)
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    main()
