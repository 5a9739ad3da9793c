"""A second provider, and calls: over the sandbox, from the ledger row to the digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from notifiers.channels.fallback import FallbackChannel
from notifiers.channels.voice import VoiceChannel
from notifiers.errors import ChannelDownError
from notifiers.messages import Absent, ExerciseMessage, Found, Spoken
from notifiers.sandbox import Sandbox
from notifiers.tables import ledger
from streams.errors import PermanentDeliveryError, UnknownDeliveryError
from tests.notifiers import workplace
from tests.notifiers.samples import fill, notice, number
from tests.notifiers.test_channels import TO, _common, none_taken, sms
from tests.notifiers.workplace import CALLER, dispatching, email_channel, found, nothing, planned, sms_channel


def voice_channel(sandbox: Sandbox, **changes: Any) -> VoiceChannel[ExerciseMessage]:
    return workplace.voice_channel(sandbox.addresses, **changes)


def call() -> ExerciseMessage:
    content = Spoken("DIỄN TẬP: đề nghị giảm phát thải", "Bấm phím 1.", "Cảm ơn.")
    return ExerciseMessage(**(_common(TO) | {"content": content}))


async def test_the_second_provider_takes_over_and_gives_back(tmp_path: Path) -> None:
    async with Sandbox(tmp_path / "one") as one, Sandbox(tmp_path / "two") as two:
        channel = FallbackChannel(sms_channel(one.addresses), sms_channel(two.addresses, sender="SECOND"))
        one.phone.faults.next("429")
        with pytest.raises(ChannelDownError):
            await channel.send(sms(), nothing)
        channel.use_second(True)
        assert (channel.second_in_use, channel.sender) == (True, "SECOND")
        await channel.send(sms(), nothing)
        channel.use_second(False)
        assert (channel.second_in_use, channel.sender) == (False, "AIRSHED")
        await channel.send(sms(delivery="6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a12"), nothing)
        await channel.close()
        assert (len(one.phone.messages), len(two.phone.messages)) == (1, 1)


async def test_a_lost_answer_is_looked_for_at_both_providers(tmp_path: Path) -> None:
    """The breaker may have gone back to the first one since."""
    async with Sandbox(tmp_path / "one") as one, Sandbox(tmp_path / "two") as two:
        channel = FallbackChannel(sms_channel(one.addresses), sms_channel(two.addresses))
        assert isinstance(await channel.reconcile(sms(), none_taken), Absent)
        channel.use_second(True)
        two.phone.faults.next("drop-accepted")
        with pytest.raises(UnknownDeliveryError):
            await channel.send(sms(), nothing)
        channel.use_second(False)
        assert isinstance(await channel.reconcile(sms(), none_taken), Found)
        await channel.close()


def test_only_the_same_channel_can_stand_in() -> None:
    class Other:
        name, phase = "email", "connect"

    class Sms:
        name, phase = "sms", "request"

    with pytest.raises(ValueError, match="cannot stand in"):
        FallbackChannel(Sms(), Other())  # type: ignore[type-var]


async def test_a_call_is_said_twice_until_a_digit_is_pressed(sandbox: Sandbox) -> None:
    channel = voice_channel(sandbox)
    await channel.send(call(), nothing)
    await sandbox.switchboard.settled()
    [held] = sandbox.switchboard.calls.values()
    assert (held.to, held.caller, held.status) == (TO, CALLER, "completed")
    assert held.said == ["DIỄN TẬP: đề nghị giảm phát thải Bấm phím 1."] * 2
    await channel.close()


async def test_refusals_of_a_call(sandbox: Sandbox) -> None:
    channel = voice_channel(sandbox)
    sandbox.phone.faults.refused[TO] = 21211
    with pytest.raises(PermanentDeliveryError) as refused:
        await channel.send(call(), nothing)
    assert refused.value.code == "21211"
    sandbox.phone.faults.refused.clear()
    assert isinstance(await channel.reconcile(call(), none_taken), Absent)
    receipt = await channel.send(call(), nothing)
    answer = await channel.reconcile(call(), none_taken)
    assert isinstance(answer, Found)
    assert answer.provider_id == receipt.provider_id
    await channel.close()


async def test_a_call_goes_through_the_ledger_in_the_recipients_language(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(sqlite_engine, tmp_path, 0, 1)
    planned(sqlite_engine, notice("request", recipients="facilities"))
    with sqlite_engine.begin() as connection:
        connection.execute(update(ledger).where(ledger.c.channel == "sms").values(channel="voice"))
    async with dispatching(sqlite_engine, [voice_channel(sandbox), email_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(5)
    await sandbox.switchboard.settled()
    [held] = sandbox.switchboard.calls.values()
    assert held.to == number(900_000)
    assert held.said[0].startswith("DIỄN TẬP. Đây là cuộc gọi tự động của Trung tâm Quan trắc. DIỄN TẬP:")
    assert ("voice", "sent") in {(d.channel, d.state) for d in found(sqlite_engine)}
