"""A whole episode with sign-up, stopping and erasing: no number and no address is anywhere in clear.

Searched are the files of the database (SQLite's with its write-ahead log; PostgreSQL's tables, indices, write-ahead
log, and its own log, to which every statement goes with its parameters, so that what it compresses is seen as well),
everything that was exported (the contents of the Kafka topics are the same), every log record before it is redacted,
with its traceback, what was printed, and the metrics. Traces: nothing in Airshed makes any, which is held to as well.
Not searched: the registry files that were given, and the sandbox, which plays the provider and the recipients.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from prometheus_client import generate_latest
from sqlalchemy import Engine, text

from airshed.demonstration import Demonstration
from airshed.local.runtime import LocalRuntime
from airshed.messaging import Messaging
from notifiers.database import connect
from rules.loading import load_pack
from streams.sources.scenario_library import scenario_named
from streams.sources.simulation import simulate
from tests.conftest import missing
from tests.notifiers import postgres
from tests.notifiers.postgres import Server

NUMBER, ADDRESS = "0987654321", "a.person.who.signed.up@mail.example.org"
FORM = {
    "phone": NUMBER, "email": ADDRESS, "province_1": "01", "position_1": "21.03, 105.85", "radius_1": "5", "level": "1",
    "language": "en", "sensitive": "yes", "consent": "yes",
}  # fmt: skip
GIVEN = ("subscribers.csv", "facilities.csv")
TRACERS = ("opentelemetry", "opentracing", "ddtrace", "sentry_sdk")
PROVIDERS_LOGS = ("mail.log", "mail.debug", "aiohttp.access", "uvicorn.access")
"""What the sandbox's servers and an access log would say; an installation turns the latter off (airshed/service.py)."""


@dataclass
class Visited(Demonstration):
    """The demonstration, visited by somebody who signs up before it and leaves after it.

    Attributes:
        url: where the pages are.
        steps: what the pages answered.
        kept: every file of the installation as it was with the database still open.
        postgres: the server whose database is used; ``None`` = SQLite, as the demonstration does.
    """

    postgres: Server | None = None
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

    def _database(self) -> Engine:
        return super()._database() if self.postgres is None else connect(self.postgres.url)

    async def _posted(self, visitor: aiohttp.ClientSession, path: str, form: dict[str, str]) -> str:
        async with visitor.post(path, data={"lang": "en"} | form) as answer:
            self.steps.append(answer.status)
            return str(answer.url.relative())

    def _finish(self, engine: Engine, notifying: Messaging, redraw: Any) -> None:
        super()._finish(engine, notifying, redraw)
        self.kept = files_in(self.folder)
        if self.postgres is not None:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("CHECKPOINT"))  # what is in the server's memory comes to its files
            self.kept |= {f"postgres/{name}": content for name, content in files_in(self.postgres.folder).items()}


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _codes(notifying: Messaging) -> dict[str, str]:
    """The code that came last, by channel."""
    assert notifying.sandbox is not None
    texts = [message.body for message in notifying.sandbox.phone.messages.values() if message.to.endswith(NUMBER[1:])]
    mails = [str(mail.message["Subject"]) for mail in notifying.sandbox.mailbox.mails if mail.to == ADDRESS]
    found = {"sms": re.findall(r"\b\d{6}\b", " ".join(texts)), "email": re.findall(r"\b\d{6}\b", " ".join(mails))}
    return {channel: codes[-1] for channel, codes in found.items()}


def in_clear(content: bytes, numbers: set[str], addresses: set[str]) -> set[str]:
    """The contacts that stand in some bytes: numbers in national or international form, addresses in any case.

    In a file of a database there is nothing between two texts, so a contact may be glued to anything.
    """
    content = HEXADECIMAL.sub(lambda found: bytes.fromhex(found[1].decode()), content)
    seen = {run.decode() for run in re.findall(rb"(?<!\d)\d{9,10}(?!\d)", content)}
    seen |= {run[:length].decode() for run in re.findall(rb"(?=(?:84|0)(\d{9,10}))", content) for length in (9, 10)}
    domains = sorted({re.escape(address.rpartition("@")[2]) for address in addresses}, key=len, reverse=True)
    behind = re.compile(f"@(?:{'|'.join(domains)})".encode(), re.IGNORECASE)
    words = {content[max(at.start() - 80, 0) : at.end()].decode("latin-1").lower() for at in behind.finditer(content)}
    return (seen & numbers) | {address for address in addresses if any(word.endswith(address) for word in words)}


