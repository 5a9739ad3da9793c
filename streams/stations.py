"""The station registry: who measures where. Read from CSV, looked up by code, indexed for columnar work."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.airsheds import Airshed
from streams.errors import RegistryError

StationClass = Literal["reference", "low-cost"]


@dataclass(frozen=True, kw_only=True)
class Station:
    """A monitoring station.

    Attributes:
        code: unique code, as the feeds name it.
        lat / lon: WGS 84, degrees.
        airshed / province: codes; ``airshed`` is empty for a station outside every airshed.
        zone: IANA time zone; days of the station are local to it, its hours are those of UTC.
        station_class: ``reference`` or ``low-cost``.
    """

    code: str
    name: str
    lat: float
    lon: float
    airshed: str
    province: str
    agency: str
    zone: str
    station_class: StationClass


class StationRegistry:
    """Stations by code and by row number; row numbers are what batches carry."""

    def __init__(self, stations: Iterable[Station]) -> None:
        self.stations: tuple[Station, ...] = tuple(sorted(stations, key=lambda station: station.code))
        self.rows: dict[str, int] = {station.code: row for row, station in enumerate(self.stations)}
        if len(self.rows) != len(self.stations):
            raise RegistryError("a station code appears twice", remedy="station codes must be unique")

    def __len__(self) -> int:
        return len(self.stations)

    def row(self, code: str) -> int:
        """Row number of a station, -1 if it is not registered."""
        return self.rows.get(code, -1)

    def of_province(self, airshed: str, province: str) -> list[Station]:
        """The stations of one province, by code."""
        return [s for s in self.stations if s.airshed == airshed and s.province == province]


def read_stations(path: Path, airsheds: Iterable[Airshed]) -> StationRegistry:
    """Read a registry CSV.

    Columns: ``station_id`` (or ``station`` or ``code``), ``lat``, ``lon``, ``province`` (code, name or former name);
    optional ``name``, ``agency``, ``zone`` (default: the airshed's), ``class`` (default ``reference``).
    A station whose province belongs to none of ``airsheds`` is kept, outside every airshed.

    Raises:
        RegistryError: naming file, line, column and remedy, at the first row that cannot be used.
    """
    airsheds = list(airsheds)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise RegistryError(
            f"cannot be read: {why}", place=str(path), remedy="give the station registry, CSV"
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in ("lat", "lon", "province") if name not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ("none",))
        raise RegistryError(f"no column {', '.join(missing)}", place=f"{path}:1", remedy=f"columns found: {found}")
    return StationRegistry(_station(row, f"{path}:{reader.line_num}", airsheds) for row in reader)


def _station(row: dict[str, str], place: str, airsheds: list[Airshed]) -> Station:
    code = (row.get("station_id") or row.get("station") or row.get("code") or "").strip()
    if not code:
        raise RegistryError("no station code", place=place, field="station_id", remedy="give every station a code")
    province_text = (row.get("province") or "").strip()
    airshed, province = _placed(province_text, airsheds)
    zone = (row.get("zone") or "").strip() or (airshed.zone if airshed else "UTC")
    station_class = (row.get("class") or "reference").strip()
    if station_class not in ("reference", "low-cost"):
        raise RegistryError(
            f"unknown class {station_class!r}", place=place, field="class", remedy="write reference or low-cost"
        )
    return Station(
        code=code,
        name=(row.get("name") or code).strip(),
        lat=_degrees(row, "lat", 90.0, place),
        lon=_degrees(row, "lon", 180.0, place),
        airshed=airshed.code if airshed else "",
        province=province or province_text,
        agency=(row.get("agency") or "").strip(),
        zone=_known_zone(zone, place),
        station_class="low-cost" if station_class == "low-cost" else "reference",
    )


def _placed(text: str, airsheds: list[Airshed]) -> tuple[Airshed | None, str]:
    for airshed in airsheds:
        province = airshed.province(text)
        if province is not None:
            return airshed, province.code
    return None, ""


def _degrees(row: dict[str, str], field: str, limit: float, place: str) -> float:
    text = (row.get(field) or "").strip()
    try:
        value = float(text)
    except ValueError:
        raise RegistryError(
            f"{text!r} is not a number", place=place, field=field, remedy="give WGS 84 degrees, e.g. 21.0285"
        ) from None
    if not math.isfinite(value) or abs(value) > limit:
        raise RegistryError(
            f"{value} lies outside ±{limit:g}", place=place, field=field, remedy="are lat and lon swapped?"
        )
    return value


def _known_zone(zone: str, place: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise RegistryError(
            f"unknown time zone {zone!r}", place=place, field="zone", remedy="use an IANA name, e.g. Asia/Ho_Chi_Minh"
        ) from None
    return zone
