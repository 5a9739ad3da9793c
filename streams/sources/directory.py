"""A watched folder into which loggers drop their files, over FTP as a rule.

Files come while they are still being written, again and again, days late after an outage, and by the thousand. Each
content is handed over once; what has been handed over and acknowledged is remembered in the state.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import msgspec
import watchfiles

from streams.clock import Clock
from streams.errors import InputError, ReadingError
from streams.rejects import Reason
from streams.sources.arrivals import Arrival, Loaded
from streams.sources.files import MOST_FILE_BYTES, FileReader, unreadable
from streams.sources.names import split_name
from streams.stage import State

UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
"""What FTP and SFTP clients call a file until it is complete; it is read once it has been renamed."""


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of a file: enough to know it again without reading it, and its bytes if it was touched."""

    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True)
class _File:
    path: Path
    relative: PurePath
    size: int
    mtime_ns: int

    @property
    def version(self) -> tuple[int, int]:
        return self.size, self.mtime_ns


class _WakeUp:
    """Waits until the system reports a change in the folder, ``poll_s`` at the longest."""

    def __init__(self, folder: Path, poll_s: float) -> None:
        self._poll_s = poll_s
        self._changes: AsyncIterator[object] | None = watchfiles.awatch(
            folder, yield_on_timeout=True, rust_timeout=int(poll_s * 1000), debounce=200, step=50
        )

    async def wait(self) -> None:
        if self._changes is not None:
            try:
                await anext(self._changes)
            except (OSError, RuntimeError, StopAsyncIteration):
                # No watch left to be had, or the folder went away: looking every poll_s finds everything as well.
                self._changes = None
            else:
                return
        await asyncio.sleep(self._poll_s)


