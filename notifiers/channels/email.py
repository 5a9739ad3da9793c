"""E-mail through aiosmtplib: kept connections, one recipient per message, and the moment of no return written down."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Generic, Literal

import aiohttp
import aiosmtplib
from aiosmtplib import SMTP, SMTPException

from notifiers.channels.headers import WirePolicy
from notifiers.channels.limits import LIMITS
from notifiers.channels.smtp_codes import after_data, before_data
from notifiers.deliveries import ChannelName
from notifiers.messages import Absent, Found, IsTaken, Letter, M, ModeGuard, OnData, Receipt, Unknowable
from notifiers.return_paths import ReturnPaths
from streams.clock import Clock, SystemClock, utc
from streams.errors import PermanentDeliveryError, RetryableDeliveryError

_WIRE = WirePolicy()
Security = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, kw_only=True)
class EmailSettings:
    """Where and how mail goes out.

    Attributes:
        sender: address in From; its domain is the domain of the Message-IDs.
        security: ``none`` (the sandbox), ``starttls`` or ``tls``.
        lookup_url: where the server answers whether it holds a Message-ID (the sandbox does; ordinary servers do
            not, then lost answers are unknowable and the policy of the kind of notice decides).
        ca_file: certificates to trust instead of the system's, for a mail server with one of its own.
        timeout_s: for each step of the conversation.
    """

    host: str
    port: int
    sender: str
    username: str = ""
    password: str = ""
    security: Security = "none"
    ca_file: str = ""
    lookup_url: str = ""
    timeout_s: float = 20.0
    lookup_after_s: float = 60.0
    concurrency: int = 4
    per_second: float = 0.0

    def __repr__(self) -> str:
        return f"EmailSettings(host={self.host!r}, port={self.port}, security={self.security!r})"


class EmailChannel(Generic[M]):
    """Sends mail of one mode over up to ``concurrency`` kept connections."""

    name: ChannelName = "email"
    phase = "connect"

    def __init__(
        self,
        accepts: type[M],
        settings: EmailSettings,
        clock: Clock | None = None,
        return_paths: ReturnPaths | None = None,
    ) -> None:
        """``return_paths``: gives every mail an envelope sender of its own, at which its bounce is known again."""
        self._return_paths = return_paths
        self._guard: ModeGuard[M] = ModeGuard(accepts)
        self._settings = settings
        self._clock = clock or SystemClock()
        self._idle: list[SMTP] = []
        self._tls = _tls(settings)
        self.lookup_after_s = settings.lookup_after_s
        self.concurrency = settings.concurrency
        self.per_second = settings.per_second
        self.sender = settings.sender

    async def send(self, message: M, on_data: OnData) -> Receipt:
        """MAIL and RCPT first, then ``on_data``, then the body: only after ``on_data`` can the server have it."""
        self._guard.check(message)
        content = self._mail(message).as_bytes(policy=_WIRE)
        if len(content) > LIMITS["email"].longest:
            raise PermanentDeliveryError("larger than servers take", code="too-long")
        connection = await self._addressed(message.contact, self._return_path(message.delivery))
        try:
            await on_data()
        except BaseException:
            connection.close()  # the conversation stands between RCPT and DATA: nobody may go on with it
            raise
        try:
            await connection.data(content)
        except (TimeoutError, SMTPException, OSError) as error:
            connection.close()
            raise after_data(error) from None
        except asyncio.CancelledError:
            connection.close()
            raise
        self._idle.append(connection)
        return Receipt(message_id(message.delivery, self._domain))

    async def reconcile(self, message: M, is_taken: IsTaken) -> Found | Absent | Unknowable:
        """Ask by Message-ID where the server offers that; otherwise nobody can know."""
        self._guard.check(message)
        if not self._settings.lookup_url:
            return Unknowable()
        wanted = message_id(message.delivery, self._domain)
        try:
            timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(self._settings.lookup_url, params={"message_id": wanted}) as answer,
            ):
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RetryableDeliveryError(f"the look-up failed ({type(error).__name__})", code="no-answer") from None
        if status == 200:
            return Found(wanted, "sent")
        if status == 404:
            return Absent()
        raise RetryableDeliveryError(f"the look-up was refused (HTTP {status})", code=str(status))

    async def close(self) -> None:
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.quit(timeout=2)
            except (TimeoutError, SMTPException, OSError):
                connection.close()

    @property
    def _domain(self) -> str:
        return self._settings.sender.rpartition("@")[2]

    async def _addressed(self, contact: str, sender: str) -> SMTP:
        """A connection that has taken sender and recipient. A kept one that died meanwhile is replaced: nothing
        has been said on it that could be accepted."""
        while self._idle:
            kept = self._idle.pop()
            if not kept.is_connected:
                continue
            try:
                await self._envelope(kept, contact, sender)
            except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError):
                kept.close()
                continue
            except SMTPException as error:
                if getattr(error, "code", 0) == 421:  # "closing": what a server says to a connection idle too long
                    kept.close()
                    continue
                raise await self._refused(kept, error) from None
            return kept
        fresh = await self._connected()
        try:
            await self._envelope(fresh, contact, sender)
        except (TimeoutError, SMTPException, OSError) as error:
            raise await self._refused(fresh, error) from None
        return fresh

    def _return_path(self, delivery: str) -> str:
        return self._return_paths.of(delivery) if self._return_paths else self._settings.sender

    async def _envelope(self, connection: SMTP, contact: str, sender: str) -> None:
        await connection.mail(sender)
        await connection.rcpt(contact)

    async def _refused(self, connection: SMTP, error: Exception) -> Exception:
        """Make the connection fit for the next message, or give it up; returns what the refusal means."""
        try:
            await connection.rset()
            self._idle.append(connection)
        except (TimeoutError, SMTPException, OSError):
            connection.close()
        return before_data(error)

    async def _connected(self) -> SMTP:
        s = self._settings
        connection = SMTP(
            hostname=s.host,
            port=s.port,
            timeout=s.timeout_s,
            username=s.username or None,
            password=s.password or None,
            use_tls=s.security == "tls",
            start_tls=s.security == "starttls",
            tls_context=self._tls,
        )
        try:
            await connection.connect()
        except (TimeoutError, SMTPException, OSError) as error:
            connection.close()
            raise before_data(error, connecting=True) from None
        return connection

    def _mail(self, message: M) -> EmailMessage:
        if not isinstance(message.content, Letter):
            raise PermanentDeliveryError("a short text was handed to the mail channel", code="wrong-content")
        mail = EmailMessage(policy=SMTP_POLICY)
        user, _, domain = self._settings.sender.rpartition("@")
        try:
            mail["From"] = Address(message.sender_name, user, domain)
            mail["To"] = Address(addr_spec=message.contact)
            mail["Subject"] = message.content.subject
        except ValueError:  # CR, LF or worse in a header: refused by the library, and for good
            raise PermanentDeliveryError("a header cannot be written safely", code="bad-header") from None
        mail["Date"] = format_datetime(utc(self._clock.now_s()))
        mail["Message-ID"] = message_id(message.delivery, domain)
        # one thread per episode in the reader's mail programme, under a root that is never sent itself
        mail["References"] = mail["In-Reply-To"] = message_id(message.episode, domain)
        mail["Auto-Submitted"] = "auto-generated"
        mail["Content-Language"] = message.language
        if message.unsubscribe:
            mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058: POST to it, nobody is asked again
        mail.set_content(message.content.text, cte="quoted-printable")
        mail.add_alternative(message.content.html, subtype="html", cte="quoted-printable")
        return mail


def _tls(settings: EmailSettings) -> ssl.SSLContext | None:
    """TLS that checks certificate and name; what it is given is the server's whole identity."""
    if settings.security == "none":
        return None
    return ssl.create_default_context(cafile=settings.ca_file or None)


def message_id(identity: str, domain: str) -> str:
    """The Message-ID of a delivery (or the thread of an episode): the same however often it is sent."""
    return f"<{hashlib.sha256(identity.encode()).hexdigest()[:32]}@{domain}>"
