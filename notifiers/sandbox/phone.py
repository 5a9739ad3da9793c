"""The messages an SMS provider would hold: kept in one file, found again after a restart, reported on by callbacks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec

from notifiers.gsm7 import parts, unaccent
from notifiers.sandbox.faults import Faults
from notifiers.sandbox.signed_posts import SignedPosts
from notifiers.sandbox.tasks import Tasks

_STEPS = ("sent", "delivered")


class Sms(msgspec.Struct, kw_only=True):
    """A message as the provider holds it. ``time`` is when it was accepted, UTC."""

    sid: str
    to: str
    sender: str
    body: str
    time: datetime
    status: str = "queued"
    error_code: int | None = None
    callback: str = ""
    validity_s: int = 36_000
    service: str = ""

    def as_resource(self, account: str) -> dict[str, Any]:
        """The provider's JSON form."""
        stamp = format_datetime(self.time)
        return {
            "sid": self.sid,
            "account_sid": account,
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": self.status,
            "error_code": self.error_code,
            "error_message": None,
            "num_segments": str(parts(unaccent(self.body))),
            "num_media": "0",
            "direction": "outbound-api",
            "date_created": stamp,
            "date_updated": stamp,
            "date_sent": None if self.status == "queued" else stamp,
            "api_version": "2010-04-01",
            "price": None,
            "price_unit": "USD",
            "messaging_service_sid": self.service or None,
            "subresource_uris": {},
            "uri": f"/2010-04-01/Accounts/{account}/Messages/{self.sid}.json",
        }


class _Progress(msgspec.Struct, kw_only=True):
    sid: str
    status: str
    error_code: int | None = None


_sms: msgspec.json.Decoder[Sms] = msgspec.json.Decoder(Sms)
_progress: msgspec.json.Decoder[_Progress] = msgspec.json.Decoder(_Progress)


@dataclass
class Phone:
    """Takes messages and tells their status to whoever asked for it."""

    directory: Path
    account_sid: str
    auth_token: str = field(repr=False)
    faults: Faults = field(default_factory=Faults)
    callback_after_s: float = 0.05

    def __post_init__(self) -> None:
        self._path = self.directory / "messages.jsonl"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.messages: dict[str, Sms] = {}
        for record in self._recorded():
            if isinstance(record, Sms):
                self.messages[record.sid] = record
            elif record.sid in self.messages:
                held = self.messages[record.sid]
                held.status, held.error_code = record.status, record.error_code
        self._numbers = itertools.count(len(self.messages) + 1)
        self._tasks = Tasks()
        self._posts = SignedPosts(self.auth_token)

    def accept(
        self, to: str, sender: str, body: str, callback: str, validity_s: int = 36_000, service: str = ""
    ) -> Sms:
        """Take a message; it is in the file when this returns (no flush: see the mailbox)."""
        sid = f"SM{next(self._numbers):032x}"
        sms = Sms(
            sid=sid,
            to=to,
            sender=sender,
            body=body,
            time=datetime.now(UTC),
            callback=callback,
            validity_s=validity_s,
            service=service,
        )
        self.messages[sid] = sms
        self._append(sms)
        self._tasks.start(self._tell(sms))
        return sms

    @property
    def missed(self) -> int:
        """Callbacks that nobody took."""
        return self._posts.missed

    async def settled(self) -> None:
        """Wait until every callback that is under way has been made."""
        await self._tasks.settled()

    async def stop(self) -> None:
        """Stop telling; statuses not yet told are not told later."""
        await self._tasks.cut()
        await self._posts.close()

    async def _tell(self, sms: Sms) -> None:
        code = self.faults.undelivered.get(sms.to)
        for status in ("sent", "undelivered") if code else _STEPS:
            await asyncio.sleep(self.callback_after_s)
            sms.status, sms.error_code = status, code if status == "undelivered" else None
            self._append(_Progress(sid=sms.sid, status=status, error_code=sms.error_code))
            if self.faults.callbacks != "disordered":
                await self._call(sms, status)
        if self.faults.callbacks == "disordered":
            for status in (sms.status, "sent"):
                await self._call(sms, status)

    async def _call(self, sms: Sms, status: str) -> None:
        if not sms.callback or self.faults.callbacks == "never":
            return
        form = {
            "MessageSid": sms.sid,
            "SmsSid": sms.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "AccountSid": self.account_sid,
            "To": sms.to,
            "From": sms.sender,
            "ApiVersion": "2010-04-01",
        }
        if status == "undelivered":
            form["ErrorCode"] = str(sms.error_code)
        await self._posts.post(sms.callback, form, 2 if self.faults.callbacks == "twice" else 1)

    def _append(self, record: Sms | _Progress) -> None:
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")

    def _recorded(self) -> Iterator[Sms | _Progress]:
        if not self._path.exists():
            return
        for line in self._path.read_bytes().splitlines():
            try:
                yield (_sms if b'"body"' in line else _progress).decode(line)
            except msgspec.DecodeError:
                continue  # the last line of a process that was killed while writing it
