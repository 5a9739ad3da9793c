"""A fetched batch as one event, and the proof of which offsets are finished.

Faust's own bookkeeping of acknowledgements can commit past a message that was never processed: it acknowledges what
an agent dropped in an exception or what it skipped after a rebalance, and fills gaps with offsets it has not seen
handled. Here an offset counts only when the code that handled its batch has said so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Record(Protocol):
    """One message, as aiokafka fetches it."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    def place(self, offset: int) -> str:
        """Where a message lies, for people: ``readings/3@1042``."""
        return f"{self.topic}/{self.number}@{offset}"


@dataclass(frozen=True)
class FetchedBatch:
    """Messages of one partition, in offset order and never empty: what an agent receives as one event.

    Whoever handles it calls ``finish`` once every effect is durable; until then no offset of it, and none after it,
    is committed.
    """

    partition: Partition
    records: Sequence[Record]
    generation: int
    finish: Callable[[], None]

    @property
    def next_offset(self) -> int:
        """Offset after the last message."""
        return self.records[-1].offset + 1


@dataclass
class _Pending:
    next_offset: int
    finished: bool = False


@dataclass
class FinishedOffsets:
    """How far each partition is finished without a hole: what may be committed.

    Batches are opened in the order they were fetched. One that is opened and never finished (an agent crashed, an
    event was skipped) holds everything behind it back until the partition is reset to its committed offset.
    """

    _pending: dict[Partition, deque[_Pending]] = field(default_factory=dict)
    _safe: dict[Partition, int] = field(default_factory=dict)

    def open(self, partition: Partition, next_offset: int) -> Callable[[], None]:
        """Note a fetched batch; the returned function marks it finished."""
        entry = _Pending(next_offset)
        line = self._pending.setdefault(partition, deque())
        line.append(entry)

        def finish() -> None:
            entry.finished = True
            # After a reset this line is no longer the partition's: finishing a batch from before changes nothing.
            while line and line[0].finished:
                safe = line.popleft().next_offset
                if self._pending.get(partition) is line:
                    self._safe[partition] = safe

        return finish

    def safe(self, partition: Partition) -> int | None:
        """Offset that may be committed, ``None`` if nothing was finished since the last reset."""
        return self._safe.get(partition)

    def partitions(self) -> list[Partition]:
        """Partitions with something to commit."""
        return list(self._safe)

    def reset(self, finished: Mapping[Partition, int] | None = None) -> None:
        """Forget everything: positions are set anew, and unfinished messages come again.

        ``finished``: offsets up to which partitions are known to be finished all the same.
        """
        self._pending.clear()
        self._safe = dict(finished or {})
