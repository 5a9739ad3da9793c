"""Messages and the one shape of every channel. Actual and exercise messages are different types.

A channel is built for one of the two and takes no other, at type-checking time and when it runs: an exercise
cannot reach the public through a channel that was set up for actual messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from notifiers.deliveries import ChannelName


@dataclass(frozen=True)
class SmsText:
    """Words of an SMS. ``parts`` counts what the provider will bill."""

    body: str
    parts: int


@dataclass(frozen=True)
class Letter:
    """Words of a mail, as plain text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Spoken:
    """Words of a call: ``text`` is said twice, ``prompt`` asks for a digit, ``thanks`` follows when it was pressed."""

    text: str
    prompt: str
    thanks: str


@dataclass(frozen=True)
class Payload:
    """What a partner's system is sent: a JSON document and the name of its kind."""

    kind: str
    body: bytes


Content = SmsText | Letter | Spoken | Payload


def words_of(content: Content) -> str:
    """The words of a message, whatever it is: what two tries of the same message have in common."""
    if isinstance(content, SmsText):
        return content.body
    return content.body.decode() if isinstance(content, Payload) else content.text


@dataclass(frozen=True, kw_only=True)
class Words:
    """The parts of a message as plain text. An exercise says so in the first word of ``subject`` and ``headline``.

    Attributes:
        lead: what happens, where, since and until when.
        advice: what to do, most important first; for residents.
        actions: measures asked for, of requests, instructions and drafts.
        sender: who says it.
    """

    subject: str
    headline: str
    lead: str
    closing: str
    advice: list[str]
    actions: list[str]
    sender: str


def digest(words: str) -> str:
    """A short name for some words, that does not give them away."""
    return hashlib.sha256(words.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class _Message:
    """One message to one recipient.

    Attributes:
        contact: number (E.164) or address in clear; kept out of ``repr`` and therefore out of logs.
        unsubscribe: page on which the recipient stops such mails, also by one click; empty where there is none.
        useful_s: seconds for which it is still worth delivering.
        first_tried_s: machine time of the first attempt, 0 before it: where a look-up at the provider starts.
        tried: digests of the words of earlier attempts. They may differ from ``content``: a template, a name or the
            public address may have changed between an attempt and its look-up.
    """

    delivery: str
    kind: str
    episode: str
    language: str
    sender_name: str
    contact: str = field(repr=False)
    content: Content = field(repr=False)
    unsubscribe: str = ""
    useful_s: float = 0.0
    first_tried_s: float = 0.0
    tried: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """Digest of the words of this message."""
        return digest(words_of(self.content))


@dataclass(frozen=True, kw_only=True)
class ActualMessage(_Message):
    """A message that people are meant to act on."""


@dataclass(frozen=True, kw_only=True)
class ExerciseMessage(_Message):
    """A message of an exercise or a simulation; says so in its first word."""


Message = ActualMessage | ExerciseMessage
M = TypeVar("M", ActualMessage, ExerciseMessage)
M_contra = TypeVar("M_contra", ActualMessage, ExerciseMessage, contravariant=True)


@dataclass(frozen=True)
class Receipt:
    """The provider has taken responsibility for the message. ``provider_id`` is its id for it."""

    provider_id: str


@dataclass(frozen=True)
class Found:
    """The provider has the message; ``status`` in its own words (``queued``, ``delivered`` …)."""

    provider_id: str
    status: str
    error_code: str = ""


@dataclass(frozen=True)
class Absent:
    """The provider surely does not have it: sending again is safe."""


@dataclass(frozen=True)
class Unknowable:
    """Nobody can tell. What then happens is the policy of the kind of notice."""


OnData = Callable[[], Awaitable[None]]
"""Awaited by a channel at the last moment before the provider could accept the message."""

IsTaken = Callable[[list[str]], Awaitable[set[str]]]
"""Which of these provider ids belong to other deliveries already."""


class Channel(Protocol[M_contra]):
    """A way to a recipient.

    ``send`` either returns a receipt or raises one of ``PermanentDeliveryError``, ``RetryableDeliveryError``
    (surely not accepted), ``ChannelDownError`` (nobody's message can be sent now) or ``UnknownDeliveryError``.
    It never retries by itself and never logs a contact or a text. ``reconcile`` only asks, and raises
    ``RetryableDeliveryError`` when it could not.

    Attributes:
        phase: how far an attempt has come when ``send`` is called: ``request`` where the call itself may be
            accepted, ``connect`` where ``on_data`` tells when it may.
        lookup_after_s: how long after a lost answer the provider can be asked with a reliable result.
        concurrency: messages under way at the same time.
        per_second: most messages begun per second, 0 for no limit.
        sender: number, name or address that messages come from: what a provider's rate belongs to.
    """

    name: ChannelName
    phase: str
    lookup_after_s: float
    concurrency: int
    per_second: float

    @property
    def sender(self) -> str: ...

    async def send(self, message: M_contra, on_data: OnData) -> Receipt: ...

    async def reconcile(self, message: M_contra, is_taken: IsTaken) -> Found | Absent | Unknowable: ...

    async def close(self) -> None: ...


class WrongModeError(TypeError):
    """A message of one mode was handed to a channel of the other: a defect, stopped here."""


class ModeGuard(Generic[M]):
    """Remembers which type of message a channel was built for, and refuses the other."""

    def __init__(self, accepts: type[M]) -> None:
        self.accepts: type[M] = accepts

    def check(self, message: M) -> None:
        if type(message) is not self.accepts:
            raise WrongModeError(f"a channel for {self.accepts.__name__} was given {type(message).__name__}")
