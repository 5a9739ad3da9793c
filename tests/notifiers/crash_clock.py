"""The hour of a run, common to all its processes: requests are followed up over hours that pass in moments."""

from __future__ import annotations

import asyncio
import mmap
import struct
from pathlib import Path

from tests.notifiers.samples import NOON

_NOON_S = NOON.timestamp()
_NOW, _QUIET, _OVER = 0, 8, 16
_LOOK_S = 0.004


class CommonClock:
    """Stands still until the arena moves it on, in a file that every process has in its memory."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(24))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 24)

    def now_s(self) -> float:
        return self._read(_NOW)

    @property
    def minute(self) -> int:
        """Minutes since noon."""
        return round((self.now_s() - _NOON_S) / 60)

    @property
    def over(self) -> bool:
        """Whether it will move no more."""
        return bool(self._read(_OVER))

    def begin(self, *, over: bool) -> None:
        """It is noon."""
        self._write(_NOW, _NOON_S)
        self._write(_QUIET, 0.0)
        self._write(_OVER, float(over))

    def advance(self, minutes: float) -> None:
        self._write(_NOW, self.now_s() + 60 * minutes)

    def end(self) -> None:
        self._write(_OVER, 1.0)

    def all_is_done(self, *, yes: bool) -> None:
        """A process says that it has nothing left to do at this hour, or begins."""
        self._write(_QUIET, self.now_s() if yes else 0.0)

    async def all_done(self) -> None:
        """Wait until a process has nothing left to do at this hour."""
        while self._read(_QUIET) != self.now_s():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(_LOOK_S)

    async def moved(self) -> None:
        """Wait until it is moved on, or over."""
        before = self.now_s()
        while self.now_s() == before and not self.over:  # noqa: ASYNC110 - another process moves it
            await asyncio.sleep(_LOOK_S)

    def _read(self, where: int) -> float:
        return float(struct.unpack_from("d", self._shared, where)[0])

    def _write(self, where: int, value: float) -> None:
        struct.pack_into("d", self._shared, where, value)
