"""The pages for residents: signing up with a code, stopping by a link or a code, erasing. No scripts, no cookies.

GET never changes anything: mail scanners and previews open links. Nothing shown depends on whether a contact is
registered.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import structlog
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import Engine

from console.pages import page
from console.people_words import WORDS
from console.signup_form import PLACES, RADII_KM, Checked, FormRules, check, contact_of, plain_form
from notifiers import confirmations
from notifiers.confirmations import Asked
from notifiers.confirmations import Checked as CodeChecked
from notifiers.consents import WORDING
from notifiers.contacts import mask
from notifiers.database import reading
from notifiers.links import BadLinkError, Links
from notifiers.signups import Action, Desk, Outcome
from notifiers.withdrawal import withdraw
from streams.clock import Clock

_log = structlog.get_logger(__name__)
_ONE_CLICK = "One-Click"


@dataclass(frozen=True, kw_only=True)
class PeoplePages:
    """What the pages need: the database, the links, the clock, the desk that takes requests, and what can be chosen."""

    engine: Engine
    links: Links
    clock: Clock
    desk: Desk
    rules: FormRules

    def form(self, language: str, form: Mapping[str, str], checked: Checked, status: int = 200) -> Response[str]:
        """The sign-up form, with what was filled in and what is wrong with it."""
        return self.page(
            "signup.html",
            language,
            status,
            form=form,
            problems=checked.problems,
            provinces=self._provinces(language),
            levels=self._levels(language),
            places=range(1, PLACES + 1),
            radii=RADII_KM,
            consent=WORDING[language],
        )

    def sign_up(self, form: Mapping[str, str], language: str, address: str) -> Response[str]:
        """Take a form. Right or not, known or not, whoever fills in a usable contact sees the same next page."""
        checked = check(form, self.rules, language)
        if checked.sign_up is None:
            return self.form(language, form, checked, 422)
        if form.get("website"):  # a field that people do not see: only programmes fill it in
            return self.page("told.html", language, 200, title="code_title", said="code_intro")
        with self.engine.begin() as connection:
            outcome, request = self.desk.sign_up(connection, checked.sign_up, address=address, now_s=self.clock.now_s())
        _log.info("sign-up", outcome=outcome.value)
        if outcome is Outcome.TOO_OFTEN:
            return self.form(language, form, Checked({"": WORDS[language]["too-often"]}), 429)
        return self.see_other(request, language)

    def manage(self, form: Mapping[str, str], language: str, address: str) -> Response[str]:
        """Take a contact for which somebody wants to stop or erase."""
        contact = contact_of(form, self.rules)
        if contact is None:
            return self.page("manage.html", language, 422, form=form, problem="bad_contact")
        with self.engine.begin() as connection:
            outcome, request = self.desk.manage(
                connection, *contact, language, address=address, now_s=self.clock.now_s()
            )
        if outcome is Outcome.TOO_OFTEN:
            return self.page("manage.html", language, 429, form=form, problem="too-often")
        return self.see_other(request, language)

    def codes(self, token: str, language: str, status: int = 200, said: str = "", channel: str = "") -> Response[str]:
        """The page of a request: a field for every code."""
        asked = self._asked(token)
        if not asked:
            return self.page("told.html", language, 404, title="code_title", said="forgotten")
        template = "codes.html" if asked[0].purpose == "sign-up" else "act.html"
        return self.page(
            template,
            language,
            status,
            asked=[(one, self._masked(one)) for one in asked],
            said=said,
            channel=channel,
            actions=[action.value for action in Action],
        )

    def take_code(self, token: str, form: Mapping[str, str], language: str, address: str) -> Response[str]:
        """Take a code, or the wish for a new one."""
        asked = self._asked(token)
        if not asked:
            return self.codes(token, language)
        request, now_s = asked[0].request, self.clock.now_s()
        channel = form.get("channel", "")
        if form.get("again"):
            with self.engine.begin() as connection:
                outcome = self.desk.again(connection, request, channel, address=address, now_s=now_s)
            too_often = outcome is Outcome.TOO_OFTEN
            return self.codes(
                token, language, 429 if too_often else 200, outcome if too_often else "sent_again", channel
            )
        if asked[0].purpose == "manage":
            return self._act(token, request, form, language)
        with self.engine.begin() as connection:
            came = self.desk.confirm(connection, request, channel, form.get("code", ""), now_s)
        _log.info("code", outcome=came.value)
        if came is CodeChecked.UNKNOWN:  # erased meanwhile, or not a channel of the request
            return self.page("told.html", language, 404, title="code_title", said="forgotten")
        if came is not CodeChecked.RIGHT:
            return self.codes(token, language, 422, came.value, channel)
        done = all(one.is_confirmed for one in self._asked(token))
        return self.codes(token, language, 200, "all_done" if done else "one_done", channel)

    def _act(self, token: str, request: str, form: Mapping[str, str], language: str) -> Response[str]:
        chosen = form.get("action", "")
        if chosen not in [action.value for action in Action]:
            return self.codes(token, language, 422, "bad_choice")
        with self.engine.begin() as connection:
            came = self.desk.act(connection, request, form.get("code", ""), Action(chosen), self.clock.now_s())
        _log.info("request to stop or erase", action=chosen, outcome=came.value)
        if came is not CodeChecked.RIGHT:
            return self.codes(token, language, 422, "forgotten" if came is CodeChecked.UNKNOWN else came.value)
        return self.page("told.html", language, 200, title="manage_title", said=f"did_{chosen}")

    def unsubscribe(self, token: str, form: Mapping[str, str] | None, language: str) -> Response[str]:
        """The page of a mail's link (``form`` is ``None``), and what its buttons and a mail programme's click do."""
        try:
            person, channel = self.links.read_unsubscribe(token)
        except BadLinkError:
            return self.page("told.html", language, 404, title="unsubscribe_title", said="bad_link")
        if form is None:
            return self.page("unsubscribe.html", language, 200, channel=channel)
        by = "one-click" if form.get("List-Unsubscribe") == _ONE_CLICK else "page"
        everything = form.get("action") == "all"
        with self.engine.begin() as connection:
            stopped = withdraw(connection, person, None if everything else [channel], by=by, now_s=self.clock.now_s())
        _log.info("unsubscribed", subscriber=person, channel=channel, by=by, stopped=stopped)
        return self.page(
            "told.html", language, 200, title="manage_title", said="did_stop-all" if everything else "did_stop"
        )

    def page(self, template: str, language: str, status: int, **values: Any) -> Response[str]:
        """A page in one language."""
        other = next(name for name in WORDS if name != language)
        shared = {"w": WORDS[language], "language": language, "other": other, "exercise": self.desk.mode == "exercise"}
        return page(f"people/{template}", status, **shared, **values)

    def see_other(self, request: str, language: str) -> Response[str]:
        """To the page of a request, so that loading it again does not ask again."""
        where = f"/c/{self.links.token(request, 'request')}?lang={language}"
        return Response("", status_code=303, headers={"Location": where, "Cache-Control": "no-store"})

    def _asked(self, token: str) -> list[Asked]:
        try:
            request = self.links.read(token, "request")
        except BadLinkError:
            return []
        with reading(self.engine) as connection:
            return confirmations.asked_in(connection, request)

    def _masked(self, asked: Asked) -> str:
        with reading(self.engine) as connection:
            sealed = confirmations.sealed_contact(connection, asked.id)
        return mask(self.desk.vault.open(sealed)) if sealed is not None else "…"

    def _provinces(self, language: str) -> list[tuple[str, str]]:
        named = [
            (p.code, p.names.get(language) or next(iter(p.names.values()))) for p in self.rules.gazetteer.provinces
        ]
        return sorted(named, key=lambda pair: pair[1])

    def _levels(self, language: str) -> list[tuple[int, str]]:
        most = max(self.rules.airsheds, key=lambda airshed: len(airshed.levels))
        return [(number, level.names.get(language) or level.name) for number, level in enumerate(most.levels, start=1)]


def people_routes(pages: PeoplePages) -> list[Any]:
    """The routes, to be served beside others."""

    @get("/signup")
    async def sign_up_form(request: Request[Any, Any, Any]) -> Response[str]:
        language = _language(request)
        return pages.form(language, {"language": language}, Checked())

    @post("/signup", status_code=HTTP_200_OK)
    async def sign_up(request: Request[Any, Any, Any]) -> Response[str]:
        form = plain_form(await request.form())
        return await asyncio.to_thread(pages.sign_up, form, _language(request, form), _address(request))

    @get("/c/{token:str}")
    async def codes(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
        return await asyncio.to_thread(pages.codes, token, _language(request))

    @post("/c/{token:str}", status_code=HTTP_200_OK)
    async def take_code(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
        form = plain_form(await request.form())
        return await asyncio.to_thread(pages.take_code, token, form, _language(request, form), _address(request))

    @get("/h")
    async def manage_form(request: Request[Any, Any, Any]) -> Response[str]:
        return pages.page("manage.html", _language(request), 200, form={}, problem="")

    @post("/h", status_code=HTTP_200_OK)
    async def manage(request: Request[Any, Any, Any]) -> Response[str]:
        form = plain_form(await request.form())
        return await asyncio.to_thread(pages.manage, form, _language(request, form), _address(request))

    @get("/u/{token:str}")
    async def unsubscribe_form(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
        return pages.unsubscribe(token, None, _language(request))

    @post("/u/{token:str}", status_code=HTTP_200_OK)
    async def unsubscribe(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
        form = plain_form(await request.form())
        return await asyncio.to_thread(pages.unsubscribe, token, form, _language(request, form))

    @get("/static/people.css", media_type="text/css", cache=3600)
    async def style() -> str:
        return resources.files("console").joinpath("templates/people/people.css").read_text(encoding="utf-8")

    return [style, sign_up_form, sign_up, codes, take_code, manage_form, manage, unsubscribe_form, unsubscribe]


def _language(request: Request[Any, Any, Any], form: Mapping[str, str] | None = None) -> str:
    """What the page was asked for in; else what the browser prefers; else Vietnamese."""
    asked = (form or {}).get("lang") or request.query_params.get("lang", "")
    if asked in WORDS:
        return asked
    preferred = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return "en" if preferred.startswith("en") else "vi"


def _address(request: Request[Any, Any, Any]) -> str:
    """Whom to count: an IPv6 customer has a whole /64."""
    host = request.client.host if request.client else ""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else host
