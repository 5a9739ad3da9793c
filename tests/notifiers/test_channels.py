"""Both channels over real SMTP and HTTP, and what every fault of a provider means."""

from __future__ import annotations

import logging
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, compat32
from typing import Any

import pytest

from notifiers.channels.headers import WirePolicy
from notifiers.errors import ChannelDownError
from notifiers.messages import (
    Absent,
    ActualMessage,
    ExerciseMessage,
    Found,
    Letter,
    SmsText,
    Unknowable,
    WrongModeError,
)
from notifiers.sandbox import Addresses, Sandbox
from streams.errors import DeliveryError, PermanentDeliveryError, RetryableDeliveryError, UnknownDeliveryError
from tests.notifiers.workplace import email_channel, nothing, sms_channel

DELIVERY = "6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11"
TO, ADDRESS = "+84912345678", "person@example.org"


def sms(**changes: Any) -> ExerciseMessage:
    return ExerciseMessage(**(_common(TO) | {"content": SmsText("DIEN TAP: thu nghiem", 1)} | changes))


def mail(**changes: Any) -> ExerciseMessage:
    letter = Letter("DIỄN TẬP: thử nghiệm", "Xin chào\n.một dòng bắt đầu bằng dấu chấm\n", "<p>Xin chào</p>")
    return ExerciseMessage(**(_common(ADDRESS) | {"content": letter} | changes))


def _common(contact: str) -> dict[str, Any]:
    return {
        "delivery": DELIVERY,
        "kind": "advisory",
        "episode": "e1",
        "language": "vi",
        "sender_name": "Trung tâm Quan trắc",
        "contact": contact,
        "useful_s": 7200.0,
    }


async def none_taken(provider_ids: list[str]) -> set[str]:
    return set()


async def test_an_sms_arrives_as_it_was_written(sandbox: Sandbox) -> None:
    channel = sms_channel(sandbox.addresses)
    receipt = await channel.send(sms(), nothing)
    held = sandbox.phone.messages[receipt.provider_id]
    assert (held.to, held.sender, held.body) == (TO, "AIRSHED", "DIEN TAP: thu nghiem")
    await channel.close()


@pytest.mark.parametrize(
    ("fault", "error", "held"),
    [
        ("500", UnknownDeliveryError, 0),
        ("500-accepted", UnknownDeliveryError, 1),
        ("503", UnknownDeliveryError, 0),
        ("429", ChannelDownError, 0),
        ("drop", UnknownDeliveryError, 0),
        ("drop-accepted", UnknownDeliveryError, 1),
        ("slow", UnknownDeliveryError, 1),
    ],
)
async def test_sms_faults(sandbox: Sandbox, fault: Any, error: type[DeliveryError], held: int) -> None:
    """F21. In particular a 503 posts once: the library's own retries would have posted three times."""
    sandbox.phone.faults.next(fault)
    sandbox.phone.faults.delay_s = 0.6
    channel = sms_channel(sandbox.addresses, timeout_s=0.3)
    with pytest.raises(error):
        await channel.send(sms(), nothing)
    assert len(sandbox.phone.messages) == held
    answer = await channel.reconcile(sms(), none_taken)
    assert isinstance(answer, Found if held else Absent)
    await channel.close()


@pytest.mark.parametrize(
    ("to", "code", "error"),
    [
        ("+15005550001", "21211", PermanentDeliveryError),
        ("+15005550009", "21614", PermanentDeliveryError),
        ("+15005550004", "21610", PermanentDeliveryError),
        ("+15005550002", "21612", ChannelDownError),
    ],
)
async def test_sms_codes(sandbox: Sandbox, to: str, code: str, error: type[DeliveryError]) -> None:
    channel = sms_channel(sandbox.addresses)
    with pytest.raises(error) as refused:
        await channel.send(sms(contact=to), nothing)
    assert refused.value.code == code
    assert to not in str(refused.value)
    await channel.close()


