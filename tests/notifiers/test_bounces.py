"""Bounces: reports of several servers, handed over by LMTP, move the row they are about, and only that."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import OperationalError

from notifiers.bounce_intake import BounceIntake
from notifiers.bounces import Bounce, Outcome, apply_bounce, read_report
from notifiers.channels.email import message_id
from notifiers.database import reading
from notifiers.moves import Moved
from notifiers.return_paths import ReturnPaths
from notifiers.tables import ledger, suppressions
from streams.errors import ConfigurationError
from streams.metrics import value
from tests.notifiers.samples import fill, notice
from tests.notifiers.workplace import planned

PATHS = ReturnPaths(["a former secret for tests", "a signing secret for tests"], "bounces@bounce.example.org")

REPORT = """\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: bounces@bounce.example.org
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Sat, 17 Jan 2026 18:00:00 +0700

Final-Recipient: rfc822; person@example.org
Action: {action}
Status: {status}
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; {diagnostic}

--B
Content-Type: text/rfc822-headers

Subject: test

--B--
"""


def report(action: str = "failed", status: str = "5.1.1", diagnostic: str = "550 5.1.1 no such user") -> bytes:
    return REPORT.format(action=action, status=status, diagnostic=diagnostic).replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("content", "outcome", "status"),
    [
        (report(), Outcome.HARD, "5.1.1"),
        (report(status="5.1.10", diagnostic="556 nullMX"), Outcome.HARD, "5.1.10"),
        (report(status="5.0.0", diagnostic="550-5.1.1 The email account does not exist"), Outcome.HARD, "5.1.1"),
        (report(status="5.2.2", diagnostic="552 5.2.2 mailbox full"), Outcome.FAILED, "5.2.2"),
        (report(status="5.7.1", diagnostic="550 5.7.1 spam"), Outcome.FAILED, "5.7.1"),
        (report(status="4.4.7", diagnostic="delivery time expired"), Outcome.FAILED, "4.4.7"),
        (report("delayed", "4.4.1", "timed out"), Outcome.DELAYED, "4.4.1"),
        (report("delivered", "2.0.0", "250 ok"), Outcome.DELIVERED, "2.0.0"),
        (report("Failed; see below", "5.1.1 (bad)"), Outcome.HARD, "5.1.1"),
        (report("confused", "9.9.9"), Outcome.NO_REPORT, ""),
        (report().replace(b"Action: failed\r\n", b""), Outcome.NO_REPORT, ""),
        (b"Subject: Out of office\r\n\r\nI am away\r\n", Outcome.NO_REPORT, ""),
        (b"", Outcome.NO_REPORT, ""),
        (b"\xff\xfe\x00" * 1000, Outcome.NO_REPORT, ""),
        (b"Content-Type: multipart/report; boundary=" + b"x" * 5000 + b"\r\n\r\n", Outcome.NO_REPORT, ""),
        (b"Content-Type: multipart/report; boundary=B\r\n\r\n" + b"--B\r\n" * 3000, Outcome.NO_REPORT, ""),
        (report().replace(b"message/delivery-status", b"text/plain"), Outcome.NO_REPORT, ""),
    ],
)
def test_reports(content: bytes, outcome: Outcome, status: str) -> None:
    assert read_report(content) == Bounce(outcome, status)


def test_return_paths_are_known_again_whatever_the_case_and_never_guessed() -> None:
    delivery = "6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11"
    address = PATHS.of(delivery)
    assert len(address.partition("@")[0]) <= 64
    assert PATHS.read(address) == PATHS.read(address.upper()) == delivery
    former = ReturnPaths(["a former secret for tests"], "bounces@bounce.example.org").of(delivery)
    assert PATHS.read(former) == delivery
    stranger = ReturnPaths(["somebody else's secret"], "bounces@bounce.example.org").of(delivery)
    token = address.partition("+")[2].partition("@")[0]
    for wrong in (
        stranger,
        address.replace("bounce.", "other."),
        address.replace("bounces+", "other+"),
        address.replace(token, token[:-1] + ("a" if token[-1] != "a" else "b")),
        address.replace(token, token[:-1]),
        "bounces@bounce.example.org",
        "bounces+@bounce.example.org",
        "bounces+!!!@bounce.example.org",
        "",
    ):
        assert PATHS.read(wrong) is None, wrong


@pytest.mark.parametrize("address", ["", "no-at", "@x.example", "bounces@", "a+b@x.example", "b" * 30 + "@x.example"])
def test_a_bad_address_for_bounces_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"email.bounces.address"):
        ReturnPaths(["a secret"], address)


@pytest.fixture
def sent(engine: Engine, tmp_path: Path) -> str:
    """A mail that its server has taken."""
    fill(engine, tmp_path, 2, 0)
    planned(engine, notice())
    with engine.begin() as connection:
        rows = connection.execute(select(ledger.c.id).where(ledger.c.channel == "email").order_by(ledger.c.recipient))
        delivery = str(rows.scalars().first())
        provider_id = message_id(delivery, "airshed.example.org")
        changed = update(ledger).where(ledger.c.id == delivery)
        connection.execute(changed.values(state="sent", reason="accepted", provider_id=provider_id))
    return delivery


def row(engine: Engine, delivery: str) -> tuple[str, str]:
    with reading(engine) as connection:
        found = connection.execute(select(ledger.c.state, ledger.c.reason).where(ledger.c.id == delivery)).one()
    return found.state, found.reason


def refused_contacts(engine: Engine) -> int:
    with reading(engine) as connection:
        return len(connection.execute(select(suppressions)).all())


def test_a_hard_bounce_fails_the_row_and_the_contact_and_the_next_mail_is_not_sent(engine: Engine, sent: str) -> None:
    with engine.begin() as connection:
        assert apply_bounce(connection, sent, Bounce(Outcome.HARD, "5.1.1")) is Moved.APPLIED
    with engine.begin() as connection:
        assert apply_bounce(connection, sent, Bounce(Outcome.HARD, "5.1.1")) is Moved.ALREADY_THERE
    assert row(engine, sent) == ("failed", "5.1.1")
    assert refused_contacts(engine) == 1
    planned(engine, notice(transition=2, hours=1))
    with reading(engine) as connection:
        states = connection.execute(
            select(ledger.c.state, ledger.c.reason).where(
                ledger.c.recipient == "S0000", ledger.c.channel == "email", ledger.c.id != sent
            )
        ).all()
    assert [tuple(state) for state in states] == [("suppressed", "invalid-contact")]


@pytest.mark.parametrize("status", ["5.2.2", "5.7.1", "4.4.7", ""])
def test_a_soft_bounce_fails_the_row_only(engine: Engine, sent: str, status: str) -> None:
    with engine.begin() as connection:
        assert apply_bounce(connection, sent, Bounce(Outcome.FAILED, status)) is Moved.APPLIED
    assert row(engine, sent) == ("failed", status or "bounced")
    assert refused_contacts(engine) == 0


def test_what_is_no_failure_changes_nothing(sqlite_engine: Engine) -> None:
    unknown = "6f1d2c1e-6a55-5d0b-9a51-0d6f6b0a9a11"
    with sqlite_engine.begin() as connection:
        assert apply_bounce(connection, unknown, Bounce(Outcome.DELAYED, "4.4.1")) is None
        assert apply_bounce(connection, unknown, Bounce(Outcome.NO_REPORT)) is None
        assert apply_bounce(connection, unknown, Bounce(Outcome.HARD, "5.1.1")) is Moved.NO_SUCH_DELIVERY


@pytest.fixture
async def intake(engine: Engine) -> AsyncIterator[BounceIntake]:
    async with BounceIntake(engine, PATHS, "127.0.0.1", 0) as running:
        yield running


def hand_over(port: int, to: str | list[str], content: bytes) -> dict[str, tuple[int, bytes]]:
    with smtplib.LMTP("127.0.0.1", port) as client:
        return client.sendmail("", to, content)


async def test_a_mail_server_hands_bounces_over(engine: Engine, sent: str, intake: BounceIntake) -> None:
    before = value("airshed_bounces_total", outcome="hard")
    for _ in range(2):
        assert await asyncio.to_thread(hand_over, intake.port, PATHS.of(sent), report()) == {}
    assert row(engine, sent) == ("failed", "5.1.1")
    assert value("airshed_bounces_total", outcome="hard") - before == 2


async def test_strangers_are_refused_and_a_second_recipient_waits(
    engine: Engine, sent: str, intake: BounceIntake
) -> None:
    for stranger in ("bounces@bounce.example.org", "person@example.org"):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await asyncio.to_thread(hand_over, intake.port, stranger, report())
    refused = await asyncio.to_thread(hand_over, intake.port, [PATHS.of(sent)] * 2, report("delayed", "4.4.1"))
    assert [code for code, _ in refused.values()] == [452]
    assert row(engine, sent) == ("sent", "accepted")


async def test_a_database_that_is_away_has_the_bounce_offered_again(
    engine: Engine, sent: str, intake: BounceIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("UPDATE ledger", {}, Exception("the database is away"))

    monkeypatch.setattr(intake, "_apply", away)
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        await asyncio.to_thread(hand_over, intake.port, PATHS.of(sent), report())
    assert refused.value.smtp_code == 451
