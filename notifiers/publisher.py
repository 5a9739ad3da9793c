"""Tells the world what the ledger holds: changed deliveries to whoever listens, and what is pending to the gauges."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from sqlalchemy import Engine

from notifiers import reports
from notifiers.database import reading
from notifiers.deliveries import Delivery, Mode
from notifiers.writer import Writer
from streams.metrics import DELIVERIES_PENDING

_log = structlog.get_logger(__name__)

OnChange = Callable[[list[Delivery]], Awaitable[None]]
"""Told of deliveries that changed; when it returns they are confirmed as published. What it was told but had not
confirmed before a crash comes again, so it must take repeats."""

_COUNT_EVERY_S = 5.0
_COUNT_REST = 30.0
"""Times as long as it took does counting rest: it looks at every row on its way, which is half a second and more for a
million, and takes turns with sending."""
_LONGEST_WAIT_S = 30.0  # between tries while the listener is away


class Publisher:
    """Publishes the changes of one mode. Beside the sending, so that neither waits for the other: a list of hours is
    heard of while it goes out, and a topic that is away holds up no warning."""

    def __init__(self, engine: Engine, mode: Mode, writer: Writer, on_change: OnChange | None) -> None:
        self._engine, self._mode, self._writer = engine, mode, writer
        self._on_change = on_change

    async def run(self, stop: asyncio.Event, every_s: float) -> None:
        """Publish and count every ``every_s`` until ``stop`` is set, and once more then. Survives a database or a
        listener that is away: both are tried again, less and less often."""
        failures, count_at_s = 0, float("-inf")
        last = False
        while not last:
            last = stop.is_set()
            try:
                await self.publish()
                started_s = time.monotonic()
                if last or started_s >= count_at_s:
                    await self.count()
                    count_at_s = started_s + max(_COUNT_EVERY_S, _COUNT_REST * (time.monotonic() - started_s))
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, the news is not lost: it stands in the ledger
                failures += 1
                remedy = "check the database and the topic of deliveries; nothing is lost, sending goes on"
                _log.error("changes not published yet", error=type(error).__name__, remedy=remedy)
            if not last:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), min(every_s * 2 ** min(failures, 8), _LONGEST_WAIT_S))

    async def publish(self) -> None:
        """Tell the listener everything it has not confirmed. Raises what it or the database raises."""
        if self._on_change is None:
            return
        while told := await asyncio.to_thread(self._unpublished):
            await self._on_change([delivery for delivery, _ in told])
            confirmed = [(delivery.id, revision) for delivery, revision in told]
            await self._writer.write(partial(reports.mark_published, told=confirmed))

    async def count(self) -> dict[str, int]:
        """Set the gauges; returns the number of deliveries by state that are still on their way."""
        counted = await asyncio.to_thread(self._pending)
        for state, number in counted.items():
            DELIVERIES_PENDING.labels(state).set(number)
        return counted

    def _pending(self) -> dict[str, int]:
        with reading(self._engine) as connection:
            return reports.pending(connection, self._mode)

    def _unpublished(self) -> list[tuple[Delivery, int]]:
        with reading(self._engine) as connection:
            return reports.unpublished(connection, self._mode)
