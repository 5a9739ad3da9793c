"""A contact that cannot be opened is one person's trouble; a key that is missing is nobody's message lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from notifiers.composer import Composer
from notifiers.contacts import Vault
from notifiers.messages import Absent, ExerciseMessage, Found, Unknowable
from notifiers.operators import Occasion
from notifiers.sandbox import Sandbox
from notifiers.tables import subscribers
from tests.notifiers.samples import fill, notice
from tests.notifiers.workplace import Told, dispatching, email_channel, found, planned, sms_channel

OTHER = Vault.from_secret("a secret of somebody else")


def seal_with(engine: Engine, vault: Vault, **contacts: str) -> None:
    """Write mail addresses of people down under another key."""
    with engine.begin() as connection:
        for person, address in contacts.items():
            whom = subscribers.c.subscriber_id == person
            connection.execute(update(subscribers).where(whom).values(email=vault.seal(address)))


def by_mail(engine: Engine) -> dict[str, tuple[str, str]]:
    return {one.recipient: (one.state, one.reason) for one in found(engine) if one.channel == "email"}


async def test_one_unreadable_contact_fails_alone_and_operators_hear_of_it(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, told: Told
) -> None:
    """Before, it stopped the channel: its batch stayed claimed until the lease ended, and then came again."""
    fill(engine, tmp_path, 6, 0)
    seal_with(engine, OTHER, S0000="person0@example.org")
    planned(engine, notice())
    async with dispatching(engine, [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]) as dispatcher:
        left = await dispatcher.drain(5)
    assert not any(left.values())
    assert Counter(by_mail(engine).values()) == {("sent", "accepted"): 5, ("failed", "unreadable-contact"): 1}
    assert by_mail(engine)["S0000"] == ("failed", "unreadable-contact")
    assert len(sandbox.phone.messages) == 6
    (event,) = told.events
    assert (event.occasion, event.about) == (Occasion.UNREADABLE, "email")
    assert "S0000" in event.says
    assert "person0" not in event.says


async def test_without_the_key_nothing_fails_and_all_goes_out_when_it_is_back(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, told: Told
) -> None:
    fill(engine, tmp_path, 4, 0)
    planned(engine, notice())
    async with dispatching(engine, [email_channel(sandbox.addresses)], vault=OTHER) as dispatcher:
        await dispatcher.drain(0.3)
    assert set(by_mail(engine).values()) == {("planned", "missing-key")}
    assert {event.occasion for event in told.events} == {Occasion.CHANNEL_DOWN}
    assert "contacts.keys" in told.events[0].remedy
    async with dispatching(engine, [email_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(2)
    assert set(by_mail(engine).values()) == {("sent", "accepted")}
    assert len(sandbox.mailbox.mails) == 4


async def test_a_defect_in_composing_stops_one_message_only(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sqlite_engine, tmp_path, 4, 0)
    planned(sqlite_engine, notice())
    whole = Composer._content

    def broken(self: Composer, row: Any, *rest: Any) -> Any:
        if row.recipient == "S0002":
            raise ZeroDivisionError
        return whole(self, row, *rest)

    monkeypatch.setattr(Composer, "_content", broken)
    async with dispatching(sqlite_engine, [email_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(0.5)
    assert by_mail(sqlite_engine).pop("S0002") == ("failed", "defect")
    assert Counter(state for state, _ in by_mail(sqlite_engine).values()) == {"sent": 3, "failed": 1}


async def test_a_look_up_that_breaks_is_made_again(sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 1, 0)
    planned(sqlite_engine, notice())
    sandbox.mailbox.faults.next("drop-kept")
    channel = email_channel(sandbox.addresses)
    asked, whole = [0], channel.reconcile

    async def broken(message: ExerciseMessage, is_taken: Any) -> Found | Absent | Unknowable:
        asked[0] += 1
        if asked[0] == 1:
            raise ZeroDivisionError
        return await whole(message, is_taken)

    channel.reconcile = broken  # type: ignore[method-assign]
    async with dispatching(sqlite_engine, [channel]) as dispatcher:
        left = await dispatcher.drain(0.5)
    assert left["unknown"] == 0
    assert by_mail(sqlite_engine) == {"S0000": ("sent", "accepted")}
    assert (asked[0], len(sandbox.mailbox.mails)) == (2, 1)


async def test_what_is_under_way_ends_before_an_error_of_the_lane_is_raised(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, four mails that the server had taken became unknown because a neighbour could not be composed."""
    fill(sqlite_engine, tmp_path, 8, 0)
    planned(sqlite_engine, notice())
    channel = email_channel(sandbox.addresses)
    sending, whole = channel.send, Composer.compose
    composed = [0]

    async def slow(message: ExerciseMessage, on_data: Any) -> Any:
        receipt = await sending(message, on_data)
        await asyncio.sleep(0.05 * len(sandbox.mailbox.mails))  # one place after the other is free again
        return receipt

    def breaks_down(self: Composer, *arguments: Any) -> Any:
        composed[0] += 1
        if composed[0] == 2:
            raise ConnectionError("the database is away")
        return whole(self, *arguments)

    channel.send = slow  # type: ignore[method-assign]
    monkeypatch.setattr(Composer, "compose", breaks_down)
    async with dispatching(sqlite_engine, [channel]) as dispatcher:
        with pytest.raises(ConnectionError):
            await dispatcher.drain(5)
        states = Counter(one.state for one in found(sqlite_engine) if one.channel == "email")
        assert states["sent"] == len(sandbox.mailbox.mails) == 4
        assert states["sending"] == 0
