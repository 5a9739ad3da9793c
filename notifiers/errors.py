"""Errors of delivering, beyond those every layer knows (see :mod:`streams.errors`).

DeliveryError
├── PermanentDeliveryError
├── RetryableDeliveryError
│   └── ChannelDownError      nobody's message can go out on this channel now
└── UnknownDeliveryError
"""

from __future__ import annotations

from streams.errors import AirshedError, RetryableDeliveryError


class ChannelDownError(RetryableDeliveryError):
    """The provider takes nothing from anybody: it is away, overloaded, or refuses the account or the sender.

    ``remedy`` is for the operator. The message stays planned; the channel pauses as a whole.
    """

    def __init__(self, message: str, *, code: str = "", remedy: str = "") -> None:
        super().__init__(message, code=code)
        self.remedy = remedy


class UnsendableError(AirshedError):
    """A message cannot be composed. ``reason`` is the named reason of the failed row (``too-long`` …)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class MissingKeyError(UnsendableError):
    """No contact can be opened: not this message's fault, and over when the key is back. The message stays planned."""

    remedy = "put the key back under contacts.keys that was in use when the registry was filled, behind the newest"

    def __init__(self) -> None:
        super().__init__("missing-key", "no stored contact can be opened with any configured key")
