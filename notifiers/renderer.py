"""From facts to words: guarded templates, and SMS that never take more parts than the notice allows.

A family of templates is named by the rule. For a level it may have a file of its own, ``advisory.emergency.vi.j2``,
which holds only the macros that differ from ``advisory.vi.j2``.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from jinja2 import PackageLoader, Template, TemplateNotFound
from jinja2.exceptions import TemplateError

from notifiers.errors import UnsendableError
from notifiers.facts import Addressee, exercise_word, facts
from notifiers.gsm7 import parts, readable, ucs2_parts, unaccent
from notifiers.guarded import GuardedEnvironment
from notifiers.messages import Letter, SmsText, Words
from notifiers.words import wording
from rules.notices import ExerciseNotice, Notice

_TEXTS_KEPT = 4_096
"""SMS, some hundred bytes each. A warning goes to a million people in as many words as there are places, languages and
wishes: a few hundred texts."""
_SMS_LIMIT = 1_600  # characters the provider takes at most in one request (its error 21617)


class Renderer:
    """Renders notices, one at a time. The same notice and recipient always give the same words, whenever it is done."""

    def __init__(self, loader: Any = None) -> None:
        self._rendering = threading.Lock()  # the budget is of one rendering
        loader = loader or PackageLoader("notifiers", "templates")
        self._known = frozenset(loader.list_templates())
        self._environment = GuardedEnvironment(loader)
        self._kept: dict[tuple[bytes, str, Addressee, str], SmsText] = {}

    def sms(self, notice: Notice, language: str, addressee: Addressee, link: str = "") -> SmsText:
        """An SMS of at most ``notice.sms_parts`` parts: other provinces, measures and the sender's name are left
        out, in this order, until it fits (the sender id shows who writes). Residents read where to stop: in the first
        one of an episode before other provinces are named, later wherever it costs no further part.

        In GSM-7, unaccented; with diacritics for who has chosen so and where it fits, else unaccented as well.

        Raises:
            UnsendableError: ``too-long`` when even the shortest form does not fit; ``no-template``, also for
                families that are for mail only; ``template-error``.
        """
        anyone = replace(addressee, contact="", stop_link="")  # what is of one person alone is not in an SMS
        asked = (_digest(notice), language, anyone, link)
        if (said := self._kept.get(asked)) is not None:
            return said
        with self._limited():
            said = self._sms(notice, language, anyone, facts(notice, language, anyone, link))
        if len(self._kept) >= _TEXTS_KEPT:
            self._kept.clear()
        self._kept[asked] = said
        return said

    def letter(self, notice: Notice, language: str, addressee: Addressee, link: str = "") -> Letter:
        """A mail as subject, plain text and HTML. Raises :class:`UnsendableError` as :meth:`sms` does."""
        with self._limited():
            return self._letter(notice, language, facts(notice, language, addressee, link))

    def words(self, notice: Notice, language: str, addressee: Addressee, link: str = "") -> Words:
        """The parts of a message as plain text, for channels with a form of their own: CAP, voice, web.

        Raises :class:`UnsendableError` as :meth:`sms` does.
        """
        with self._limited():
            known = facts(notice, language, addressee, link)
            said = self._said(notice, language, known)
            return Words(
                subject=said["subject"],
                headline=_first_word(notice, language, said["headline"]),
                lead=said["lead"],
                closing=said["closing"],
                advice=[line for group in known["advice_groups"] for line in group["lines"]],
                actions=known["actions"],
                sender=known["sender"],
            )

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        with self._rendering:
            self._environment.budget.refill()
            yield

    def _sms(self, notice: Notice, language: str, addressee: Addressee, known: dict[str, Any]) -> SmsText:
        bodies = list(self._bodies(notice, language, self._family(notice, language), known))
        stop = f"{wording(language).stop_sms}: {addressee.stop_page}" if addressee.stop_page else ""
        if addressee.accented:
            most = notice.sms_parts_accented or notice.sms_parts
            if fitted := _fitted(
                [readable(body) for body in bodies], readable(stop), most, ucs2_parts, addressee.first
            ):
                return fitted
        plain = [unaccent(body) for body in bodies]
        if fitted := _fitted(plain, unaccent(stop), notice.sms_parts, parts, addressee.first):
            return fitted
        shortest = plain[-1]
        if known["sender"]:
            return self._sms(notice, language, addressee, known | {"others": [], "actions": [], "sender": ""})
        raise UnsendableError(
            "too-long",
            f"template {notice.template}.{language}: {parts(shortest)} SMS parts at the shortest, the rule "
            f"{notice.rule} allows {notice.sms_parts}; shorten the template or the measures, or raise sms_parts",
        )

    def _bodies(self, notice: Notice, language: str, family: list[Template], known: dict[str, Any]) -> Iterator[str]:
        """Longer to shorter. All of them name the sender."""
        for shortened in _shorter(known):
            yield _first_word(notice, language, " ".join(self._macro(family, "sms", shortened).split()))

    def _letter(self, notice: Notice, language: str, known: dict[str, Any]) -> Letter:
        said = self._said(notice, language, known)
        labels = [self._template(f"labels.{language}.j2")]
        named = {name: self._macro(labels, name, known).strip() for name in _LABELS}
        everything = known | said | {"label": named}
        return Letter(
            subject=said["subject"],
            text=self._render(self._template("letter.txt.j2"), everything),
            html=self._render(self._template("letter.html.j2"), everything),
        )

    def _said(self, notice: Notice, language: str, known: dict[str, Any]) -> dict[str, str]:
        family = self._family(notice, language)
        said = {name: " ".join(self._macro(family, name, known).split()) for name in _SAID}
        return said | {"subject": _first_word(notice, language, said["subject"])}

    def _family(self, notice: Notice, language: str) -> list[Template]:
        """The templates of a notice, the more special first."""
        general = self._template(f"{notice.template}.{language}.j2")
        special = f"{notice.template}.{notice.level_name}.{language}.j2"
        return [self._template(special), general] if special in self._known else [general]

    def _template(self, name: str) -> Template:
        try:
            return self._environment.get_template(name)
        except TemplateNotFound:
            raise UnsendableError("no-template", f"there is no template notifiers/templates/{name}") from None
        except TemplateError as error:
            raise UnsendableError("template-error", f"{name}: {error}") from None

    def _macro(self, family: list[Template], name: str, known: dict[str, Any]) -> str:
        try:
            for template in family:
                macro = getattr(template.make_module(known), name, None)
                if macro is not None:
                    self._environment.budget.pay(1)
                    return str(macro())
        except _BROKEN as error:
            raise UnsendableError("template-error", f"{family[-1].name}: {name}: {error}") from None
        raise UnsendableError("no-template", f"{family[-1].name} has no {name}: it is for other channels")

    def _render(self, template: Template, known: dict[str, Any]) -> str:
        try:
            return template.render(known)
        except _BROKEN as error:
            raise UnsendableError("template-error", f"{template.name}: {error}") from None


_BROKEN = (TemplateError, AttributeError, TypeError, ValueError, RecursionError)
_SAID = ("subject", "headline", "lead", "closing")
_LABELS = ("place", "advice", "own", "actions", "answer", "footer", "reference", "data_time", "colour_note", "stop")


def _fitted(bodies: Sequence[str], stop: str, most: int, count: Callable[[str], int], first: bool) -> SmsText | None:
    """The longest of some texts that takes no more parts than allowed, with where to stop as far as it fits."""

    def used(text: str) -> int:
        return count(text) if len(text) <= _SMS_LIMIT else most + 1

    def with_stop(body: str) -> str:
        return f"{body} {stop}" if body.endswith((".", "!", "?")) else f"{body}. {stop}"

    if first and stop:
        for body in bodies:
            if (number := used(with_stop(body))) <= most:
                return SmsText(with_stop(body), number)
    for body in bodies:
        if (number := used(body)) <= most:
            fits = stop and used(with_stop(body)) == number
            return SmsText(with_stop(body) if fits else body, number)
    return None


def _digest(notice: Notice) -> bytes:
    """Stands for everything a notice says: it may have been refreshed since it was planned."""
    return hashlib.blake2b(type(notice).__name__.encode() + msgspec.json.encode(notice), digest_size=16).digest()


def _first_word(notice: Notice, language: str, text: str) -> str:
    """An exercise says so first, whatever the template says: not a matter a template could forget."""
    return f"{exercise_word(language)}: {text}" if isinstance(notice, ExerciseNotice) else text


def _shorter(known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    others, actions = known["others"], known["actions"]
    for number in range(len(others), -1, -1):
        yield known | {"others": others[:number]}
    for number in range(len(actions) - 1, -1, -1):
        yield known | {"others": [], "actions": actions[:number]}
