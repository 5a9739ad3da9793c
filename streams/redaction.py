"""Phone numbers and mail addresses taken out of texts that people or machines keep: logs, events, pages."""

from __future__ import annotations

import re

# A number of seven digits and more after a plus sign, or an address. Ids and times do not look like this.
_PHONE = re.compile(r"\+\d[\d .()-]{6,}\d")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def redacted(text: str) -> str:
    """The text with phone numbers and mail addresses replaced."""
    return _ADDRESS.sub("[address]", _PHONE.sub("[number]", text))
