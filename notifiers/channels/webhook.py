"""Signed webhooks to the systems of plants and partners, by the Standard Webhooks scheme.

Headers ``webhook-id`` (the delivery: a receiver takes the same one once), ``webhook-timestamp`` and
``webhook-signature`` (HMAC-SHA-256 over ``id.timestamp.body`` with each key in use: two while one is replaced).
Because the receiver knows repetitions by their id, a lost answer is simply tried again, by the lane.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from notifiers.channels.addresses import Allowed, CheckedResolver, ForbiddenAddressError
from notifiers.channels.limits import LIMITS
from notifiers.deliveries import ChannelName
from notifiers.messages import Absent, Found, IsTaken, M, ModeGuard, OnData, Payload, Receipt, Unknowable
from streams.clock import Clock, SystemClock
from streams.errors import ConfigurationError, PermanentDeliveryError, Problem, RetryableDeliveryError

_PREFIX = "whsec_"
_SHORTEST_KEY_BYTES = 24  # the scheme's own lower bound
_READ_BYTES = 1_024  # of an answer nobody reads: enough to let the connection be used again
_MOST_KEYS = 2


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """How webhooks go out.

    Attributes:
        keys: by host name, the keys it shares with us, the newest first; a host without keys gets nothing.
        allowed: networks beside the public one.
        instead: where everything goes instead of to the partners: the sandbox, in an exercise; signed with
            ``instead_key``.
        timeout_s: for name, connection and answer together.
    """

    keys: Mapping[str, Sequence[str]] = field(repr=False)
    allowed: Allowed = field(default_factory=Allowed)
    instead: str = ""
    instead_key: str = field(default="", repr=False)
    timeout_s: float = 10.0
    concurrency: int = 8
    per_second: float = 0.0


class WebhookChannel(Generic[M]):
    """Posts to partners' systems, one mode. Build it inside the event loop that will use it."""

    name: ChannelName = "webhook"
    phase = "request"
    sender = "webhook"
    lookup_after_s = 0.0

    def __init__(
        self,
        accepts: type[M],
        settings: WebhookSettings,
        clock: Clock | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """``resolver``: who turns names into addresses, instead of the system; what it says is checked all the same.

        Raises:
            ConfigurationError: naming the host of a key that is none.
        """
        self._guard: ModeGuard[M] = ModeGuard(accepts)
        self._settings = settings
        self._clock = clock or SystemClock()
        self._keys = {host.lower(): checked_keys(host, texts) for host, texts in settings.keys.items()}
        self._resolver = CheckedResolver(settings.allowed, resolver)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._resolver, limit=settings.concurrency, use_dns_cache=False, force_close=True
            ),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        self.concurrency = settings.concurrency
        self.per_second = settings.per_second

    async def send(self, message: M, on_data: OnData) -> Receipt:
        """Post the payload. ``on_data`` is not used: the request is one piece."""
        self._guard.check(message)
        if not isinstance(message.content, Payload):
            raise PermanentDeliveryError("something else than a payload was handed to webhooks", code="wrong-content")
        if len(message.content.body) > LIMITS["webhook"].longest:
            raise PermanentDeliveryError("longer than receivers take", code="too-long")
        url, keys = self._target(message.contact)
        headers = signed_headers(keys, message.delivery, int(self._clock.now_s()), message.content.body)
        try:
            async with self._session.post(
                url, data=message.content.body, headers=headers, allow_redirects=False
            ) as answer:
                await answer.content.read(_READ_BYTES)
                _judge(answer.status)
        except ForbiddenAddressError as error:
            raise PermanentDeliveryError(str(error), code="forbidden-address") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ForbiddenAddressError):
                raise PermanentDeliveryError(str(error.os_error), code="forbidden-address") from None
            raise RetryableDeliveryError("no connection", code="unreachable") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RetryableDeliveryError(f"no answer ({type(error).__name__})", code="no-answer") from None
        return Receipt(message.delivery)

    def _target(self, contact: str) -> tuple[URL, list[bytes]]:
        instead = self._settings.instead
        try:
            url = self._settings.allowed.check(instead or contact)
        except ForbiddenAddressError as error:
            raise PermanentDeliveryError(str(error), code="forbidden-address") from None
        keys = (
            checked_keys("instead", [self._settings.instead_key])
            if instead
            else self._keys.get((url.host or "").lower())
        )
        if not keys:
            raise PermanentDeliveryError("no key is configured for this host", code="no-key")
        return url, keys

    async def reconcile(self, message: M, is_taken: IsTaken) -> Found | Absent | Unknowable:
        """Nothing to ask: the receiver takes the same id once, so trying again is safe."""
        self._guard.check(message)
        return Absent()

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()


def signed_headers(keys: Sequence[bytes], delivery: str, now_s: int, body: bytes) -> dict[str, str]:
    """The scheme's headers, with a signature by every key."""
    signed = b".".join((delivery.encode(), str(now_s).encode(), body))
    signatures = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    return {
        "content-type": "application/json",
        "user-agent": "airshed/1",
        "webhook-id": delivery,
        "webhook-timestamp": str(now_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _judge(status: int) -> None:
    if 200 <= status < 300:
        return
    if status in (408, 425, 429) or status >= 500:
        raise RetryableDeliveryError(f"refused for now with HTTP {status}", code=f"http-{status}")
    if 300 <= status < 400:
        raise PermanentDeliveryError("redirected; give the address it leads to", code="redirect")
    raise PermanentDeliveryError(f"refused with HTTP {status}", code=f"http-{status}")


def checked_keys(host: str, texts: Sequence[str]) -> list[bytes]:
    """The keys of a host as bytes. Raises ``ConfigurationError`` for what are no keys, without showing them."""
    try:
        keys = [base64.b64decode(text.removeprefix(_PREFIX), validate=True) for text in texts]
    except (binascii.Error, ValueError):
        keys = []
    if not 1 <= len(keys) <= _MOST_KEYS or min(map(len, keys)) < _SHORTEST_KEY_BYTES:
        remedy = "give one or two keys: whsec_ and at least 24 random bytes in base64"
        raise ConfigurationError([Problem("not a list of webhook keys", field=f"webhooks.keys.{host}", remedy=remedy)])
    return keys
