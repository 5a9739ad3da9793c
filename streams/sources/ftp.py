"""FTP, plain or over TLS, for the servers that loggers in the field can talk to."""

from __future__ import annotations

import asyncio
import contextlib
import ftplib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from streams.errors import FeedError, RefusedFeedError, UnreachableFeedError
from streams.sources.listings import Entry, parse_facts, parse_line
from streams.sources.remote import MOST_BYTES, MOST_DEPTH, MOST_FILES, InterruptedReadError, RemoteFile

TIMEOUT_S = 30.0
T = TypeVar("T")

_BROKEN = (OSError, EOFError, ftplib.Error)
"""What ftplib raises; everything else is a defect."""
_ENCODING = "latin-1"
"""Names go back to the server byte for byte as they came, whatever its encoding."""


@dataclass(frozen=True, kw_only=True)
class FtpAccount:
    """An account. ``security``: ``tls`` encrypts login and data (explicit TLS) and checks the certificate."""

    host: str
    username: str
    password: str = field(repr=False)
    port: int = 21
    folder: str = "/"
    security: Literal["plain", "tls"] = "plain"
    timeout_s: float = TIMEOUT_S

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[FtpConnection]:
        """Connect and log in."""
        client = await asyncio.to_thread(_guarded, self._connect, self.host)
        try:
            yield FtpConnection(client, self.folder)
        finally:
            await asyncio.to_thread(_close, client)

    def _connect(self) -> ftplib.FTP:
        if self.security == "tls":
            client: ftplib.FTP = ftplib.FTP_TLS(
                context=ssl.create_default_context(), timeout=self.timeout_s, encoding=_ENCODING
            )
        else:
            client = ftplib.FTP(timeout=self.timeout_s, encoding=_ENCODING)
        try:
            client.connect(self.host, self.port)
            client.login(self.username, self.password)
            if isinstance(client, ftplib.FTP_TLS):
                client.prot_p()
            client.voidcmd("TYPE I")
        except BaseException:
            client.close()
            raise
        return client


def _close(client: ftplib.FTP) -> None:
    """Politely if the server still listens, and in any case."""
    try:
        client.quit()
    except _BROKEN:
        client.close()


class FtpConnection:
    """An open connection; every call runs in a thread."""

    def __init__(self, client: ftplib.FTP, folder: str) -> None:
        self._client = client
        self._folder = folder.rstrip("/")

    async def files(self) -> list[RemoteFile]:
        return await asyncio.to_thread(_guarded, self._files, self._client.host)

    async def read(self, file: RemoteFile, begin: int) -> bytes:
        return await asyncio.to_thread(_guarded, lambda: self._read(file, begin), self._client.host)

    def _files(self) -> list[RemoteFile]:
        found: list[RemoteFile] = []
        folders, met = [("", 0)], set[str]()
        while folders and len(found) < MOST_FILES:
            folder, depth = folders.pop()
            for entry in self._entries_below(folder):
                if entry.unique and entry.unique in met:  # a link to what has been listed already
                    continue
                met.add(entry.unique)
                path = f"{folder}/{_shown(entry.name)}".lstrip("/")
                if entry.kind == "file":
                    found.append(RemoteFile(path, entry.size, entry.changed))
                elif depth < MOST_DEPTH:
                    folders.append((path, depth + 1))
        return found

    def _entries_below(self, folder: str) -> list[Entry]:
        """The entries of a folder; of one below the account's own that we may not enter, none."""
        try:
            return self._entries(f"{self._folder}/{_wire(folder)}".rstrip("/") or "/")
        except ftplib.error_perm:
            if not folder:
                raise
            return []

    def _entries(self, folder: str) -> list[Entry]:
        """The folder by MLSD; by LIST where the server is too old for that."""
        self._client.cwd(folder)
        try:
            return [entry for name, facts in self._client.mlsd() if (entry := parse_facts(name, facts))]
        except ftplib.error_perm as error:
            if not str(error).startswith(("500", "501", "502", "504")):
                raise
        lines: list[str] = []
        self._client.retrlines("LIST", lines.append)
        return [entry for line in lines if (entry := parse_line(line))]

    def _read(self, file: RemoteFile, begin: int) -> bytes:
        got = bytearray()

        def take(chunk: bytes) -> None:
            got.extend(chunk)
            if len(got) > MOST_BYTES:
                raise RefusedFeedError(f"{file.path} has grown beyond {MOST_BYTES} bytes", reason="too-large")

        self._client.cwd("/")
        try:
            self._client.retrbinary(f"RETR {self._folder}/{_wire(file.path)}", take, rest=begin or None)
        except (OSError, EOFError, ftplib.error_temp) as error:
            raise InterruptedReadError(
                f"{file.path}: broke off after {begin + len(got)} bytes: {error}", bytes(got)
            ) from None
        return bytes(got)


def _wire(path: str) -> str:
    """A path as the server wrote it (see ``_shown``)."""
    return path.encode("utf-8", "surrogateescape").decode(_ENCODING)


def _shown(name: str) -> str:
    """A name for people: UTF-8 as a rule; bytes that are none are kept as they are."""
    return name.encode(_ENCODING).decode("utf-8", "surrogateescape")


def _guarded(call: Callable[[], T], host: str) -> T:
    try:
        return call()
    except FeedError:
        raise
    except _BROKEN as error:
        raise _feed_error(error, host) from None


def _feed_error(error: Exception, host: str) -> FeedError:
    message = f"{host}: {error}"
    if isinstance(error, ftplib.error_perm):
        if str(error).startswith("530"):
            return RefusedFeedError(message, reason="login", remedy="check username and password of this account")
        return RefusedFeedError(message, reason="ftp-refused", remedy="check the folder and the account's rights")
    if isinstance(error, ssl.SSLCertVerificationError):
        return RefusedFeedError(message, reason="certificate", remedy="have the server's certificate renewed")
    reason = "timeout" if isinstance(error, TimeoutError) else "unreachable"
    return UnreachableFeedError(message, reason=reason)
