"""The forking process of the crash test, asked for one life after the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from tests.notifiers.mortal import Ended, Order

_LIFE_S = 120.0


class Mortals:
    """A forking process (:mod:`tests.notifiers.mortal`) and the lives it is asked for, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, listener: socket.socket) -> AsyncIterator[Mortals]:
        fd = listener.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.notifiers.mortal",
            str(fd),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=[fd],
            cwd=Path(__file__).parents[2],
        )
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def life(self, order: Order, killed_when: Coroutine[Any, Any, Any] | None = None) -> int:
        """One life, killed when the coroutine has ended; its exit status, negative for a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        child = int(await self._process.stdout.readline())
        ending = asyncio.ensure_future(self._process.stdout.readline())
        killing = asyncio.ensure_future(killed_when or asyncio.sleep(_LIFE_S))
        done, _ = await asyncio.wait([ending, killing], return_when=asyncio.FIRST_COMPLETED)
        killing.cancel()
        if ending not in done:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        ended = msgspec.json.decode(await ending, type=Ended).status
        assert ending in done or killed_when is not None, "a life without an end"
        return ended
