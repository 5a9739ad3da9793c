"""Cells of a CSV file that a spreadsheet will open: no text may be taken for a formula."""

from __future__ import annotations

from streams.plain import FORMULA_STARTS


def safe_cell(text: str) -> str:
    """The text with an apostrophe in front where a program would calculate it (``=cmd|…``). Numbers stay numbers."""
    if not text.startswith(FORMULA_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    return text
