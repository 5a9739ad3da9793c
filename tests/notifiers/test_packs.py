"""All that the packs of Airshed can say: every kind, level, audience, channel and language, at its longest.

Each rule of each pack is rendered for each level it may name, in each language, as SMS (unaccented, and with
diacritics by choice), as mail and as plain words, as an exercise and in earnest, to everybody it can address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from notifiers.errors import UnsendableError
from notifiers.facts import Addressee, facts
from notifiers.families import FAMILIES, by_sms
from notifiers.gsm7 import parts, septets, ucs2_parts, unaccent
from notifiers.longest import ANSWERED, LONGEST_FACILITY, longest_notice
from notifiers.previews import BANDS, Names
from notifiers.renderer import Renderer
from notifiers.words import LANGUAGES
from rules.loading import load_pack, packaged_packs
from rules.model import Pack, Rule
from rules.notices import ExerciseNotice, Notice

RENDERER = Renderer()
LINK = Names().link
STOP = "https://canhbao.moitruong.gov.vn/u/6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11.abcdefghijklmnopqrstuvwxyz"
STOP_PAGE = "canhbao.moitruong.gov.vn/h"
FIRST_WORDS = {"vi": "DIỄN TẬP", "en": "EXERCISE"}
PACKS = [load_pack(name) for name in packaged_packs()]
RULES = [(pack, rule) for pack in PACKS for rule in pack.rules]
IDS = [f"{pack.name}-{rule.id}" for pack, rule in RULES]


@dataclass(frozen=True)
class Case:
    """One notice to one recipient in one language."""

    notice: Notice
    language: str
    person: Addressee
    link: str

    @property
    def exercise(self) -> bool:
        return isinstance(self.notice, ExerciseNotice)


def levels_of(pack: Pack, rule: Rule) -> range:
    """The levels a notice of the rule may name: 0, none, where it can tell an end."""
    lowest = 0 if rule.notice in ("all-clear", "bulletin") else 1
    is_legal = rule.track == "legal" and pack.airshed.legal_track is not None
    return range(lowest, 2 if is_legal else len(pack.airshed.levels) + 1)


def cases(pack: Pack, rule: Rule, language: str, *, bands: tuple[int | None, ...] = (None, *BANDS)) -> Iterator[Case]:
    """For each level, the band of the index counted up with it, and every band at the highest level."""
    levels = levels_of(pack, rule)
    pairs = [(level, bands[-1]) for level in levels] + [(levels[-1], band) for band in bands]
    for level, index in pairs:
        for mode in ("actual", "exercise"):
            notice = longest_notice(pack, rule, index, mode, level)  # type: ignore[arg-type]
            for person in people(pack, rule, language):
                yield Case(notice, language, person, LINK if rule.notice in ANSWERED else "")


def people(pack: Pack, rule: Rule, language: str) -> Iterator[Addressee]:
    """The province with the longest name, no province of the episode, and for residents two places and a choice."""
    by_length = sorted(pack.airshed.provinces, key=lambda p: -len(p.names.get(language) or p.names["en"]))
    longest = by_length[0].code
    facility = LONGEST_FACILITY if rule.audience.recipients == "facilities" else ""
    stop = "" if facility else STOP_PAGE
    yield Addressee(contact="", province=longest, facility=facility, stop_page=stop, first=bool(stop))
    yield Addressee(contact="", province="next-door", facility=facility)
    if rule.audience.recipients == "residents":
        both = tuple(p.code for p in by_length[1:2])
        yield Addressee(
            contact="", province=longest, places=both, sensitive=True, stop_link=STOP, stop_page=STOP_PAGE, first=True
        )
        yield Addressee(contact="", province=longest, sensitive=True, accented=True, stop_page=STOP_PAGE, first=True)
        yield Addressee(contact="", province="next-door", stop_page=STOP_PAGE)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("pack", "rule"), RULES, ids=IDS)
def test_every_sms_says_everything_and_fits(pack: Pack, rule: Rule, language: str) -> None:
    if not by_sms(rule.audience.recipients):
        if rule.template == "correction":
            return  # the same words for everybody; authorities get them as a letter
        with pytest.raises(UnsendableError, match="it is for other channels") as refused:
            RENDERER.sms(longest_notice(pack, rule, 388, "actual"), language, Addressee(contact="", province=""))
        assert refused.value.reason == "no-template"
        return
    for case in cases(pack, rule, language):
        said = RENDERER.sms(case.notice, language, case.person, case.link)
        known = facts(case.notice, language, case.person, case.link)
        accented = any(unaccent(c) != c for c in said.body if c.isalpha())
        assert case.person.accented or not accented, said.body
        limit = (rule.sms_parts_accented or rule.sms_parts) if accented else rule.sms_parts
        assert said.parts == (ucs2_parts(said.body) if accented else parts(said.body)) <= limit, said.body
        assert accented or septets(said.body) <= 153 * rule.sms_parts
        assert not re.search(r"None|undefined|  |\?\?|[{}]", said.body), said.body
        body = unaccent(said.body).upper()
        assert body.startswith(f"{unaccent(FIRST_WORDS[language])}: ") is case.exercise
        for what in ("standard", "time_short", "sender"):
            assert unaccent(known[what]).upper() in body, f"{what} is missing: {said.body}"
        if rule.notice != "all-clear":
            assert unaccent(known["until_short"]).upper() in body, said.body
        places = known["mine"] or ([] if case.person.facility else [{"name": known["airshed"]}])
        for place in places:
            assert unaccent(place["name"]).upper() in body, said.body
        assert case.link in said.body
        if case.person.first and not case.person.accented and not case.person.places:
            assert said.body.endswith(STOP_PAGE), said.body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("pack", "rule"), RULES, ids=IDS)
def test_every_mail_says_everything(pack: Pack, rule: Rule, language: str) -> None:
    for case in cases(pack, rule, language, bands=(None, 198, 388)):
        said = RENDERER.letter(case.notice, language, case.person, case.link)
        known = facts(case.notice, language, case.person, case.link)
        word = FIRST_WORDS[language]
        assert said.subject.startswith(f"{word}: ") is case.exercise
        assert said.text.startswith(f"*** {word} ***") is case.exercise
        assert (word in said.html) is case.exercise
        assert said.subject.count("\n") == 0
        for text in (said.text, said.html):
            assert not re.search(r"None|undefined|\{\{|%\}", text)
            shown = [known["sender"], known["standard"], known["time_long"], *(p["name"] for p in known["provinces"])]
            ends = rule.notice == "all-clear"
            for wanted in [*shown, *([] if ends else [known["until_long"]]), *known["actions"]]:
                assert wanted in text.replace("&#39;", "'"), f"{wanted!r} is missing"
            assert case.link in text
            assert case.person.stop_link in text
            for group in known["advice_groups"]:  # `Schools` alone may stand in a measure as well
                told = all(line in text for line in group["lines"])
                assert told is (rule.audience.recipients == "residents"), group["name"]
        assert len(said.html) < 30_000


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("pack", "rule"), RULES, ids=IDS)
def test_the_plain_words_are_those_of_the_mail(pack: Pack, rule: Rule, language: str) -> None:
    for case in cases(pack, rule, language, bands=(388,)):
        words = RENDERER.words(case.notice, language, case.person, case.link)
        letter = RENDERER.letter(case.notice, language, case.person, case.link)
        assert words.subject == letter.subject
        assert words.headline.startswith(f"{FIRST_WORDS[language]}: ") is case.exercise
        assert words.lead in letter.text
        assert words.closing in letter.text


def test_every_rule_has_words_that_are_meant_for_it() -> None:
    wrong = [
        f"{pack.name} {rule.id}"
        for pack, rule in RULES
        if not FAMILIES[rule.template].fits(rule.notice, rule.audience.recipients)
    ]
    assert wrong == []


def test_no_family_is_without_words_in_any_language() -> None:
    pack = PACKS[0]
    for name, family in FAMILIES.items():
        for recipients in family.recipients:
            for language in LANGUAGES:
                notice = longest_notice(pack, pack.rules[0], 198, "actual", 1)
                audience = msgspec.structs.replace(notice.audience, recipients=recipients)
                own = msgspec.structs.replace(notice, template=name, audience=audience)
                assert RENDERER.letter(own, language, Addressee(contact="", province="")).subject


def test_authorities_are_not_spoken_to_as_plants_are() -> None:
    vietnam = load_pack("vietnam-2026")
    for rule in vietnam.rules:
        if rule.audience.recipients == "authorities":
            notice = longest_notice(vietnam, rule, 320, "actual")
            text = RENDERER.letter(notice, "vi", Addressee(contact="", province="")).text
            assert "quý cơ sở" not in text
            assert "giấy phép" not in text
            assert "Nên làm gì" not in text


def test_who_has_chosen_diacritics_gets_them_where_they_fit() -> None:
    vietnam = load_pack("vietnam-2026")
    advisory = next(rule for rule in vietnam.rules if rule.notice == "advisory")
    notice = longest_notice(vietnam, advisory, 215, "actual", 2)
    chosen = RENDERER.sms(notice, "vi", Addressee(contact="", province="01", accented=True))
    plain = RENDERER.sms(notice, "vi", Addressee(contact="", province="01"))
    assert "Không khí HÀ NỘI: RẤT XẤU" in chosen.body
    assert "Khong khi HA NOI: RAT XAU" in plain.body
    assert (chosen.parts, ucs2_parts(chosen.body)) == (3, 3)
    short = msgspec.structs.replace(notice, sms_parts_accented=1)
    assert RENDERER.sms(short, "vi", Addressee(contact="", province="01", accented=True)).body.isascii()
