"""Time: aware datetimes at the edges, UTC epoch seconds inside, and the clocks that runtimes hand out.

Nothing below the runtimes asks the machine for the time; what needs a clock is given one.
"""

from __future__ import annotations

import time as _time
from datetime import UTC, datetime
from typing import Protocol

HOUR_S = 3600


class Clock(Protocol):
    """Gives the present moment as UTC epoch seconds."""

    def now_s(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now_s(self) -> float:
        return _time.time()


class ManualClock:
    """A clock that stands still until it is told to move: for replays, simulations and tests."""

    def __init__(self, now_s: float = 0.0) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        return self._now_s

    def set(self, now_s: float) -> None:
        self._now_s = now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


def epoch_s(moment: datetime) -> int:
    """Whole UTC epoch seconds of an aware datetime. Raises ``ValueError`` for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without an offset cannot be placed: {moment.isoformat()}")
    return int(moment.timestamp())


def utc(seconds: float) -> datetime:
    """The aware UTC datetime of epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)
