"""A delivery: one message of a notice to one recipient on one channel, as told to the world (without contacts)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Mode = Literal["actual", "exercise"]
"""Whether it is real. Notices, rows, messages and the channels that send them are of one mode."""

ChannelName = Literal["sms", "email", "voice", "webhook"]

DEFAULT_FALLBACKS: Mapping[ChannelName, ChannelName] = {"sms": "email", "email": "sms"}
"""By channel, the one that stands in for it, as long as an installation says nothing else."""

DeliveryState = Literal[
    "planned",  # addressed; not yet due or not yet claimed
    "held",  # waits for an officer's yes or for the end of the quiet hours; reason says which
    "suppressed",  # will not be sent; reason says why
    "claimed",  # a dispatcher holds it
    "sending",  # the attempt is written down; the provider may or may not know
    "sent",  # the provider has accepted it
    "delivered",  # the provider says it has arrived
    "failed",  # it will not arrive; reason says why
    "unknown",  # the answer was lost; being reconciled
    "expired",  # its time of use passed before it could be sent
]


class Delivery(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="delivery"):
    """The state of one message.

    Attributes:
        id: deterministic, from notice, recipient and channel.
        recipient: id in the subscriber or facility registry; never a number or an address.
        reason: named reason of the state (``accepted``, ``invalid-contact``, ``21211`` …).
        parts: SMS parts, 1 for mail, 0 where nothing was rendered.
    """

    id: str
    notice: str
    episode: str
    kind: str
    recipient: str
    channel: ChannelName
    language: str
    state: DeliveryState
    reason: str
    parts: int
