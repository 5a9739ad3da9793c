"""Cells of a CSV file that a spreadsheet will open: no text may be taken for a formula."""

from __future__ import annotations

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a cell a formula, or makes the program look at what follows (OWASP, CSV injection). Full-width forms
are taken for their ASCII counterparts in some locales."""


def safe_cell(text: str) -> str:
    """The text with an apostrophe in front where a program would calculate it (``=cmd|…``). Numbers stay numbers."""
    if not text.startswith(_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    return text
