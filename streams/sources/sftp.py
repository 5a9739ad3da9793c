"""SFTP: files over SSH, from servers whose key is known beforehand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from stat import S_ISDIR, S_ISREG

import asyncssh

from streams.errors import FeedError, RefusedFeedError, UnreachableFeedError
from streams.sources.listings import is_safe, of_seconds
from streams.sources.remote import MOST_BYTES, MOST_DEPTH, MOST_FILES, InterruptedReadError, RemoteFile

TIMEOUT_S = 30.0
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class SftpAccount:
    """An account.

    Attributes:
        host_key: the server's public key as one line (``ssh-ed25519 AAAA…``), got from the agency by another way than
            this connection. Without the right key nothing is sent, the password least of all.
        password / private_key: one of them; the key as text, unencrypted.
    """

    host: str
    username: str
    host_key: str
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    port: int = 22
    folder: str = "."
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        read_host_key(self.host_key)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[SftpConnection]:
        """Connect, check the server's key, log in."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._connecting())
                client = await stack.enter_async_context(connection.start_sftp_client())
            except (OSError, asyncssh.Error, TimeoutError) as error:
                raise _feed_error(error, self.host) from None
            yield SftpConnection(client, self.folder.rstrip("/") or "/", self.host, self.timeout_s)

    def _connecting(self) -> contextlib.AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
        keys = [asyncssh.import_private_key(self.private_key)] if self.private_key else None
        return asyncssh.connect(
            self.host,
            self.port,
            username=self.username,
            password=self.password,
            client_keys=keys,
            known_hosts=([read_host_key(self.host_key)], [], []),
            agent_path=None,
            config=None,
            connect_timeout=self.timeout_s,
            login_timeout=self.timeout_s,
        )


def read_host_key(text: str) -> asyncssh.SSHKey:
    """A public key. Raises ``RefusedFeedError`` where it is none."""
    try:
        return asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise RefusedFeedError(
            f"host_key: {error}",
            reason="host-key",
            remedy="one line as ssh-keyscan prints it, without the host name, confirmed by the agency",
        ) from None


class SftpConnection:
    """An open connection."""

    def __init__(self, client: asyncssh.SFTPClient, folder: str, host: str, timeout_s: float) -> None:
        self._client = client
        self._folder = folder
        self._host = host
        self._timeout_s = timeout_s

    async def files(self) -> list[RemoteFile]:
        try:
            return await self._files()
        except (OSError, asyncssh.Error, TimeoutError) as error:
            raise _feed_error(error, self._host) from None

    async def _files(self) -> list[RemoteFile]:
        found: list[RemoteFile] = []
        folders = [("", 0)]
        while folders and len(found) < MOST_FILES:
            folder, depth = folders.pop()
            async with asyncio.timeout(self._timeout_s):
                entries = await self._client.readdir(f"{self._folder}/{folder}".rstrip("/"))
            for entry in entries:
                name = entry.filename if isinstance(entry.filename, str) else entry.filename.decode("utf-8", "replace")
                mode, path = entry.attrs.permissions or 0, f"{folder}/{name}".lstrip("/")
                if not is_safe(name):
                    continue
                if S_ISREG(mode):
                    size = -1 if entry.attrs.size is None else entry.attrs.size
                    found.append(RemoteFile(path, size, of_seconds(entry.attrs.mtime)))
                elif S_ISDIR(mode) and depth < MOST_DEPTH:
                    folders.append((path, depth + 1))
        return found

    async def read(self, file: RemoteFile, begin: int) -> bytes:
        got = bytearray()
        try:
            async with self._client.open(f"{self._folder}/{file.path}", "rb") as stream:
                while len(got) <= MOST_BYTES:
                    async with asyncio.timeout(self._timeout_s):
                        block = await stream.read(_BLOCK_BYTES, begin + len(got))
                    if not block:
                        return bytes(got)
                    got += block if isinstance(block, bytes) else block.encode()
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied) as error:
            raise _feed_error(error, self._host) from None
        except (OSError, asyncssh.Error, TimeoutError) as error:
            raise InterruptedReadError(
                f"{file.path}: broke off after {begin + len(got)} bytes: {error}", bytes(got)
            ) from None
        raise RefusedFeedError(f"{file.path} has grown beyond {MOST_BYTES} bytes", reason="too-large")


def _feed_error(error: Exception, host: str) -> FeedError:
    message = f"{host}: {error or type(error).__name__}"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return RefusedFeedError(
            message,
            reason="host-key",
            remedy="ask the agency whether its server has a new key before you change host_key; it may be an impostor",
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return RefusedFeedError(message, reason="login", remedy="check username, password or key of this account")
    if isinstance(error, (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied, asyncssh.SFTPNoSuchPath)):
        return RefusedFeedError(message, reason="sftp-refused", remedy="check the folder and the account's rights")
    reason = "timeout" if isinstance(error, TimeoutError) else "unreachable"
    return UnreachableFeedError(message, reason=reason)
