"""Takes fetched messages of one partition through one stage and says what must become durable, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from airshed.kafka.derived import SOURCE
from airshed.kafka.journal import Journal
from airshed.kafka.stages import MARK_KEY, NOTHING_YET, StageSpec, encode, mark_in
from streams.clock import epoch_s
from streams.schemas import Mark, Rejected
from streams.stage import Stage
from streams.topics import REJECTED
from streams.transport.batches import Partition, Record
from streams.transport.driver import Outgoing
from streams.transport.partitions import partition_of
from streams.transport.tables import Write

_NEXT = "next"
_MARKED = "marked"
_DERIVED = "derived"


@dataclass
class Work:
    """What one fetched batch led to. To be made durable in this order: ``outgoing``, then ``writes``.

    Attributes:
        taken: readings (or other items) in it.
        unusable: how many of them nobody could have used. What only came too late is in ``rejected`` as well, but
            not here: a feed that is sent again from its start is late from end to end, and nothing is wrong with it.
        repeated: messages that the state already held.
    """

    outgoing: list[Outgoing] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    said: list[Any] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    taken: int = 0
    unusable: int = 0
    repeated: int = 0


class StageRunner:
    """One stage on one partition.

    The offset after the last message of every call is written to the state right behind the writes of that call.
    A changelog that ends anywhere therefore holds some calls wholly and at most one partly, and says which: after a
    crash the calls it holds are skipped, and only the one it holds partly is repeated, as the contract of
    :mod:`streams.stage` allows. No message has its effect on the state twice, whatever Kafka delivers again.
    """

    def __init__(self, spec: StageSpec, partition: int, durable: dict[str, bytes]) -> None:
        self.spec = spec
        self.partition = partition
        self.journal = Journal(durable)
        self.stage: Stage[Any, Any] = spec.make(partition, self.journal.stage)
        self._publication = spec.publication() if spec.publication else None
        self._place = Partition(spec.source, partition)

    @property
    def next_offset(self) -> int:
        """First offset whose effects are not all in the state."""
        return int(self.journal.get(_NEXT) or 0)

    def take(self, records: Sequence[Record]) -> Work:
        """Run the stage over messages in offset order. Nothing of it counts until ``settle``."""
        work = Work()
        start = self.next_offset
        fresh = records
        if records and records[0].offset < start:
            fresh = [record for record in records if record.offset >= start]
        work.repeated = len(records) - len(fresh)
        for piece in _runs(fresh):
            if isinstance(piece, _Marked):
                self._take_mark(piece.mark, work)
                self._progress(piece.offset + 1)
            else:
                self._accept(piece, work)
                self._progress(piece[-1].offset + 1)
        return self._finished(work)

    def give_up(self, source: str) -> Work:
        """Tell the stage that a source is no longer waited for."""
        work = Work()
        work.said += give_up(self.stage, source)
        return self._finished(work)

    def settle(self) -> None:
        """Everything of the latest ``take`` is durable."""
        self.journal.clear()

    def _accept(self, records: Sequence[Record], work: Work) -> None:
        payloads = [record.value or b"" for record in records]
        decoded = self.spec.decode(self.partition, payloads, lambda number: self._place.place(records[number].offset))
        work.taken += decoded.count
        work.unusable += len(decoded.rejected)
        work.rejected += decoded.rejected
        for piece in self._derived(decoded.items):
            if isinstance(piece, Mark):
                self.journal.put(_DERIVED, str(epoch_s(piece.time)).encode())
                self._advance(piece, work)
            else:
                work.said += self.stage.accept(piece)
                if self.spec.refused is not None:
                    work.rejected += self.spec.refused(self.stage, piece)

    def _derived(self, items: Any) -> Sequence[Any]:
        if items is None:
            return []
        if self.spec.derive is None or self.journal.get(_MARKED):
            return [items]
        last = self.journal.get(_DERIVED)
        return self.spec.derive(items, int(last) if last else None)

    def _take_mark(self, mark: Mark, work: Work) -> None:
        if self.journal.get(_DERIVED) and not self.journal.get(_MARKED):
            work.said += give_up(self.stage, SOURCE)  # from now on the gateways know better
        self.journal.put(_MARKED, b"1")
        if mark.time > NOTHING_YET:
            self._advance(mark, work)

    def _advance(self, mark: Mark, work: Work) -> None:
        work.marks.append(mark)
        work.said += self.stage.advance(mark)

    def _progress(self, next_offset: int) -> None:
        self.journal.put(_NEXT, str(next_offset).encode())

    def _finished(self, work: Work) -> Work:
        """Turn what was said and what changed into messages and writes."""
        publication = self._publication
        if publication is not None:
            work.said = list(publication.select(work.said))
        for item in work.said:
            if isinstance(item, Mark):
                work.outgoing += self._mark_messages(item)
            else:
                key = self.spec.key_of(item)
                number = partition_of(key, self.spec.sink_partitions)
                work.outgoing.append(Outgoing(self.spec.sink, number, key.encode(), encode(item)))
        if publication is not None:
            work.outgoing += publication.also(work.said)
        work.outgoing += (Outgoing(REJECTED, 0, None, encode(item)) for item in work.rejected)
        work.writes = self.journal.writes()
        return work

    def _mark_messages(self, mark: Mark) -> Iterator[Outgoing]:
        every = self.spec.marks == "every-partition"
        numbers = range(self.spec.sink_partitions) if every else (self.partition,)
        payload = encode(mark)
        return (Outgoing(self.spec.sink, number, MARK_KEY, payload) for number in numbers)


def next_offset(durable: dict[str, bytes]) -> int:
    """First offset whose effects are not all in a partition's state."""
    return int(Journal(durable).get(_NEXT) or 0)


def give_up(stage: Stage[Any, Any], source: str) -> Sequence[Any]:
    """Tell a stage that a source is no longer waited for. Stages that wait for nobody need not know."""
    told = getattr(stage, "give_up", None)
    return told(source) if told is not None else ()


@dataclass(frozen=True)
class _Marked:
    mark: Mark
    offset: int


def _runs(records: Sequence[Record]) -> Iterator[Sequence[Record] | _Marked]:
    """Cut messages into runs of data and single marks, in order."""
    # One search through all of them costs a third of one search in each, and a mark is rare.
    if records and b'"mark"' not in b"\n".join([record.value or b"" for record in records]):
        yield records
        return
    begin = 0
    for position, record in enumerate(records):
        mark = mark_in(record.value) if record.value else None
        if mark is not None:
            if position > begin:
                yield records[begin:position]
            yield _Marked(mark, record.offset)
            begin = position + 1
    if begin < len(records):
        yield records[begin:]
