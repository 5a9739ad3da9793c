"""A small LMTP server that the mail server hands bounces to; it knows each by the signed address it was sent to.

With Postfix: ``transport_maps = inline:{bounce.example.org=lmtp:[127.0.0.1]:2526}``. LMTP and not SMTP, because the
answer to DATA is the last word: what could not be written down is kept and offered again by the mail server.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifiers.bounces import Bounce, Outcome, apply_bounce, read_report
from notifiers.moves import Moved
from notifiers.return_paths import ReturnPaths
from streams.metrics import BOUNCES, DELIVERIES

_log = structlog.get_logger(__name__)
_LARGEST_REPORT = 1024 * 1024  # a report returns at most the mail itself, which has some kilobytes


class BounceIntake:
    """Listens until it is stopped; every report is in the ledger before it is taken."""

    def __init__(self, engine: Engine, paths: ReturnPaths, host: str, port: int) -> None:
        self._engine, self._paths = engine, paths
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on; raises ``RuntimeError`` before :meth:`start`."""
        if self._server is None:
            raise RuntimeError("the bounce intake has not been started")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises ``OSError`` when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._conversation, self._host, self._port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def __aenter__(self) -> BounceIntake:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _conversation(self) -> SMTP:
        return LMTP(
            self,
            data_size_limit=_LARGEST_REPORT,
            hostname="bounces.airshed.invalid",  # given, because looking up one's own name can take seconds
            ident="Airshed bounces",
            loop=asyncio.get_running_loop(),
        )

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only addresses we made, and one at a time: an answer to LMTP's DATA is for every recipient."""
        if self._paths.read(address) is None:
            BOUNCES.labels("forged").inc()
            return "550 5.1.1 no such address"
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Write the report down, or have it offered again."""
        delivery = self._paths.read(envelope.rcpt_tos[0])
        content: Any = envelope.content
        assert delivery is not None
        bounce = read_report(content)
        BOUNCES.labels(bounce.outcome).inc()
        try:
            moved = await asyncio.to_thread(self._apply, delivery, bounce)
        except SQLAlchemyError as error:
            _log.warning("bounce cannot be written down yet", delivery=delivery, error=type(error).__name__)
            return "451 4.3.0 try later"
        if moved is Moved.APPLIED:
            _log.info("mail has bounced", delivery=delivery, outcome=bounce.outcome.value, status=bounce.status)
            DELIVERIES.labels("email", "delivered" if bounce.outcome is Outcome.DELIVERED else "failed").inc()
        return "250 2.0.0 OK"

    def _apply(self, delivery: str, bounce: Bounce) -> object:
        with self._engine.begin() as connection:
            return apply_bounce(connection, delivery, bounce)
