"""Real FTP and SFTP servers on free ports of this machine, serving a folder to one account."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import asyncssh
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

USERNAME, PASSWORD = "vn-a", "long-and-secret"


@dataclass
class Served:
    """A running server. ``commands``: what clients asked for, in order."""

    port: int
    commands: list[str] = field(default_factory=list)
    host_key: str = ""

    def fetched(self) -> list[str]:
        return [command for command in self.commands if command.startswith("RETR")]


class _OldHandler(FTPHandler):
    """A server that does not know MLSD."""

    proto_cmds: ClassVar = {name: what for name, what in FTPHandler.proto_cmds.items() if name not in ("MLSD", "MLST")}


@contextlib.contextmanager
def ftp_server(folder: Path, *, modern: bool = True) -> Iterator[Served]:
    """FTP; ``modern``: whether it knows MLSD."""
    authorizer = DummyAuthorizer()
    authorizer.add_user(USERNAME, PASSWORD, str(folder), perm="elr")
    served = Served(0)

    class Handler(FTPHandler if modern else _OldHandler):  # type: ignore[misc]
        def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
            served.commands.append(line)
            super().pre_process_command(line, cmd, arg)

    Handler.authorizer = authorizer
    Handler.banner = "ready"
    Handler.auth_failed_timeout = 0  # seconds it lets a wrong password wait
    server = FTPServer(("127.0.0.1", 0), Handler)
    served.port = server.address[1]
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            server.serve_forever(timeout=0.02, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        stop.set()
        thread.join(5)


class _Login(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USERNAME, PASSWORD)


@contextlib.asynccontextmanager
async def sftp_server(folder: Path) -> AsyncIterator[Served]:
    """SFTP, with a key of its own."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    served = Served(0, host_key=" ".join(key.export_public_key().decode().split()[:2]))

    class Files(asyncssh.SFTPServer):
        def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(channel, chroot=str(folder).encode())

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            served.commands.append(f"RETR {path.decode()}")
            return super().open(path, pflags, attrs)

    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[key], server_factory=_Login, sftp_factory=Files)
    served.port = server.get_port()
    try:
        yield served
    finally:
        server.close()
        await asyncio.wait_for(server.wait_closed(), 5)
