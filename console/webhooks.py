"""What the SMS provider reports: signed by it, about a delivery that our own signed address names."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import structlog
from litestar import Request, Response, post
from litestar.status_codes import HTTP_204_NO_CONTENT
from twilio.request_validator import RequestValidator, get_signature_algorithm

from notifiers.callbacks import Heard, apply_status
from notifiers.ledger import Moved
from notifiers.links import BadLinkError
from streams.metrics import CALLBACKS, DELIVERIES

_log = structlog.get_logger(__name__)


@post("/webhooks/sms/status", status_code=HTTP_204_NO_CONTENT)
async def sms_status(request: Request[Any, Any, Any]) -> Response[None]:
    """Move a delivery by the provider's news. Answers 204 to everything that is genuine, repeats included (or the
    provider would send it again), and 403 to everything else."""
    settings = request.app.state.settings
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    if not _genuine(settings, request, form):
        return _forged("signature")
    try:
        delivery = settings.links.read(request.query_params.get("d", ""), "status")
    except BadLinkError:
        return _forged("token")
    outcome = await asyncio.to_thread(_apply, settings.engine, delivery, form)
    CALLBACKS.labels(str(outcome)).inc()
    if outcome is Heard.OTHER_MESSAGE:
        _log.error("the provider holds two messages for one delivery", delivery=delivery, sid=form.get("MessageSid"))
    return Response(None, status_code=HTTP_204_NO_CONTENT)


def _apply(engine: Any, delivery: str, form: dict[str, str]) -> Moved | Heard:
    status = form.get("MessageStatus", "")
    with engine.begin() as connection:
        outcome = apply_status(connection, delivery, form.get("MessageSid", ""), status, form.get("ErrorCode", ""))
    if outcome is Moved.APPLIED and status in ("delivered", "read", "undelivered", "failed", "canceled"):
        DELIVERIES.labels("sms", "delivered" if status in ("delivered", "read") else "failed").inc()
    return outcome


def _genuine(settings: Any, request: Request[Any, Any, Any], form: dict[str, str]) -> bool:
    """Checks the provider's signature over the address it was given: ours as the public knows it, not as a proxy
    hands it on. A shared key (header naming key and algorithm) or the account's token signs."""
    signature = request.headers.get("x-twilio-signature", "")
    named = request.headers.get("x-twilio-webhooks-signature-settings", "")
    secret = settings.sms_shared_keys.get(_key_id(named)) if named else settings.sms_auth_token
    if not signature or not secret:
        return False
    query = request.scope["query_string"].decode("ascii", "replace")
    url = f"{settings.links.public_url}{request.scope['path']}" + (f"?{query}" if query else "")
    return bool(RequestValidator(secret).validate(url, form, signature, get_signature_algorithm(named)))


def _key_id(header: str) -> str:
    pairs = (part.partition("=") for part in header.split(","))
    return next((value.strip() for name, _, value in pairs if name.strip() == "key"), "")


def _forged(what: str) -> Response[None]:
    CALLBACKS.labels(f"forged-{what}").inc()
    _log.warning("forged callback refused", what=what, remedy="if it was the provider: check links.public_url")
    return Response(None, status_code=403)
