"""How a stage stands between two topics: what the Kafka runtime must know of it, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from streams.clock import utc
from streams.schemas import Mark, Rejected
from streams.stage import Stage, State
from streams.transport.driver import Outgoing

Item = TypeVar("Item")

MarkRoute = Literal["every-partition", "same-partition"]
"""Where a stage's marks go: to every partition of the sink, because its data may lie in any of them; or to the
partition with the number of the source's, because both topics are keyed alike."""


@dataclass(frozen=True)
class Decoded(Generic[Item]):
    """What one run of messages without a mark holds.

    Attributes:
        items: argument of one ``accept`` call; ``None`` if nothing in the run can be used.
        count: messages or readings in it, for the metrics and for the limits of rejection.
        rejected: what could not be used.
    """

    items: Item | None
    count: int
    rejected: Sequence[Rejected] = ()


PlaceOf = Callable[[int], str]
"""Where the i-th payload lies, for people: ``readings/3@1042``. Only asked for what is rejected."""

Decode = Callable[[int, Sequence[bytes], PlaceOf], Decoded[Any]]
"""Partition, payloads and their places to the argument of ``accept``."""


class Publication(Protocol):
    """What of a stage's output goes out, and what else goes out with it. One per partition."""

    def select(self, said: Sequence[Any]) -> Sequence[Any]:
        """What of one batch's output is to be said, in order."""
        ...

    def also(self, selected: Sequence[Any]) -> Iterable[Outgoing]:
        """Messages for other topics that follow from it."""
        ...


@dataclass(frozen=True)
class StageSpec:
    """One agent.

    Attributes:
        name: also the name of its state table.
        source / sink: topics.
        source_partitions / sink_partitions: their numbers of partitions.
        decode: messages to the argument of ``accept``; what cannot be used comes back as rejected.
        key_of: message key of an item in the sink; its partition follows from it.
        marks: where the stage's marks go.
        make: a new stage over the state of one source partition, which it may already find filled.
        derive: given the argument of ``accept`` and the last derived mark, cuts it where a mark follows from the
            data's own times; used while nobody has sent a mark. ``None`` for topics that always carry marks.
        refused: what the stage itself could not use of the argument it last accepted.
        after: called after each flush with the stage and what it said, for metrics.
        publication: what of the output goes out; ``None``: all of it, and nothing else.
    """

    name: str
    source: str
    sink: str
    source_partitions: int
    sink_partitions: int
    decode: Decode
    key_of: Callable[[Any], str]
    marks: MarkRoute
    make: Callable[[int, State], Stage[Any, Any]]
    derive: Callable[[Any, int | None], Sequence[Any]] | None = None
    refused: Callable[[Stage[Any, Any], Any], Sequence[Rejected]] | None = None
    after: Callable[[Stage[Any, Any], Sequence[Any]], None] | None = None
    publication: Callable[[], Publication] | None = None


_encoder = msgspec.json.Encoder()
_mark_decoder = msgspec.json.Decoder(Mark)


class _Kind(msgspec.Struct):
    type: str = ""


_kind_decoder = msgspec.json.Decoder(_Kind)

MARK_KEY = b"~mark"
"""Key of every mark. A station or an airshed is never called this."""

NOTHING_YET = utc(0)
"""Time of a mark that promises nothing. A gateway sends it before its first reading, to say that marks will come:
without it a partition would have to take its bearings from the readings' own times."""


def encode(item: Any) -> bytes:
    """JSON of an item or a mark."""
    return _encoder.encode(item)


def mark_in(payload: bytes) -> Mark | None:
    """The mark a payload holds, ``None`` if it holds something else (or something broken, which is not for here)."""
    if b'"mark"' not in payload:
        return None
    try:
        # A reading may hold the word as well, and msgspec takes a missing tag for the right one.
        return _mark_decoder.decode(payload) if _kind_decoder.decode(payload).type == "mark" else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decoder_of(kind: Any) -> Decode:
    """A ``decode`` for topics with one struct (or union of structs) per message."""
    decoder = msgspec.json.Decoder(kind)
    name = getattr(kind, "__name__", str(kind))

    def decode(_partition: int, payloads: Sequence[bytes], place_of: PlaceOf) -> Decoded[list[Any]]:
        items: list[Any] = []
        rejected: list[Rejected] = []
        for number, payload in enumerate(payloads):
            try:
                items.append(decoder.decode(payload))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                rejected.append(_unreadable(payload, place_of(number), name, error))
        return Decoded(items or None, len(payloads), rejected)

    return decode


def _unreadable(payload: bytes, place: str, name: str, error: Exception) -> Rejected:
    message = f"{place}: expected a {name}: {error} (who writes to this topic besides Airshed's own stages?)"
    return Rejected(reason="bad-json", message=message, place=place, raw=payload, source=place.partition("/")[0])
