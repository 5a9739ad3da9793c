"""SMS through Twilio's library, to Twilio or to anything that behaves like its Messages API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic

from notifiers.channels.limits import LIMITS
from notifiers.channels.twilio_account import CLOCKS_APART, LOOKED_THROUGH, TwilioAccount, TwilioChannel
from notifiers.deliveries import ChannelName
from notifiers.links import Links
from notifiers.messages import Absent, Found, IsTaken, M, ModeGuard, OnData, Receipt, SmsText, Unknowable, digest
from streams.clock import utc
from streams.errors import PermanentDeliveryError, UnknownDeliveryError


@dataclass(frozen=True, kw_only=True)
class SmsSettings(TwilioAccount):
    """Where and how SMS go out.

    Attributes:
        sender: number or registered sender id; not needed with ``messaging_service_sid``.
        status_callbacks: ask the provider to report to our webhook (it must be reachable from there).
    """

    sender: str = ""
    messaging_service_sid: str = ""
    status_callbacks: bool = True


class SmsChannel(TwilioChannel, Generic[M]):
    """Sends SMS of one mode. Build it inside the event loop that will use it."""

    name: ChannelName = "sms"

    def __init__(self, accepts: type[M], settings: SmsSettings, links: Links) -> None:
        super().__init__(settings, links)
        self._guard: ModeGuard[M] = ModeGuard(accepts)
        self._settings = settings
        self.sender = settings.messaging_service_sid or settings.sender

    async def send(self, message: M, on_data: OnData) -> Receipt:
        """Hand the message over. ``on_data`` is not used: the request is one piece, and began as ``request``."""
        self._guard.check(message)
        request = self._request(message)
        with self._provider.sending():
            sent = await self._provider.client.messages.create_async(**request)
        if not sent.sid:
            raise UnknownDeliveryError("an answer without an id", code="bad-answer")
        return Receipt(str(sent.sid))

    async def reconcile(self, message: M, is_taken: IsTaken) -> Found | Absent | Unknowable:
        """Look for the message in the provider's list: same number, words of an attempt, not another delivery's.

        The provider is asked by number only and the dates are compared here: its ``DateSent`` is empty while a
        message still waits in a queue, so filtering by it could hide exactly the one that is looked for.
        """
        self._guard.check(message)
        words = message.tried or {message.digest}
        with self._provider.asking():
            listed = await self._provider.client.messages.list_async(to=message.contact, limit=LOOKED_THROUGH)
        since = utc(message.first_tried_s) - CLOCKS_APART
        same = {
            str(found.sid): found
            for found in listed
            if found.to == message.contact
            and digest(found.body or "") in words
            and (found.date_created or since) >= since
        }
        taken = await is_taken(list(same)) if same else set()
        for sid in sorted(set(same) - taken):
            if not self._settings.status_callbacks:
                # nobody is told what became of messages then; a lost answer must not be the exception
                return Found(sid, "sent")
            return Found(sid, str(same[sid].status), str(same[sid].error_code or ""))
        return Absent()

    def _request(self, message: M) -> dict[str, Any]:
        if not isinstance(message.content, SmsText):
            raise PermanentDeliveryError("something else than a short text was handed to SMS", code="wrong-content")
        if len(message.content.body) > LIMITS["sms"].longest:
            raise PermanentDeliveryError("longer than the provider takes", code="21617")
        request: dict[str, Any] = {
            "to": message.contact,
            "body": message.content.body,
            "validity_period": LIMITS["sms"].validity_s(message.useful_s),
        }
        if self._settings.messaging_service_sid:
            request["messaging_service_sid"] = self._settings.messaging_service_sid
        else:
            request["from_"] = self._settings.sender
        if self._settings.status_callbacks:
            request["status_callback"] = self._links.status(message.delivery)
        return request
