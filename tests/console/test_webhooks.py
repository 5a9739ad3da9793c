"""Status callbacks: genuine ones move the row, forged ones are refused and counted."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from litestar.testing import TestClient
from sqlalchemy import Engine, update
from twilio.request_validator import HMAC_SHA256, RequestValidator

from console.app import ConsoleSettings, create_app
from notifiers.database import reading
from notifiers.inbound import is_stop
from notifiers.reports import deliveries
from notifiers.tables import ledger
from rules.notices import Notice, delivery_id
from streams import metrics
from tests.console.conftest import TOKEN
from tests.notifiers.samples import LINKS

Client = Any


@pytest.fixture
def delivery(request_notice: Notice) -> str:
    return delivery_id(request_notice.id, "F000", "sms")


def form(status: str = "sent", **more: str) -> dict[str, str]:
    return {"MessageSid": "SM1", "MessageStatus": status, "To": "+84910900000", "AccountSid": "AC1"} | more


def call(client: Client, url: str, values: dict[str, str], **headers: str) -> int:
    asked = urlsplit(url)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return int(client.post(f"{asked.path}?{asked.query}", data=values, headers=sent).status_code)


def signature(url: str, values: dict[str, str], secret: str = TOKEN, algorithm: str | None = None) -> str:
    return str(RequestValidator(secret).compute_signature(url, values, algorithm))


def state(engine: Engine, delivery: str) -> str:
    with reading(engine) as connection:
        return next(d.state for d in deliveries(connection) if d.id == delivery)


def test_genuine_callbacks_move_the_delivery(client: Client, engine: Engine, delivery: str) -> None:
    url = LINKS.status(delivery)
    for status, expected in (("sent", "sent"), ("delivered", "delivered"), ("sent", "delivered")):
        values = form(status)
        assert call(client, url, values, x_twilio_signature=signature(url, values)) == 204
        assert state(engine, delivery) == expected


def test_an_error_code_is_kept(client: Client, engine: Engine, delivery: str) -> None:
    url = LINKS.status(delivery)
    values = form("undelivered", ErrorCode="30005", Empty="")
    assert call(client, url, values, x_twilio_signature=signature(url, values)) == 204
    with reading(engine) as connection:
        row = next(d for d in deliveries(connection) if d.id == delivery)
    assert (row.state, row.reason) == ("failed", "30005")


def test_a_shared_key_signs_too(client: Client, engine: Engine, delivery: str) -> None:
    url, values = LINKS.status(delivery), form()
    header = "key=k1,algorithm=HMAC_SHA256"
    good = signature(url, values, "shared secret", HMAC_SHA256)
    named = {"x_twilio_webhooks_signature_settings": header}
    assert call(client, url, values, x_twilio_signature=good, **named) == 204
    assert call(client, url, values, x_twilio_signature=signature(url, values), **named) == 403
    unknown = {"x_twilio_webhooks_signature_settings": "key=k9,algorithm=HMAC_SHA256"}
    assert call(client, url, values, x_twilio_signature=good, **unknown) == 403


def test_forged_callbacks_are_refused_and_counted(client: Client, engine: Engine, delivery: str) -> None:
    before = metrics.value("airshed_callbacks_total", outcome="forged-signature")
    url, values = LINKS.status(delivery), form("delivered")
    good = signature(url, values)
    assert call(client, url, values) == 403
    assert call(client, url, values, x_twilio_signature="x" * 28) == 403
    assert call(client, url, values, x_twilio_signature=signature(url, values, "another token")) == 403
    assert call(client, url, values | {"MessageStatus": "failed"}, x_twilio_signature=good) == 403
    other = LINKS.status(delivery_id("n", "F000", "sms"))
    assert call(client, other, values, x_twilio_signature=good) == 403, "signed for another delivery"
    assert metrics.value("airshed_callbacks_total", outcome="forged-signature") - before == 5
    assert state(engine, delivery) == "planned"


def test_a_signed_call_to_an_address_that_is_not_ours_is_refused(client: Client, engine: Engine, delivery: str) -> None:
    """The provider signs whatever address it was given; the token in it must be ours as well."""
    url = f"{LINKS.public_url}/webhooks/sms/status?d={LINKS.token(delivery, 'acknowledge')}"
    values = form("delivered")
    assert call(client, url, values, x_twilio_signature=signature(url, values)) == 403
    assert state(engine, delivery) == "planned"


def test_too_large_a_body_is_refused(client: Client, delivery: str) -> None:
    url, values = LINKS.status(delivery), form(Filler="x" * 200_000)
    assert call(client, url, values, x_twilio_signature=signature(url, values)) == 413


def test_a_body_hash_is_checked_too(client: Client, engine: Engine, delivery: str) -> None:
    """The provider's scheme for bodies that are no form: the address carries the hash, the signature covers it."""
    values = form()
    body = urlencode(values)
    url = f"{LINKS.status(delivery)}&bodySHA256={sha256(body.encode()).hexdigest()}"
    good = str(RequestValidator(TOKEN).compute_signature(url, {}))
    asked = urlsplit(url)
    headers = {"x-twilio-signature": good, "content-type": "application/x-www-form-urlencoded"}
    where = f"{asked.path}?{asked.query}"
    assert client.post(where, content=body + "&MessageStatus=failed", headers=headers).status_code == 403
    assert client.post(where, content=body, headers=headers).status_code == 204
    assert state(engine, delivery) == "sent"


