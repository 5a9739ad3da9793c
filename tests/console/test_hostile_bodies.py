"""Hostile requests at every door that the public can reach, over real HTTP: refused, and the next visitor is served.

The client writes its body piece by piece, so that what is measured is the memory of the server.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from sqlalchemy import Engine

from airshed.service import listening_socket, serving, url_of
from notifiers.signups import Limits
from notifiers.tables import acknowledgements, confirmations, subscribers
from rules.notices import Notice, delivery_id
from streams.clock import ManualClock
from tests.console.test_people import FORM, number_of, pages
from tests.notifiers.samples import LINKS

SIZE = 10_000_000
PIECE = b"x" * 50_000
MOST_BYTES = 4_000_000
"""Of memory for one hostile request, with some pieces of it in every buffer between client and server."""
Body = AsyncIterator[bytes]


async def filled(begin: bytes, end: bytes = b"") -> Body:
    """``begin``, ten megabytes, ``end``."""
    yield begin
    for _ in range(SIZE // len(PIECE)):
        yield PIECE
    yield end


PART = b'--B\r\nContent-Disposition: form-data; name="label_1"'
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=B"
FIELDS = "&".join(f"{name}={value}" for name, value in FORM.items() if "label" not in name).replace(" ", "%20").encode()
SHAPES: dict[str, tuple[str, Callable[[], Body]]] = {
    "a field": (URLENCODED, lambda: filled(FIELDS + b"&label_1=")),
    "a field's name": (URLENCODED, lambda: filled(FIELDS + b"&", b"=1")),
    "many fields": (URLENCODED, lambda: filled(FIELDS + b"&a=&b=" * 5_000)),
    "a part": (MULTIPART, lambda: filled(PART + b"\r\n\r\n", b"\r\n--B--\r\n")),
    "a file": (MULTIPART, lambda: filled(PART + b'; filename="a.txt"\r\n\r\n', b"\r\n--B--\r\n")),
    "a part's head": (MULTIPART, lambda: filled(PART + b"; filename=", b"\r\n\r\n1\r\n--B--\r\n")),
    "JSON": ("application/json", lambda: filled(b'{"label_1": "', b'"}')),
    "no type": ("application/octet-stream", lambda: filled(b"")),
}
WEBHOOKS = ["/webhooks/sms/status", "/webhooks/sms/inbound", "/webhooks/voice/status", "/webhooks/voice/digit"]


@asynccontextmanager
async def visited(engine: Engine, clock: ManualClock) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """The pages and webhooks behind the server that `airshed console` and `airshed up` run."""
    listener = listening_socket("127.0.0.1", 0)
    app = pages(engine, clock, Limits())
    url = url_of(listener)
    async with serving(app, listener), aiohttp.ClientSession(url) as visitor:
        yield visitor, url


async def status_of(visitor: aiohttp.ClientSession, path: str, shape: str, *, length: bool) -> int:
    """What is answered; 413 too where the server hangs up on the rest of the body before the answer can be read."""
    kind, body = SHAPES[shape]
    headers = {"Content-Type": kind} | ({"Content-Length": str(await length_of(body()))} if length else {})
    try:
        async with visitor.post(path, data=body(), headers=headers, allow_redirects=False) as answer:
            assert len(await answer.read()) < 40_000
            return answer.status
    except aiohttp.ClientConnectionError:
        return 413


async def length_of(body: Body) -> int:
    return sum([len(piece) async for piece in body])


@pytest.mark.parametrize("length", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_ten_megabytes_are_refused_at_every_door(
    engine: Engine, clock: ManualClock, request_notice: Notice, shape: str, length: bool
) -> None:
    answering = LINKS.token(delivery_id(request_notice.id, "F000", "email"), "acknowledge")
    unsubscribing = LINKS.unsubscribe("S0000", "email").removeprefix(LINKS.public_url)
    doors = ["/signup", "/h", "/c/any", unsubscribing, f"/a/{answering}", *WEBHOOKS]
    before = [number_of(engine, table) for table in (subscribers, confirmations, acknowledgements)]
    form = SHAPES[shape][0] in (URLENCODED, MULTIPART)
    async with visited(engine, clock) as (visitor, _):
        assert (await visitor.get("/signup")).status == 200  # whatever is loaded at the first request
        for door in doors:
            tracemalloc.start()
            status = await status_of(visitor, door, shape, length=length)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            if form or door in WEBHOOKS:
                assert status == 413, door
            else:
                assert status in (400, 404, 422, 200), f"{door}: no form, so nothing of it is looked at"
            assert peak < MOST_BYTES, door
        after = [number_of(engine, table) for table in (subscribers, confirmations, acknowledgements)]
        assert after == before
        served: Any = await visitor.post("/signup", data=FORM)
        assert served.status == 200, "the next visitor is served"
    assert number_of(engine, confirmations) == before[1] + 1


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("email", "x@example.org\r\nBcc: everybody@example.org"),
        ("email", "=cmd|' /C calc'!A0"),
        ("email", "{{ 7*7 }}@example.org"),
        ("phone", "+33 6 12 34 56 78"),
        ("phone", "+1 202 555 0143"),
        ("phone", "{{ 7*7 }}"),
        ("phone", "x" * 50_000),
        ("province_1", "01\u202e\r\nSet-Cookie: a=b"),
        ("province_1", "=cmd|' /C calc'!A0"),
        ("commune_1", "{{ ''.__class__ }}"),
        ("language", "en\r\nLocation: https://example.org"),
        ("lang", "en\r\nSet-Cookie: a=b"),
        ("level", "{{ 7*7 }}"),
    ],
)
async def test_what_is_hostile_in_a_form_is_refused_or_is_text(
    engine: Engine, clock: ManualClock, field: str, typed: str
) -> None:
    before = number_of(engine, confirmations)
    async with (
        visited(engine, clock) as (visitor, _),
        visitor.post("/signup", data=FORM | {field: typed}, allow_redirects=False) as answer,
    ):
        text, status, headers = await answer.text(), answer.status, answer.headers
    assert "Set-Cookie" not in headers
    assert ">49<" not in text
    assert len(text) < 40_000
    if field == "lang":  # only says in which language the page is; an unknown one is the default
        assert (status, headers["Location"].endswith(("?lang=vi", "?lang=en"))) == (303, True)
    else:
        assert (status, number_of(engine, confirmations)) == (422, before)
        assert "Location" not in headers


async def test_a_body_that_never_comes_keeps_nobody_waiting(engine: Engine, clock: ManualClock) -> None:
    async with visited(engine, clock) as (visitor, url):
        where = urlsplit(url)
        _, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(b"POST /signup HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nphone=")
        await writer.drain()
        async with asyncio.timeout(5):
            assert (await visitor.post("/signup", data=FORM)).status == 200
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
