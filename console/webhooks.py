"""What the SMS and voice provider reports: signed by it, about a delivery that our own signed address names.

Genuine calls are answered with 2xx, repeats included, or the provider would send them again. Everything else gets
403 and is counted; whoever keeps trying gets 429.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from litestar import Request, Response, post
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT
from sqlalchemy import Connection, select

from console.signatures import Form
from notifiers import operators
from notifiers.callbacks import STATE_OF_CALL, Heard, acknowledged, apply_status
from notifiers.channels.voice import thanks_twiml
from notifiers.inbound import first_time, is_stop
from notifiers.links import BadLinkError, Purpose
from notifiers.moves import Moved
from notifiers.operators import Occasion, OperatorEvent
from notifiers.speech import ACKNOWLEDGING_DIGIT, reply
from notifiers.tables import ledger
from streams.metrics import CALLBACKS, DELIVERIES

_log = structlog.get_logger(__name__)
_ENDED = ("delivered", "read", "undelivered", "failed", "canceled")
_NO_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
T = TypeVar("T")


@post("/webhooks/sms/status", status_code=HTTP_204_NO_CONTENT)
async def sms_status(request: Request[Any, Any, Any]) -> Response[None]:
    """Move a delivery by the provider's news."""
    called = await _genuine(request, "status")
    if isinstance(called, Response):
        return called
    delivery, form = called
    outcome = await _transaction(request, lambda db: _sms(db, request.app.state.settings, delivery, form))
    _count(outcome, delivery, form.get("MessageSid", ""))
    return Response(None, status_code=HTTP_204_NO_CONTENT)


@post("/webhooks/voice/status", status_code=HTTP_204_NO_CONTENT)
async def call_status(request: Request[Any, Any, Any]) -> Response[None]:
    """Move a delivery by what became of its call."""
    called = await _genuine(request, "status")
    if isinstance(called, Response):
        return called
    delivery, form = called
    sid, status = form.get("CallSid", ""), form.get("CallStatus", "")
    outcome = await _transaction(
        request, lambda db: apply_status(db, delivery, sid, status, form.get("ErrorCode", ""), STATE_OF_CALL)
    )
    _count(outcome, delivery, sid)
    return Response(None, status_code=HTTP_204_NO_CONTENT)


@post("/webhooks/voice/digit", status_code=HTTP_200_OK)
async def call_digit(request: Request[Any, Any, Any]) -> Response[Any]:
    """A key pressed during a call: the right one acknowledges; the answer is said on the telephone."""
    called = await _genuine(request, "acknowledge")
    if isinstance(called, Response):
        return called
    delivery, form = called
    right = form.get("Digits", "") == ACKNOWLEDGING_DIGIT
    sid = form.get("CallSid", "")
    outcome = await _transaction(request, lambda db: acknowledged(db, delivery, sid)) if right else Heard.OTHER_DIGIT
    _count(outcome, delivery, sid)
    language = await _transaction(request, lambda db: _language(db, delivery))
    words = thanks_twiml(reply(language, acknowledged=right and outcome is not Heard.OTHER_MESSAGE), language)
    return Response(words, status_code=HTTP_200_OK, media_type="text/xml")


@post("/webhooks/sms/inbound", status_code=HTTP_200_OK)
async def sms_inbound(request: Request[Any, Any, Any]) -> Response[Any]:
    """An SMS to our number. Stop words withdraw the consent of that number; a copy of the call does nothing."""
    settings = request.app.state.settings
    form = await settings.signatures.form(request)
    if form is None:
        return _forged(request, "signature")
    outcome = await _transaction(request, lambda db: _inbound(db, settings, form))
    CALLBACKS.labels(outcome).inc()
    return Response(_NO_ANSWER, status_code=HTTP_200_OK, media_type="text/xml")


def _inbound(connection: Connection, settings: Any, form: Form) -> str:
    if not is_stop(form.get("Body", "")):
        return "inbound-other"
    now_s = settings.clock.now_s()
    if not first_time(connection, f"sms:{form.get('MessageSid', '')}", now_s):
        return "inbound-repeated"
    settings.withdraw(connection, form.get("From", ""), "sms", now_s)
    return "inbound-stop"


def _sms(connection: Connection, settings: Any, delivery: str, form: Form) -> Moved | Heard:
    status, code = form.get("MessageStatus", ""), form.get("ErrorCode", "")
    outcome = apply_status(connection, delivery, form.get("MessageSid", ""), status, code, tries=settings.second_tries)
    if outcome is Moved.APPLIED and status in _ENDED:
        DELIVERIES.labels("sms", "delivered" if status in ("delivered", "read") else "failed").inc()
    return outcome


def _language(connection: Connection, delivery: str) -> str:
    found = connection.execute(select(ledger.c.language).where(ledger.c.id == delivery)).scalar()
    return str(found or "vi")


async def _genuine(request: Request[Any, Any, Any], purpose: Purpose) -> tuple[str, Form] | Response[None]:
    """The delivery and the form of a genuine call, or the answer to another one."""
    settings = request.app.state.settings
    form = await settings.signatures.form(request)
    if form is None:
        return _forged(request, "signature")
    try:
        return settings.links.read(request.query_params.get("d", ""), purpose), form
    except BadLinkError:
        return _forged(request, "token")


async def _transaction(request: Request[Any, Any, Any], work: Callable[[Connection], T]) -> T:
    engine = request.app.state.settings.engine

    def run() -> T:
        with engine.begin() as connection:
            return work(connection)

    return await asyncio.to_thread(run)


def _count(outcome: Moved | Heard, delivery: str, sid: str) -> None:
    CALLBACKS.labels(str(outcome)).inc()
    if outcome is Heard.OTHER_MESSAGE:
        _log.error("the provider holds two messages for one delivery", delivery=delivery, sid=sid)
        says = f"delivery {delivery}, the further message is {sid}"
        operators.tell(OperatorEvent(occasion=Occasion.SENT_TWICE, about=delivery, says=says))


def _forged(request: Request[Any, Any, Any], what: str) -> Response[None]:
    """403, and after some of them from one address 429 without a line in the log."""
    CALLBACKS.labels(f"forged-{what}").inc()
    limits, address = request.app.state.settings.limits, request.client.host if request.client else ""
    if wait_s := limits.stranger_wait_s(address):
        return Response(None, status_code=429, headers={"Retry-After": str(int(wait_s) + 1)})
    limits.guessed(address)
    _log.warning("forged callback refused", what=what, remedy="if it was the provider: check web.public_url")
    operators.tell(OperatorEvent(occasion=Occasion.FORGED, about=request.scope["path"], says=f"wrong {what}"))
    return Response(None, status_code=403)
