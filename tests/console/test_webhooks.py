"""Status callbacks: genuine ones move the row, forged ones are refused and counted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine
from twilio.request_validator import HMAC_SHA256, RequestValidator

from notifiers.database import reading
from notifiers.reports import deliveries
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
