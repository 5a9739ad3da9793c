"""What operators are told, on their own channels (chat, on-call): the one place that every layer tells.

``tell(event)`` may be called from any thread and inside any event loop. It returns at once, raises nothing, and never
waits for a chat server: a thread of its own delivers. Whatever happens to the delivery, the event is in the log and in
``airshed_operator_events_total``.

The same event about the same thing is told once an hour, with a count; more than a handful of different ones within
minutes are folded into one summary. An event that ends another one (``channel-back``) lets it be told anew.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

import structlog

from streams.clock import Clock, SystemClock
from streams.metrics import OPERATOR_EVENTS
from streams.redaction import redacted
from streams.sources.pacing import TokenBucket

_log = structlog.get_logger(__name__)

Severity = Literal["information", "warning", "critical"]


class Occasion(StrEnum):
    """What can happen that an operator has to hear of."""

    CHANNEL_DOWN = "channel-down"
    CHANNEL_BACK = "channel-back"
    FALLBACK = "fallback"
    UNKNOWABLE = "unknowable"
    OVERDUE = "overdue"
    SENT_TWICE = "sent-twice"
    UNREADABLE = "unreadable"
    STORM_GUARD = "storm-guard"
    CEILING = "ceiling"
    REFUSED = "refused"
    STOPPED = "stopped"
    RESUMED = "resumed"
    UNANSWERED = "unanswered"
    PACK_REJECTED = "pack-rejected"
    SOURCE_SILENT = "source-silent"
    SOURCE_BACK = "source-back"
    FORGED = "forged"
    CAP_REFUSED = "cap-refused"
    TEST = "test"


@dataclass(frozen=True)
class _Told:
    """How an occasion is told.

    Attributes:
        headline: what happened, in a few words.
        remedy: what to do, where the event says nothing of its own.
        ends: the occasion that is over with it.
    """

    severity: Severity
    headline: str
    remedy: str
    ends: Occasion | None = None


OCCASIONS: dict[Occasion, _Told] = {
    Occasion.CHANNEL_DOWN: _Told(
        "critical",
        "A channel sends nothing",
        "Look at the provider's status page and at the code; messages stay planned until it is back.",
    ),
    Occasion.CHANNEL_BACK: _Told("information", "A channel is back", "None needed.", ends=Occasion.CHANNEL_DOWN),
    Occasion.FALLBACK: _Told(
        "warning", "Messages go through the fallback provider", "Look at the first provider; the switch is automatic."
    ),
    Occasion.UNKNOWABLE: _Told(
        "critical",
        "Nobody can tell whether messages arrived",
        "Open the ledger's unknown rows and decide for each: call the recipient, or send again.",
    ),
    Occasion.OVERDUE: _Told(
        "critical", "Deliveries have not come to an end in their time", "Look at the dispatcher and at the provider."
    ),
    Occasion.SENT_TWICE: _Told(
        "warning",
        "The provider holds two messages for one delivery",
        "Compare both ids with the provider; tell the developers.",
    ),
    Occasion.UNREADABLE: _Told(
        "warning",
        "A contact cannot be read, its messages fail",
        "Put its key back under contacts.keys, or have the contact given anew (`airshed subscribers show`).",
    ),
    Occasion.STORM_GUARD: _Told(
        "critical", "Messages wait for a person", "Release or reject them in the operations centre."
    ),
    Occasion.CEILING: _Told(
        "warning",
        "A channel has reached its ceiling of messages per minute",
        "Look at `airshed dispatch held`: is this many meant? What is not urgent goes on in the next minute.",
    ),
    Occasion.REFUSED: _Told("warning", "A facility refuses a request", "Read the reason and call the plant."),
    Occasion.STOPPED: _Told("critical", "All sending is stopped", "Resume it when the reason is gone."),
    Occasion.RESUMED: _Told("information", "Sending goes on", "None needed.", ends=Occasion.STOPPED),
    Occasion.UNANSWERED: _Told(
        "critical", "A request was not answered by anybody", "Call the plant; then the authority on duty."
    ),
    Occasion.PACK_REJECTED: _Told(
        "warning", "A rule pack was refused", "`airshed rules status` names file, line and remedy; the old one stays."
    ),
    Occasion.SOURCE_SILENT: _Told(
        "warning", "A source is silent", "Call the agency that runs it; its provinces become unknown."
    ),
    Occasion.SOURCE_BACK: _Told("information", "A source is back", "None needed.", ends=Occasion.SOURCE_SILENT),
    Occasion.FORGED: _Told(
        "warning",
        "Forged calls to a webhook were refused",
        "If they were the provider's: web.public_url differs from what it signs. Else: block the address.",
    ),
    Occasion.CAP_REFUSED: _Told(
        "critical", "A CAP alert could not be published", "The log names what is wrong; publish it by hand meanwhile."
    ),
    Occasion.TEST: _Told("information", "A test of the operators' channels", "None needed."),
}
"""Severity, words and remedy of every occasion, once: for messages, docs/channels.md and tests."""


@dataclass(frozen=True, kw_only=True)
class OperatorEvent:
    """Something that happened.

    Attributes:
        about: what it is about: a channel, a source, a notice's id. With ``occasion`` it says which events are the
            same. Never a contact.
        says: one sentence with the facts; numbers and addresses are taken out of it.
        remedy: what to do, instead of the occasion's own.
    """

    occasion: Occasion
    about: str
    says: str = ""
    remedy: str = ""


class Destination(Protocol):
    """Where operators read. ``deliver`` may block for some seconds; False: not delivered, may be tried again."""

    name: str

    def deliver(self, title: str, body: str, severity: Severity) -> bool: ...


@dataclass(frozen=True)
class OperatorLimits:
    """How much operators are told.

    Attributes:
        repeat_after_s: the same event again only after this time. An hour: whoever is on call has seen it by then.
        most / per_s: different events within this time; what is more comes as one summary. Critical ones have as
            many places again of their own.
        retries_s: waits before the further tries of one delivery.
    """

    repeat_after_s: float = 3600.0
    most: int = 12
    per_s: float = 600.0
    retries_s: tuple[float, ...] = (2.0, 10.0, 30.0)


_WAITING = 200  # events between tell() and the thread; more at once can only be a defect in whoever tells
_LOOK_S = 0.5  # how often the thread looks whether a summary may go out
_KEPT = 2_000  # events remembered for deduplication


class OperatorDesk:
    """Tells events to every destination, from a thread of its own, until it is closed."""

    def __init__(
        self,
        destinations: Sequence[Destination],
        *,
        prefix: str = "",
        limits: OperatorLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``prefix`` stands before every title: the installation's name, and that it is an exercise."""
        self._destinations = list(destinations)
        self._prefix = prefix
        self._limits = limits or OperatorLimits()
        self._clock = clock or SystemClock()
        self._queue: queue.Queue[OperatorEvent | None] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._last_s: dict[tuple[Occasion, str], float] = {}
        self._repeats: Counter[tuple[Occasion, str]] = Counter()
        self._held_back: Counter[str] = Counter()
        most, per_s = self._limits.most, self._limits.per_s
        self._bucket = TokenBucket(most, per_s, self._clock)
        self._critical = TokenBucket(most, per_s, self._clock)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="operators", daemon=True)
        self._thread.start()

    def tell(self, event: OperatorEvent) -> None:
        """Take an event for delivery, unless it was told already. Returns at once."""
        repeats = self._new(event)
        if repeats is None:
            OPERATOR_EVENTS.labels(event.occasion, "repeated").inc()
            return
        says = f"{event.says} ({repeats} more times since it was last told)" if repeats else event.says
        counted = OperatorEvent(occasion=event.occasion, about=event.about, says=says, remedy=event.remedy)
        try:
            self._queue.put_nowait(counted)
        except queue.Full:
            OPERATOR_EVENTS.labels(event.occasion, "dropped").inc()

    def close(self, patience_s: float = 5.0) -> None:
        """Deliver what waits, once each, for at most ``patience_s``."""
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(patience_s)

    def _new(self, event: OperatorEvent) -> int | None:
        """How often the event was left untold since it was last told; None if it has to be left again."""
        key, now_s = (event.occasion, event.about), self._clock.now_s()
        with self._lock:
            if (ended := OCCASIONS[event.occasion].ends) is not None:
                self._last_s.pop((ended, event.about), None)
                self._repeats.pop((ended, event.about), None)
            last_s = self._last_s.get(key)
            if last_s is not None and now_s - last_s < self._limits.repeat_after_s:
                self._repeats[key] += 1
                return None
            self._last_s[key] = now_s
            if len(self._last_s) > _KEPT:
                del self._last_s[next(iter(self._last_s))]
            return self._repeats.pop(key, 0)

    def _work(self) -> None:
        while True:
            try:
                event = self._queue.get(timeout=_LOOK_S)
            except queue.Empty:
                self._summarise()
                continue
            if event is None:
                self._summarise()
                return
            bucket = self._critical if OCCASIONS[event.occasion].severity == "critical" else self._bucket
            if bucket.wait_s() > 0:
                self._held_back[event.occasion] += 1
                OPERATOR_EVENTS.labels(event.occasion, "held-back").inc()
                continue
            bucket.take()
            self._deliver(event.occasion, *_words(event))

    def _summarise(self) -> None:
        if not self._held_back or (self._bucket.wait_s() > 0 and not self._closing.is_set()):
            return
        self._bucket.take()
        total = sum(self._held_back.values())
        counts = ", ".join(f"{occasion} ×{count}" for occasion, count in self._held_back.most_common())
        self._held_back.clear()
        self._deliver("summary", f"{total} further events", f"{counts}\nThe log has each of them.", "warning")

    def _deliver(self, occasion: str, title: str, body: str, severity: Severity) -> None:
        for destination in self._destinations:
            outcome = "told" if self._tried(destination, self._prefix + title, body, severity) else "undelivered"
            OPERATOR_EVENTS.labels(occasion, outcome).inc()
            if outcome == "undelivered":
                _log.error("operators could not be told", destination=destination.name, title=title)

    def _tried(self, destination: Destination, title: str, body: str, severity: Severity) -> bool:
        for wait_s in (0.0, *self._limits.retries_s):
            if wait_s and self._closing.wait(wait_s):
                return False
            try:
                if destination.deliver(title, body, severity):
                    return True
            except Exception as error:  # noqa: BLE001 - a chat service's library: its errors may hold the secret address
                _log.warning("defect of a destination", destination=destination.name, error=type(error).__name__)
        return False


def _words(event: OperatorEvent) -> tuple[str, str, Severity]:
    told = OCCASIONS[event.occasion]
    body = "\n".join(part for part in (event.says, f"What to do: {event.remedy or told.remedy}") if part)
    return redacted(f"{told.headline}: {event.about}"), redacted(body), told.severity


_desk: OperatorDesk | None = None


def install(desk: OperatorDesk | None) -> Callable[[], None]:
    """Let ``tell`` reach operators through ``desk``. Returns what puts the former one back."""
    global _desk
    former, _desk = _desk, desk

    def restore() -> None:
        install(former)

    return restore


def tell(event: OperatorEvent) -> None:
    """Tell operators. Any thread, any loop; returns at once and raises nothing."""
    told = OCCASIONS[event.occasion]
    write = _log.info if told.severity == "information" else _log.warning
    write("operators are told", occasion=event.occasion.value, about=event.about, says=redacted(event.says))
    if _desk is None:
        OPERATOR_EVENTS.labels(event.occasion, "nobody").inc()
    else:
        _desk.tell(event)
