"""The plain data a template may use: everything it can say about a notice to one recipient, in one language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal

from notifiers.words import GROUPS, LANGUAGES, STANDARDS, advice, category, rung, wording
from rules.notices import ExerciseNotice, Notice, NoticeProvince

_FAIR_RUNG = 1
"""The worst rung of advice on which nobody but very sensitive people need change anything: VN_AQI up to 100."""
_FACILITY_IN_SMS = 40  # characters of a facility's name an SMS can spare; its duty officer knows the plant


@dataclass(frozen=True, kw_only=True)
class Addressee:
    """Who a message is for.

    Attributes:
        facility: the plant's name, empty for a resident.
        province: code of the (first) province the recipient lives or stands in.
        places: codes of further provinces this one message tells the same person about, in the person's order.
        sensitive: asked for the advice for sensitive people.
        accented: wants SMS with diacritics, at fewer characters a part.
        stop_link: where the recipient ends these messages with one click; empty where there is no such page.
        stop_page: the same for an SMS: the page, without ``https://``, on which a code ends them.
        first: the first SMS of an episode to this person: it names the page rather than all the other provinces.
    """

    contact: str
    province: str
    facility: str = ""
    places: tuple[str, ...] = ()
    sensitive: bool = False
    accented: bool = False
    stop_link: str = ""
    stop_page: str = ""
    first: bool = False


EXERCISE = {lang: (wording(lang).exercise["word"], wording(lang).exercise["sentence"]) for lang in LANGUAGES}
"""First words of every exercise message, and the sentence that explains them."""


def exercise_word(language: str) -> str:
    """First word of every exercise message."""
    return EXERCISE[language][0]


def facts(notice: Notice, language: str, addressee: Addressee, link: str) -> dict[str, Any]:
    """Strings, numbers and lists of them: nothing a template could call or reach through."""
    standard = notice.data_standard
    wanted = dict.fromkeys((addressee.province, *addressee.places))
    by_code = {province.code: province for province in notice.provinces}
    mine = [by_code[code] for code in wanted if code in by_code]
    others = sorted((p for p in notice.provinces if p.code not in wanted), key=lambda p: (-(p.index or 0), p.code))
    worst = _worst(notice.provinces)
    shown = _worst(mine) if mine else worst
    said = advice(standard, shown, language)
    words = wording(language)
    still = [province for province in mine if _is_still_poor(province, standard)]
    inside = [province for province in notice.provinces if province.level > 0]
    return {
        **_notice(notice, language),
        "language": language,
        "here": _province(mine[0], standard, language) if mine else None,
        "mine": [_province(p, standard, language) for p in mine],
        "mine_names": _names(mine, language),
        "still": [_province(p, standard, language) for p in still],
        "still_names": _names(still, language),
        "others": [_province(p, standard, language) for p in others if p.index is not None],
        "provinces": [_province(p, standard, language) for p in [*mine, *others]],
        "inside_names": _names(inside, language),
        "left_names": _names([p for p in notice.provinces if p.level == 0], language),
        "count": len(notice.provinces),
        "inside_count": len(inside),
        "worst": worst,
        "advice": said.sensitive if addressee.sensitive else said.general,
        "advice_groups": [
            {"name": words.groups[group], "lines": said.of(group), "own": group == "sensitive" and addressee.sensitive}
            for group in (("sensitive", "general", "schools", "outdoor") if addressee.sensitive else GROUPS)
            if notice.provinces
        ],
        "short_advice": said.sms_sensitive if addressee.sensitive else said.sms,
        "category": category(standard, shown, language).name,
        "facility": addressee.facility,
        "facility_short": addressee.facility[:_FACILITY_IN_SMS].rstrip(),
        "link": link,
        "stop_link": addressee.stop_link,
    }


def _notice(notice: Notice, language: str) -> dict[str, Any]:
    """What is the same for every addressee of a language."""
    words = wording(language)
    times = {"time": notice.time, "onset": notice.onset, "until": notice.valid_until}
    return {
        "audience": notice.audience.recipients,
        "you": words.you[notice.audience.recipients],
        "exercise": isinstance(notice, ExerciseNotice),
        "exercise_word": words.exercise["word"],
        "exercise_sentence": words.exercise["sentence"],
        "sender": _in(notice.sender, language),
        "airshed": _in(notice.airshed_names, language),
        "level": _in(notice.level_names, language),
        "ended": notice.level == 0,
        "standard": STANDARDS.get(notice.data_standard, notice.data_standard),
        "actions": list(notice.actions.get(language) or next(iter(notice.actions.values()), [])),
        "reference": f"{notice.episode}/{notice.transition}",
    } | {
        f"{name}_{length}": _when(moment, notice.zone, language, length)
        for name, moment in times.items()
        for length in ("short", "long")
    }


def _province(province: NoticeProvince, standard: str, language: str) -> dict[str, Any]:
    band = category(standard, province.index, language)
    return {
        "name": _in(province.names, language),
        "index": province.index,
        "index_text": "-" if province.index is None else _number(province.index, language),
        "level": province.level,
        "category": band.name,
        "colour": band.colour,
        "ink": band.ink,
    }


def _is_still_poor(province: NoticeProvince, standard: str) -> bool:
    """Whether its air has not recovered. A level is held for some hours after the air has: who reads an index of 44 is
    not told that the air is poor."""
    return province.level > 0 and rung(standard, province.index) > _FAIR_RUNG


def _worst(provinces: Sequence[NoticeProvince]) -> int | None:
    return max((p.index for p in provinces if p.index is not None), default=None)


def _names(provinces: Sequence[NoticeProvince], language: str) -> str:
    """The names as a list of the language: A, B and C."""
    return _list(tuple(_in(province.names, language) for province in provinces), language)


def _in(names: dict[str, str], language: str) -> str:
    """The name in the language, or in whatever language there is one."""
    return names.get(language) or next(iter(names.values()), "")


# A notice goes to thousands of people of the same few places: what babel makes of it is made once.
@lru_cache(maxsize=1_024)
def _list(names: tuple[str, ...], language: str) -> str:
    return str(format_list(names, locale=language)) if names else ""


@lru_cache(maxsize=1_024)
def _number(value: int, language: str) -> str:
    return str(format_decimal(value, locale=language))


@lru_cache(maxsize=1_024)
def _when(moment: datetime, zone: str, language: str, length: str) -> str:
    pattern = wording(language).dates[length]
    return str(format_datetime(moment, pattern, tzinfo=ZoneInfo(zone), locale=language))
