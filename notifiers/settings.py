"""How a dispatcher works: leases, waits, rates, the storm guard, fallbacks, and what becomes of lost answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from notifiers.deliveries import DEFAULT_FALLBACKS, ChannelName
from notifiers.escalation import EscalationPlan
from notifiers.guard import Guard
from notifiers.pace import Backoff

UnknownPolicy = Literal["leave", "resend"]
"""What to do when nobody can tell whether a message arrived: ``leave`` it to an operator (never twice), or
``resend`` it (never lost; a mail carries the same Message-ID, so that most programmes show it once)."""

DEFAULT_POLICY: dict[str, UnknownPolicy] = {
    "advisory": "leave",
    "bulletin": "leave",
    "instruction": "resend",
    "request": "resend",
    "order-draft": "resend",
    "all-clear": "resend",
}


@dataclass(frozen=True)
class ChannelPace:
    """How fast one channel may go, all dispatchers of an installation together. 0 is no limit.

    Attributes:
        per_second: messages begun per second.
        segments_per_second: SMS segments per second of one sender. A long code of the provider takes 1, a short code
            100; what is sent faster only fills the provider's queue, where nothing urgent can overtake.
        per_minute: the ceiling. Beyond it the operators are told, and what is not urgent waits for the next minute.
    """

    per_second: float = 0.0
    segments_per_second: float = 0.0
    per_minute: int = 0


@dataclass(frozen=True)
class DispatchSettings:
    """How a dispatcher works.

    Attributes:
        lease_s: how long a claimed row is held; it counts anew when the attempt begins, and when the body of a mail
            goes out. Must exceed the longest time that either takes.
        poll_s: pause between looks for new rows when there is nothing to do.
        backoff / outage: waits after one message was refused for now / the whole channel was down.
        policy: by kind of notice, what happens to a message nobody can ask about.
        paces: by channel, how fast it may go.
        guard: the storm guard; ``None`` lets every notice go.
        fallbacks: by channel, the one that takes its urgent messages when it is down.
        fallback_after_s: how long it must be down for that.
        again_after_s: wait before the second try of what a look-up finds undelivered (:mod:`notifiers.undelivered`).
        escalations: how requests are followed up; the first plan that fits counts. None: they are not.
    """

    lease_s: float = 120.0
    poll_s: float = 0.5
    backoff: Backoff = field(default_factory=Backoff)
    outage: Backoff = field(default_factory=lambda: Backoff(first_s=2.0, longest_s=60.0))
    policy: dict[str, UnknownPolicy] = field(default_factory=lambda: dict(DEFAULT_POLICY))
    paces: dict[ChannelName, ChannelPace] = field(default_factory=dict)
    guard: Guard | None = None
    fallbacks: dict[ChannelName, ChannelName] = field(default_factory=lambda: dict(DEFAULT_FALLBACKS))
    fallback_after_s: float = 120.0
    again_after_s: float = 600.0
    escalations: tuple[EscalationPlan, ...] = ()
