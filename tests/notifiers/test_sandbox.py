"""The sandbox keeps what it got, shows it, and answers as the provider does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp

from notifiers.sandbox import ACCOUNT_SID, AUTH_TOKEN, Sandbox
from tests.notifiers.test_channels import mail, none_taken, sms
from tests.notifiers.workplace import email_channel, nothing, sms_channel


async def test_messages_survive_a_restart_and_ports_are_kept(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, callback_after_s=0.0)
    before = await sandbox.start()
    await sms_channel(before).send(sms(), nothing)
    await email_channel(before).send(mail(), nothing)
    await sandbox.phone.settled()
    await sandbox.stop()
    again = Sandbox(tmp_path, http_port=int(before.page_url.split(":")[2].strip("/")), smtp_port=before.smtp_port)
    assert await again.start() == before
    (held,) = again.phone.messages.values()
    assert (held.body, held.status) == ("DIEN TAP: thu nghiem", "delivered")
    assert [kept.number for kept in again.mailbox.mails] == [1]
    await sms_channel(before).send(sms(contact="+84912345679"), nothing)
    assert len(set(again.phone.messages)) == 2
    await again.stop()


async def test_a_torn_last_line_is_skipped(tmp_path: Path) -> None:
    async with Sandbox(tmp_path) as sandbox:
        await sms_channel(sandbox.addresses).send(sms(), nothing)
    with (tmp_path / "messages.jsonl").open("ab") as file:
        file.write(b'{"sid":"SM2","to":"+84')
    assert len(Sandbox(tmp_path).phone.messages) == 1


async def test_every_message_can_be_read_on_a_page(sandbox: Sandbox) -> None:
    await sms_channel(sandbox.addresses).send(sms(), nothing)
    await email_channel(sandbox.addresses).send(mail(), nothing)
    async with aiohttp.ClientSession() as session:
        for path, expected in (
            ("", "DIEN TAP: thu nghiem"),
            ("mail/1", "Trung tâm Quan trắc"),
            ("mail/1/body.html", "<p>Xin chào</p>"),
        ):
            async with session.get(sandbox.addresses.page_url + path) as answer:
                assert answer.status == 200
                assert expected in await answer.text()
                assert "script" not in answer.headers["Content-Security-Policy"]
        async with session.get(sandbox.addresses.page_url + "mail/9") as answer:
            assert answer.status == 404


async def test_faults_can_be_asked_for_over_http(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as session:
        url = sandbox.addresses.page_url + "sandbox/faults"
        async with session.post(url, json={"fault": "503", "times": 2}) as answer:
            assert answer.status == 200
        async with session.post(url, json={"fault": "late-250"}) as answer:
            assert answer.status == 200
        async with session.post(url, json={"fault": "earthquake"}) as answer:
            assert answer.status == 404
            assert "known: slow" in await answer.text()
    assert list(sandbox.phone.faults.queue) == ["503", "503"]
    assert list(sandbox.mailbox.faults.queue) == ["late-250"]


async def test_one_message_can_be_asked_for(sandbox: Sandbox) -> None:
    receipt = await sms_channel(sandbox.addresses).send(sms(), nothing)
    base = f"{sandbox.addresses.sms_base_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages"
    async with aiohttp.ClientSession(
        headers={"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)}
    ) as session:
        async with session.get(f"{base}/{receipt.provider_id}.json") as answer:
            assert (await answer.json())["to"] == sms().contact
        async with session.get(f"{base}/SMnone.json") as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, 20404)


def test_as_a_process_of_its_own(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "notifiers.sandbox", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    addresses = json.loads(process.stdout.readline())
    assert set(addresses) == {"sms_base_url", "smtp_host", "smtp_port", "mail_lookup_url", "page_url"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


async def test_mail_look_up(sandbox: Sandbox) -> None:
    channel = email_channel(sandbox.addresses)
    await channel.send(mail(), nothing)
    await channel.reconcile(mail(), none_taken)
    assert sandbox.mailbox.find("<nobody@nowhere>") is None
    await channel.close()
