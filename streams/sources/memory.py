"""A part of a state under a prefix, so that several sources can remember in one."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from streams.stage import State


class Part(MutableMapping[str, bytes]):
    """The entries of ``whole`` whose keys begin with ``prefix``, seen without it."""

    def __init__(self, whole: State, prefix: str) -> None:
        self._whole = whole
        self._prefix = prefix

    def __getitem__(self, key: str) -> bytes:
        return self._whole[self._prefix + key]

    def __setitem__(self, key: str, value: bytes) -> None:
        self._whole[self._prefix + key] = value

    def __delitem__(self, key: str) -> None:
        del self._whole[self._prefix + key]

    def __iter__(self) -> Iterator[str]:
        length = len(self._prefix)
        return (key[length:] for key in list(self._whole) if key.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)
