"""What a person chooses: language, threshold, channels, time of day. One check for the file and for the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from notifiers.deliveries import ChannelName
from rules.model import MOST_LEVELS
from streams.errors import InputError

Timing = Literal["evening-before", "morning-of", "any"]
"""When a person wants to hear of a forecast."""

PERSONAL_CHANNELS: tuple[ChannelName, ...] = ("sms", "email")
"""Those a resident can choose."""
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?", re.ASCII)
_YES, _NO = {"1", "yes", "true", "x", "có", "co"}, {"", "0", "no", "false", "không", "khong"}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The columns of ``subscribers`` that a person decides about.

    Attributes:
        level: lowest level number to hear of.
        channels: in the order of ``PERSONAL_CHANNELS``.
        quiet: own quiet hours as minutes of the local day (from, to), which may run over midnight.
        accented: Vietnamese SMS with diacritics, which take up to three times the parts.
    """

    language: str
    level: int = 1
    channels: tuple[ChannelName, ...] = ()
    sensitive: bool = False
    timing: Timing = "any"
    quiet: tuple[int, int] | None = None
    accented: bool = False

    def columns(self) -> dict[str, Any]:
        """As the table has them."""
        return {
            "language": self.language,
            "level": self.level,
            "channels": " ".join(self.channels),
            "sensitive": int(self.sensitive),
            "timing": self.timing,
            "quiet_from": self.quiet[0] if self.quiet else None,
            "quiet_to": self.quiet[1] if self.quiet else None,
            "accented": int(self.accented),
        }


def read_choices(given: Mapping[str, str], languages: Sequence[str]) -> Choices:
    """Choices from texts: ``language, level, channels, sensitive, timing, quiet_hours, accented``, all optional.

    Raises:
        InputError: naming the field, what was given and what to write.
    """
    texts = {name: (value or "").strip()[:200] for name, value in given.items() if isinstance(name, str)}
    return Choices(
        language=_one_of(texts, "language", languages, languages[0]),
        level=_level(texts.get("level") or "1"),
        channels=_channels(texts.get("channels", "")),
        sensitive=_flag(texts, "sensitive"),
        timing=cast(Timing, _one_of(texts, "timing", get_args(Timing), "any")),
        quiet=quiet_hours(texts.get("quiet_hours", "")),
        accented=_flag(texts, "accented"),
    )


def quiet_hours(text: str) -> tuple[int, int] | None:
    """``22:00-07:00`` as minutes of the local day; nothing for an empty text. Raises ``InputError``."""
    if not text.strip():
        return None
    ends = [_minutes(part) for part in re.split(r"\s*[-–]\s*", text.strip())]
    first, last = ends if len(ends) == 2 else (None, None)
    if first is None or last is None or first == last:
        raise InputError(f"{text[:20]!r} are no hours", field="quiet_hours", remedy="write them like 22:00-07:00")
    return first, last


def _minutes(text: str) -> int | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    minutes = int(found[1]) * 60 + int(found[2] or 0)
    return minutes % 1440 if minutes <= 1440 and int(found[2] or 0) < 60 else None


def _level(text: str) -> int:
    # What is higher is mostly an index value, written into the wrong column.
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= MOST_LEVELS):
        raise InputError(f"{text[:20]!r} is not a level", field="level", remedy="write its number, 1 the lowest")
    return int(text)


def _channels(text: str) -> tuple[ChannelName, ...]:
    wanted = text.lower().split()
    unknown = [channel for channel in wanted if channel not in PERSONAL_CHANNELS]
    if unknown:
        raise InputError(f"unknown channel {unknown[0][:20]!r}", field="channels", remedy="use sms, email or both")
    return tuple(channel for channel in PERSONAL_CHANNELS if channel in wanted)


def _one_of(texts: Mapping[str, str], field: str, allowed: Sequence[str], default: str) -> str:
    text = texts.get(field, "").lower() or default
    if text not in allowed:
        said = "no messages in" if field == "language" else "unknown"
        raise InputError(f"{said} {text[:20]!r}", field=field, remedy="use " + " or ".join(allowed))
    return text


def _flag(texts: Mapping[str, str], field: str) -> bool:
    text = texts.get(field, "").lower()
    if text not in _YES | _NO:
        raise InputError(f"{text[:20]!r} is neither yes nor no", field=field, remedy="write 1 or 0")
    return text in _YES
