"""Mail servers as they are outside: with TLS, with a login, and strict about sizes and lines."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = b"airshed", b"a password of the tests"


@dataclass
class Held:
    """What the server took."""

    sender: str
    recipient: str
    content: bytes
    login: bytes | None


@dataclass
class StrictServer:
    """Refuses what RFC 5321 and 5322 allow a server to refuse.

    Attributes:
        most_bytes: larger mails are refused with 552.
        longest_line: octets of a line with its CRLF; RFC 5321, section 4.5.3.1.6 says 1 000.
    """

    most_bytes: int = 100_000
    longest_line: int = 1_000
    held: list[Held] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw: Any = envelope.original_content
        if b"\n" in raw.replace(b"\r\n", b"") or b"\r" in raw.replace(b"\r\n", b""):
            return "554 5.6.0 bare CR or LF"
        if max(len(line) + 2 for line in raw.split(b"\r\n")) > self.longest_line:
            return "554 5.6.0 line too long"
        if not raw.isascii():
            return "554 5.6.1 eight-bit content without 8BITMIME"
        login = session.auth_data.login if session.authenticated and session.auth_data else None
        self.held.append(Held(str(envelope.mail_from), envelope.rcpt_tos[0], raw, login))
        return "250 2.0.0 OK"


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER, PASSWORD)
    return AuthResult(success=good, auth_data=data, handled=good)


@contextlib.asynccontextmanager
async def serving(
    server: StrictServer,
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: bool = False,
) -> AsyncIterator[StrictServer]:
    """The server on a free port, by TLS from the start, by STARTTLS, or in clear."""
    loop = asyncio.get_running_loop()

    def conversation() -> SMTP:
        server.connections += 1
        return SMTP(
            server,
            data_size_limit=server.most_bytes,
            hostname="strict.example.org",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=_authenticate,
            auth_required=login,
            auth_require_tls=starttls is not None,
            loop=loop,
        )

    listening = await loop.create_server(conversation, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
