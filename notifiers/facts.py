"""The plain data a template may use: everything it can say about a notice to one recipient, in one language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from notifiers.words import NO_DATA, STANDARDS, advice, category, short_advice
from rules.notices import ExerciseNotice, Notice, NoticeProvince

_FACILITY_IN_SMS = 40  # characters of a facility's name an SMS can spare; its duty officer knows the plant
_SHORT = {"vi": "HH'h' dd/MM", "en": "HH:mm d MMM"}
_LONG = {"vi": "HH:mm 'ngày' dd/MM/yyyy", "en": "HH:mm, d MMMM yyyy"}

EXERCISE = {
    "vi": ("DIỄN TẬP", "Đây là diễn tập (mô phỏng). Không cần làm gì cả."),
    "en": ("EXERCISE", "This is an exercise (simulation). Nothing needs to be done."),
}
"""First words of every exercise message, and the sentence that explains them."""


@dataclass(frozen=True, kw_only=True)
class Addressee:
    """Who a message is for. ``facility`` is the plant's name, empty for a resident."""

    contact: str
    province: str
    facility: str = ""


def facts(notice: Notice, language: str, addressee: Addressee, link: str) -> dict[str, Any]:
    """Strings, numbers and lists of them: nothing a template could call or reach through."""
    here = next((p for p in notice.provinces if p.code == addressee.province), None)
    others = sorted((p for p in notice.provinces if p is not here), key=lambda p: (-(p.index or 0), p.code))
    indices = [p.index for p in notice.provinces if p.index is not None]
    worst = max(indices, default=None)
    shown = here.index if here is not None else worst
    prefix, explanation = EXERCISE[language]
    return {
        "language": language,
        "exercise": isinstance(notice, ExerciseNotice),
        "exercise_word": prefix,
        "exercise_sentence": explanation,
        "sender": _in(notice.sender, language),
        "airshed": _in(notice.airshed_names, language),
        "level": _in(notice.level_names, language),
        "standard": STANDARDS.get(notice.data_standard, notice.data_standard),
        "time_short": _when(notice.time, notice.zone, language, _SHORT),
        "time_long": _when(notice.time, notice.zone, language, _LONG),
        "onset_long": _when(notice.onset, notice.zone, language, _LONG),
        "until_short": _when(notice.valid_until, notice.zone, language, _SHORT),
        "until_long": _when(notice.valid_until, notice.zone, language, _LONG),
        "here": None if here is None else _province(here, language),
        "others": [_province(p, language) for p in others],
        "provinces": [_province(p, language) for p in ([here] if here else []) + others],
        "worst": worst,
        "advice": advice(shown, language),
        "short_advice": short_advice(shown, language),
        "category": category(shown).names[language],
        "actions": list(notice.actions.get(language) or next(iter(notice.actions.values()), [])),
        "facility": addressee.facility,
        "facility_short": addressee.facility[:_FACILITY_IN_SMS].rstrip(),
        "link": link,
        "reference": f"{notice.episode}/{notice.transition}",
    }


def _province(province: NoticeProvince, language: str) -> dict[str, Any]:
    band = category(province.index)
    return {
        "name": _in(province.names, language),
        "index": province.index,
        "category": band.names[language] if band is not NO_DATA else NO_DATA.names[language],
        "colour": band.colour,
        "ink": band.ink,
    }


def _in(names: dict[str, str], language: str) -> str:
    """The name in the language, or in whatever language there is one."""
    return names.get(language) or next(iter(names.values()), "")


def _when(moment: datetime, zone: str, language: str, patterns: dict[str, str]) -> str:
    return str(format_datetime(moment, patterns[language], tzinfo=ZoneInfo(zone), locale=language))
