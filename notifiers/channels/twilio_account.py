"""One account at Twilio, or at anything that behaves like it: its client, what its failures mean, and what its channels
have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from notifiers.channels.twilio_codes import judged, unreachable
from notifiers.channels.twilio_http import OneRequestClient
from notifiers.links import Links
from streams.errors import RetryableDeliveryError, UnknownDeliveryError

CLOCKS_APART = timedelta(hours=1)  # between the provider's clock and ours, generously
LOOKED_THROUGH = 200  # messages or calls to one number within a day or two; far more than anybody may get


@dataclass(frozen=True, kw_only=True)
class TwilioAccount:
    """Where an account is, and how it may be used by one channel.

    Attributes:
        base_url: ``https://api.twilio.com`` for real sending; in an exercise the sandbox's address is put here.
        timeout_s: for one request; afterwards its outcome is unknown.
        lookup_after_s: after an unknown outcome, how long to wait before the provider's list is believed.
            Must exceed the longest time a request can still lie in the provider's door.
        concurrency: requests under way at the same time.
        per_second: most messages or calls begun per second, 0 for no limit.
    """

    base_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    timeout_s: float = 10.0
    lookup_after_s: float = 60.0
    concurrency: int = 8
    per_second: float = 0.0


class TwilioConnection:
    """The library's client over one kept session, without its retries and its log. Build it inside the event loop."""

    def __init__(self, account: TwilioAccount) -> None:
        self._http = OneRequestClient(account.base_url, account.timeout_s, account.concurrency)
        self.client: Any = Client(account.account_sid, account.auth_token, http_client=self._http)

    async def close(self) -> None:
        await self._http.close()

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        """Around a request that creates something: raises what its failure means for the delivery."""
        try:
            yield
        except TwilioRestException as error:
            raise judged(error.status, error.code) from None
        except aiohttp.ClientConnectorError as error:
            raise unreachable(type(error).__name__) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnknownDeliveryError(f"no answer ({type(error).__name__})", code="no-answer") from None
        except (TwilioException, ValueError, KeyError, TypeError) as error:
            raise UnknownDeliveryError(f"unreadable answer ({type(error).__name__})", code="bad-answer") from None

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Around a look-up: every failure means that it has to be made again."""
        try:
            yield
        except TwilioRestException as error:
            raise RetryableDeliveryError(
                f"the look-up was refused (HTTP {error.status})", code=str(error.code)
            ) from None
        except (TimeoutError, aiohttp.ClientError, OSError, TwilioException, ValueError, KeyError) as error:
            raise RetryableDeliveryError(f"the look-up failed ({type(error).__name__})", code="no-answer") from None


class TwilioChannel:
    """What the channels over an account have in common. Build it inside the event loop that will use it."""

    phase = "request"

    def __init__(self, account: TwilioAccount, links: Links) -> None:
        self._links = links
        self._provider = TwilioConnection(account)
        self.lookup_after_s = account.lookup_after_s
        self.concurrency = account.concurrency
        self.per_second = account.per_second

    async def close(self) -> None:
        await self._provider.close()