class StationDirectory:
    """The folder as a live source, and as a one-time scan.

    Args:
        state: what has been read; entries of files that are gone are dropped.
        settle_s: a file is read when size and time of change have stood still for so long. Too short: a slow upload
            is read in pieces (its cut line is rejected, the whole is read again when it has grown); longer: every
            reading is later by as much.
        poll_s: how often the folder is looked at even when the system reports no change (network drives never do).
    """

    def __init__(
        self,
        folder: Path,
        reader: FileReader,
        state: State,
        clock: Clock,
        *,
        settle_s: float = 2.0,
        poll_s: float = 5.0,
        name: str = "directory",
    ) -> None:
        if not folder.is_dir():
            raise InputError("is not a folder", place=str(folder), remedy="create it or correct the source's path")
        self._folder = folder
        self._reader = reader
        self._state = state
        self._clock = clock
        self._settle_s = settle_s
        self._poll_s = poll_s
        self._name = name
        self._seen = {key: _decode(raw) for key, raw in state.items() if key.startswith(_PREFIX)}
        self._first_seen_s: dict[tuple[PurePath, int, int], float] = {}
        self._handed_over: dict[PurePath, tuple[int, int]] = {}
        self._unreadable: dict[PurePath, tuple[int, int]] = {}
        self._progress_s = 0.0

    @property
    def name(self) -> str:
        return self._name

    def progress_s(self) -> float:
        return self._progress_s

    def scan(self) -> Iterator[Arrival]:
        """Everything that is there now and has not been acknowledged, oldest first; waits for nothing to settle."""
        for file in self._oldest_first(self._new(_listing(self._folder))):
            arrival = self._arrival(file, _bytes_of(file))
            if arrival is not None:
                yield arrival

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """What comes into the folder, until cancelled."""
        wake_up = _WakeUp(self._folder, self._poll_s)
        while True:
            async for arrival in self._round():
                yield arrival
            if self._first_seen_s:  # something is waiting to settle
                await asyncio.sleep(min(self._settle_s, self._poll_s))
            else:
                await wake_up.wait()

    async def _round(self) -> AsyncIterator[Arrival]:
        began_s = self._clock.now_s()
        listing = await asyncio.to_thread(_listing, self._folder)
        new = self._new(listing)
        self._forget_gone(listing)
        settled = [file for file in new if self._is_settled(file, began_s)]
        for file in self._oldest_first(settled):
            arrival = self._arrival(file, await asyncio.to_thread(_bytes_of, file))
            if arrival is not None:
                yield arrival
        waiting = [self._first_seen_s[file.relative, *file.version] for file in new if file not in settled]
        self._progress_s = min([began_s, *waiting])

    def _new(self, listing: list[_File]) -> list[_File]:
        """Files whose size or time of change we have not handed over yet."""
        return [
            file
            for file in listing
            if self._handed_over.get(file.relative) != file.version and self._remembered_version(file) != file.version
        ]

    def _remembered_version(self, file: _File) -> tuple[int, int] | None:
        seen = self._seen.get(_key(file.relative))
        return (seen.size, seen.mtime_ns) if seen else None

    def _is_settled(self, file: _File, now_s: float) -> bool:
        first_s = self._first_seen_s.setdefault((file.relative, *file.version), now_s)
        return now_s - first_s >= self._settle_s

    def _oldest_first(self, files: list[_File]) -> list[_File]:
        return sorted(files, key=lambda file: (self._age_s(file), file.relative.as_posix()))

    def _age_s(self, file: _File) -> float:
        """When the file was made: the time in its name where its station is known, else its time of change."""
        _, named = split_name(file.relative)
        zone = self._reader.zone_of(file.relative) if named else None
        return named.replace(tzinfo=zone).timestamp() if named and zone else file.mtime_ns / 1e9

    def _arrival(self, file: _File, data: bytes | OSError | ReadingError) -> Arrival | None:
        """``None`` when there is nothing new to say about the file."""
        self._first_seen_s.pop((file.relative, *file.version), None)
        if isinstance(data, Exception):
            return self._refusal(file, data)
        digest = hashlib.sha256(data).hexdigest()[:32]
        seen = _Seen(file.size, file.mtime_ns, digest)
        known = self._seen.get(_key(file.relative))
        if known is not None and known.digest == digest:
            self._remember(file, seen)  # touched or sent again, not changed
            return None
        self._handed_over[file.relative] = file.version
        loaded = self._reader.load(data, file.relative)
        return Arrival(self._name, str(file.relative), loaded, lambda: self._remember(file, seen))

    def _refusal(self, file: _File, error: OSError | ReadingError) -> Arrival | None:
        """Said once for each version of the file; reading it is tried again at every look."""
        if self._unreadable.get(file.relative) == file.version or isinstance(error, FileNotFoundError):
            return None
        self._unreadable[file.relative] = file.version
        problem = unreadable(error) if isinstance(error, OSError) else error
        loaded: Loaded = self._reader.refused(Reason.UNREADABLE_FILE, problem, file.relative)
        return Arrival(self._name, str(file.relative), loaded)

    def _remember(self, file: _File, seen: _Seen) -> None:
        self._seen[_key(file.relative)] = seen
        self._state[_key(file.relative)] = msgspec.json.encode(seen)
        self._handed_over.pop(file.relative, None)
        self._unreadable.pop(file.relative, None)

    def _forget_gone(self, listing: list[_File]) -> None:
        """Files that were moved away need no memory."""
        versions = {(file.relative, *file.version) for file in listing}
        self._first_seen_s = {key: seen for key, seen in self._first_seen_s.items() if key in versions}
        if not listing:  # more likely a drive that is not mounted than a folder that was emptied
            return
        there = {_key(file.relative) for file in listing}
        for key in [key for key in self._seen if key not in there]:
            del self._seen[key]
            del self._state[key]


_PREFIX = "file:"


def _key(relative: PurePath) -> str:
    return _PREFIX + relative.as_posix()


def _decode(raw: bytes) -> _Seen:
    return msgspec.json.decode(raw, type=_Seen)


def _listing(folder: Path) -> list[_File]:
    found: list[_File] = []
    for path in folder.rglob("*"):
        if path.name.startswith((".", "~")) or path.name.endswith(UNFINISHED_SUFFIXES):
            continue
        try:
            status = path.stat()
            if path.is_file():
                found.append(_File(path, path.relative_to(folder), status.st_size, status.st_mtime_ns))
        except OSError:  # gone, or moved, between listing and looking
            continue
    return found


def _bytes_of(file: _File) -> bytes | OSError | ReadingError:
    if file.size > MOST_FILE_BYTES:
        return ReadingError(f"{file.size} bytes are too many", remedy="split the file by day or month")
    try:
        return file.path.read_bytes()
    except OSError as error:
        return error
