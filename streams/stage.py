"""The one shape of every stage, so that two runtimes can drive the same code.

A runtime calls a stage like this, and in this order, for every slice of its input:

1. ``accept(items)`` for data, or ``advance(mark)`` for progress; both return what the stage has to say.
2. The returned items are made durable downstream.
3. The writes the stage made to its state during that call are made durable, in the order of writing.
4. Only then is the input acknowledged.

A crash between any two of these repeats the call with a state that holds none, some first part, or all of the
writes of that call. A stage must therefore be *repeatable*: the same call on a state that already holds part of
its own effects returns the same items (those already said may be left out only if they were surely durable, that
is, if the state says so) and ends in the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Protocol, TypeVar

from streams.schemas import Mark

State = MutableMapping[str, bytes]
"""Durable state of one stage (of one partition of it on Kafka). Keys and values are the stage's own."""


class Unkept(dict[str, bytes]):
    """The state of a run that is never resumed: what a stage would only write to it, it may leave out."""


In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Stage(Protocol[In, Out]):
    """A step of the pipeline. Knows nothing of Kafka, SQL or HTTP, and reads no clock.

    Contract: calls come one at a time; no call blocks on I/O; exceptions mean a defect (bad input has been turned
    into :class:`~streams.schemas.Rejected` before it gets here).
    """

    def accept(self, items: In) -> Sequence[Out]:
        """Take data in. Decides nothing that depends on more data of the same step."""
        ...

    def advance(self, mark: Mark) -> Sequence[Out | Mark]:
        """Event time has moved. Decides every step that is now complete, oldest first.

        The result ends with a ``Mark`` for the next stage whenever this stage's own progress moved.
        """
        ...


Item = TypeVar("Item")


def slices(items: Iterable[Item | Mark]) -> Iterator[list[Item] | Mark]:
    """Cut a stream of items and marks into the calls a stage wants: runs of items, and single marks, in order."""
    run: list[Item] = []
    for item in items:
        if isinstance(item, Mark):
            if run:
                yield run
            yield item
            run = []
        else:
            run.append(item)
    if run:
        yield run
