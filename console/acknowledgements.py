"""The page on which a facility answers a request. GET only shows: mail scanners open links. POST acts, once."""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import Any, cast

import structlog
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import Connection

from console.pages import moment, page
from console.words import WORDS
from notifiers.acknowledgements import ANSWERS, Answer, Recorded, answers, find_request, is_asked_anew, record
from notifiers.acknowledgements import Request as CurtailmentRequest
from notifiers.database import reading
from notifiers.facts import Addressee, facts
from notifiers.links import BadLinkError
from streams.clock import utc

_log = structlog.get_logger(__name__)
_CONFLICTS = (Recorded.CONTRADICTS, Recorded.TOO_LATE, Recorded.NEEDS_REASON)


@get("/a/{token:str}")
async def show(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    """The request and what has been answered so far. Changes nothing, however often it is opened."""
    return await asyncio.to_thread(_show, request.app.state.settings, token)


@post("/a/{token:str}", status_code=HTTP_200_OK)
async def answer(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    """Record ``answer`` (accepted, refused, done) with ``reason``, once; then show the page again."""
    form = await request.form()
    given, reason = str(form.get("answer", "")), str(form.get("reason", ""))
    if given not in ANSWERS:
        return page("bad_link.html", 400)
    return await asyncio.to_thread(_answer, request.app.state.settings, token, cast(Answer, given), reason)


@get("/static/page.css", media_type="text/css", cache=3600)
async def style() -> str:
    """The one style sheet."""
    return resources.files("console").joinpath("templates/page.css").read_text(encoding="utf-8")


def _show(settings: Any, token: FromPath[str]) -> Response[str]:
    with reading(settings.engine) as connection:
        found = _find(connection, settings, token)
        return page("bad_link.html", 404) if found is None else _page(connection, settings, found)


def _answer(settings: Any, token: str, given: Answer, reason: str) -> Response[str]:
    with settings.engine.begin() as connection:
        found = _find(connection, settings, token)
        if found is None:
            return page("bad_link.html", 404)
        came_of_it = record(connection, found, given, reason, settings.clock.now_s())
        _log.info(
            "answer to a request", delivery=found.delivery, facility=found.facility, answer=given, came=came_of_it
        )
        return _page(connection, settings, found, came_of_it)


def _find(connection: Connection, settings: Any, token: FromPath[str]) -> CurtailmentRequest | None:
    try:
        return find_request(connection, settings.links.read(token, "acknowledge"))
    except BadLinkError:
        return None


def _page(
    connection: Connection, settings: Any, found: CurtailmentRequest, came_of_it: Recorded | None = None
) -> Response[str]:
    notice, language = found.notice, found.language
    given = answers(connection, notice.id, found.facility)
    known = facts(notice, language, Addressee(contact="", province="", facility=found.facility_name), link="")
    return page(
        "request.html",
        409 if came_of_it in _CONFLICTS else 200,
        w=WORDS[language],
        f=known,
        outcome=came_of_it.value if came_of_it else "",
        is_open=found.is_open(settings.clock.now_s()),
        given=[
            (WORDS[language][name], moment(utc(given[name][0]), notice.zone, language), given[name][1])
            for name in ANSWERS
            if name in given
        ],
        given_names=list(given),
        is_asked_anew=is_asked_anew(connection, notice.id, found.facility),
    )
