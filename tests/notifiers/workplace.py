"""A dispatcher with its channels to a sandbox, as the runtimes build one; exercise mode."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, select

from notifiers.channels.email import EmailChannel, EmailSettings
from notifiers.channels.sms import SmsChannel, SmsSettings
from notifiers.channels.voice import VoiceChannel, VoiceSettings
from notifiers.composer import Composer
from notifiers.contacts import Vault
from notifiers.database import reading
from notifiers.deliveries import Delivery
from notifiers.dispatcher import Dispatcher, OnChange
from notifiers.lane import DispatchSettings
from notifiers.links import Links
from notifiers.messages import ExerciseMessage
from notifiers.operators import Occasion, OperatorDesk, OperatorEvent
from notifiers.pace import Backoff
from notifiers.planner import plan
from notifiers.renderer import Renderer
from notifiers.reports import deliveries
from notifiers.sandbox import ACCOUNT_SID, AUTH_TOKEN, Addresses, Sandbox
from notifiers.tables import attempts
from rules.notices import Notice
from streams.clock import Clock, ManualClock
from tests.notifiers.samples import LINKS, NOON, VAULT

CALLER = "+842471000000"
QUICK = DispatchSettings(
    lease_s=5.0,
    poll_s=0.02,
    backoff=Backoff(first_s=0.02, longest_s=0.1),
    outage=Backoff(first_s=0.02, longest_s=0.1),
)


class Told(OperatorDesk):
    """Keeps what operators would be told."""

    def __init__(self) -> None:
        self.events: list[OperatorEvent] = []

    def tell(self, event: OperatorEvent) -> None:
        self.events.append(event)

    def about(self, occasion: Occasion) -> list[str]:
        return [event.about for event in self.events if event.occasion is occasion]


def sms_channel(addresses: Addresses, links: Links = LINKS, **changes: Any) -> SmsChannel[ExerciseMessage]:
    values: dict[str, Any] = {
        "base_url": addresses.sms_base_url,
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "sender": "AIRSHED",
        "status_callbacks": False,
        "timeout_s": 2.0,
        "lookup_after_s": 0.0,
    }
    return SmsChannel(ExerciseMessage, SmsSettings(**(values | changes)), links)


def email_channel(addresses: Addresses, **changes: Any) -> EmailChannel[ExerciseMessage]:
    values: dict[str, Any] = {
        "host": addresses.smtp_host,
        "port": addresses.smtp_port,
        "sender": "alerts@airshed.example.org",
        "lookup_url": addresses.mail_lookup_url,
        "timeout_s": 2.0,
        "lookup_after_s": 0.0,
    }
    return EmailChannel(ExerciseMessage, EmailSettings(**(values | changes)))


def voice_channel(addresses: Addresses, links: Links = LINKS, **changes: Any) -> VoiceChannel[ExerciseMessage]:
    values: dict[str, Any] = {
        "base_url": addresses.sms_base_url,
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "caller": CALLER,
        "timeout_s": 2.0,
        "lookup_after_s": 0.0,
        "per_second": 0.0,
    }
    return VoiceChannel(ExerciseMessage, VoiceSettings(**(values | changes)), links)


@contextlib.asynccontextmanager
async def dispatching(
    engine: Engine,
    channels: Sequence[Any],
    *,
    links: Links = LINKS,
    settings: DispatchSettings = QUICK,
    on_change: OnChange | None = None,
    worker: str = "w1",
    now_s: float = NOON.timestamp(),
    vault: Vault = VAULT,
    renderer: Renderer | None = None,
    machine: Clock | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Dispatcher[ExerciseMessage]]:
    """A dispatcher that is closed afterwards."""
    dispatcher: Dispatcher[ExerciseMessage] = Dispatcher(
        engine,
        channels,
        Composer(engine, vault, links, renderer),
        accepts=ExerciseMessage,
        clock=clock or ManualClock(now_s),
        worker=worker,
        settings=settings,
        on_change=on_change,
        machine=machine,
        chance=random.Random(1),
    )
    try:
        yield dispatcher
    finally:
        await dispatcher.close()


async def dispatched(engine: Engine, sandbox: Sandbox, now_s: float, patience_s: float = 5.0) -> dict[str, int]:
    """Send by SMS and mail what is due at a moment. Returns how much is left of it, by state."""
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels, now_s=now_s) as dispatcher:
        return await dispatcher.drain(patience_s)


async def arrived(sandbox: Sandbox, number: int) -> None:
    """Return when so many SMS have come, or fail."""
    for _ in range(400):
        if len(sandbox.phone.messages) >= number:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(sandbox.phone.messages)} of {number} messages")


def planned(engine: Engine, *notices: Notice) -> None:
    with engine.begin() as connection:
        for one in notices:
            plan(connection, one)


def found(engine: Engine) -> list[Delivery]:
    with reading(engine) as connection:
        return list(deliveries(connection))


def attempts_of(connection: Connection, delivery: str) -> list[tuple[int, str, str]]:
    """The (number, outcome, code) of every attempt at one delivery; an empty outcome means nobody knows yet."""
    query = select(attempts.c.number, attempts.c.outcome, attempts.c.code).where(attempts.c.delivery == delivery)
    return [(row.number, row.outcome, row.code) for row in connection.execute(query.order_by(attempts.c.number))]


async def nothing() -> None:
    """An ``on_data`` that writes nothing down."""
    await asyncio.sleep(0)
