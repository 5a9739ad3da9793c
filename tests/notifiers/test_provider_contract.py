"""What really goes over the wire to the provider, field by field against its published description."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from lxml import etree
from twilio.request_validator import RequestValidator

from notifiers.channels.limits import LIMITS
from notifiers.channels.sms import SmsChannel, SmsSettings
from notifiers.channels.voice import VoiceChannel, VoiceSettings
from notifiers.links import Links
from notifiers.messages import ExerciseMessage, SmsText, Spoken
from notifiers.sandbox.signed_posts import SignedPosts
from streams.errors import PermanentDeliveryError
from tests.notifiers.provider_contract import (
    CALL_FIELDS,
    CALL_ONE_OF,
    CALL_REQUIRED,
    MESSAGE_FIELDS,
    MESSAGE_ONE_OF,
    MESSAGE_REQUIRED,
    Field,
    problems,
)
from tests.notifiers.test_channels import DELIVERY, TO, _common
from tests.notifiers.workplace import nothing

ACCOUNT = "AC" + "0123456789abcdef" * 2
SERVICE = "MG" + "0123456789abcdef" * 2
PUBLIC = Links(["a signing secret for tests"], "https://alerts.example.org")


@dataclass
class Wire:
    """A server that keeps requests as bytes and answers as the provider would."""

    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode():
            headers: dict[str, str] = {}
            while (header := (await reader.readline()).decode().strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append((line.strip(), headers, body))
            answer = b'{"sid": "SM0123456789abcdef0123456789abcdef", "status": "queued"}'
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(answer), answer))
            await writer.drain()
        writer.close()

    def form(self) -> list[tuple[str, str]]:
        """The fields of the only request."""
        assert len(self.requests) == 1
        return parse_qsl(self.requests[0][2].decode(), keep_blank_values=True, strict_parsing=True)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    made = Wire()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()


def sms_channel(wire: Wire, **changes: Any) -> SmsChannel[ExerciseMessage]:
    values = {"base_url": wire.url, "account_sid": ACCOUNT, "auth_token": "token", "sender": "AIRSHED"} | changes
    return SmsChannel(ExerciseMessage, SmsSettings(**values), PUBLIC)


def voice_channel(wire: Wire) -> VoiceChannel[ExerciseMessage]:
    settings = VoiceSettings(base_url=wire.url, account_sid=ACCOUNT, auth_token="token", caller="+842471000000")
    return VoiceChannel(ExerciseMessage, settings, PUBLIC)


def text(body: str = "DIEN TAP: {VN_AQI} 215 & 50 % + ~", **changes: Any) -> ExerciseMessage:
    return ExerciseMessage(**(_common(TO) | {"content": SmsText(body, 1)} | changes))


def call(words: str = 'DIỄN TẬP: không khí <rất xấu> & "nguy hại"', language: str = "vi") -> ExerciseMessage:
    spoken = Spoken(words, "Bấm phím 1.", "Cảm ơn.")
    return ExerciseMessage(**(_common(TO) | {"content": spoken, "language": language}))


@pytest.mark.parametrize(
    ("settings", "useful_s", "validity"),
    [
        ({}, 7200.0, "7200"),
        ({}, 90_000.0, "36000"),
        ({}, 0.2, "10"),
        ({"messaging_service_sid": SERVICE}, 7200.9, "7200"),
        ({"status_callbacks": False}, 7200.0, "7200"),
        ({"sender": "+84910000000"}, 7200.0, "7200"),
    ],
)
async def test_every_field_of_an_sms(wire: Wire, settings: dict[str, Any], useful_s: float, validity: str) -> None:
    channel = sms_channel(wire, **settings)
    await channel.send(text(useful_s=useful_s), nothing)
    await channel.close()
    line, headers, _ = wire.requests[0]
    assert line == f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1"
    assert headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert headers["authorization"] == "Basic " + base64.b64encode(f"{ACCOUNT}:token".encode()).decode()
    form = wire.form()
    assert problems(form, MESSAGE_FIELDS, MESSAGE_REQUIRED, MESSAGE_ONE_OF) == []
    sent = dict(form)
    assert sent["To"] == TO
    assert sent["Body"] == "DIEN TAP: {VN_AQI} 215 & 50 % + ~"
    assert sent["ValidityPeriod"] == validity
    assert ("From" in sent) != ("MessagingServiceSid" in sent)
    assert ("StatusCallback" in sent) == settings.get("status_callbacks", True)


async def test_the_callback_address_names_the_delivery_and_survives_the_provider(wire: Wire) -> None:
    channel = sms_channel(wire)
    await channel.send(text(), nothing)
    await channel.close()
    asked = urlsplit(dict(wire.form())["StatusCallback"])
    assert (asked.scheme, asked.netloc, asked.path) == ("https", "alerts.example.org", "/webhooks/sms/status")
    assert PUBLIC.read(dict(parse_qsl(asked.query))["d"], "status") == DELIVERY


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_every_field_of_a_call(wire: Wire, language: str) -> None:
    channel = voice_channel(wire)
    await channel.send(call(language=language), nothing)
    await channel.close()
    assert wire.requests[0][0] == f"POST /2010-04-01/Accounts/{ACCOUNT}/Calls.json HTTP/1.1"
    form = wire.form()
    assert problems(form, CALL_FIELDS, CALL_REQUIRED, CALL_ONE_OF) == []
    assert [value for name, value in form if name == "StatusCallbackEvent"] == ["initiated", "answered", "completed"]
    twiml = etree.fromstring(dict(form)["Twiml"].encode())
    says = list(twiml.iter("Say"))
    assert len(says) == 2
    assert '<rất xấu> & "nguy hại"' in str(says[0].text)
    assert says[0].get("language") == {"vi": "vi-VN", "en": "en-US"}[language]
    gather = next(twiml.iter("Gather"))
    token = dict(parse_qsl(urlsplit(str(gather.get("action"))).query))["d"]
    assert PUBLIC.read(token, "acknowledge") == DELIVERY


async def test_what_the_provider_would_refuse_never_reaches_it(wire: Wire) -> None:
    sms, voice = sms_channel(wire), voice_channel(wire)
    with pytest.raises(PermanentDeliveryError):
        await sms.send(text("x" * (LIMITS["sms"].longest + 1)), nothing)
    with pytest.raises(PermanentDeliveryError):
        await voice.send(call("á" * 3000), nothing)
    with pytest.raises(PermanentDeliveryError):
        await voice.send(text(), nothing)
    await sms.close()
    await voice.close()
    assert wire.requests == []


def test_the_table_itself_notices_what_is_wrong() -> None:
    fields = {"To": Field("phone"), "N": Field("integer", 1, 3), "U": Field("uri"), "L": Field("string[]")}
    good = [("To", "+84912345678"), ("N", "3"), ("U", "https://a.example/x"), ("L", "a"), ("L", "b")]
    assert problems(good, fields, ["To"], [["N", "M"]]) == []
    for wrong in (
        [("To", "0912345678901234")],
        [("To", "+84912345678"), ("To", "+84912345678")],
        [("N", "4")],
        [("N", "1.5")],
        [("U", "https://under_score.example")],
        [("Surprise", "x")],
    ):
        assert problems(wrong, fields, [], []), wrong
    assert problems([], fields, ["To"], [["N", "M"]]) == ["To: required", "one of N, M is needed"]


def test_what_the_sandbox_signs_the_providers_own_validator_takes() -> None:
    form = {"MessageSid": "SM1", "To": TO, "Empty": ""}
    url = PUBLIC.status(DELIVERY)
    signature = SignedPosts("token")._validator.compute_signature(url, form)
    assert RequestValidator("token").validate(url, form, signature)
    assert not RequestValidator("token").validate(url, form | {"To": "+1"}, signature)
