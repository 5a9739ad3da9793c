"""Two providers of one channel: the second one takes over while the first one is down."""

from __future__ import annotations

from typing import Generic

from notifiers.deliveries import ChannelName
from notifiers.messages import Absent, Channel, Found, IsTaken, M, OnData, Receipt, Unknowable


class FallbackChannel(Generic[M]):
    """Sends through the provider in use. Which one that is, and for how long, the lane says by :meth:`use_second`.

    A message whose answer was lost is looked for at both, whichever is in use by then: it is absent only if neither
    has it, and sending it again would otherwise be the duplicate that looking up is there to prevent.
    """

    def __init__(self, first: Channel[M], second: Channel[M]) -> None:
        if first.name != second.name or first.phase != second.phase:
            raise ValueError(f"{second.name} cannot stand in for {first.name}")
        self._first: Channel[M] = first
        self._second: Channel[M] = second
        self.second_in_use = False
        self.name: ChannelName = first.name
        self.phase = first.phase
        self.lookup_after_s = max(first.lookup_after_s, second.lookup_after_s)
        self.concurrency = min(first.concurrency, second.concurrency)
        self.per_second = _slower(first.per_second, second.per_second)

    @property
    def sender(self) -> str:
        """Sender of the provider in use: each has a pace of its own."""
        return (self._second if self.second_in_use else self._first).sender

    def use_second(self, yes: bool) -> None:
        """From now on messages go through the second provider, or through the first one again."""
        self.second_in_use = yes

    async def send(self, message: M, on_data: OnData) -> Receipt:
        return await (self._second if self.second_in_use else self._first).send(message, on_data)

    async def reconcile(self, message: M, is_taken: IsTaken) -> Found | Absent | Unknowable:
        answers = []
        for provider in (self._first, self._second):
            answer = await provider.reconcile(message, is_taken)
            if isinstance(answer, Found):
                return answer
            answers.append(answer)
        return Absent() if all(isinstance(answer, Absent) for answer in answers) else Unknowable()

    async def close(self) -> None:
        await self._first.close()
        await self._second.close()


def _slower(*rates: float) -> float:
    """The lowest of the limits that are set (0 = none)."""
    return min((rate for rate in rates if rate > 0), default=0.0)
