"""The station registry: who measures where. Read from CSV, looked up by code, indexed for columnar work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.airsheds import Airshed
from streams.errors import InputError, RegistryError
from streams.plain import plain_code, plain_label
from streams.registry_rows import Row, rows

StationClass = Literal["reference", "low-cost"]
_LONGEST_CODE = 100
_LONGEST_NAME = 200  # characters; names appear on pages and in messages


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
        return StationRegistry(_stations(path, airsheds))
    except OSError as error:
        message, remedy = f"cannot be read: {error.strerror}", "give the station registry, CSV"
        raise RegistryError(message, place=str(path), remedy=remedy) from None


def _stations(path: Path, airsheds: list[Airshed]) -> Iterator[Station]:
    for row, place in rows(path, ("lat", "lon", "province")):
        if isinstance(row, RegistryError):
            raise row
        yield _station(row, place, airsheds)


def _station(row: Row, place: str, airsheds: list[Airshed]) -> Station:
    given = (row.get("station_id") or row.get("station") or row.get("code") or "").strip()
    code = _plain(plain_code, given, _LONGEST_CODE, place, "station_id")
    if not code:
        raise RegistryError("no station code", place=place, field="station_id", remedy="give every station a code")
    province_text = _plain(plain_code, (row.get("province") or "").strip(), _LONGEST_NAME, place, "province")
    airshed, province = _placed(province_text, airsheds)
    zone = (row.get("zone") or "").strip() or (airshed.zone if airshed else "UTC")
    station_class = (row.get("class") or "reference").strip()
    if station_class not in ("reference", "low-cost"):
        raise RegistryError(
            f"unknown class {station_class[:40]!r}", place=place, field="class", remedy="write reference or low-cost"
        )
    return Station(
        code=code,
        name=_plain(plain_label, row.get("name") or code, _LONGEST_NAME, place, "name"),
        lat=_degrees(row, "lat", 90.0, place),
        lon=_degrees(row, "lon", 180.0, place),
        airshed=airshed.code if airshed else "",
        province=province or province_text,
        agency=_plain(plain_label, row.get("agency") or "", _LONGEST_NAME, place, "agency"),
        zone=_known_zone(zone, place),
        station_class="low-cost" if station_class == "low-cost" else "reference",
    )


def _plain(clean: Callable[[str, int], str], text: str, longest: int, place: str, field: str) -> str:
    try:
        return clean(text, longest)
    except InputError as error:
        raise RegistryError(error.message, place=place, field=field, remedy=error.remedy) from None


def _placed(text: str, airsheds: list[Airshed]) -> tuple[Airshed | None, str]:
    for airshed in airsheds:
        province = airshed.province(text)
        if province is not None:
            return airshed, province.code
    return None, ""


def _degrees(row: Row, field: str, limit: float, place: str) -> float:
    text = (row.get(field) or "").strip()
    try:
        value = float(text)
    except ValueError:
        raise RegistryError(
            f"{text[:40]!r} is not a number", place=place, field=field, remedy="give WGS 84 degrees, e.g. 21.0285"
        ) from None
    if not math.isfinite(value) or abs(value) > limit:
        raise RegistryError(
            f"{value} lies outside ±{limit:g}", place=place, field=field, remedy="are lat and lon swapped?"
        )
    return value


def _known_zone(zone: str, place: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the last: too long for the name of a file
        remedy = "use an IANA name, e.g. Asia/Ho_Chi_Minh"
        raise RegistryError(f"unknown time zone {zone[:80]!r}", place=place, field="zone", remedy=remedy) from None
    return zone
