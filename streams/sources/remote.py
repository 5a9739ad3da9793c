"""An account on a server into which loggers drop their files, pulled by us over FTP or SFTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np

from streams.clock import Clock
from streams.encoding import to_messages
from streams.errors import ReadingError, RefusedFeedError, UnreachableFeedError
from streams.rejects import Reason, rejected
from streams.sources.arrivals import Arrival, Loaded
from streams.sources.directory import UNFINISHED_SUFFIXES
from streams.sources.files import FileReader
from streams.sources.names import split_name
from streams.sources.seen import Seen, SeenFiles, digest_of

MOST_BYTES = 64 * 1024 * 1024
"""The largest file fetched: four times what a logger keeps in sixty days."""
MOST_DEPTH = 6
MOST_FILES = 200_000
"""Files of one account: sixty days of one file every five minutes from ten stations; more is no drop folder."""
SETTLE_S = 10.0


@dataclass(frozen=True)
class RemoteFile:
    """A file as the server lists it. ``path`` is relative to the account's folder; ``size`` -1 = unknown."""

    path: str
    size: int
    changed: str


class Connection(Protocol):
    """An open connection to a server. Every method raises ``FeedError``."""

    async def files(self) -> list[RemoteFile]:
        """Every file below the folder."""
        ...

    async def read(self, file: RemoteFile, begin: int) -> bytes:
        """The bytes of a file from ``begin`` on."""
        ...


class Server(Protocol):
    """How to reach an account."""

    def opened(self) -> AbstractAsyncContextManager[Connection]:
        """Connect and log in, for one look. Raises ``FeedError``."""
        ...


class RemoteFolder:
    """The account as a feed that can be looked at.

    A file is fetched when two looks at least ``settle_s`` apart found it the same, so that an upload in progress is
    left alone; files with the name of an unfinished upload are not looked at. A fetch that breaks off is resumed
    where it broke.

    Args:
        station: the only station whose readings the account may bring, ``None`` = any.
    """

    def __init__(
        self,
        name: str,
        server: Server,
        reader: FileReader,
        seen: SeenFiles,
        clock: Clock,
        *,
        station: str | None = None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._name = name
        self._server = server
        self._reader = reader
        self._seen = seen
        self._clock = clock
        self._station = station
        self._settle_s = settle_s
        self._first_s: dict[RemoteFile, float] = {}
        self._handed_over: set[RemoteFile] = set()
        self._refused: set[RemoteFile] = set()
        self._partial: dict[RemoteFile, bytes] = {}
        self.again_s = 0.0

    async def look(self) -> AsyncIterator[Arrival]:
        """New files, oldest first."""
        async with self._server.opened() as connection:
            listed = [file for file in await connection.files() if _is_finished(file)]
            self._handed_over &= set(listed)
            self._refused &= set(listed)
            new = [file for file in listed if not self._is_taken(file)]
            now_s = self._clock.now_s()
            self._first_s = {file: self._first_s.get(file, now_s) for file in new}
            settled = [file for file in new if now_s - self._first_s[file] >= self._settle_s]
            self.again_s = self._settle_s if len(settled) < len(new) else 0.0
            for file in sorted(settled, key=_age):
                try:
                    arrival = await self._arrival(connection, file)
                except RefusedFeedError as error:
                    arrival = self._refusal(file, error)
                if arrival is not None:
                    yield arrival
            if listed:  # an empty list is more likely a drive that is not mounted than a folder that was emptied
                self._seen.forget_gone([file.path for file in listed], now_s)

    def _refusal(self, file: RemoteFile, error: RefusedFeedError) -> Arrival | None:
        """A file we may not read stops no other. Said once for each version; tried again at every look."""
        if file in self._refused:
            return None
        self._refused.add(file)
        problem = ReadingError(str(error), remedy=error.remedy)
        path = PurePosixPath(file.path)
        return Arrival(self._name, file.path, self._reader.refused(Reason.UNREADABLE_FILE, problem, path))

    def _is_taken(self, file: RemoteFile) -> bool:
        return file in self._handed_over or self._seen.has_version(file.path, file.size, file.changed)

    async def _arrival(self, connection: Connection, file: RemoteFile) -> Arrival | None:
        path = PurePosixPath(file.path)
        if file.size > MOST_BYTES:
            self._handed_over.add(file)
            problem = ReadingError(f"{file.size} bytes are too many", remedy="split the file by day or month")
            return Arrival(self._name, file.path, self._reader.refused(Reason.UNREADABLE_FILE, problem, path))
        data = await self._bytes_of(connection, file)
        if data is None:
            return None
        seen = Seen(file.size, file.changed, digest_of(data, self._owner_of(path)))
        if self._seen.has_content(seen.digest):
            self._seen.remember(file.path, seen, self._clock.now_s())  # moved, renamed or touched, not changed
            return None
        self._handed_over.add(file)
        loaded = self._reader.load(data, path)
        if self._station is not None:
            loaded = only_of(self._station, loaded, self._reader)
        return Arrival(self._name, file.path, loaded, self._remembering(file, seen))

    def _owner_of(self, path: PurePosixPath) -> str:
        return self._reader.station_of(path) or path.as_posix()

    async def _bytes_of(self, connection: Connection, file: RemoteFile) -> bytes | None:
        """``None`` when the file is another size by now: it is still growing, and comes with a later look."""
        got = self._partial.pop(file, b"")
        try:
            got += await connection.read(file, len(got))
        except InterruptedReadError as error:
            self._partial = {file: got + error.got}
            raise
        if file.size >= 0 and len(got) != file.size:
            self._first_s.pop(file, None)
            return None
        return got

    def _remembering(self, file: RemoteFile, seen: Seen) -> Callable[[], None]:
        def remember() -> None:
            self._seen.remember(file.path, seen, self._clock.now_s())
            self._handed_over.discard(file)

        return remember


class InterruptedReadError(UnreachableFeedError):
    """The connection broke while a file was being fetched; ``got`` is what had come by then."""

    def __init__(self, message: str, got: bytes) -> None:
        super().__init__(message, reason="interrupted")
        self.got = got


def _is_finished(file: RemoteFile) -> bool:
    name = PurePosixPath(file.path).name
    return not name.startswith((".", "~")) and not name.casefold().endswith(UNFINISHED_SUFFIXES)


def _age(file: RemoteFile) -> tuple[str, str]:
    """By the time in the name, for after an outage the oldest should come first; then by name."""
    _, named = split_name(PurePosixPath(file.path))
    return (named.isoformat() if named else "", file.path)


def only_of(station: str, loaded: Loaded, reader: FileReader) -> Loaded:
    """Without readings of other stations, which are refused: an account may write its own station only."""
    registry = reader.registry
    foreign = loaded.batch.station != registry.row(station)
    if not foreign.any():
        return loaded
    refused = []
    for key, raw in to_messages(loaded.batch.take(foreign), registry, most=1):
        problem = ReadingError(
            f"station {key.decode()!r} does not belong to this account",
            field="station",
            remedy=f"send {station!r} only, or configure the account without a station",
        )
        refused.append(rejected(Reason.NOT_YOUR_STATION, problem, raw, reader.source))
    return replace(loaded, batch=loaded.batch.take(np.logical_not(foreign)), rejected=loaded.rejected + refused)
