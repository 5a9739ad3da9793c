"""Quiet hours: when the messages of a notice go out."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from streams.clock import epoch_s, utc


def goes_out_s(decided_s: int, quiet_hours: str, zone: ZoneInfo) -> int:
    """The moment at which messages decided at ``decided_s`` may go out, UTC epoch seconds.

    Args:
        quiet_hours: local hours in which they wait, ``22:00-06:00``, the end not included; empty for none.
    """
    if not quiet_hours:
        return decided_s
    start, end = (time.fromisoformat(text) for text in quiet_hours.split("-"))
    local = utc(decided_s).astimezone(zone)
    if not _lies_within(local.time(), start, end):
        return decided_s
    days = 1 if local.time() >= end else 0  # before midnight: the morning after
    return epoch_s(datetime.combine(local.date() + timedelta(days=days), end, zone))


def _lies_within(moment: time, start: time, end: time) -> bool:
    if start <= end:
        return start <= moment < end
    return moment >= start or moment < end
