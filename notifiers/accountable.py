"""Who does something by hand, and why, as it is written down: on one line, and never empty."""

from __future__ import annotations

from streams.errors import InputError

LONGEST = 500
"""Characters of a name or a reason: a paragraph."""


def one_line(text: str, longest: int | None = None) -> str:
    """A text without line breaks and needless blanks; cut after ``longest`` characters."""
    return " ".join(text.split())[:longest]


def officer_of(text: str, remedy: str, *, missing: str = "nobody is named", longest: int | None = None) -> str:
    """Name or number of the officer. Raises :class:`InputError` with ``missing`` and ``remedy`` when there is none."""
    return _required(text, "officer", missing, remedy, longest)


def reason_of(text: str, remedy: str, *, longest: int | None = None) -> str:
    """Why. Raises :class:`InputError` with ``remedy`` when nothing is said."""
    return _required(text, "reason", "no reason is given", remedy, longest)


def _required(text: str, field: str, missing: str, remedy: str, longest: int | None) -> str:
    said = one_line(text, longest)
    if not said:
        raise InputError(missing, field=field, remedy=remedy)
    return said
