"""Directory listings of FTP servers: the standardised form (MLSD facts) and what LIST says on Unix and on Windows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal


@dataclass(frozen=True)
class Entry:
    """One entry of a folder.

    Attributes:
        name: as the server writes it.
        size: bytes, -1 where the server does not say.
        changed: what the server says about the time of change, compared but not understood: LIST has no zone.
        unique: the same for two names of one thing (links), empty where the server does not say.
    """

    name: str
    kind: Literal["file", "folder"]
    size: int
    changed: str
    unique: str = ""


_UNIX = re.compile(
    r"(?P<kind>[-dlbcps])[-rwxsStT]{9}[.+@]?\s+\d+\s+\S+\s+(?:\S+\s+)?(?P<size>\d+)\s+"
    r"(?P<changed>[A-Za-z]{3}\s+\d{1,2}\s+(?:\d{1,2}:\d{2}|\d{4})|\d{4}-\d{2}-\d{2}\s+\d{2}:\d{2}(?::\d{2})?)\s"
    r"(?P<name>.+)"
)
_WINDOWS = re.compile(
    r"(?P<changed>\d{2}[-/]\d{2}[-/]\d{2,4}\s+\d{1,2}:\d{2}(?:\s?[AP]M)?)\s+(?P<size><DIR>|[\d,.]+)\s+(?P<name>.+)"
)


def is_safe(name: str) -> bool:
    """Whether a name stays in its folder. Links, this folder and the one above are not followed."""
    return name not in ("", ".", "..") and not any(character in name for character in "/\\\0\r\n")


def parse_line(line: str) -> Entry | None:
    """One line of LIST; ``None`` for headers, links, devices and everything not understood."""
    text = line.rstrip("\r\n")
    unix = _UNIX.fullmatch(text)
    if unix:
        if unix["kind"] not in "-d" or not is_safe(unix["name"]):
            return None
        return Entry(unix["name"], "folder" if unix["kind"] == "d" else "file", _size(unix["size"]), unix["changed"])
    windows = _WINDOWS.fullmatch(text)
    if windows is None or not is_safe(windows["name"]):
        return None
    if windows["size"] == "<DIR>":
        return Entry(windows["name"], "folder", -1, windows["changed"])
    return Entry(windows["name"], "file", _size(re.sub("[,.]", "", windows["size"])), windows["changed"])


def parse_facts(name: str, facts: dict[str, str]) -> Entry | None:
    """One entry of MLSD."""
    kind = facts.get("type", "").casefold()
    if kind not in ("file", "dir") or not is_safe(name):
        return None
    size = _size(facts.get("size", ""))
    return Entry(name, "folder" if kind == "dir" else "file", size, facts.get("modify", ""), facts.get("unique", ""))


def _size(digits: str) -> int:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else -1


def of_seconds(seconds: float | None) -> str:
    """A time of change given in epoch seconds, as text."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S")