async def test_wrong_credentials_stop_the_channel_not_the_messages(sandbox: Sandbox) -> None:
    channel = sms_channel(sandbox.addresses, auth_token="wrong")
    with pytest.raises(ChannelDownError) as refused:
        await channel.send(sms(), nothing)
    assert "auth token" in refused.value.remedy
    await channel.close()


async def test_a_provider_that_is_away_has_accepted_nothing() -> None:
    away = Addresses("http://127.0.0.1:9", "127.0.0.1", 9, "", "")
    for channel, message in ((sms_channel(away), sms()), (email_channel(away), mail())):
        with pytest.raises(ChannelDownError) as refused:
            await channel.send(message, nothing)  # type: ignore[attr-defined]
        assert refused.value.remedy
        await channel.close()  # type: ignore[attr-defined]


async def test_a_look_up_does_not_take_anothers_message(sandbox: Sandbox) -> None:
    """Two deliveries with the same words to one number: each finds its own or none."""
    channel = sms_channel(sandbox.addresses)
    receipt = await channel.send(sms(), nothing)

    async def taken(provider_ids: list[str]) -> set[str]:
        return set(provider_ids) & {receipt.provider_id}

    assert isinstance(await channel.reconcile(sms(), taken), Absent)
    assert isinstance(await channel.reconcile(sms(contact="+84912345679"), none_taken), Absent)
    assert isinstance(await channel.reconcile(sms(content=SmsText("other words", 1)), none_taken), Absent)
    await channel.close()


