"""Local days as whole hours of UTC, on clocks of every kind."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from streams.clock import HOUR_S
from streams.local_days import has_whole_hours, hours_of_day_ending

MIDNIGHT = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) // HOUR_S


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("UTC", 0),
        ("Asia/Ho_Chi_Minh", 17),
        ("America/Bogota", 5),
        ("Asia/Kolkata", 18),  # midnight is 18:30
        ("Asia/Kathmandu", 18),  # 18:15
        ("Australia/Eucla", 15),  # 15:15
        ("America/Caracas", 4),
        ("Pacific/Marquesas", 9),  # 09:30
    ],
)
def test_every_hour_is_in_one_day_of_24(name: str, ends: int) -> None:
    zone = ZoneInfo(name)
    days = {hour: hours_of_day_ending(hour, zone) for hour in range(MIDNIGHT, MIDNIGHT + 10 * 24)}
    assert [hour % 24 for hour, length in days.items() if length] == [ends] * 10
    assert {length for length in days.values() if length} == {24}


@pytest.mark.parametrize(("month", "lengths"), [(3, {23, 24}), (10, {24, 25})])
def test_days_on_which_clocks_change(month: int, lengths: set[int]) -> None:
    first = int(datetime(2026, month, 2, tzinfo=UTC).timestamp()) // HOUR_S
    days = [hours_of_day_ending(hour, ZoneInfo("Europe/Berlin")) for hour in range(first, first + 29 * 24)]
    assert {length for length in days if length} == lengths
    assert abs(sum(days) - len(days)) < 24


def test_which_clocks_share_their_hours_out() -> None:
    names = ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"]
    assert [has_whole_hours(ZoneInfo(name)) for name in names] == [True, False, False, False, True]
