"""Waits after failures: back-off of a message, and a pause for a channel that is down."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off with full jitter, so that many rows refused at once do not come back at once.

    Attributes:
        first_s: upper bound of the first wait.
        longest_s: upper bound of any wait. Ten minutes: greylisting lets a mail in after five to fifteen.
    """

    first_s: float = 2.0
    longest_s: float = 600.0

    def wait_s(self, attempt: int, chance: random.Random) -> float:
        """Seconds until the try after ``attempt`` (1 = the first has just failed)."""
        bound = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 30))
        return bound * (0.5 + 0.5 * chance.random())  # at least half of it: zero would hammer a server in trouble


class Breaker:
    """Pauses a channel whose provider takes nothing, and lets one probe after another find out whether it is back."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failures = 0
        self._closed_until_s = 0.0
        self._open_since_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the channel is considered down."""
        return self._failures > 0

    def open_for_s(self, machine_s: float) -> float:
        """For how many seconds the channel has been down, 0 when it is well."""
        return machine_s - self._open_since_s if self.is_open else 0.0

    def allowed(self, machine_s: float, concurrency: int) -> int:
        """How many messages may be tried now: none during a pause, one to probe, all when the channel is well."""
        if not self.is_open:
            return concurrency
        return 1 if machine_s >= self._closed_until_s else 0

    def failed(self, machine_s: float, chance: random.Random) -> bool:
        """Note that the channel is down. True for the first failure of an outage: the one to log."""
        first = not self.is_open
        if first:
            self._open_since_s = machine_s
        if machine_s >= self._closed_until_s:  # failures of messages that were under way together count once
            self._failures += 1
            self._closed_until_s = machine_s + self._backoff.wait_s(self._failures, chance)
        return first

    def succeeded(self) -> bool:
        """Note that the provider took something. True when that ends an outage."""
        was_open = self.is_open
        self._failures, self._closed_until_s = 0, 0.0
        return was_open