async def test_no_number_reaches_a_log(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    channel = sms_channel(sandbox.addresses)
    await channel.send(sms(), nothing)
    await channel.reconcile(sms(), none_taken)
    assert TO[1:] not in caplog.text
    assert TO not in repr(sms())
    await channel.close()


async def test_a_mail_arrives_whole_and_threads(sandbox: Sandbox) -> None:
    channel = email_channel(sandbox.addresses)
    receipt = await channel.send(mail(unsubscribe="https://canhbao.vn/u/x"), nothing)
    (kept,) = sandbox.mailbox.mails
    content = kept.path.read_bytes()
    message = message_from_bytes(content, policy=SMTP)
    assert kept.message_id == receipt.provider_id
    assert kept.to == ADDRESS
    assert message["Subject"] == "DIỄN TẬP: thử nghiệm"
    assert message["From"] == "Trung tâm Quan trắc <alerts@airshed.example.org>"
    assert message["References"] == message["In-Reply-To"]
    assert message["List-Unsubscribe"] == "<https://canhbao.vn/u/x>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text = kept.message.get_body(("plain",))
    assert text is not None
    assert ".một dòng bắt đầu bằng dấu chấm" in text.get_content()
    assert max(len(line) for line in content.splitlines()) <= 998
    await channel.close()


async def test_connections_are_kept(sandbox: Sandbox) -> None:
    channel = email_channel(sandbox.addresses)
    for _ in range(3):
        await channel.send(mail(), nothing)
    assert len(sandbox.mailbox.open_connections) == 1
    await channel.close()


async def test_a_kept_connection_that_died_is_replaced(sandbox: Sandbox) -> None:
    channel = email_channel(sandbox.addresses)
    await channel.send(mail(), nothing)
    await sandbox.stop()
    await sandbox.start()
    await channel.send(mail(), nothing)
    assert len(sandbox.mailbox.mails) == 2
    sandbox.mailbox.faults.next("421")  # said on the kept connection: a new one is made at once
    await channel.send(mail(), nothing)
    assert len(sandbox.mailbox.mails) == 3
    await channel.close()


@pytest.mark.parametrize(
    ("fault", "error", "held", "reached_data"),
    [
        ("slow-banner", ChannelDownError, 0, False),
        ("421", ChannelDownError, 0, False),
        ("450", RetryableDeliveryError, 0, False),
        ("550", PermanentDeliveryError, 0, False),
        ("451-data", RetryableDeliveryError, 0, True),
        ("drop-data", UnknownDeliveryError, 0, True),
        ("drop-kept", UnknownDeliveryError, 1, True),
        ("late-250", UnknownDeliveryError, 1, True),
    ],
)
async def test_mail_faults(
    sandbox: Sandbox, fault: Any, error: type[DeliveryError], held: int, reached_data: bool
) -> None:
    """F20. Before the body nothing is lost; after it only the server's own refusal is proof."""
    sandbox.mailbox.faults.next(fault)
    sandbox.mailbox.faults.delay_s = 0.6
    channel = email_channel(sandbox.addresses, timeout_s=0.3)
    steps: list[str] = []

    async def on_data() -> None:
        steps.append("data")

    with pytest.raises(error) as refused:
        await channel.send(mail(), on_data)
    assert type(refused.value) is error
    assert (len(sandbox.mailbox.mails), steps == ["data"]) == (held, reached_data)
    assert ADDRESS not in str(refused.value)
    assert isinstance(await channel.reconcile(mail(), none_taken), Found if held else Absent)
    await channel.close()


async def test_one_refused_recipient_does_not_spoil_the_connection(sandbox: Sandbox) -> None:
    sandbox.mailbox.faults.refused["gone@example.org"] = 550
    channel = email_channel(sandbox.addresses)
    with pytest.raises(PermanentDeliveryError):
        await channel.send(mail(contact="gone@example.org"), nothing)
    await channel.send(mail(), nothing)
    assert [kept.to for kept in sandbox.mailbox.mails] == [ADDRESS]
    await channel.close()


async def test_when_the_mark_cannot_be_written_no_body_goes_out(sandbox: Sandbox) -> None:
    channel = email_channel(sandbox.addresses)

    async def disk_full() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await channel.send(mail(), disk_full)
    await channel.send(mail(), nothing)
    assert len(sandbox.mailbox.mails) == 1
    await channel.close()


async def test_headers_cannot_be_injected(sandbox: Sandbox) -> None:
    channel = email_channel(sandbox.addresses)
    with pytest.raises(PermanentDeliveryError, match="header"):
        await channel.send(mail(sender_name="x\r\nBcc: everybody@example.org"), nothing)
    assert sandbox.mailbox.mails == []
    await channel.close()


async def test_without_a_look_up_nobody_knows(sandbox: Sandbox) -> None:
    channel = email_channel(sandbox.addresses, lookup_url="")
    assert isinstance(await channel.reconcile(mail(), none_taken), Unknowable)
    await channel.close()


async def test_an_actual_message_cannot_pass_an_exercise_channel(sandbox: Sandbox) -> None:
    """F30, in the direction that can be tried here; the other one is the same line."""
    actual: Any = ActualMessage(**(_common(TO) | {"content": SmsText("Khong khi", 1)}))
    for channel in (sms_channel(sandbox.addresses), email_channel(sandbox.addresses)):
        with pytest.raises(WrongModeError):
            await channel.send(actual, nothing)  # type: ignore[attr-defined]
        await channel.close()  # type: ignore[attr-defined]
    assert not sandbox.phone.messages


def test_a_long_vietnamese_header_is_read_as_it_was_written() -> None:
    """The library's own folding put spaces into words: "khô ng khí", "HàNội"."""
    subject = "DIỄN TẬP: Kết thúc đề nghị giảm phát thải – Làng nghề Đúc Đồng Vàng (mô phỏng) (rất xấu)"
    name = "Trung tâm điều hành chất lượng không khí vùng đồng bằng sông Hồng"
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(name, "canh-bao", "example.org")
    mail["Subject"] = subject
    mail.set_content("thử")
    written = mail.as_bytes(policy=WirePolicy())
    head = written.split(b"\r\n\r\n")[0]
    assert max(len(line) for line in head.split(b"\r\n")) <= 76  # RFC 2047, section 2
    read = message_from_bytes(written, policy=compat32)
    assert str(make_header(decode_header(read["Subject"]))) == subject
    assert str(make_header(decode_header(read["From"]))) == f"{name} <canh-bao@example.org>"
