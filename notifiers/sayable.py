"""Whether every rule of a pack can be said: a template in every language of the pack, and an SMS that fits.

Each rule is rendered at its longest: as an exercise (one word more), about every province, with the longest name of a
level and a long name of a plant.
"""

from __future__ import annotations

from collections.abc import Iterator

from notifiers.errors import UnsendableError
from notifiers.facts import Addressee
from notifiers.families import FAMILIES, by_sms, families_for
from notifiers.longest import ANSWERED, LONGEST_FACILITY, longest_notice
from notifiers.renderer import Renderer
from notifiers.words import LANGUAGES
from rules.documents import Document
from rules.model import Pack, Rule
from streams.errors import Problem

_LINK = "https://canhbao.example.gov.vn/a/6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11.abcdefghijklmnopqrstuvwxyz"
_BANDS = (198, 298, 388)
"""One index of each band that is warned of: each brings words of its own."""


def message_problems(document: Document, pack: Pack) -> Iterator[Problem]:
    """What cannot be said, at the rule that wants to say it."""
    for language in sorted(set(pack.sender) - set(LANGUAGES)):
        remedy = f"there are templates in {', '.join(LANGUAGES)}; names and measures may have other languages"
        yield document.problem(("sender", language), f"there are no templates in {language!r}", remedy, at_key=True)
    renderer = Renderer()
    for number, rule in enumerate(pack.rules):
        family = FAMILIES.get(rule.template)
        if family is not None and not family.fits(rule.notice, rule.audience.recipients):
            message = f"the words of {rule.template!r} are not for {rule.notice} to {rule.audience.recipients}"
            fitting = " or ".join(families_for(rule.notice, rule.audience.recipients))
            remedy = f"use {fitting}" if fitting else "no family has words for that"
            yield document.problem(("rules", number, "template"), message, remedy)
        for language in sorted(set(pack.sender) & set(LANGUAGES)):
            try:
                _say(pack, rule, language, renderer)
            except UnsendableError as error:
                key = "sms_parts" if error.reason == "too-long" else "template"
                yield document.problem(("rules", number, key), str(error), f"rule {rule.id} in {language!r}")


def _say(pack: Pack, rule: Rule, language: str, renderer: Renderer) -> None:
    plant = LONGEST_FACILITY if rule.audience.recipients == "facilities" else ""
    link = _LINK if rule.notice in ANSWERED else ""
    for index in _BANDS:
        notice = longest_notice(pack, rule, index, "exercise")
        for province in pack.airshed.provinces:
            person = Addressee(contact="", province=province.code, facility=plant)
            if by_sms(rule.audience.recipients):
                renderer.sms(notice, language, person, link)
        renderer.letter(notice, language, Addressee(contact="", province="", facility=plant), link)
