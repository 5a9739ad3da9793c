"""When quiet hours end: those of a notice, and those a person asked for. Knows no database."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from rules.notices import Notice


def quiet_until_s(notice: Notice, moment: datetime) -> int:
    """When the quiet hours of a notice that hold ``moment`` end, UTC epoch seconds; 0 if it lies outside of them.

    The day they end on is that of the local clock, so that 06:00 is 06:00 on the morning clocks change as well.
    """
    if not notice.quiet_hours:
        return 0
    begins, ends = (time.fromisoformat(text) for text in notice.quiet_hours.split("-"))
    return _end_of(begins, ends, ZoneInfo(notice.zone), moment)


def own_quiet_until_s(quiet_from: int | None, quiet_to: int | None, zone: str, moment: datetime) -> int:
    """The same for the hours in which a person wants silence, in minutes of the local day; ``None``: has no such."""
    if quiet_from is None or quiet_to is None or quiet_from == quiet_to:
        return 0
    begins, ends = (time(minute // 60 % 24, minute % 60) for minute in (quiet_from, quiet_to))
    return _end_of(begins, ends, ZoneInfo(zone), moment)


def _end_of(begins: time, ends: time, zone: ZoneInfo, moment: datetime) -> int:
    local = moment.astimezone(zone)
    now = local.time()
    over_midnight = ends <= begins
    inside = (now >= begins or now < ends) if over_midnight else begins <= now < ends
    if not inside:
        return 0
    day = local.date() + timedelta(days=1 if over_midnight and now >= begins else 0)
    return int(datetime.combine(day, ends, zone).timestamp())
