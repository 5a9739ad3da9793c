"""What every rule of a pack would say, at its longest: every language, every channel, the longest real names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import msgspec

from notifiers.errors import UnsendableError
from notifiers.facts import Addressee
from notifiers.families import by_sms
from notifiers.gsm7 import septets, unaccent
from notifiers.links import Links, stop_page
from notifiers.longest import ANSWERED, DELIVERY, LONGEST_FACILITY, longest_actions, longest_notice
from notifiers.messages import Letter, SmsText
from notifiers.renderer import Renderer
from notifiers.words import LANGUAGES
from rules.model import Pack, Rule
from rules.notices import Notice, NoticeKind

BANDS = (48, 98, 148, 198, 298, 388)
"""One index of each band of the standards; each brings words of its own, and no other brings longer numbers."""

_NO_LIMIT = 100  # SMS parts
_NEXT_DOOR = "next-door"
"""A recipient whose province is told but not in the episode."""

_BEYOND = ("episode-and-neighbours", "airshed")
"""Audiences beyond the episode's own provinces."""


class Sms(msgspec.Struct, frozen=True, kw_only=True):
    """An SMS at its longest.

    Attributes:
        parts / most: parts it takes, with the first word of an exercise, and parts the rule allows.
        septets: its length.
        left_out: what the shortening took away, in words, empty if nothing.
    """

    text: str
    parts: int
    most: int
    septets: int
    left_out: str


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """The mail to the same recipient."""

    subject: str
    text: str
    html: str


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says in one language.

    Attributes:
        told: to whom these very words go: the province and the index that make them longest.
        problems: why a message could not be sent, or would not say what was meant; empty when all is well.
    """

    rule: str
    kind: NoticeKind
    language: str
    told: str
    sms: Sms | None  # none for authorities, who get letters
    mail: Mail | None
    problems: list[str]


@dataclass(frozen=True)
class Names:
    """The longest names, beside those of the pack.

    Attributes:
        facility: of a plant.
        public_url: of the installation, as it stands in links.
    """

    facility: str = LONGEST_FACILITY
    public_url: str = "https://canhbao.moitruong.gov.vn"

    @property
    def link(self) -> str:
        """A link as long as every other."""
        return Links(["a-secret-for-previews"], self.public_url).acknowledgement(DELIVERY)


def previews(pack: Pack, names: Names | None = None, renderer: Renderer | None = None) -> list[Preview]:
    """Every rule in every language that has templates, in the order of the pack."""
    names, renderer = names or Names(), renderer or Renderer()
    cases = [_Case(pack, rule, language, names, renderer) for rule in pack.rules for language in LANGUAGES]
    return [case.preview() for case in cases]


@dataclass
class _Case:
    """One rule in one language: rendered for everybody it could address, the longest is kept.

    Attributes:
        sms / exercise: the longest SMS, and the same as an exercise; ``whole``: without any limit of parts.
        letter: the mail beside it; ``told``: to whom they go.
    """

    pack: Pack
    rule: Rule
    language: str
    names: Names
    renderer: Renderer
    sms: SmsText | None = None
    exercise: SmsText | None = None
    whole: str = ""
    letter: Letter | None = None
    told: str = ""
    longest: tuple[int, int] = (0, 0)
    problems: list[str] = field(default_factory=list)

    def preview(self) -> Preview:
        """Render every case and show the longest."""
        for index, level, addressee in product(BANDS, self._province_levels(), self._addressees()):
            try:
                self._render(index, level, addressee)
            except UnsendableError as error:
                self.problems.append(str(error))
        mail = self.letter
        return Preview(
            rule=self.rule.id,
            kind=self.rule.notice,
            language=self.language,
            told=self.told,
            sms=self._sms(),
            mail=Mail(subject=mail.subject, text=mail.text, html=mail.html) if mail else None,
            problems=[*dict.fromkeys(self.problems), *_lost(self.pack, self.rule, self.language, self.names)],
        )

    def _province_levels(self) -> tuple[int | None, ...]:
        """An end has other words for a province that is cut off from the episode and still on a level."""
        return (0, None) if self.rule.notice == "all-clear" else (None,)

    def _addressees(self) -> Iterator[Addressee]:
        codes = [province.code for province in self.pack.airshed.provinces]
        if self.rule.audience.provinces in _BEYOND or self.rule.notice == "all-clear":
            codes.append(_NEXT_DOOR)
        facility = self.names.facility if self.rule.audience.recipients == "facilities" else ""
        for code in codes:
            yield Addressee(contact="", province=code, facility=facility, stop_page=self._stop_page(), first=True)

    def _stop_page(self) -> str:
        residents = self.rule.audience.recipients == "residents"
        return stop_page(self.names.public_url) if residents else ""

    def _render(self, index: int, level: int | None, addressee: Addressee) -> None:
        actual = longest_notice(self.pack, self.rule, index, "actual", province_level=level)
        exercise = longest_notice(self.pack, self.rule, index, "exercise", province_level=level)
        link = self.names.link if self.rule.notice in ANSWERED else ""
        if not by_sms(self.rule.audience.recipients):
            self._render_letter(actual, index, addressee, link)
            return
        said = self.renderer.sms(actual, self.language, addressee, link)
        exercised = self.renderer.sms(exercise, self.language, addressee, link)
        length = (septets(exercised.body), index)  # of equally long ones the worst air is shown
        if length > self.longest:
            self.longest = length
            unlimited = msgspec.structs.replace(exercise, sms_parts=_NO_LIMIT)
            self.whole = self.renderer.sms(unlimited, self.language, addressee, link).body
            self.sms, self.exercise = said, exercised
            self.letter = self.renderer.letter(actual, self.language, addressee, link)
            self.told = self._told(index, addressee)

    def _render_letter(self, actual: Notice, index: int, addressee: Addressee, link: str) -> None:
        letter = self.renderer.letter(actual, self.language, addressee, link)
        if (len(letter.subject), index) > self.longest:
            self.longest = len(letter.subject), index
            self.letter, self.told = letter, self._told(index, addressee)

    def _told(self, index: int, addressee: Addressee) -> str:
        names = next((p.names for p in self.pack.airshed.provinces if p.code == addressee.province), None)
        place = _in(names, self.language) if names else "a place that is not in the episode any more, or next to it"
        return ", ".join([*([addressee.facility] if addressee.facility else []), place, f"index {index}"])

    def _sms(self) -> Sms | None:
        if self.sms is None or self.exercise is None:
            return None
        notice = longest_notice(self.pack, self.rule, BANDS[-1], "exercise")
        return Sms(
            text=self.sms.body,
            parts=self.exercise.parts,
            most=self.rule.sms_parts,
            septets=septets(self.sms.body),
            left_out=_left_out(notice, self.language, self.whole, self.exercise.body),
        )


def _left_out(notice: Notice, language: str, whole: str, body: str) -> str:
    """What an SMS does without, so that it fits. The mail says everything."""
    texts = (
        ("provinces", [_in(province.names, language) for province in notice.provinces]),
        ("measures", notice.actions.get(language, [])),
        ("the sender", [_in(notice.sender, language)]),
    )
    gone = []
    for what, said in texts:
        wanted = [unaccent(text).upper() for text in said if unaccent(text).upper() in whole.upper()]
        missing = sum(text not in body.upper() for text in wanted)
        if missing:
            gone.append(what if what == "the sender" else f"{missing} of {len(wanted)} {what}")
    return ", ".join(gone)


def _lost(pack: Pack, rule: Rule, language: str, names: Names) -> Iterator[str]:
    """Texts of the pack with characters that an SMS cannot carry: they would arrive as question marks."""
    if not by_sms(rule.audience.recipients):
        return
    texts: list[tuple[str, str]] = [
        ("sender", _in(pack.sender, language)),
        ("airshed", _in(pack.airshed.names, language)),
    ]
    texts += [(f"province {p.code}", _in(p.names, language)) for p in pack.airshed.provinces]
    texts += [(f"level {level.name}", _in(level.names, language)) for level in pack.airshed.levels]
    texts += [("actions", action) for action in longest_actions(pack, rule).get(language, [])]
    if rule.audience.recipients == "facilities":
        texts.append(("facility", names.facility))
    for where, text in texts:
        lost = sorted({character for character in text if character != "?" and unaccent(character) == "?"})
        if lost:
            yield f"{where}: {' '.join(lost)} cannot be sent in an SMS, it would arrive as '?': {text}"


def _in(texts: dict[str, Any], language: str) -> str:
    return str(texts.get(language) or next(iter(texts.values()), ""))


def unused_languages(pack: Pack) -> Sequence[str]:
    """Languages of the pack that no template speaks: nobody is written to in them."""
    return [language for language in pack.sender if language not in LANGUAGES]
