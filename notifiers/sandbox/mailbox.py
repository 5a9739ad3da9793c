"""A mail server that keeps every mail as a file and can be made to fail. Not for the internet."""

from __future__ import annotations

import asyncio
import itertools
import socket
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default as default_policy
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from notifiers.sandbox.faults import Faults

_LARGEST_MAIL = 10 * 1024 * 1024
_GOODBYE_S = 0.01  # between saying 421 and closing: the answer has to get out first


@dataclass(frozen=True)
class Mail:
    """A kept mail. ``number`` counts from 1 in the order of arrival."""

    number: int
    path: Path
    message_id: str
    to: str
    subject: str
    date: str

    @property
    def message(self) -> EmailMessage:
        """The mail itself, parsed."""
        parsed = message_from_bytes(self.path.read_bytes(), policy=default_policy)
        assert isinstance(parsed, EmailMessage)
        return parsed


class Mailbox:
    """Keeps mails under ``directory/mail``; what is there already is known again after a restart."""

    def __init__(self, directory: Path, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self._directory = directory / "mail"
        self._directory.mkdir(parents=True, exist_ok=True)
        self.mails: list[Mail] = [_read(path) for path in sorted(self._directory.glob("*.eml"))]
        self._numbers = itertools.count(max((mail.number for mail in self.mails), default=0) + 1)
        self._server: asyncio.Server | None = None
        self.open_connections: set[SMTP] = set()

    async def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket, in the running loop."""
        self._server = await asyncio.get_running_loop().create_server(self._connection, sock=listener)

    async def stop(self) -> None:
        """Close the port and every connection at once, as a crash would; kept mails stay."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.open_connections):
            _cut(connection)
        await asyncio.sleep(0)  # lets connection_lost run, which ends the handlers

    def find(self, message_id: str) -> Mail | None:
        """The first mail with this Message-ID."""
        return next((mail for mail in self.mails if mail.message_id == message_id), None)

    def keep(self, content: bytes, recipient: str) -> Mail:
        """Write a mail down; it is on disk, whole or not at all, when this returns.

        No flush to the medium: the sandbox has to survive being killed, not a power cut.
        """
        number = next(self._numbers)
        path = self._directory / f"{number:06}.eml"
        draft = path.with_suffix(".part")
        draft.write_bytes(f"Delivered-To: {recipient}\r\n".encode() + content)
        draft.rename(path)
        mail = _read(path)
        self.mails.append(mail)
        return mail

    def _connection(self) -> SMTP:
        connection = _Connection(self)
        self.open_connections.add(connection)
        return connection

    def forget(self, connection: SMTP) -> None:
        self.open_connections.discard(connection)


class _Connection(SMTP):
    """One client's conversation."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        super().__init__(
            _Conversation(mailbox),
            data_size_limit=_LARGEST_MAIL,
            hostname="sandbox.airshed.invalid",  # given, because looking up one's own name can take seconds
            ident="Airshed sandbox",
            loop=asyncio.get_running_loop(),
        )

    async def _handle_client(self) -> None:
        faults = self._mailbox.faults
        if faults.take("slow-banner"):
            await asyncio.sleep(faults.delay_s)
        await super()._handle_client()

    def connection_lost(self, error: Exception | None) -> None:
        self._mailbox.forget(self)
        super().connection_lost(error)


class _Conversation:
    """aiosmtpd's hooks: what is answered to each command."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._mailbox.faults.take("421"):
            asyncio.get_running_loop().call_later(_GOODBYE_S, _cut, server)
            return "421 4.3.2 closing"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        faults = self._mailbox.faults
        code = faults.refused.get(address) or int(faults.take("450", "550") or 0)
        if code:
            return f"{code} {'4.2.0 try later' if code < 500 else '5.1.1 no such mailbox'}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        faults = self._mailbox.faults
        fault = faults.take("451-data", "drop-data", "drop-kept", "late-250")
        if fault == "451-data":
            return "451 4.3.0 try later"
        if fault != "drop-data":
            content: Any = envelope.original_content
            self._mailbox.keep(content, ", ".join(envelope.rcpt_tos))
        if fault.startswith("drop"):
            _cut(server)
        if fault == "late-250":
            await asyncio.sleep(faults.delay_s)
        return "250 OK"


def _cut(connection: SMTP) -> None:
    if isinstance(connection.transport, asyncio.Transport):
        connection.transport.abort()


def _read(path: Path) -> Mail:
    headers = BytesHeaderParser(policy=default_policy).parsebytes(path.read_bytes())
    return Mail(
        number=int(path.stem),
        path=path,
        message_id=str(headers["Message-ID"] or "").strip(),
        to=str(headers["Delivered-To"] or ""),
        subject=str(headers["Subject"] or ""),
        date=str(headers["Date"] or ""),
    )
