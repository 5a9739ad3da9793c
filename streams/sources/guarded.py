"""A source that is stopped when most of what it sends cannot be used: the fault is then not in the readings.

Going on would only fill the rejected ones and hide what they are. What is stopped is this source alone; the arrival
that was too much, and everything after it, has not been acknowledged and is handed over again after a restart.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import structlog

from streams import metrics
from streams.rejection_limits import RejectionLimits, Verdict
from streams.sources.arrivals import Arrival, Source

REJECT_RATIO, REJECT_RUN, REJECT_WINDOW = 0.5, 10_000, 10_000
"""As on Kafka: half of ten thousand readings, or ten thousand on end. A provincial feed sends that in some hours; an
unregistered station or a broken line among many stays far below it."""

_log = structlog.get_logger()


class Guarded:
    """Passes a source on within the limits.

    Attributes:
        stopped: why it was stopped; empty while it runs.
    """

    def __init__(self, source: Source, limits: RejectionLimits | None = None) -> None:
        self._source = source
        self._limits = limits or RejectionLimits(ratio=REJECT_RATIO, run=REJECT_RUN, window=REJECT_WINDOW)
        self.stopped = ""

    @property
    def name(self) -> str:
        return self._source.name

    def progress_s(self) -> float:
        """A stopped source holds back nobody's marks."""
        return math.inf if self.stopped else self._source.progress_s()

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """What comes, until the limits are passed."""
        async for arrival in self._source.arrivals():
            loaded = arrival.loaded
            seen = len(loaded.batch) + loaded.unused + len(loaded.rejected)
            verdict = self._limits.count(seen, len(loaded.rejected))
            if verdict is not Verdict.FINE:
                self._stop(arrival, verdict)
                return
            yield arrival

    def _stop(self, arrival: Arrival, verdict: Verdict) -> None:
        latest = arrival.loaded.rejected[-1].message if arrival.loaded.rejected else ""
        self.stopped = f"{verdict}; the latest, in {arrival.place}: {latest}"
        metrics.SOURCE_FAILURES.labels(self.name, verdict.value).inc()
        _log.error(
            "source stopped",
            source=self.name,
            reason=verdict.value,
            place=arrival.place,
            latest=latest,
            remedy="mend the feed or the registry, then restart: nothing after this was acknowledged",
        )
