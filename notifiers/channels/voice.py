"""Calls through Twilio's library: a text is said, one digit says that somebody has heard it. For escalation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic

from twilio.twiml.voice_response import Gather, VoiceResponse

from notifiers.channels.limits import LIMITS
from notifiers.channels.twilio_account import CLOCKS_APART, LOOKED_THROUGH, TwilioAccount, TwilioChannel
from notifiers.deliveries import ChannelName
from notifiers.links import Links
from notifiers.messages import Absent, Found, IsTaken, M, ModeGuard, OnData, Receipt, Spoken, Unknowable
from streams.clock import utc
from streams.errors import PermanentDeliveryError, UnknownDeliveryError

VOICES = {
    "vi": {"language": "vi-VN", "voice": "Google.vi-VN-Standard-A"},
    "en": {"language": "en-US", "voice": "Google.en-US-Standard-C"},
}
"""Voices of the provider by language. Vietnamese is spoken by Google's voices only."""

_RING_S = 30  # then most mailboxes answer, which would count as heard
_LONGEST_CALL_S = 180  # the text twice and the wait for a digit take about one minute
_DIGIT_WAIT_S = 8
_EVENTS = ["initiated", "answered", "completed"]


@dataclass(frozen=True, kw_only=True)
class VoiceSettings(TwilioAccount):
    """Where and how calls are made.

    Attributes:
        caller: number in E.164 form that the account may call from; a name cannot call.
    """

    caller: str
    concurrency: int = 2
    per_second: float = 1.0


class VoiceChannel(TwilioChannel, Generic[M]):
    """Calls people of one mode. Build it inside the event loop that will use it."""

    name: ChannelName = "voice"

    def __init__(self, accepts: type[M], settings: VoiceSettings, links: Links) -> None:
        super().__init__(settings, links)
        self._guard: ModeGuard[M] = ModeGuard(accepts)
        self.sender = settings.caller

    async def send(self, message: M, on_data: OnData) -> Receipt:
        """Have the provider call. What becomes of the call comes by its status callbacks."""
        self._guard.check(message)
        request = self._request(message)
        with self._provider.sending():
            call = await self._provider.client.calls.create_async(**request)
        if not call.sid:
            raise UnknownDeliveryError("an answer without an id", code="bad-answer")
        return Receipt(str(call.sid))

    async def reconcile(self, message: M, is_taken: IsTaken) -> Found | Absent | Unknowable:
        """Look for a call to the number since the first attempt. A call has no words to know it by: of two that
        could be it, nobody can tell which."""
        self._guard.check(message)
        since = utc(message.first_tried_s) - CLOCKS_APART
        with self._provider.asking():
            listed = await self._provider.client.calls.list_async(to=message.contact, limit=LOOKED_THROUGH)
        calls = {
            str(found.sid): found
            for found in listed
            if found.to == message.contact and found._from == self.sender and (found.date_created or since) >= since
        }
        taken = await is_taken(list(calls)) if calls else set()
        left = sorted(set(calls) - taken)
        if not left:
            return Absent()
        return Found(left[0], str(calls[left[0]].status)) if len(left) == 1 else Unknowable()

    def _request(self, message: M) -> dict[str, Any]:
        if not isinstance(message.content, Spoken):
            raise PermanentDeliveryError("something else than spoken words was handed to calls", code="wrong-content")
        twiml = spoken_twiml(message.content, message.language, self._links.digit(message.delivery))
        if len(twiml) > LIMITS["voice"].longest:
            raise PermanentDeliveryError("longer than the provider takes", code="too-long")
        return {
            "to": message.contact,
            "from_": self.sender,
            "twiml": twiml,
            "timeout": _RING_S,
            "time_limit": _LONGEST_CALL_S,
            "status_callback": self._links.call_status(message.delivery),
            "status_callback_event": _EVENTS,
            "status_callback_method": "POST",
        }


def spoken_twiml(words: Spoken, language: str, digit_url: str) -> str:
    """The call as TwiML: the text twice, each time with a wait for a digit, which goes to ``digit_url``."""
    voice = VOICES.get(language, VOICES["en"])
    response = VoiceResponse()
    for _ in range(2):
        gather = Gather(action=digit_url, method="POST", num_digits=1, timeout=_DIGIT_WAIT_S)
        gather.say(f"{words.text} {words.prompt}", **voice)
        response.append(gather)
    response.hangup()
    return str(response)


def thanks_twiml(text: str, language: str) -> str:
    """What is said when a digit was pressed."""
    response = VoiceResponse()
    response.say(text, **VOICES.get(language, VOICES["en"]))
    response.hangup()
    return str(response)
