"""The files of a replay, row by row from what was said as JSON lines."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from streams.schemas import POLLUTANTS, ProvinceState, StationIndex

INDEX_COLUMNS = (
    "time", "airshed", "province", "station", "product", "standard", "index", "category", "dominant", "index_24h",
    *(f"sub_{pollutant}" for pollutant in POLLUTANTS),
    *(f"concentration_{pollutant}" for pollutant in POLLUTANTS),
    *(f"completeness_{pollutant}" for pollutant in POLLUTANTS),
    "revision",
)  # fmt: skip
PROVINCE_COLUMNS = (
    "time", "airshed", "province", "condition", "level", "median_index", "median_index_24h", "valid", "known",
    "coverage", "single_station", "revision",
)  # fmt: skip


def write_index(lines: Iterable[bytes], path: Path) -> int:
    """Write ``index.csv``: one row per station, hour (or day) and product, its latest revision. Returns the rows.

    Rows come in the order in which they were first said: by time, then by station.
    """
    decode = msgspec.json.Decoder(StationIndex).decode
    return _write(path, INDEX_COLUMNS, (_index_row(item) for item in _latest(map(decode, lines), _index_key)))


def write_provinces(lines: Iterable[bytes], path: Path) -> int:
    """Write ``provinces.csv``: one row per province and hour, its latest revision. Returns the rows."""
    decode = msgspec.json.Decoder(ProvinceState).decode
    rows = (
        province_row(state)
        for state in _latest(map(decode, lines), lambda state: (state.airshed, state.province, state.time))
    )
    return _write(path, PROVINCE_COLUMNS, rows)


def province_row(state: ProvinceState) -> list[str]:
    """A row of ``provinces.csv``."""
    return [_text(getattr(state, column)) for column in PROVINCE_COLUMNS]


def write_lines(lines: Iterable[bytes], path: Path) -> int:
    """Write JSON lines as they are. Returns their number."""
    number = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line + b"\n")
            number += 1
    return number


def _latest(items: Iterable[Any], key: Any) -> Iterator[Any]:
    """The last statement about each key, in the order of the first."""
    latest: dict[Any, Any] = {}
    for item in items:
        latest[key(item)] = item
    return iter(latest.values())


def _index_key(item: StationIndex) -> tuple[Any, ...]:
    return item.station, item.time, item.product


def _index_row(item: StationIndex) -> list[str]:
    plain = (item.airshed, item.province, item.station, item.product, item.standard, item.index, item.category)
    per_pollutant = [
        _text(values.get(pollutant))
        for values in (item.sub, _by_pollutant(item.concentration), item.completeness)
        for pollutant in POLLUTANTS
    ]
    tail = [_text(item.dominant), _text(item.index_24h)]
    return [_text(item.time), *map(_text, plain), *tail, *per_pollutant, str(item.revision)]


def _by_pollutant(concentration: dict[str, float]) -> dict[str, float]:
    """Daily records name the statistic (``pm25_24h``); the column names the pollutant. The highest one is shown."""
    found: dict[str, float] = {}
    for name, value in concentration.items():
        pollutant = name.split("_")[0]
        found[pollutant] = max(value, found.get(pollutant, value))
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return str(value.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _write(path: Path, columns: Iterable[str], rows: Iterable[list[str]]) -> int:
    number = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            number += 1
    return number
