"""The words of an alert in one language, from the same templates as every other message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from notifiers.facts import Addressee
from rules.notices import Notice

EVENTS = {"vi": "Ô nhiễm không khí", "en": "Air pollution"}
LANGUAGES = {"vi": "vi-VN", "en": "en-US"}
_LONGEST_HEADLINE = 160  # the standard's advice: it may be all that some displays show


class Said(Protocol):
    """Parts of a message as plain text."""

    @property
    def headline(self) -> str: ...
    @property
    def lead(self) -> str: ...
    @property
    def advice(self) -> Sequence[str]: ...
    @property
    def closing(self) -> str: ...
    @property
    def sender(self) -> str: ...


class Speaker(Protocol):
    """Who turns a notice into words: the renderer."""

    def words(self, notice: Notice, language: str, addressee: Addressee, link: str = "") -> Any: ...


def headline(said: Said) -> str:
    """The headline within the length the standard advises."""
    text = " ".join(said.headline.split())
    return text if len(text) <= _LONGEST_HEADLINE else text[: _LONGEST_HEADLINE - 1].rstrip() + "…"


def description(said: Said, values: Sequence[str]) -> str:
    """What happens, and the values of each province."""
    return "\n".join([said.lead, *values])


def instruction(said: Said) -> str:
    """What to do."""
    return "\n".join([*said.advice, said.closing]).strip()
