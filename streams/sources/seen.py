"""Which remote files have been taken in, so that none is taken twice: by name, and by content when it was moved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from streams.stage import State

CONTENT_FOR_S = 3 * 86_400
"""How long a content is known after it was last seen. Servers move what they have archived within the day; beyond
that a moved file is read again, which changes nothing, for readings have an identity."""

_FILE, _CONTENT = "file:", "content:"


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """Version of a file as the server describes it, and the digest of what was read."""

    size: int
    changed: str
    digest: str


class SeenFiles:
    """The memory of one account."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._files = {key: msgspec.json.decode(raw, type=Seen) for key, raw in state.items() if key.startswith(_FILE)}
        self._contents = {key: int(raw) for key, raw in state.items() if key.startswith(_CONTENT)}

    def has_version(self, path: str, size: int, changed: str) -> bool:
        """Whether this version of the file has been taken in."""
        seen = self._files.get(_FILE + path)
        return seen is not None and (seen.size, seen.changed) == (size, changed)

    def has_content(self, digest: str) -> bool:
        return _CONTENT + digest in self._contents

    def remember(self, path: str, seen: Seen, now_s: float) -> None:
        self._files[_FILE + path] = seen
        self._state[_FILE + path] = msgspec.json.encode(seen)
        self._contents[_CONTENT + seen.digest] = int(now_s)
        self._state[_CONTENT + seen.digest] = str(int(now_s)).encode()

    def forget_gone(self, there: Iterable[str], now_s: float) -> None:
        """Drop files that are no longer listed, and contents that have not been seen for a while."""
        listed = {_FILE + path for path in there}
        for key in [key for key in self._files if key not in listed]:
            del self._files[key]
            del self._state[key]
        known = {_CONTENT + seen.digest for seen in self._files.values()}
        for key in [k for k, at in self._contents.items() if now_s - at > CONTENT_FOR_S and k not in known]:
            del self._contents[key]
            del self._state[key]


def digest_of(data: bytes, belongs_to: str) -> str:
    """Names a content. ``belongs_to`` keeps equal bytes of two stations apart."""
    return hashlib.sha256(belongs_to.encode() + b"\0" + data).hexdigest()[:32]
