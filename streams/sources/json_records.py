"""Records of a JSON document, each as its own bytes; from a damaged document whatever is whole.

A JSON reader gives all or nothing. A feed of ten thousand records with one wrong byte should cost one record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

_DECODER = json.JSONDecoder()
_lists = msgspec.json.Decoder(list[msgspec.Raw])
_BETWEEN = b" \t\r\n,[]"
MOST_SCANNED = 256 * 1024 * 1024
"""Bytes looked at in one damaged document, repeats included. One wrong byte makes one pass of a few megabytes out of
it; without a bound, hostile nesting would keep a process busy for minutes."""
_LEAST_SCANNED = 64
"""What one attempt costs at least, counted in bytes."""
_COUNTED_AT_ONCE = 32
"""Every error of the JSON reader counts the line ends before it, about so many bytes in the time of reading one."""
_TOO_DEEP = 1_000_000
"""What an attempt is taken to have cost that ran into the limit of nesting. No feed nests a hundred levels deep."""


@dataclass
class Records:
    """``whole``: each record's bytes; ``damaged``: what lies between them and is none, as (byte position, bytes)."""

    whole: list[bytes] = field(default_factory=list)
    damaged: list[tuple[int, bytes]] = field(default_factory=list)


def records_of(data: bytes, keys: frozenset[str], inside: str = "") -> Records:
    """The records of a list of objects. Never raises.

    Args:
        keys: a whole record has at least these.
        inside: key of the list, where the document is an object around it.
    """
    try:
        body = msgspec.json.decode(data, type=dict[str, msgspec.Raw])[inside] if inside else data
        return Records([bytes(raw) for raw in _lists.decode(body)])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        return _salvaged(data, keys)


def _salvaged(data: bytes, keys: frozenset[str]) -> Records:
    found = Records()
    end = 0
    for start, stop in _spans(data, keys):
        _keep_gap(found, data, end, start)
        found.whole.append(data[start:stop])
        end = stop
    _keep_gap(found, data, end, len(data))
    return found


def _keep_gap(found: Records, data: bytes, start: int, stop: int) -> None:
    if data[start:stop].strip(_BETWEEN):
        found.damaged.append((start, data[start:stop]))


def _spans(data: bytes, keys: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where whole records lie, tried at every opening brace. Latin-1 makes positions of characters those of bytes."""
    text = data.decode("latin-1")
    position, scanned = text.find("{"), 0
    while position >= 0 and scanned < MOST_SCANNED:
        stop, whole = _record_end(text, position, keys)
        scanned += max(stop - position, _LEAST_SCANNED) + position // _COUNTED_AT_ONCE
        if whole:
            yield position, stop
        position = text.find("{", stop if whole else position + 1)


def _record_end(text: str, start: int, keys: frozenset[str]) -> tuple[int, bool]:
    """How far was read from ``start``, and whether that is a whole record."""
    try:
        found, stop = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        return error.pos, False
    except (ValueError, RecursionError):  # an integer of thousands of digits; nesting without end
        return start + _TOO_DEEP, False
    return stop, keys <= found.keys()