@pytest.mark.parametrize(
    "named",
    ["key=k1", "algorithm=HMAC_SHA256", "key=k1,algorithm=MD5", "key=,algorithm=HMAC_SHA256", ",,=,", "key=k9"],
)
def test_a_settings_header_cannot_weaken_the_check(client: Client, engine: Engine, delivery: str, named: str) -> None:
    url, values = LINKS.status(delivery), form("delivered")
    for secret in (TOKEN, ""):
        forged = str(RequestValidator(secret).compute_signature(url, values, HMAC_SHA256))
        headers = {"x_twilio_signature": forged, "x_twilio_webhooks_signature_settings": named}
        assert call(client, url, values, **headers) in (403, 429)
    assert state(engine, delivery) == "planned"


def test_the_second_providers_token_counts_and_a_doubled_field_does_not_confuse(engine: Engine, delivery: str) -> None:
    settings = ConsoleSettings(engine=engine, links=LINKS, sms_auth_token=TOKEN, second_auth_token="second token")
    url, values = LINKS.status(delivery), form()
    with TestClient(create_app(settings)) as client:
        assert call(client, url, values, x_twilio_signature=signature(url, values, "second token")) == 204
        good = signature(url, values)
        asked, doubled = urlsplit(url), urlencode([*values.items(), ("MessageStatus", "failed")])
        headers = {"x-twilio-signature": good, "content-type": "application/x-www-form-urlencoded"}
        assert client.post(f"{asked.path}?{asked.query}", content=doubled, headers=headers).status_code == 403


def test_an_empty_token_verifies_nothing(engine: Engine, delivery: str) -> None:
    url, values = LINKS.status(delivery), form()
    with TestClient(create_app(ConsoleSettings(engine=engine, links=LINKS, sms_auth_token=""))) as client:
        assert call(client, url, values, x_twilio_signature=signature(url, values, "")) == 403


def test_whoever_keeps_forging_waits_and_the_provider_does_not(client: Client, delivery: str) -> None:
    url, values = LINKS.status(delivery), form()
    answers = [call(client, url, values, x_twilio_signature="x") for _ in range(15)]
    assert answers[0] == 403
    assert answers[-1] == 429
    assert call(client, url, values, x_twilio_signature=signature(url, values)) == 204


@pytest.fixture
def called(request_notice: Notice, engine: Engine) -> str:
    """A delivery whose message is a call."""
    made = delivery_id(request_notice.id, "F000", "sms")
    with engine.begin() as connection:
        connection.execute(update(ledger).where(ledger.c.id == made).values(channel="voice"))
    return made


