"""What the sandbox does in the background: callbacks and calls that follow a request."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Tasks of one event loop that can be waited for and cut off."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Wait until every task has ended, those that start meanwhile included. Giving up the wait cuts nothing off."""
        while self._running:
            await asyncio.wait(self._running)

    async def cut(self) -> None:
        """Cancel what is running, and wait until it has ended."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
