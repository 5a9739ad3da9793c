"""From facts to words: sandboxed templates, size limits, and SMS that never take more parts than the notice allows."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from jinja2 import PackageLoader, StrictUndefined, Template, TemplateNotFound, select_autoescape
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifiers.errors import UnsendableError
from notifiers.facts import EXERCISE, Addressee, facts
from notifiers.gsm7 import parts, unaccent
from notifiers.messages import Letter, SmsText
from rules.notices import ExerciseNotice, Notice

_MOST_CHARACTERS = 200_000
"""Size cap of anything rendered. The sandbox stops attribute tricks, not a loop that writes for ever; a mail of ours
has about 10 000 characters, and twenty times that is surely a broken template."""

_SMS_LIMIT = 1_600  # characters the provider takes at most in one request (its error 21617)


class _Budget:
    """Counts what expressions write during one rendering and ends it beyond the cap, inside macros too."""

    def __init__(self) -> None:
        self.left = 0

    def __call__(self, written: Any) -> Any:
        self.left -= len(str(written))
        if self.left < 0:
            _refuse(f"writing more than {_MOST_CHARACTERS} characters")
        return written


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuses what can grow a string to any size in one step: arithmetic on strings, and methods of any kind."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(operand, int | float) for operand in (left, right)) or operator == "**":
            _refuse(f"operator {operator} on {type(left).__name__}")
        return super().call_binop(context, operator, left, right)

    def is_safe_callable(self, called: Any) -> bool:
        return isinstance(called, Macro)


class Renderer:
    """Renders notices, one at a time. The same notice and recipient always give the same words, whenever it is done."""

    def __init__(self, loader: Any = None) -> None:
        self._budget = _Budget()
        self._rendering = threading.Lock()  # the budget is of one rendering
        self._environment = _Sandbox(
            finalize=self._budget,
            loader=loader or PackageLoader("notifiers", "templates"),
            undefined=StrictUndefined,
            autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
        )
        self._environment.globals.clear()
        for risky in ("center", "indent", "format", "xmlattr", "pprint", "attr", "urlize", "wordwrap"):
            self._environment.filters.pop(risky, None)

    def sms(self, notice: Notice, language: str, addressee: Addressee, link: str = "") -> SmsText:
        """An SMS in GSM-7 of at most ``notice.sms_parts`` parts: other provinces, measures and the sender's name
        are left out, in this order, until it fits (the sender id shows who writes).

        Raises:
            UnsendableError: ``too-long`` when even the shortest form does not fit; ``no-template``;
                ``template-error``.
        """
        with self._limited():
            return self._sms(notice, language, facts(notice, language, addressee, link))

    def letter(self, notice: Notice, language: str, addressee: Addressee, link: str = "") -> Letter:
        """A mail as subject, plain text and HTML. Raises :class:`UnsendableError` as :meth:`sms` does."""
        with self._limited():
            return self._letter(notice, language, facts(notice, language, addressee, link))

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        with self._rendering:
            self._budget.left = _MOST_CHARACTERS
            yield

    def _sms(self, notice: Notice, language: str, known: dict[str, Any]) -> SmsText:
        template = self._template(f"{notice.template}.{language}.j2")
        shortest = ""
        for shortened in _shorter_and_shorter(known):
            body = _first_word(notice, language, " ".join(self._macro(template, "sms", shortened).split()))
            shortest = unaccent(body)
            if len(shortest) <= _SMS_LIMIT and (used := parts(shortest)) <= notice.sms_parts:
                return SmsText(shortest, used)
        raise UnsendableError(
            "too-long",
            f"template {notice.template}.{language}: {parts(shortest)} SMS parts at the shortest, the rule "
            f"{notice.rule} allows {notice.sms_parts}; shorten the template or the measures, or raise sms_parts",
        )

    def _letter(self, notice: Notice, language: str, known: dict[str, Any]) -> Letter:
        words = self._template(f"{notice.template}.{language}.j2")
        said = {name: self._macro(words, name, known).strip() for name in ("subject", "headline", "lead", "closing")}
        labels = self._template(f"labels.{language}.j2")
        named = {name: self._macro(labels, name, known).strip() for name in _LABELS}
        everything = known | said | {"label": named}
        return Letter(
            subject=_first_word(notice, language, " ".join(said["subject"].split())),
            text=self._render(self._template("letter.txt.j2"), everything),
            html=self._render(self._template("letter.html.j2"), everything),
        )

    def _template(self, name: str) -> Template:
        try:
            return self._environment.get_template(name)
        except TemplateNotFound:
            raise UnsendableError("no-template", f"there is no template notifiers/templates/{name}") from None
        except TemplateError as error:
            raise UnsendableError("template-error", f"{name}: {error}") from None

    def _macro(self, template: Template, name: str, known: dict[str, Any]) -> str:
        try:
            said = str(getattr(template.make_module(known), name)())
        except (AttributeError, TemplateError, TypeError, ValueError) as error:
            raise UnsendableError("template-error", f"{template.name}: {name}: {error}") from None
        return said

    def _render(self, template: Template, known: dict[str, Any]) -> str:
        try:
            return template.render(known)
        except (TemplateError, TypeError, ValueError) as error:
            raise UnsendableError("template-error", f"{template.name}: {error}") from None


_LABELS = ("place", "advice", "actions", "answer", "footer", "reference", "data_time", "colour_note")


def _first_word(notice: Notice, language: str, text: str) -> str:
    """An exercise says so first, whatever the template says: not a matter a template could forget."""
    return f"{EXERCISE[language][0]}: {text}" if isinstance(notice, ExerciseNotice) else text


def _shorter_and_shorter(known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    others, actions = known["others"], known["actions"]
    for number in range(len(others), -1, -1):
        yield known | {"others": others[:number]}
    for number in range(len(actions) - 1, -1, -1):
        yield known | {"others": [], "actions": actions[:number]}
    yield known | {"others": [], "actions": [], "sender": ""}


def _refuse(what: str) -> NoReturn:
    raise SecurityError(f"{what} is not allowed in a template")
