"""The console's web application: acknowledgement pages and provider webhooks, and room for more routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler
from sqlalchemy import Engine

from console.acknowledgements import answer, show, style
from console.webhooks import sms_status
from notifiers.links import Links
from streams.clock import Clock, SystemClock

_LARGEST_BODY = 64 * 1024  # forms of a few fields; anything larger is not one of ours


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings:
    """What the pages need.

    Attributes:
        engine: database of the ledger.
        links: reads the tokens; its ``public_url`` is the address the provider signs its callbacks for.
        sms_auth_token: with which the provider signs callbacks; ``sms_shared_keys`` by key id where it uses those.
        clock: for how long a request may be answered.
    """

    engine: Engine
    links: Links
    sms_auth_token: str = field(repr=False)
    sms_shared_keys: dict[str, str] = field(default_factory=dict, repr=False)
    clock: Clock = field(default_factory=SystemClock)


def create_app(settings: ConsoleSettings, extra_routes: Sequence[ControllerRouterHandler] = ()) -> Litestar:
    """The application; ``extra_routes`` (metrics, probes, further pages) are served beside it."""
    return Litestar(
        route_handlers=[show, answer, style, sms_status, *extra_routes],
        state=State({"settings": settings}, deep_copy=False),
        request_max_body_size=_LARGEST_BODY,
        openapi_config=None,
        logging_config=None,
    )
