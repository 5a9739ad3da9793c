"""The alphabet of SMS: what fits into GSM 03.38 without turning the message into UCS-2, and how many parts it takes."""

from __future__ import annotations

import unicodedata

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")  # each takes two septets
SINGLE_PART = 160
"""Septets of an undivided message: 140 octets of 7 bits."""
JOINED_PART = 153
"""Septets of each part of a divided one: six octets go to the header that joins them."""

SINGLE_PART_UCS2, JOINED_PART_UCS2 = 70, 67
"""The same 140 octets in units of two."""

_REPLACED = {
    "đ": "d",
    "Đ": "D",
    "µ": "u",
    "μ": "u",
    "³": "3",
    "²": "2",
    "°": " ",
    "–": "-",
    "—": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "…": "...",
    "\u00a0": " ",
    "\u202f": " ",
    "≥": ">=",
    "≤": "<=",
}


def unaccent(text: str) -> str:
    """The text as brand-name SMS in Viet Nam are written: no diacritics, đ as d, and nothing outside GSM-7.

    What has no counterpart becomes ``?``; control and direction-changing characters vanish.
    """
    replaced = "".join(_REPLACED.get(character, character) for character in text)
    plain = "".join(c for c in unicodedata.normalize("NFD", replaced) if not unicodedata.combining(c))
    return "".join(_fitting(character) for character in plain)


def septets(text: str) -> int:
    """Length in septets. Raises ``ValueError`` naming the characters that GSM-7 does not have."""
    foreign = sorted(set(text) - BASIC - EXTENSION)
    if foreign:
        raise ValueError(f"not in GSM-7: {' '.join(foreign)!r}")
    return len(text) + sum(character in EXTENSION for character in text)


def parts(text: str) -> int:
    """SMS parts the text takes. A two-septet character is never torn apart, so parts may end one septet early."""
    if septets(text) <= SINGLE_PART:
        return 1
    number, used = 1, 0
    for character in text:
        width = 2 if character in EXTENSION else 1
        if used + width > JOINED_PART:
            number, used = number + 1, 0
        used += width
    return number


def readable(text: str) -> str:
    """The text with its diacritics, without what cannot be seen: control and direction-changing characters."""
    return "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] != "C")


def ucs2_parts(text: str) -> int:
    """SMS parts of a text that keeps its diacritics: 70 UTF-16 units in one, 67 in each of several.

    A character of two units is never torn apart. A text that happens to fit GSM-7 is counted as that.
    """
    if not set(text) - BASIC - EXTENSION:
        return parts(text)
    units = [1 + (ord(character) > 0xFFFF) for character in text]
    if sum(units) <= SINGLE_PART_UCS2:
        return 1
    number, used = 1, 0
    for width in units:
        if used + width > JOINED_PART_UCS2:
            number, used = number + 1, 0
        used += width
    return number


def _fitting(character: str) -> str:
    if character in BASIC or character in EXTENSION:
        return character
    return "" if unicodedata.category(character)[0] == "C" else "?"
