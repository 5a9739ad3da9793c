"""The sandbox's HTTP side: the provider's Messages API, mail look-up, and a page on which to read every message."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_404_NOT_FOUND
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from notifiers.sandbox.faults import MAIL_FAULTS, SMS_FAULTS
from notifiers.sandbox.mailbox import Mailbox
from notifiers.sandbox.pages import mail_page, overview
from notifiers.sandbox.phone import Phone

_MAGIC = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
"""Numbers the provider's own test credentials refuse, with the code they give."""
_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'none'; base-uri 'none'"


def create_endpoint(phone: Phone, mailbox: Mailbox, extra_routes: Sequence[ControllerRouterHandler] = ()) -> Litestar:
    """The web application of a sandbox."""
    return Litestar(
        route_handlers=[send, listed, one, lookup, faults, page, mail, mail_body, *extra_routes],
        state=_state(phone, mailbox),
        openapi_config=None,
        logging_config=None,
    )


def _state(phone: Phone, mailbox: Mailbox) -> Any:
    from litestar.datastructures import State

    return State({"phone": phone, "mailbox": mailbox}, deep_copy=False)


@post("/2010-04-01/Accounts/{account:str}/Messages.json", status_code=HTTP_201_CREATED)
async def send(request: Request[Any, Any, Any], account: FromPath[str]) -> Any:
    """Take a message, refuse it by the number's rules, or play the fault that is due."""
    phone: Phone = request.app.state.phone
    if not authorised(request, phone, account):
        return error_answer(401, 20003, "Authenticate")
    form = await request.form()
    to, body = str(form.get("To", "")), str(form.get("Body", ""))
    fault = phone.faults.take(*SMS_FAULTS)
    if fault in ("500", "503"):
        return error_answer(int(fault), None, "fault on demand")
    if fault == "429":
        return error_answer(429, 20429, "Too Many Requests")
    if fault == "drop":
        return _broken
    if fault == "stall":
        await asyncio.sleep(phone.faults.delay_s)
    code = phone.faults.refused.get(to) or _MAGIC.get(to) or (21617 if len(body) > 1600 else None)
    validity = str(form.get("ValidityPeriod", "36000"))
    if not validity.isdigit() or not 1 <= int(validity) <= 36_000:
        code = code or 21620
    if code or not to or not body:
        return error_answer(400, code or (21604 if not to else 21602), "refused")
    sender = str(form.get("From") or form.get("MessagingServiceSid") or "")
    if not sender:
        return error_answer(400, 21603, "no sender")
    service = str(form.get("MessagingServiceSid", ""))
    sms = phone.accept(to, sender, body, str(form.get("StatusCallback", "")), int(validity), service)
    if fault == "drop-accepted":
        return _broken
    if fault == "500-accepted":
        return error_answer(500, None, "fault on demand")
    if fault == "slow":
        await asyncio.sleep(phone.faults.delay_s)
    return Response(sms.as_resource(account), status_code=HTTP_201_CREATED)


@get("/2010-04-01/Accounts/{account:str}/Messages.json")
async def listed(request: Request[Any, Any, Any], account: FromPath[str]) -> Response[Any]:
    """Messages, the newest first, filtered by To and From (exact) and by day sent."""
    phone: Phone = request.app.state.phone
    if not authorised(request, phone, account):
        return error_answer(401, 20003, "Authenticate")
    query = request.query_params
    found = [
        sms
        for sms in reversed(phone.messages.values())
        if query.get("To") in (None, sms.to)
        and query.get("From") in (None, sms.sender)
        and f"{sms.time:%Y-%m-%d}" >= query.get("DateSent>", "")[:10]
        and query.get("DateSent", "")[:10] in ("", f"{sms.time:%Y-%m-%d}")
    ]
    size = min(int(query.get("PageSize", "50")), 1000)
    return Response(
        {
            "messages": [sms.as_resource(account) for sms in found[:size]],
            "page": 0,
            "page_size": size,
            "start": 0,
            "end": max(len(found[:size]) - 1, 0),
            "uri": str(request.url.path),
            "first_page_uri": str(request.url.path),
            "next_page_uri": None,
            "previous_page_uri": None,
        }
    )