def voice(status: str, **more: str) -> dict[str, str]:
    return {"CallSid": "CA1", "CallStatus": status, "To": "+84910900000", "AccountSid": "AC1"} | more


def reason(engine: Engine, delivery: str) -> str:
    with reading(engine) as connection:
        return next(d.reason for d in deliveries(connection) if d.id == delivery)


def test_a_digit_acknowledges_whenever_it_comes(client: Client, engine: Engine, called: str) -> None:
    progress, digit = LINKS.call_status(called), LINKS.digit(called)
    for status in ("initiated", "in-progress"):
        values = voice(status)
        assert call(client, progress, values, x_twilio_signature=signature(progress, values)) == 204
    assert state(engine, called) == "sent"
    values = voice("completed")
    assert call(client, progress, values, x_twilio_signature=signature(progress, values)) == 204
    assert (state(engine, called), reason(engine, called)) == ("delivered", "completed")
    wrong = voice("in-progress", Digits="2")
    assert call(client, digit, wrong, x_twilio_signature=signature(digit, wrong)) == 200
    assert reason(engine, called) == "completed"
    values = voice("in-progress", Digits="1")
    asked = urlsplit(digit)
    for _ in range(2):
        answer = client.post(
            f"{asked.path}?{asked.query}", data=values, headers={"x-twilio-signature": signature(digit, values)}
        )
        assert answer.status_code == 200
        assert "<Say" in answer.text
        assert reason(engine, called) == "acknowledged"
    ended = voice("completed")
    call(client, progress, ended, x_twilio_signature=signature(progress, ended))
    assert reason(engine, called) == "acknowledged", "the end of the call does not take it back"


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
def test_a_call_that_nobody_takes_has_failed(client: Client, engine: Engine, called: str, status: str) -> None:
    url, values = LINKS.call_status(called), voice(status)
    assert call(client, url, values, x_twilio_signature=signature(url, values)) == 204
    assert (state(engine, called), reason(engine, called)) == ("failed", status)


def test_a_status_address_cannot_acknowledge(client: Client, engine: Engine, called: str) -> None:
    url = LINKS.digit(called).replace(LINKS.token(called, "acknowledge"), LINKS.token(called, "status"))
    values = voice("in-progress", Digits="1")
    assert call(client, url, values, x_twilio_signature=signature(url, values)) == 403
    assert state(engine, called) == "planned"


@pytest.mark.parametrize(
    ("body", "stops"),
    [
        ("STOP", True),
        ("stop.", True),
        ("Dừng", True),
        ("DUNG LAI", True),
        ("hủy tin", True),
        ("Từ chối", True),
        ("Unsubscribe", True),
        ("please stop", False),
        ("Dung roi, cam on", True),
        ("Cam on", False),
        ("", False),
        ("\u200b", False),
    ],
)
def test_stop_words(body: str, stops: bool) -> None:
    """Rather one too many than one too few: who writes "dung roi" is asked again by the sign-up page."""
    assert is_stop(body) is stops


def test_an_inbound_stop_withdraws_once(engine: Engine) -> None:
    withdrawn: list[tuple[str, str]] = []
    settings = ConsoleSettings(
        engine=engine,
        links=LINKS,
        sms_auth_token=TOKEN,
        withdraw=lambda db, contact, channel, now_s: withdrawn.append((contact, channel)),
    )
    url = f"{LINKS.public_url}/webhooks/sms/inbound"
    with TestClient(create_app(settings)) as client:
        for sid, body in (("SM1", "DUNG"), ("SM1", "DUNG"), ("SM2", "cam on"), ("SM3", "STOP")):
            values = {"MessageSid": sid, "From": "+84912345678", "To": "+84", "Body": body}
            assert call(client, url, values, x_twilio_signature=signature(url, values)) == 200
        forged = {"MessageSid": "SM9", "From": "+84912345678", "Body": "STOP"}
        assert call(client, url, forged, x_twilio_signature="x" * 28) == 403
    assert withdrawn == [("+84912345678", "sms")] * 2
