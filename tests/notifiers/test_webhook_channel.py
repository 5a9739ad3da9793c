"""Signed webhooks: the scheme's own library verifies them, repetitions are known, and nothing inside can be reached."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from sqlalchemy import Engine
from standardwebhooks import Webhook

from notifiers.channels.addresses import Allowed
from notifiers.channels.webhook import WebhookChannel, WebhookSettings, signed_headers
from notifiers.facilities import import_facilities
from notifiers.messages import Absent, ExerciseMessage, Payload
from notifiers.payloads import payload
from notifiers.sandbox import Sandbox
from notifiers.sandbox.partner import WEBHOOK_KEY
from rules.notices import ActualNotice
from streams.errors import ConfigurationError, PermanentDeliveryError, RetryableDeliveryError
from tests.notifiers.samples import LINKS, RULES, VAULT, notice
from tests.notifiers.test_channels import _common, none_taken
from tests.notifiers.workplace import dispatching, email_channel, found, nothing, planned

KEYS = [f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2)]
LOOPBACK = Allowed.of(["127.0.0.0/8"])

HOSTILE = [
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://0x7f000001/x",
    "https://2130706433/x",
    "https://017700000001/x",
    "https://0.0.0.0/x",
    "https://[::1]/x",
    "https://[::]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:a00:1]/x",
    "https://[64:ff9b::7f00:1]/x",
    "https://[2002:7f00:1::]/x",
    "https://[fe80::1]/x",
    "https://[fc00::1]/x",
    "https://[ff02::1]/x",
    "https://10.1.2.3/x",
    "https://172.16.0.1/x",
    "https://192.168.1.1/x",
    "https://100.64.0.1/x",
    "https://169.254.169.254/latest/meta-data/",
    "https://192.0.0.1/x",
    "https://198.18.0.1/x",
    "https://224.0.0.1/x",
    "https://240.0.0.1/x",
    "https://255.255.255.255/x",
    "https://localhost/x",
    "https://localhost./x",
    "https://user:password@plant.example/x",
    "https://plant.example@127.0.0.1/x",
    "http://plant.example/x",
    "https://plant.example:22/x",
    "http://plant.example:443/x",
    "ftp://plant.example/x",
    "file:///etc/passwd",
    "gopher://127.0.0.1/x",
    "//plant.example/x",
    "plant.example",
    "https://",
    "https:///x",
    "https://[::1",
    "https://plant.example:99999/",
    "javascript:alert(1)",
    "",
]


@dataclass
class Receiver:
    """A partner's server: keeps requests, answers with the statuses it is given, then 200."""

    statuses: list[int] = field(default_factory=list)
    delay_s: float = 0.0
    kept: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.kept.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        await asyncio.sleep(self.delay_s)
        status = self.statuses.pop(0) if self.statuses else 200
        headers = {"Location": "http://127.0.0.1:9/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, text="x" * 100_000, headers=headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


class Names(AbstractResolver):
    """A name server that says what it is told, one answer after another: what a rebinding one does."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        pass


def channel(allowed: Allowed = LOOPBACK, resolver: AbstractResolver | None = None, **changes: Any) -> Any:
    values: dict[str, Any] = {"keys": {"127.0.0.1": KEYS, "plant.example": KEYS[:1]}, "allowed": allowed}
    return WebhookChannel(ExerciseMessage, WebhookSettings(**(values | changes)), resolver=resolver)


def message(url: str, body: bytes = b'{"type":"airshed.exercise.request"}') -> ExerciseMessage:
    return ExerciseMessage(**(_common(url) | {"content": Payload("airshed.exercise.request", body)}))


async def test_the_schemes_own_library_verifies_both_keys(receiver: Receiver) -> None:
    sender = channel()
    receipt = await sender.send(message(receiver.url), nothing)
    await sender.close()
    [(headers, body)] = receiver.kept
    for key in KEYS:
        assert Webhook(key).verify(body, headers) == {"type": "airshed.exercise.request"}
    assert headers["webhook-id"] == receipt.provider_id
    stranger = f"whsec_{base64.b64encode(b'9' * 32).decode()}"
    for wrong, data in ((Webhook(stranger), body), (Webhook(KEYS[0]), body + b" ")):
        with pytest.raises(Exception, match="No matching signature"):
            wrong.verify(data, headers)


def test_an_old_signature_is_refused_by_the_receiver() -> None:
    headers = signed_headers([b"k" * 32], "id", int(time.time()) - 3600, b"{}")
    with pytest.raises(Exception, match="too old"):
        Webhook(base64.b64encode(b"k" * 32).decode()).verify(b"{}", headers)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (500, RetryableDeliveryError, "http-500"),
        (503, RetryableDeliveryError, "http-503"),
        (429, RetryableDeliveryError, "http-429"),
        (400, PermanentDeliveryError, "http-400"),
        (410, PermanentDeliveryError, "http-410"),
        (301, PermanentDeliveryError, "redirect"),
        (307, PermanentDeliveryError, "redirect"),
    ],
)
async def test_what_an_answer_means(receiver: Receiver, status: int, error: Any, code: str) -> None:
    receiver.statuses = [status]
    sender = channel()
    with pytest.raises(error) as refused:
        await sender.send(message(receiver.url), nothing)
    assert refused.value.code == code
    assert len(receiver.kept) == 1, "a redirect is not followed, and nothing is sent twice"
    await sender.close()


async def test_a_lost_answer_is_tried_again_with_the_same_id(receiver: Receiver) -> None:
    receiver.delay_s = 0.5
    sender = channel(timeout_s=0.2)
    with pytest.raises(RetryableDeliveryError):
        await sender.send(message(receiver.url), nothing)
    assert isinstance(await sender.reconcile(message(receiver.url), none_taken), Absent)
    receiver.delay_s = 0
    await sender.send(message(receiver.url), nothing)
    await sender.close()
    assert len({headers["webhook-id"] for headers, _ in receiver.kept}) == 1


@pytest.mark.parametrize("url", HOSTILE)
async def test_nothing_inside_is_reached(url: str) -> None:
    """Whatever the form of the address; names lead where such names lead."""
    sender = channel(Allowed(), resolver=Names(["127.0.0.1" if "localhost" in url else "203.0.114.9"]))
    sender._keys |= {"localhost": [b"k" * 32], "localhost.": [b"k" * 32]}
    with pytest.raises(PermanentDeliveryError) as refused:
        await sender.send(message(url), nothing)
    assert refused.value.code == "forbidden-address", url
    assert "password" not in str(refused.value)
    await sender.close()


@pytest.mark.parametrize(
    "answers",
    [[["127.0.0.1"]], [["10.0.0.5"]], [["93.184.216.34", "10.0.0.5"]], [["::1"]], [["169.254.169.254"]], [[]]],
)
async def test_a_name_that_leads_inside_is_refused(answers: list[list[str]]) -> None:
    names = Names(*answers)
    sender = channel(Allowed(), resolver=names)
    with pytest.raises(PermanentDeliveryError) as refused:
        await sender.send(message("https://plant.example/hook"), nothing)
    assert refused.value.code == "forbidden-address"
    assert names.asked == 1
    await sender.close()


async def test_a_name_is_resolved_once_and_connected_to_as_checked(receiver: Receiver) -> None:
    """Rebinding: the second answer would lead elsewhere, but nobody asks a second time."""
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    names = Names(["127.0.0.1"], ["10.255.255.1"])
    sender = channel(LOOPBACK, resolver=names)
    await sender.send(message(f"http://plant.example:{port}/hook"), nothing)
    assert names.asked == 1
    assert receiver.kept[0][0]["host"] == f"plant.example:{port}"
    with pytest.raises(PermanentDeliveryError):
        await sender.send(message(f"http://plant.example:{port}/hook"), nothing)
    await sender.close()


async def test_a_host_without_a_key_gets_nothing(receiver: Receiver) -> None:
    sender = channel(keys={})
    with pytest.raises(PermanentDeliveryError) as refused:
        await sender.send(message(receiver.url), nothing)
    assert refused.value.code == "no-key"
    assert not receiver.kept
    await sender.close()


@pytest.mark.parametrize("keys", [[], ["whsec_c2hvcnQ="], ["not base64!"], KEYS + KEYS[:1]])
async def test_bad_keys_are_refused_at_the_start(keys: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        channel(keys={"plant.example": keys})
    assert "plant.example" in str(refused.value)
    assert not any(key in str(refused.value) for key in keys)


async def test_too_large_a_payload_is_refused(receiver: Receiver) -> None:
    sender = channel()
    with pytest.raises(PermanentDeliveryError):
        await sender.send(message(receiver.url, b"x" * 20_001), nothing)
    await sender.close()


async def test_an_exercise_goes_to_the_sandbox_whatever_the_registry_says(sandbox: Sandbox) -> None:
    target = f"{sandbox.addresses.sms_base_url}/sandbox/webhook"
    sender = channel(instead=target, instead_key=WEBHOOK_KEY)
    for _ in range(2):
        await sender.send(message("https://plant.example/hook"), nothing)
    await sender.close()
    assert len(sandbox.partner.taken) == 1


def test_a_payload_says_what_it_is_and_is_always_the_same() -> None:
    exercise, actual = notice("request"), notice("request", exercise=False)
    assert isinstance(actual, ActualNotice)
    first = payload(exercise, "d1", "https://x.example/a")
    assert first == payload(exercise, "d1", "https://x.example/a")
    assert first.kind == "airshed.exercise.request"
    assert payload(actual, "d1", "").kind == "airshed.request"
    read = json.loads(first.body)
    assert read["type"] == "airshed.exercise.request"
    assert read["data"]["mode"] == "exercise"
    assert read["data"]["provinces"][0]["code"] == "01"


async def test_a_plants_own_system_gets_the_request_once(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """From the registry's column to the partner's door, with the link that answers."""
    registry = tmp_path / "facilities.csv"
    registry.write_text(
        "facility_id,name,kind,province,lat,lon,language,email,phone,webhook\n"
        "F1,Xi măng,cement,01,21,105.8,vi,plant@example.org,,https://plant.example/hook\n"
        "F2,Thép,steel,01,21,105.8,vi,steel@example.org,,javascript:alert(1)\n",
        encoding="utf-8",
    )
    with sqlite_engine.begin() as connection:
        report = import_facilities(connection, registry, VAULT, RULES)
    assert report.accepted == 2
    assert [warning.field for warning in report.warnings] == ["webhook"]
    planned(sqlite_engine, notice("request", recipients="facilities"))
    target = f"{sandbox.addresses.sms_base_url}/sandbox/webhook"
    hooks = channel(instead=target, instead_key=WEBHOOK_KEY)
    async with dispatching(sqlite_engine, [hooks, email_channel(sandbox.addresses)]) as dispatcher:
        await dispatcher.drain(5)
    [taken] = sandbox.partner.taken.values()
    data = json.loads(taken.body)["data"]
    assert data["answer"].startswith(LINKS.public_url)
    rows = {(d.recipient, d.channel): (d.state, d.reason) for d in found(sqlite_engine)}
    assert rows["F1", "webhook"] == ("sent", "accepted")
    assert ("F2", "webhook") not in rows
    assert "plant.example" not in (tmp_path / "airshed.db").read_bytes().decode("latin-1")
