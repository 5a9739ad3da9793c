"""What the provider's error codes mean for us. Codes not listed here are kept raw and judged by the HTTP status."""

from __future__ import annotations

from dataclasses import dataclass

from notifiers.errors import ChannelDownError
from streams.errors import DeliveryError, PermanentDeliveryError, RetryableDeliveryError, UnknownDeliveryError


@dataclass(frozen=True)
class _Down:
    """A code that concerns every message, with what the operator has to do."""

    remedy: str


PERMANENT: dict[int, str] = {
    21211: "the number is not valid",
    21214: "the number cannot be reached",
    21610: "the recipient has opted out of this sender",
    21614: "the number cannot receive SMS (landline)",
    21617: "the body is longer than 1 600 characters: shorten the template",
    30004: "the recipient or the carrier blocks the message",
    30005: "the number does not exist",
    30006: "the number is a landline or its carrier cannot be reached",
    30007: "the carrier filtered the message: check the registered sender and template",
    30036: "its validity ran out in the provider's queue",
}
DOWN: dict[int, _Down] = {
    20003: _Down("the account's credentials are refused: check sms.account_sid and the auth token"),
    20429: _Down("too many requests at once: lower sms.concurrency"),
    21408: _Down("sending to this region is switched off: enable it in the provider's console"),
    21606: _Down("the sender cannot send SMS: check sms.sender"),
    21608: _Down("the account may only write to verified numbers: complete its registration"),
    21611: _Down("the sender's queue is full: wait, or use more senders"),
    21612: _Down("this sender cannot reach this country: register the sender id there"),
    30001: _Down("the provider's queue is full: wait"),
    63017: _Down("the account sends more than 2 000 messages a second: lower sms.per_second"),
}


def judged(status: int, code: int | None) -> DeliveryError:
    """The error for a refused request. The provider's own text is left out: it repeats the number.

    ``status`` is the HTTP status. A 4xx without a known code is permanent; a 5xx says nothing about whether the
    message was taken.
    """
    shown = str(code or status)
    if code in DOWN:
        return ChannelDownError(f"provider code {code}", code=shown, remedy=DOWN[code].remedy)
    if code in PERMANENT:
        return PermanentDeliveryError(PERMANENT[code], code=shown)
    if status == 429:
        return ChannelDownError("too many requests", code=shown, remedy=DOWN[20429].remedy)
    if status in (401, 403):
        return ChannelDownError("the provider refuses the account", code=shown, remedy=DOWN[20003].remedy)
    if status in (408, 503):
        # these two still may follow an acceptance (a proxy in front gave up): never assume otherwise
        return UnknownDeliveryError(f"HTTP {status}", code=shown)
    if 400 <= status < 500:
        return PermanentDeliveryError(f"refused with HTTP {status}", code=shown)
    return UnknownDeliveryError(f"HTTP {status}", code=shown)


def unreachable(what: str) -> RetryableDeliveryError:
    """No connection was made, so nothing was accepted."""
    return ChannelDownError(
        f"the SMS provider cannot be reached ({what})",
        code="unreachable",
        remedy="check sms.base_url, the network and the provider's status page",
    )
