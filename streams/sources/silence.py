"""Notices when a source has nothing to say, and says so to the operators; never an exception."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from streams.clock import Clock, utc
from streams.metrics import SOURCE_SILENT
from streams.sources.arrivals import Arrival, Source

SILENT_AFTER_S = 3600.0
"""Stations send every five minutes, networks every hour: after an hour without a reading something is wrong."""


class OnSilence(Protocol):
    """Told of a source by name; ``heard_s``: when it last gave something before that, UTC epoch seconds."""

    def __call__(self, source: str, *, silent: bool, heard_s: float) -> None: ...


class Listened:
    """A source that is listened to: silent for longer than ``silent_after_s``, it is reported, once, until it speaks.

    Only usable readings count; a source that sends nothing but rejections is silent for what matters.

    Args:
        check_s: how often is looked whether it has become silent.
        on_change: told when it becomes silent and when it speaks again; must return at once.
    """

    def __init__(
        self,
        source: Source,
        clock: Clock,
        *,
        silent_after_s: float = SILENT_AFTER_S,
        check_s: float = 10.0,
        on_change: OnSilence | None = None,
    ) -> None:
        self._on_change = on_change
        self._source = source
        self._clock = clock
        self._silent_after_s = silent_after_s
        self._check_s = check_s
        self._heard_s = clock.now_s()
        self._silent = False
        SOURCE_SILENT.labels(source.name).set(0)

    @property
    def name(self) -> str:
        return self._source.name

    def progress_s(self) -> float:
        return self._source.progress_s()

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """The arrivals of the source, as they come."""
        feed = self._source.arrivals()
        coming: asyncio.Future[Arrival] = asyncio.ensure_future(anext(feed))
        try:
            while True:
                await asyncio.wait((coming,), timeout=self._check_s)
                if coming.done():
                    arrival = coming.result()
                    self._hear(arrival)
                    yield arrival
                    coming = asyncio.ensure_future(anext(feed))
                self._check()
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    def _hear(self, arrival: Arrival) -> None:
        if not len(arrival.loaded.batch):
            return
        now_s = self._clock.now_s()
        if self._silent:
            _log().info("source speaks again", source=self.name, silent_s=round(now_s - self._heard_s))
            if self._on_change:
                self._on_change(self.name, silent=False, heard_s=self._heard_s)
        self._heard_s, self._silent = now_s, False
        SOURCE_SILENT.labels(self.name).set(0)

    def _check(self) -> None:
        silent_s = self._clock.now_s() - self._heard_s
        if self._silent or silent_s <= self._silent_after_s:
            return
        self._silent = True
        SOURCE_SILENT.labels(self.name).set(1)
        _log().warning(
            "source silent",
            source=self.name,
            since=utc(self._heard_s).isoformat(timespec="seconds"),
            silent_s=round(silent_s),
            remedy="call the agency that runs it; its provinces become unknown",
        )
        if self._on_change:
            self._on_change(self.name, silent=True, heard_s=self._heard_s)


def _log() -> Any:
    import structlog  # a quarter of the start of a command that only wants to know the constant

    return structlog.get_logger(__name__)
