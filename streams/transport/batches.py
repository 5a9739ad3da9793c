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


class Turn(Protocol):
    """A batch's place among the batches of its partition."""

    def come(self) -> bool:
        """Whether every batch fetched before it is finished."""
        ...

    def finish(self) -> None:
        """Every effect of the batch is durable."""
        ...


@dataclass(frozen=True)
class FetchedBatch:
    """Messages of one partition, in offset order and never empty: what an agent receives as one event.

    Whoever handles it first sees that its turn has come: if not, a batch before it got lost on the way, and taking
    this one would leave a hole. It calls ``turn.finish`` once every effect is durable; until then no offset of it,
    and none after it, is committed.
    """

    partition: Partition
    records: Sequence[Record]
    generation: int
    turn: Turn


@dataclass(eq=False)
class _Pending:
    next_offset: int
    line: deque[_Pending]
    settle: Callable[[deque[_Pending]], None]
    finished: bool = False

    def come(self) -> bool:
        return bool(self.line) and self.line[0] is self

    def finish(self) -> None:
        self.finished = True
        self.settle(self.line)


@dataclass
class FinishedOffsets:
    """How far each partition is finished without a hole: what may be committed.

    Batches are opened in the order they were fetched. One that is opened and never finished (an agent crashed, an
    event was skipped) holds everything behind it back until the partitions are reset.
    """

    _pending: dict[Partition, deque[_Pending]] = field(default_factory=dict)
    _safe: dict[Partition, int] = field(default_factory=dict)

    def open(self, partition: Partition, next_offset: int) -> Turn:
        """Note a fetched batch, ``next_offset`` being the offset after its last message."""

        def settle(line: deque[_Pending]) -> None:
            while line and line[0].finished:
                safe = line.popleft().next_offset
                # After a reset this line is no longer the partition's: a batch from before it settles nothing.
                if self._pending.get(partition) is line:
                    self._safe[partition] = safe

        line = self._pending.setdefault(partition, deque())
        entry = _Pending(next_offset, line, settle)
        line.append(entry)
        return entry

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
