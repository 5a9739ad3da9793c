"""A state that is lost half way: what a crash between the writes of one call leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import msgspec

from streams.schemas import Mark


class Overlay(MutableMapping[str, bytes]):
    """Writes of one call on top of durable state, in the order of writing, as both runtimes keep them."""

    def __init__(self, durable: dict[str, bytes]) -> None:
        self.seen = dict(durable)
        self.writes: list[tuple[str, bytes | None]] = []

    def __getitem__(self, key: str) -> bytes:
        return self.seen[key]

    def __setitem__(self, key: str, value: bytes) -> None:
        self.seen[key] = value
        self.writes.append((key, value))

    def __delitem__(self, key: str) -> None:
        del self.seen[key]
        self.writes.append((key, None))

    def __iter__(self) -> Iterator[str]:
        return iter(self.seen)

    def __len__(self) -> int:
        return len(self.seen)

    def flush(self, durable: dict[str, bytes], count: int | None = None) -> None:
        """Make the first ``count`` writes (all of them by default) durable."""
        for key, value in self.writes[:count]:
            if value is None:
                durable.pop(key, None)
            else:
                durable[key] = value


def call(stage: Any, piece: Any) -> list[Any]:
    return list(stage.advance(piece) if isinstance(piece, Mark) else stage.accept(piece))


def undisturbed(make: Callable[[MutableMapping[str, bytes]], Any], pieces: Sequence[Any]) -> list[Any]:
    """What a stage says that lives through all of it."""
    stage = make({})
    return [item for piece in pieces for item in call(stage, piece)]


def crashing(
    make: Callable[[MutableMapping[str, bytes]], Any], pieces: Sequence[Any], survive: Callable[[int], int | None]
) -> list[Any]:
    """What a stage says that is killed in every call and started again.

    ``survive(n)``: how many of the writes of call n are durable when it is killed; ``None``: it is not killed there,
    but starts anew all the same. Outputs are durable before any write, so those of the killed call count as well.
    """
    durable: dict[str, bytes] = {}
    said: list[Any] = []
    for number, piece in enumerate(pieces):
        kept = survive(number)
        if kept is not None:
            overlay = Overlay(durable)
            said += call(make(overlay), piece)
            overlay.flush(durable, kept)
        overlay = Overlay(durable)
        said += call(make(overlay), piece)
        overlay.flush(durable)
    return said


def once(said: Sequence[Any], identity: Callable[[Any], Any]) -> list[bytes]:
    """The items in order as JSON, repeats left out; a repeat that differs is an error. Marks are left out."""
    first: dict[Any, bytes] = {}
    for item in said:
        if isinstance(item, Mark):
            continue
        body = msgspec.json.encode(item)
        assert first.setdefault(identity(item), body) == body, f"said twice, differently: {item}"
    return list(first.values())
