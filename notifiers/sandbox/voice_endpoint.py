"""The sandbox's Calls API, a page on which to read what every call said, and a partner's webhook."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from notifiers.sandbox.calls import Switchboard
from notifiers.sandbox.pages import FRAME
from notifiers.sandbox.partner import Partner
from notifiers.sandbox.phone import Phone
from notifiers.sandbox.sms_endpoint import authorised, error_answer, html

_LONGEST_TWIML = 4_000
_PAGE = Environment(autoescape=True).from_string(
    FRAME.replace(
        "CONTENT",
        """<p><a href="/">messages</a></p><h1>Calls ({{ calls | length }})</h1>
<table><tr><th>time (UTC)</th><th>to</th><th>said</th><th>digit</th><th>status</th></tr>
{% for c in calls %}<tr><td class="n">{{ c.time.strftime("%d %b %H:%M:%S") }}</td><td class="n">{{ c.to }}</td>
<td>{% for said in c.said %}<p>{{ said }}</p>{% endfor %}</td><td class="n">{{ c.digit }}</td>
<td class="n">{{ c.status }}</td></tr>
{% else %}<tr><td colspan="5">none yet</td></tr>{% endfor %}</table>
<h1>Webhooks ({{ webhooks | length }})</h1>
<table><tr><th>id</th><th>body</th></tr>
{% for w in webhooks %}<tr><td class="n">{{ w.id }}</td><td>{{ w.body }}</td></tr>
{% else %}<tr><td colspan="2">none yet</td></tr>{% endfor %}</table>""",
    )
)


def voice_routes(phone: Phone, switchboard: Switchboard, partner: Partner) -> list[HTTPRouteHandler]:
    """Routes to be served beside the Messages API; ``phone`` knows the account."""
    return [*_calls_api(phone, switchboard), *_pages(switchboard, partner)]


def _calls_api(phone: Phone, switchboard: Switchboard) -> list[HTTPRouteHandler]:
    @post("/2010-04-01/Accounts/{account:str}/Calls.json", status_code=HTTP_201_CREATED)
    async def dial(request: Request[Any, Any, Any], account: FromPath[str]) -> Response[Any]:
        """Make a call, or refuse it as the provider would."""
        if not authorised(request, phone, account):
            return error_answer(401, 20003, "Authenticate")
        form = await request.form()
        to, caller, twiml = (str(form.get(name, "")) for name in ("To", "From", "Twiml"))
        if not to or not caller.startswith("+"):
            return error_answer(400, 21201 if not to else 21212, "refused")
        if not twiml or len(twiml) > _LONGEST_TWIML:
            return error_answer(400, 21205, "no TwiML, or too much of it")
        if code := phone.faults.refused.get(to):
            return error_answer(400, code, "refused")
        events = [str(event) for event in form.getall("StatusCallbackEvent", [])]
        try:
            call = switchboard.dial(to, caller, twiml, str(form.get("StatusCallback", "")), events)
        except ValueError:
            return error_answer(400, 12100, "document parse failure")
        return Response(call.as_resource(account), status_code=HTTP_201_CREATED)

    @get("/2010-04-01/Accounts/{account:str}/Calls.json")
    async def listed(request: Request[Any, Any, Any], account: FromPath[str]) -> Response[Any]:
        """Calls, the newest first, filtered by To."""
        if not authorised(request, phone, account):
            return error_answer(401, 20003, "Authenticate")
        wanted = request.query_params.get("To")
        found = [call for call in reversed(switchboard.calls.values()) if wanted in (None, call.to)]
        content = {
            "calls": [call.as_resource(account) for call in found],
            "page": 0,
            "page_size": 1000,
            "next_page_uri": None,
            "uri": f"/2010-04-01/Accounts/{account}/Calls.json",
        }
        return Response(content, status_code=HTTP_200_OK)

    return [dial, listed]


def _pages(switchboard: Switchboard, partner: Partner) -> list[HTTPRouteHandler]:
    @get("/calls")
    async def page() -> Response[str]:
        """What every call said, and every webhook, the newest first."""
        calls = list(reversed(switchboard.calls.values()))
        return html(_PAGE.render(calls=calls, webhooks=list(reversed(partner.taken.values()))))

    @post("/sandbox/webhook", status_code=HTTP_200_OK)
    async def webhook(request: Request[Any, Any, Any]) -> Response[None]:
        """Take a signed webhook; 401 for one that is not."""
        good = partner.take(dict(request.headers), await request.body())
        return Response(None, status_code=HTTP_200_OK if good else 401)

    return [page, webhook]
