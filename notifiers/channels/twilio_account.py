"""One account at Twilio, or at anything that behaves like it: its client, and what its failures mean."""

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
from streams.errors import RetryableDeliveryError, UnknownDeliveryError

CLOCKS_APART = timedelta(hours=1)  # between the provider's clock and ours, generously
LOOKED_THROUGH = 200  # messages or calls to one number within a day or two; far more than anybody may get


@dataclass(frozen=True, kw_only=True)
class TwilioAccount:
    """Where an account is and how long one request may take.

    Attributes:
        base_url: ``https://api.twilio.com`` for real sending; in an exercise the sandbox's address is put here.
        timeout_s: for one request; afterwards its outcome is unknown.
        connections: requests under way at the same time.
    """

    base_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    timeout_s: float = 10.0
    connections: int = 8


class TwilioConnection:
    """The library's client over one kept session, without its retries and its log. Build it inside the event loop."""

    def __init__(self, account: TwilioAccount) -> None:
        self._http = OneRequestClient(account.base_url, account.timeout_s, account.connections)
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
