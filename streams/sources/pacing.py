"""Keeping below a rate: token buckets on a given clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from streams.clock import Clock

Sleep = Callable[[float], Awaitable[object]]


class TokenBucket:
    """Uses that are refilled evenly.

    Args:
        most: with ``burst``: never more than this in any window of ``per_s`` seconds, wherever it begins, because the
            burst and what is refilled meanwhile add up to it. Without: the burst and the refill are ``most`` each.
        burst: how many uses may follow each other without waiting; default ``most``.
    """

    def __init__(self, most: float, per_s: float, clock: Clock, burst: float | None = None) -> None:
        self._burst = most if burst is None else burst
        self._rate = (most - (0 if burst is None else burst)) / per_s
        self._clock = clock
        self._tokens = self._burst
        self._filled_s = clock.now_s()

    def wait_s(self) -> float:
        """Seconds until one more use is allowed; 0 = now."""
        self._fill()
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def take(self) -> None:
        """Use one; the caller has waited."""
        self._fill()
        self._tokens -= 1.0

    def _fill(self) -> None:
        now_s = self._clock.now_s()
        self._tokens = min(self._burst, self._tokens + max(0.0, now_s - self._filled_s) * self._rate)
        self._filled_s = now_s


class Pace:
    """Several limits at once; ``turn`` waits until all allow one more."""

    def __init__(self, buckets: Sequence[TokenBucket], sleep: Sleep = asyncio.sleep) -> None:
        self._buckets = buckets
        self._sleep = sleep

    async def turn(self) -> None:
        while (wait_s := max((bucket.wait_s() for bucket in self._buckets), default=0.0)) > _ROUNDING_S:
            await self._sleep(wait_s)
        for bucket in self._buckets:
            bucket.take()


_ROUNDING_S = 1e-6
"""A token that is short by rounding only counts as whole; else a clock that stands still would wait for ever."""
