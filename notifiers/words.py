"""Names, colours and advice that messages share, by language: data of ``notifiers/wordings``, one file per language.

Categories and their colours are those of the index standard of the values. Advice comes in six rungs, from the
cleanest air to the worst, which are the bands of VN_AQI; a standard with fewer categories skips rungs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.indices import STANDARDS as INDEX_STANDARDS

LANGUAGES = ("vi", "en")
"""Those that have a wording and templates."""

STANDARDS = {
    "vn_aqi": "VN_AQI",
    "cn_aqi": "AQI (CN)",
    "cn_aqi_2012": "AQI (CN)",
    "us_aqi": "AQI (US)",
    "us_aqi_2012": "AQI (US)",
    "in_naqi": "NAQI",
    "kr_cai": "CAI",
}
"""What an index is called in a message: never mixed with that of another country."""

GROUPS = ("general", "sensitive", "schools", "outdoor")
"""Groups with advice of their own, in the order in which a mail names them."""

_RUNGS = {4: (0, 1, 3, 4), 6: (0, 1, 2, 3, 4, 5)}
"""Rung of advice for each category of a standard, by its number of categories. Korea's third reaches from 101 to 250,
so it gets the words for 151–200, and its last those for 201–300."""

_UNKNOWN_RUNG = 2  # without an index: careful words, no alarm

_DARKENED = {(255, 0, 0): (214, 0, 0)}
"""On the pure red of most standards neither dark nor light text reaches a contrast of 4.5 to 1."""

_DARK, _LIGHT = "#16191d", "#ffffff"


class Advice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rung: what to do, by group, most important first; one sentence for an SMS, and one to a sensitive person."""

    general: list[str]
    sensitive: list[str]
    schools: list[str]
    outdoor: list[str]
    sms: str
    sms_sensitive: str

    def of(self, group: str) -> list[str]:
        """The lines for one of ``GROUPS``."""
        return list(getattr(self, group))


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one language says.

    Attributes:
        exercise: first ``word`` of every exercise message, and the ``sentence`` that explains it.
        dates: patterns of babel, ``short`` for an SMS and ``long``.
        stop_sms: what stands in an SMS before the address of the page on which messages are stopped.
        you: how each kind of recipients is addressed.
        groups: name of each of ``GROUPS``.
        categories: names by standard, cleanest first, where they differ from the standard's own.
    """

    exercise: dict[str, str]
    no_data: str
    dates: dict[str, str]
    stop_sms: str
    you: dict[str, str]
    groups: dict[str, str]
    categories: dict[str, list[str]]
    advice: Annotated[list[Advice], Meta(min_length=6, max_length=6)]


@dataclass(frozen=True)
class Category:
    """A class of the index in one language: its name, its colour, and an ink that can be read on it (WCAG AA)."""

    name: str
    colour: str
    ink: str


@cache
def wording(language: str) -> Wording:
    """What a language says. Raises ``FileNotFoundError`` for one that has no file."""
    text = (resources.files("notifiers") / "wordings" / f"{language}.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=Wording)


@lru_cache(maxsize=4_096)  # every index of a few standards and languages; a message asks some ten times
def category(standard: str, index: int | None, language: str) -> Category:
    """The category of an index; without one, that it is not known."""
    if index is None:
        return Category(wording(language).no_data, "#d8dce2", "#23272e")
    known = INDEX_STANDARDS[standard]
    found = known.category(index)
    own = wording(language).categories.get(standard)
    name = own[known.categories.index(found)] if own else found.names.get(language) or found.names["en"]
    colour = _DARKENED.get(found.colour, found.colour)
    return Category(name, "#{:02x}{:02x}{:02x}".format(*colour), _ink(colour))


def rung(standard: str, index: int | None) -> int:
    """Which of the six rungs of advice an index stands on, 0 the cleanest."""
    if index is None:
        return _UNKNOWN_RUNG
    categories = INDEX_STANDARDS[standard].categories
    return _RUNGS[len(categories)][categories.index(INDEX_STANDARDS[standard].category(index))]


def advice(standard: str, index: int | None, language: str) -> Advice:
    """What to do at this index."""
    return wording(language).advice[rung(standard, index)]


def _ink(colour: tuple[int, int, int]) -> str:
    """Whichever of dark and light can be read better: ratio of luminances, WCAG 2.1, clause 1.4.3."""
    light = _luminance((255, 255, 255)) / _luminance(colour)
    dark = _luminance(colour) / _luminance((0x16, 0x19, 0x1D))
    return _LIGHT if light > dark else _DARK


def _luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance + 0.05, as in the contrast ratio."""
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05
