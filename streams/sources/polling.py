"""A source that is looked at again and again, and that may fail without harming any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import structlog

from streams.clock import Clock
from streams.errors import FeedError
from streams.metrics import SOURCE_FAILURES
from streams.sources.arrivals import Arrival
from streams.sources.pacing import Sleep

_log = structlog.get_logger(__name__)

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 900.0
"""How long to stay away from a source that fails: 5 s at first (a dropped connection), twice as long each time, at most
a quarter of an hour, so that a locked account is not hammered and a mended one is found soon."""


class Look(Protocol):
    """What a feed offers to be looked at."""

    @property
    def again_s(self) -> float:
        """Seconds after which something half seen (an upload in progress) should be looked at again; 0 = nothing."""
        ...

    def look(self) -> AsyncIterator[Arrival]:
        """What is new since the last look.

        Raises:
            FeedError: when the source cannot be asked; what was handed over before stays handed over.
        """
        ...


class PolledSource:
    """Makes a live source of a feed.

    Args:
        poll_s: from the end of one look to the beginning of the next.
    """

    def __init__(self, name: str, feed: Look, clock: Clock, *, poll_s: float, sleep: Sleep = asyncio.sleep) -> None:
        self._name = name
        self._feed = feed
        self._clock = clock
        self._poll_s = poll_s
        self._sleep = sleep
        self._looking_since_s: float | None = clock.now_s()

    @property
    def name(self) -> str:
        return self._name

    def progress_s(self) -> float:
        """While a look is under way, when it began; between looks nothing can have come in."""
        return self._clock.now_s() if self._looking_since_s is None else self._looking_since_s

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """Looks until cancelled. A failure is logged and counted, and the next look comes later."""
        failures = 0
        while True:
            self._looking_since_s = self._clock.now_s()
            try:
                async for arrival in self._feed.look():
                    yield arrival
            except FeedError as error:
                failures += 1
                wait_s = self._wait_s(failures, error)
                self._tell(error, wait_s)
            else:
                failures = 0
                wait_s = min(self._feed.again_s or self._poll_s, self._poll_s)
            self._looking_since_s = None
            await self._sleep(wait_s)

    def _wait_s(self, failures: int, error: FeedError) -> float:
        longest_s = max(self._poll_s, LONGEST_WAIT_S)
        backed_off_s = min(FIRST_WAIT_S * 2.0 ** min(failures - 1, 30), longest_s)
        if not error.retriable:
            backed_off_s = max(backed_off_s, min(self._poll_s, longest_s))
        return max(backed_off_s, error.wait_s)

    def _tell(self, error: FeedError, wait_s: float) -> None:
        SOURCE_FAILURES.labels(self._name, error.reason).inc()
        _log.warning(
            "source failed",
            source=self._name,
            reason=error.reason,
            error=str(error),
            remedy=error.remedy,
            again_in_s=round(wait_s),
        )