HEXADECIMAL = re.compile(rb"'\\x((?:[0-9a-f]{2})+)'")
"""How PostgreSQL's log writes bytes."""


def planted(rows: Iterable[dict[str, Any]]) -> tuple[set[str], set[str]]:
    everybody = [*rows, {"phone": NUMBER, "email": ADDRESS}]
    numbers = {
        re.sub(r"\D", "", row["phone"]).removeprefix("84").removeprefix("0") for row in everybody if row["phone"]
    }
    return numbers, {row["email"].lower() for row in everybody if row["email"]}


@pytest.mark.parametrize(
    "content",
    [
        b"+84987654321",
        b"call 0987654321 now",
        b"987654321",
        b"sms0987654321email",
        b"170101+849876543215",
        b"INSERT $1 = '\\x7b2b38343938373635343332317d'",
        b"A.Person.Who.Signed.Up@mail.example.org",
        b"\x00smsa.person.who.signed.up@mail.example.orgactive",
        b"x" * 1_000_000 + b"a.person.who.signed.up@mail.example.org",
    ],
)
def test_the_search_finds_what_stands_in_clear(content: bytes) -> None:
    number, address = NUMBER.removeprefix("0"), ADDRESS
    assert in_clear(content, {number, "912345678"}, {address, "another@mail.example.org"}) in ({number}, {address})
    assert in_clear(content[:-8] + b"z" * 8, {"912345678"}, {"another@mail.example.org"}) == set()


@contextmanager
def events_before_redaction() -> Iterator[list[Any]]:
    """What is logged through structlog, tracebacks written out, before anything is taken out of it."""
    former, capture = structlog.get_config(), structlog.testing.LogCapture()
    structlog.configure(processors=[structlog.processors.format_exc_info, capture])
    try:
        yield capture.entries
    finally:
        structlog.configure(**former)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> Iterator[Server | None]:
    """A PostgreSQL of its own whose files can be read, or none: then it is SQLite."""
    if request.param == "sqlite":
        yield None
        return
    folder = postgres.binaries()
    if folder is None:
        missing(request, "postgres", "no PostgreSQL here whose files could be searched: install it")
        return
    with postgres.server(folder, *postgres.STATEMENTS) as running:
        yield running


@pytest.mark.slow
async def test_no_contact_is_in_clear_after_a_whole_episode(
    server: Server | None, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    simulation = simulate(2026, scenario_named("stagnation"))
    run = Visited(simulation, load_pack("vietnam-2026"), tmp_path / "demo", speed=0.0, postgres=server)
    run.folder.mkdir()
    with events_before_redaction() as events:
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
    expected = {"airshed.sqlite", "airshed.sqlite-wal"} if server is None else set()
    assert {"deliveries.jsonl", "notices.jsonl", *expected} <= set(places)
    if server is not None:
        statements = b"".join(content for name, content in places.items() if name.startswith("postgres/log/"))
        assert statements.count(b"INSERT INTO ledger") > 10, "the server's log has what it was told"
        assert b"arameters: $1" in statements, "and with what"
        assert {name.split("/")[1] for name in places if name.startswith("postgres/")} >= {"base", "pg_wal", "log"}
    places["logs of libraries"] = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in records).encode()
    assert {"sign-up", "code"} <= {event["event"] for event in events}, "there are logs"
    places["logs"] = "\n".join(map(str, events)).encode()
    places["printed"] = "".join(capfd.readouterr()).encode()
    places["metrics"] = generate_latest()
    assert {name: found for name, content in places.items() if (found := in_clear(content, numbers, addresses))} == {}
    assert not {name for name in sys.modules if name.split(".")[0] in TRACERS}, "a tracer has to be searched too"
