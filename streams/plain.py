"""Texts that people type: one line, nothing in it that cannot be seen, nothing that a spreadsheet would calculate."""

from __future__ import annotations

import unicodedata

from streams.errors import InputError

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a cell a formula, or makes the program look at what follows (OWASP, CSV injection). Full-width forms
are taken for their ASCII counterparts in some locales."""


def plain_label(text: str, longest: int) -> str:
    """A text for people, on one line, without control, zero-width and direction-changing characters.

    Raises:
        InputError: it is longer than ``longest`` characters.
    """
    if len(text) > longest * 4:  # before anything is done with it: a name may have ten megabytes
        raise InputError(f"{len(text)} characters", remedy=f"at most {longest} characters")
    kept = "".join(" " if c in "\t\r\n" else c for c in text if c in "\t\r\n" or not is_hidden(c))
    clean = unicodedata.normalize("NFC", " ".join(kept.split()))
    if len(clean) > longest:
        raise InputError(f"{len(clean)} characters", remedy=f"at most {longest} characters")
    return clean


def plain_code(text: str, longest: int) -> str:
    """A code as machines and tables carry it; it is not changed, because it has to agree with what feeds say.

    Raises:
        InputError: it has characters that cannot be seen, is too long, or would be a formula in a spreadsheet.
    """
    if len(text) > longest:
        raise InputError(f"{len(text)} characters", remedy=f"at most {longest} characters")
    if any(map(is_hidden, text)):
        raise InputError(f"{text!a} has characters that cannot be seen", remedy="type it again instead of pasting it")
    if text.startswith(FORMULA_STARTS):
        remedy = "let it begin with a letter or a digit"
        raise InputError(f"{text!r} would be a formula in a spreadsheet", remedy=remedy)
    return text


def is_hidden(character: str) -> bool:
    """Whether nobody sees a character: control, zero-width, direction-changing, unassigned."""
    return unicodedata.category(character)[0] == "C"
