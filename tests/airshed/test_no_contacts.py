"""A whole episode with sign-up, stopping and erasing: no number and no address is anywhere in clear.

Searched are the database with its write-ahead log, everything that was exported (the contents of the Kafka topics are
the same), every log record before it is redacted, and the metrics. Not searched: the registry files that were given,
and the sandbox, which plays the provider and the recipients.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from prometheus_client import generate_latest
from sqlalchemy import Engine

from airshed.demonstration import Demonstration
from airshed.local.runtime import LocalRuntime
from airshed.messaging import Messaging
from rules.loading import load_pack
from streams.sources.scenario_library import scenario_named
from streams.sources.simulation import simulate

NUMBER, ADDRESS = "0987654321", "a.person.who.signed.up@mail.example.org"
FORM = {
    "phone": NUMBER, "email": ADDRESS, "province_1": "01", "position_1": "21.03, 105.85", "radius_1": "5", "level": "1",
    "language": "en", "sensitive": "yes", "consent": "yes",
}  # fmt: skip
GIVEN = ("subscribers.csv", "facilities.csv")
PROVIDERS_LOGS = ("mail.log", "mail.debug", "aiohttp.access", "uvicorn.access")
"""What the sandbox's servers and an access log would say; an installation turns the latter off (airshed/service.py)."""


@dataclass
class Visited(Demonstration):
    """The demonstration, visited by somebody who signs up before it and leaves after it.

    Attributes:
        url: where the pages are.
        steps: what the pages answered.
        kept: every file of the installation as it was with the database still open.
    """

    url: str = ""
    steps: list[int] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)

    async def _play(self, runtime: LocalRuntime, notifying: Messaging, redraw: Any) -> None:
        async with aiohttp.ClientSession(self.url) as visitor:
            page = await self._posted(visitor, "/signup", FORM)
            await notifying.dispatcher.drain()
            await self._posted(visitor, page, {"channel": "sms", "code": "0"})
            for channel, code in _codes(notifying).items():
                await self._posted(visitor, page, {"channel": channel, "code": code})
            await super()._play(runtime, notifying, redraw)
            page = await self._posted(visitor, "/h", {"contact": ADDRESS})
            await notifying.dispatcher.drain()
            await self._posted(visitor, page, {"action": "stop", "code": _codes(notifying)["email"]})
            page = await self._posted(visitor, "/h", {"contact": NUMBER})
            await notifying.dispatcher.drain()
            await self._posted(visitor, page, {"action": "erase", "code": _codes(notifying)["sms"]})

    async def _posted(self, visitor: aiohttp.ClientSession, path: str, form: dict[str, str]) -> str:
        async with visitor.post(path, data={"lang": "en"} | form) as answer:
            self.steps.append(answer.status)
            return str(answer.url.relative())

    def _finish(self, engine: Engine, notifying: Messaging, redraw: Any) -> None:
        super()._finish(engine, notifying, redraw)
        self.kept = {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


def _codes(notifying: Messaging) -> dict[str, str]:
    """The code that came last, by channel."""
    assert notifying.sandbox is not None
    texts = [message.body for message in notifying.sandbox.phone.messages.values() if message.to.endswith(NUMBER[1:])]
    mails = [str(mail.message["Subject"]) for mail in notifying.sandbox.mailbox.mails if mail.to == ADDRESS]
    found = {"sms": re.findall(r"\b\d{6}\b", " ".join(texts)), "email": re.findall(r"\b\d{6}\b", " ".join(mails))}
    return {channel: codes[-1] for channel, codes in found.items()}


def in_clear(content: bytes, numbers: set[str], addresses: set[str]) -> set[str]:
    """The contacts that stand in some bytes: numbers in national or international form, addresses in any case."""
    runs = {run.decode() for run in re.findall(rb"\d{9,13}", content)}
    seen = {run.removeprefix("84").removeprefix("0") for run in runs} & numbers
    words = {word.decode().lower() for word in re.findall(rb"[\w.+-]+@[\w.-]*\w", content)}
    return seen | (words & addresses)


def planted(rows: Iterable[dict[str, Any]]) -> tuple[set[str], set[str]]:
    everybody = [*rows, {"phone": NUMBER, "email": ADDRESS}]
    numbers = {
        re.sub(r"\D", "", row["phone"]).removeprefix("84").removeprefix("0") for row in everybody if row["phone"]
    }
    return numbers, {row["email"].lower() for row in everybody if row["email"]}


@pytest.mark.slow
async def test_no_contact_is_in_clear_after_a_whole_episode(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    simulation = simulate(2026, scenario_named("stagnation"))
    run = Visited(simulation, load_pack("vietnam-2026"), tmp_path / "demo", speed=0.0)
    run.folder.mkdir()
    with structlog.testing.capture_logs() as events:  # as they are before anything is redacted
        story = await run.run(lambda url: setattr(run, "url", url.removesuffix("/metrics")), lambda: None)

    assert run.steps == [200, 422, 200, 200, 200, 200, 200, 200], "signed up, confirmed both, stopped one, erased"
    assert story.deliveries[("sms", "delivered")] > 100, "people were warned meanwhile"
    numbers, addresses = planted([*simulation.subscribers, *simulation.facilities])
    received = b"".join(content for name, content in run.kept.items() if name.startswith("sandbox"))
    assert len(in_clear(received, numbers, addresses)) > 150, "the search finds what is there"

    records = [record for record in caplog.records if record.name not in PROVIDERS_LOGS]
    places = {
        name: content for name, content in run.kept.items() if not name.startswith("sandbox") and name not in GIVEN
    }
    assert {"airshed.sqlite", "deliveries.jsonl", "notices.jsonl"} <= set(places)
    assert any(name.endswith("-wal") for name in places), "the write-ahead log is searched too"
    places["logs of libraries"] = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in records).encode()
    places["logs"] = "\n".join(map(str, events)).encode()
    places["metrics"] = generate_latest()
    assert {name: found for name, content in places.items() if (found := in_clear(content, numbers, addresses))} == {}
