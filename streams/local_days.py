"""Local days of stations, in whole hours."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from streams.clock import HOUR_S, utc
from streams.errors import RegistryError

_PROBES = ("2026-01-15T00:00:00+00:00", "2026-07-15T00:00:00+00:00")


def whole_hour_zone(name: str, place: str) -> ZoneInfo:
    """The zone, if its hours begin with UTC's.

    Raises:
        RegistryError: for a zone such as Asia/Kolkata (UTC+5:30), whose hours would lie across two of our bins.
    """
    zone = ZoneInfo(name)
    for probe in _PROBES:
        offset = datetime.fromisoformat(probe).astimezone(zone).utcoffset()
        if offset is None or offset.total_seconds() % HOUR_S:
            raise RegistryError(
                f"{name} is not a whole number of hours from UTC; its hours cannot be formed here",
                place=place,
                field="zone",
                remedy="give the station a whole-hour zone; its days then begin half an hour off",
            )
    return zone


def hours_of_day_ending(hour: int, zone: ZoneInfo) -> int:
    """Length in hours of the local day that ends with hour ``hour`` (0 when no day ends with it).

    24, or 23 and 25 on the days clocks change. Hours are numbered by their END, in hours since 1970.
    """
    day = _date_before(hour, zone)
    if day == utc(hour * HOUR_S).astimezone(zone).date():
        return 0
    return next(length for length in range(22, 27) if _date_before(hour - length, zone) != day)


def _date_before(hour: int, zone: ZoneInfo) -> date:
    """Local date of the last second of an hour."""
    return utc(hour * HOUR_S - 1).astimezone(zone).date()
