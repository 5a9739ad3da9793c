"""Local days of stations, in whole hours of UTC.

Hours begin with those of UTC everywhere. Where clocks differ from UTC by part of an hour (India: 5:30), a local day
is made of the hours that end within it: 24 of them, from half an hour before midnight to half an hour before midnight.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from streams.clock import HOUR_S, utc

_PROBES = ("2026-01-15T00:00:00+00:00", "2026-07-15T00:00:00+00:00")


def has_whole_hours(zone: ZoneInfo) -> bool:
    """Whether the hours of a zone begin with UTC's."""
    offsets = (datetime.fromisoformat(probe).astimezone(zone).utcoffset() for probe in _PROBES)
    return not any(offset % timedelta(hours=1) for offset in offsets if offset is not None)


def hours_of_day_ending(hour: int, zone: ZoneInfo) -> int:
    """Length in hours of the local day that ends with hour ``hour`` (0 when no day ends with it).

    24, or 23 and 25 on the days clocks change. Hours are numbered by their END, in hours since 1970.
    """
    day = _date_before(hour, zone)
    if day == _date_before(hour + 1, zone):
        return 0
    return next(length for length in range(22, 27) if _date_before(hour - length, zone) != day)


def _date_before(hour: int, zone: ZoneInfo) -> date:
    """Local date of the last second of an hour."""
    return utc(hour * HOUR_S - 1).astimezone(zone).date()
