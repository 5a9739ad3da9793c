"""Starts and stops the sandbox's two servers on ports of this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvicorn

from notifiers.sandbox.calls import Switchboard
from notifiers.sandbox.faults import Faults
from notifiers.sandbox.mailbox import Mailbox
from notifiers.sandbox.pages import write_pages
from notifiers.sandbox.partner import Partner
from notifiers.sandbox.phone import Phone
from notifiers.sandbox.sms_endpoint import create_endpoint
from notifiers.sandbox.voice_endpoint import voice_routes

ACCOUNT_SID = "ACsandbox0000000000000000000000000"
AUTH_TOKEN = "sandbox-auth-token"
_HOST = "127.0.0.1"


class Addresses(msgspec.Struct, frozen=True):
    """Where a running sandbox is reached."""

    sms_base_url: str
    smtp_host: str
    smtp_port: int
    mail_lookup_url: str
    page_url: str


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: whoever runs the sandbox decides what a signal means."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Sandbox:
    """Both endpoints over one directory."""

    def __init__(
        self,
        directory: Path,
        *,
        http_port: int = 0,
        smtp_port: int = 0,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        callback_after_s: float = 0.05,
    ) -> None:
        """Keep messages in ``directory``. Port 0 takes a free one; give ports to have the same after a restart."""
        self._directory = directory
        self.phone = Phone(directory, account_sid, auth_token, Faults(), callback_after_s)
        self.mailbox = Mailbox(directory, Faults())
        self.switchboard = Switchboard(directory, account_sid, auth_token, callback_after_s)
        self.partner = Partner(directory)
        self._ports = (http_port, smtp_port)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._addresses: Addresses | None = None

    @property
    def addresses(self) -> Addresses:
        """Raises ``RuntimeError`` before :meth:`start`."""
        if self._addresses is None:
            raise RuntimeError("the sandbox has not been started")
        return self._addresses

    async def start(self) -> Addresses:
        """Serve both endpoints in the running loop; they take connections when this returns."""
        http, smtp = _listener(self._ports[0]), _listener(self._ports[1])
        self._ports = (http.getsockname()[1], smtp.getsockname()[1])
        await self.mailbox.start(smtp)
        config = uvicorn.Config(
            create_endpoint(self.phone, self.mailbox, voice_routes(self.phone, self.switchboard, self.partner)),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        logging.getLogger("uvicorn.access").disabled = True  # addresses asked for hold numbers and tokens
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[http]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise RuntimeError("the sandbox's web server stopped while starting")
            await asyncio.sleep(0.005)
        base = f"http://{_HOST}:{self._ports[0]}"
        self._addresses = Addresses(base, _HOST, self._ports[1], f"{base}/sandbox/mail/lookup", f"{base}/")
        return self._addresses

    async def stop(self) -> None:
        """Close both ports and every connection. :meth:`start` serves again on the same ports."""
        await self.mailbox.stop()
        await self.phone.stop()
        await self.switchboard.stop()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving

    def write_pages(self) -> Path:
        """Every message as files that a browser opens without the sandbox. Returns the first page."""
        return write_pages(self.phone, self.mailbox, self._directory)

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_HOST, port))
    listener.listen(128)
    return listener
