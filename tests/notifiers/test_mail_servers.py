"""Mail over TLS, with a login, to a server that is strict; and how a mail reads on the other side."""

from __future__ import annotations

import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import trustme

from notifiers.channels.email import EmailChannel, EmailSettings
from notifiers.errors import ChannelDownError
from notifiers.messages import ExerciseMessage, Letter
from notifiers.return_paths import ReturnPaths
from streams.errors import PermanentDeliveryError
from tests.notifiers.mail_servers import PASSWORD, USER, StrictServer, serving
from tests.notifiers.test_channels import DELIVERY, _common, mail
from tests.notifiers.workplace import nothing

PATHS = ReturnPaths(["a signing secret for tests"], "bounces@bounce.example.org")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(made)
    return made


def channel(server: StrictServer, paths: ReturnPaths | None = PATHS, **changes: Any) -> EmailChannel[ExerciseMessage]:
    values: dict[str, Any] = {
        "host": "localhost",
        "port": server.port,
        "sender": "alerts@airshed.example.org",
        "timeout_s": 5.0,
    }
    return EmailChannel(ExerciseMessage, EmailSettings(**(values | changes)), return_paths=paths)


def credentials() -> dict[str, str]:
    return {"username": USER.decode(), "password": PASSWORD.decode()}


def parsed(content: bytes) -> EmailMessage:
    read = message_from_bytes(content, policy=SMTP)
    assert isinstance(read, EmailMessage)
    return read


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_tls_and_login(security: Any, context: ssl.SSLContext, ca_file: str) -> None:
    where: dict[str, Any] = {security: context}
    async with serving(StrictServer(), login=True, **where) as server:
        sender = channel(server, security=security, ca_file=ca_file, **credentials())
        await sender.send(mail(), nothing)
        await sender.send(mail(delivery=DELIVERY[:-1] + "2"), nothing)
        await sender.close()
    assert [held.login for held in server.held] == [USER, USER]
    assert server.connections == 1, "the connection is kept"


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_nobody_vouches_for_gets_no_mail(security: Any, context: ssl.SSLContext) -> None:
    where: dict[str, Any] = {security: context}
    async with serving(StrictServer(), **where) as server:
        sender = channel(server, security=security, **credentials())
        with pytest.raises(ChannelDownError):
            await sender.send(mail(), nothing)
        await sender.close()
    assert not server.held


async def test_a_server_that_lost_its_starttls_gets_neither_password_nor_mail(ca_file: str) -> None:
    async with serving(StrictServer()) as server:
        sender = channel(server, security="starttls", ca_file=ca_file, **credentials())
        with pytest.raises(ChannelDownError):
            await sender.send(mail(), nothing)
        await sender.close()
    assert not server.held


async def test_a_wrong_password_stops_the_channel(context: ssl.SSLContext, ca_file: str) -> None:
    async with serving(StrictServer(), starttls=context, login=True) as server:
        sender = channel(server, security="starttls", ca_file=ca_file, username="airshed", password="wrong")
        with pytest.raises(ChannelDownError) as refused:
            await sender.send(mail(), nothing)
        await sender.close()
    assert "password" in refused.value.remedy
    assert "wrong" not in str(refused.value)


LONG = "Đề nghị giảm phát thải " * 400


@pytest.mark.parametrize(
    "letter",
    [
        Letter("DIỄN TẬP: thử", "Xin chào\n.dấu chấm\n..hai\nFrom here\n", "<p>Xin chào</p>"),
        Letter("DIỄN TẬP: " + LONG[:500], LONG, f"<p>{LONG}</p>"),
        Letter("x" * 900, "y" * 20_000, "z" * 20_000),
        Letter("\u202eđảo\u200b", "tab\there\r\nand\rthere", "<p>\u00a0</p>"),
    ],
    ids=["dots", "long-vietnamese", "long-ascii", "odd-characters"],
)
async def test_a_strict_server_takes_every_mail_and_reads_what_was_written(letter: Letter) -> None:
    async with serving(StrictServer()) as server:
        sender = channel(server)
        await sender.send(mail(content=letter), nothing)
        await sender.close()
    [held] = server.held
    read = parsed(held.content)
    assert not read.defects
    assert str(read["Subject"]) == letter.subject
    plain = read.get_body(("plain",))
    html = read.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().split() == letter.text.split()
    assert html.get_content().split() == letter.html.split()
    assert max(len(line) for line in held.content.split(b"\r\n\r\n")[0].split(b"\r\n")) <= 998


async def test_headers_of_a_mail() -> None:
    stop = "https://alerts.example.org/u/token"
    async with serving(StrictServer()) as server:
        sender = channel(server)
        first = await sender.send(mail(unsubscribe=stop), nothing)
        await sender.send(mail(delivery=DELIVERY[:-1] + "2"), nothing)
        await sender.send(mail(unsubscribe=stop), nothing)
        await sender.close()
    one, two, again = (parsed(held.content) for held in server.held)
    assert one["List-Unsubscribe"] == f"<{stop}>"
    assert one["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert two["List-Unsubscribe"] is None
    assert one["Message-ID"] == first.provider_id == again["Message-ID"]
    assert one["Message-ID"] != two["Message-ID"]
    assert one["References"] == two["References"] == one["In-Reply-To"], "one thread per episode"
    assert one["Auto-Submitted"] == "auto-generated"
    assert str(one["From"]).endswith("<alerts@airshed.example.org>")
    assert {PATHS.read(held.sender) for held in server.held} == {DELIVERY, DELIVERY[:-1] + "2"}


async def test_too_large_a_mail_is_refused_here_and_there() -> None:
    async with serving(StrictServer(most_bytes=10_000)) as server:
        sender = channel(server)
        huge = Letter("s", "x" * 2_000_000, "<p>")
        with pytest.raises(PermanentDeliveryError) as refused:
            await sender.send(mail(content=huge), nothing)
        assert refused.value.code == "too-long"
        with pytest.raises(PermanentDeliveryError) as refused:
            await sender.send(mail(content=Letter("s", "x " * 20_000, "<p>")), nothing)
        assert refused.value.code == "552"
        await sender.send(mail(), nothing)
        await sender.close()
    assert len(server.held) == 1


@pytest.mark.parametrize(
    "address", ["a@b.example\r\nRCPT TO:<other@example.org>", "a@b.example, other@example.org", "<x@y.example>", ""]
)
async def test_an_address_cannot_bring_another_recipient(address: str) -> None:
    async with serving(StrictServer()) as server:
        sender = channel(server)
        with pytest.raises(Exception, match=r"."):
            await sender.send(ExerciseMessage(**(_common(address) | {"content": mail().content})), nothing)
        await sender.close()
    assert not server.held