@get("/2010-04-01/Accounts/{account:str}/Messages/{sid:str}")
async def one(request: Request[Any, Any, Any], account: FromPath[str], sid: FromPath[str]) -> Response[Any]:
    """One message."""
    phone: Phone = request.app.state.phone
    if not authorised(request, phone, account):
        return error_answer(401, 20003, "Authenticate")
    sms = phone.messages.get(sid.removesuffix(".json"))
    return Response(sms.as_resource(account)) if sms else error_answer(404, 20404, "not found")


@get("/sandbox/mail/lookup")
async def lookup(request: Request[Any, Any, Any], message_id: FromQuery[str]) -> Response[Any]:
    """Whether a mail with this Message-ID is here: 200 or 404."""
    mailbox: Mailbox = request.app.state.mailbox
    found = mailbox.find(message_id)
    return Response({"found": bool(found)}, status_code=HTTP_200_OK if found else HTTP_404_NOT_FOUND)


@post("/sandbox/faults", status_code=HTTP_200_OK)
async def faults(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Make something fail: ``{"fault": "503", "times": 2, "delay_s": 0.5}``; sms or mail follows from the name."""
    wanted = await request.json()
    name = str(wanted.get("fault", ""))
    if name not in SMS_FAULTS + MAIL_FAULTS:
        raise NotFoundException(detail=f"unknown fault {name!r}; known: {', '.join(SMS_FAULTS + MAIL_FAULTS)}")
    target = request.app.state.phone.faults if name in SMS_FAULTS else request.app.state.mailbox.faults
    target.delay_s = float(wanted.get("delay_s", target.delay_s))
    target.queue.extend([name] * int(wanted.get("times", 1)))
    return {"planned": name}


@get("/")
async def page(request: Request[Any, Any, Any]) -> Response[str]:
    """Every message received, the newest first."""
    return html(overview(request.app.state.phone, request.app.state.mailbox))


@get("/mail/{number:int}")
async def mail(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[str]:
    """One mail, its text and its HTML part side by side."""
    found = next((m for m in request.app.state.mailbox.mails if m.number == number), None)
    if found is None:
        raise NotFoundException(detail=f"no mail {number}")
    return html(mail_page(found))


@get("/mail/{number:int}/body.html")
async def mail_body(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[str]:
    """The HTML part alone, for the frame on its page; no script can run in it."""
    found = next((m for m in request.app.state.mailbox.mails if m.number == number), None)
    part = found.message.get_body(("html",)) if found else None
    if part is None:
        raise NotFoundException(detail=f"no mail {number} with HTML")
    return html(part.get_content(), "default-src 'none'; style-src 'unsafe-inline'; sandbox")


def html(content: str, policy: str = _CSP) -> Response[str]:
    return Response(content, media_type="text/html", headers={"Content-Security-Policy": policy})


def authorised(request: Request[Any, Any, Any], phone: Phone, account: str) -> bool:
    expected = "Basic " + base64.b64encode(f"{phone.account_sid}:{phone.auth_token}".encode()).decode()
    given = request.headers.get("authorization", "")
    return account == phone.account_sid and hmac.compare_digest(given, expected)


def error_answer(status: int, code: int | None, message: str) -> Response[Any]:
    content = {"status": status, "code": code, "message": message, "more_info": ""}
    return Response(content, status_code=status)


async def _broken(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer that breaks off: announced, never sent. The server then closes the connection."""
    start: Any = {"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"500")]}
    await send(start)
    piece: Any = {"type": "http.response.body", "body": b"{", "more_body": True}
    await send(piece)
    raise ConnectionAbortedError("fault on demand")
