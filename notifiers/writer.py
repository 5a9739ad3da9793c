"""One thread that writes for all senders: whatever has gathered while it wrote goes into the next transaction.

A commit costs a flush of the disk; with fifty sends in flight, grouping makes that one flush instead of fifty, and
keeps the event loop free of waiting for the disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
_Work = tuple[Callable[[Connection], Any], "Future[Any]"]
_MOST_PER_COMMIT = 200  # bounds how long one transaction holds SQLite's write lock, to some tens of milliseconds


class Writer:
    """Runs small pieces of database work, several per transaction, in the order they were handed in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction; returns its result once that is COMMITTED.

        ``work`` must be repeatable: when the shared transaction fails, each piece is run again on its own.
        """
        future: Future[T] = Future()
        self._waiting.put((work, future))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what has been handed in, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            batch, stop = [first], False
            while len(batch) < _MOST_PER_COMMIT and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    stop = True
                    break
                batch.append(following)
            self._commit(batch)
            if stop:
                return

    def _commit(self, batch: list[_Work]) -> None:
        try:
            with self._engine.begin() as connection:
                results = [work(connection) for work, _ in batch]
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the work
            if len(batch) == 1:
                _resolve(batch[0][1], error=error)
                return
            for piece in batch:
                self._commit([piece])
            return
        for (_, future), result in zip(batch, results, strict=True):
            _resolve(future, result=result)


def _resolve(future: Future[Any], *, result: Any = None, error: Exception | None = None) -> None:
    if not future.set_running_or_notify_cancel():
        return  # the sender has been cancelled; what it asked for is committed all the same
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
