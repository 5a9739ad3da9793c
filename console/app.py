"""The console's web application: acknowledgement pages and provider webhooks, and room for more routes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler
from sqlalchemy import Connection, Engine

from console.acknowledgements import answer, show, style
from console.push import Limits
from console.signatures import Signatures
from console.webhooks import call_digit, call_status, sms_inbound, sms_status
from notifiers.links import Links
from notifiers.undelivered import SecondTries
from streams.clock import Clock, SystemClock

_LARGEST_BODY = 64 * 1024  # forms of a few fields; anything larger is not one of ours


Withdraw = Callable[[Connection, str, str, float], object]


def _nobody_withdraws(connection: Connection, contact: str, channel: str, now_s: float) -> None:
    """For an installation without a registry of residents: a stop word has nobody to stop messages for."""


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings:
    """What the pages need.

    Attributes:
        engine: database of the ledger.
        links: reads the tokens; its ``public_url`` is the address the provider signs its callbacks for.
        sms_auth_token: with which the provider signs callbacks; ``sms_shared_keys`` by key id where it uses those.
        second_auth_token: of the second SMS provider.
        withdraw: what an SMS with a stop word does: (connection, number, channel, time).
        clock: for how long a request may be answered.
        second_tries: what follows when the provider could not deliver a message.
    """

    engine: Engine
    links: Links
    sms_auth_token: str = field(repr=False)
    sms_shared_keys: dict[str, str] = field(default_factory=dict, repr=False)
    second_auth_token: str = field(default="", repr=False)
    withdraw: Withdraw = field(default=_nobody_withdraws)
    clock: Clock = field(default_factory=SystemClock)
    second_tries: SecondTries = field(default_factory=SecondTries)

    @cached_property
    def signatures(self) -> Signatures:
        """How calls of the providers are checked."""
        tokens = [self.sms_auth_token, self.second_auth_token]
        return Signatures(self.links.public_url, tokens, self.sms_shared_keys)

    @cached_property
    def limits(self) -> Limits:
        """How often an address may call with a wrong signature."""
        return Limits(self.clock)


def create_app(settings: ConsoleSettings, extra_routes: Sequence[ControllerRouterHandler] = ()) -> Litestar:
    """The application; ``extra_routes`` (metrics, probes, further pages) are served beside it."""
    return Litestar(
        route_handlers=[show, answer, style, sms_status, sms_inbound, call_status, call_digit, *extra_routes],
        state=State({"settings": settings}, deep_copy=False),
        request_max_body_size=_LARGEST_BODY,
        openapi_config=None,
        logging_config=None,
    )
