"""The calls an SMS and voice provider would make: what is said, which digit is pressed, how it ends. Kept in a file."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from lxml import etree

from notifiers.sandbox.signed_posts import SignedPosts
from notifiers.sandbox.tasks import Tasks

_UNANSWERED = ("busy", "no-answer", "failed", "canceled")


class Call(msgspec.Struct, kw_only=True):
    """A call as the provider holds it. ``said`` is what the called person heard, ``digit`` what was pressed."""

    sid: str
    to: str
    caller: str
    twiml: str
    time: datetime
    status: str = "queued"
    digit: str = ""
    said: list[str] = []
    callback: str = ""
    events: list[str] = []

    def as_resource(self, account: str) -> dict[str, Any]:
        """The provider's JSON form."""
        stamp = format_datetime(self.time)
        return {
            "sid": self.sid,
            "account_sid": account,
            "to": self.to,
            "from": self.caller,
            "status": self.status,
            "direction": "outbound-api",
            "date_created": stamp,
            "date_updated": stamp,
            "start_time": stamp,
            "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{account}/Calls/{self.sid}.json",
        }


_decoder: msgspec.json.Decoder[Call] = msgspec.json.Decoder(Call)


@dataclass
class Switchboard:
    """Makes calls and tells their progress.

    Attributes:
        digits: which digit is pressed, by number; nothing is pressed otherwise.
        ends: calls that are not taken, by number: ``busy``, ``no-answer``, ``failed``.
    """

    directory: Path
    account_sid: str
    auth_token: str = field(repr=False)
    callback_after_s: float = 0.05
    digits: dict[str, str] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._path = self.directory / "calls.jsonl"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.calls: dict[str, Call] = {call.sid: call for call in self._recorded()}
        self._numbers = itertools.count(len(self.calls) + 1)
        self._posts = SignedPosts(self.auth_token)
        self._tasks = Tasks()

    def dial(self, to: str, caller: str, twiml: str, callback: str, events: list[str]) -> Call:
        """Take a call. Raises ``ValueError`` when the TwiML is none."""
        _parsed(twiml)
        sid = f"CA{next(self._numbers):032x}"
        call = Call(
            sid=sid, to=to, caller=caller, twiml=twiml, time=datetime.now(UTC), callback=callback, events=events
        )
        self.calls[sid] = call
        self._write(call)
        self._tasks.start(self._ring(call))
        return call

    @property
    def missed(self) -> int:
        """Callbacks that nobody took."""
        return self._posts.missed

    async def settled(self) -> None:
        """Wait until every call has ended and its callbacks have been made."""
        await self._tasks.settled()

    async def stop(self) -> None:
        """Cut every call."""
        await self._tasks.cut()
        await self._posts.close()

    async def _ring(self, call: Call) -> None:
        await self._tell(call, "initiated", "initiated")
        end = self.ends.get(call.to, "completed")
        if end not in _UNANSWERED:
            await self._tell(call, "in-progress", "answered")
            await self._talk(call)
        await self._tell(call, end, "completed")
        self._write(call)

    async def _talk(self, call: Call) -> None:
        """Say what the TwiML says until a digit is pressed, whose address then says how it goes on."""
        root = _parsed(call.twiml)
        for verb in root:
            call.said += [str(say.text) for say in verb.iter("Say")]
            digit = self.digits.get(call.to, "")
            if verb.tag == "Gather" and digit:
                call.digit = digit
                form = self._form(call) | {"Digits": digit}
                answer = await self._posts.post(str(verb.get("action")), form)
                if answer:
                    call.said += [str(say.text) for say in _parsed(answer).iter("Say")]
                return

    async def _tell(self, call: Call, status: str, event: str) -> None:
        await asyncio.sleep(self.callback_after_s)
        call.status = status
        if call.callback and event in (call.events or ["completed"]):
            await self._posts.post(call.callback, self._form(call))

    def _form(self, call: Call) -> dict[str, str]:
        return {
            "CallSid": call.sid,
            "CallStatus": call.status,
            "AccountSid": self.account_sid,
            "To": call.to,
            "From": call.caller,
            "Direction": "outbound-api",
            "ApiVersion": "2010-04-01",
        }

    def _write(self, call: Call) -> None:
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(call) + b"\n")

    def _recorded(self) -> list[Call]:
        calls = []
        for line in self._path.read_bytes().splitlines() if self._path.exists() else []:
            try:
                calls.append(_decoder.decode(line))
            except msgspec.DecodeError:
                continue  # the last line of a process that was killed while writing it
        return calls


def _parsed(twiml: str) -> etree._Element:
    try:
        root = etree.fromstring(twiml.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from None
    if root.tag != "Response" or any(
        urlsplit(str(gather.get("action"))).scheme not in ("http", "https") for gather in root.iter("Gather")
    ):
        raise ValueError("TwiML begins with <Response>, and a digit needs an address to go to")
    return root
