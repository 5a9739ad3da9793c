"""When to stop rejecting and call a person: past some share, the fault is not in the readings."""

from __future__ import annotations

from enum import StrEnum

from streams.errors import AirshedError


class TooManyRejectedError(AirshedError):
    """So much of the input cannot be used that going on would only empty the topic into the rejected ones."""


class Verdict(StrEnum):
    """What the limits say of the input so far."""

    FINE = "fine"
    RATIO = "too-large-a-share-rejected"
    RUN = "too-many-rejected-in-a-row"


class RejectionLimits:
    """Watches one partition, or one source.

    Args:
        ratio: largest share of rejected readings, looked at once per ``window`` readings.
        run: most readings in a row of which none could be used.
        window: readings over which the share is taken.
    """

    def __init__(self, *, ratio: float, run: int, window: int) -> None:
        self._ratio = ratio
        self._run_limit = run
        self._window = window
        self._seen = 0
        self._rejected = 0
        self._run = 0

    def count(self, seen: int, rejected: int) -> Verdict:
        """Note one run of input and judge."""
        self._run = self._run + rejected if rejected >= seen else 0
        if seen and self._run >= self._run_limit:
            return Verdict.RUN
        self._seen += seen
        self._rejected += rejected
        if self._seen < self._window:
            return Verdict.FINE
        too_many = self._rejected > self._ratio * self._seen
        self._seen = self._rejected = 0
        return Verdict.RATIO if too_many else Verdict.FINE
