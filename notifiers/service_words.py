"""The words of messages that belong to no notice: codes that prove a contact."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import PackageLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifiers.confirmations import VALID_S, Purpose
from notifiers.facts import EXERCISE
from notifiers.gsm7 import parts, unaccent
from notifiers.messages import Letter, SmsText
from notifiers.words import wording


def code_sms(code: str, purpose: Purpose, language: str, *, exercise: bool, stop_page: str = "") -> SmsText:
    """The SMS with a code: one part, GSM-7. Whoever signs up reads where to stop later, as long as it is one part."""
    words = " ".join(_macro("sms", code, purpose, language).split())
    text = unaccent(f"{EXERCISE[language][0]}: {words}" if exercise else words)
    stop = unaccent(f" {wording(language).stop_sms}: {stop_page}")
    if stop_page and purpose != "manage" and parts(text + stop) == parts(text):
        text += stop
    return SmsText(text, parts(text))


def code_letter(code: str, purpose: Purpose, language: str, *, exercise: bool) -> Letter:
    """The mail with a code."""
    subject = " ".join(_macro("subject", code, purpose, language).split())
    text = _macro("text", code, purpose, language).strip() + "\n"
    sentence = f"{EXERCISE[language][0]}: {EXERCISE[language][1]}" if exercise else ""
    first, *paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]
    subject = f"{EXERCISE[language][0]}: {subject}" if exercise else subject
    html = _environment().get_template("service/letter.html.j2")
    return Letter(
        subject=subject,
        text=f"{sentence}\n\n{text}" if exercise else text,
        html=html.render(
            language=language, subject=subject, exercise=sentence, code=code, paragraphs=paragraphs, first=first
        ),
    )


def _macro(name: str, code: str, purpose: Purpose, language: str) -> str:
    known: dict[str, Any] = {"code": code, "minutes": VALID_S // 60, "manage": purpose == "manage"}
    module = _environment().get_template(f"service/confirmation.{language}.j2").make_module(known)
    return str(getattr(module, name)())


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("notifiers", "templates"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
    )
