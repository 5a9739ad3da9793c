"""POST /api/readings: who may send what, how much, how often; and that 200 means durable."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from litestar import Litestar

from console.push import GUESSES_PER_MINUTE, ApiKeys, Limits, PushDesk, push_route, read_keys
from streams.clock import ManualClock
from streams.errors import ConfigurationError
from streams.rejects import MOST_RAW_BYTES
from streams.sources import push
from streams.sources.arrivals import Arrival
from streams.sources.push import MOST_BYTES, PushSource
from streams.stations import StationRegistry
from tests.streams.feed_samples import at, station

HANOI, HAI_PHONG = "Sở NN&MT Hà Nội", "Sở NN&MT Hải Phòng"
REGISTRY = StationRegistry([station("VN-A", agency=HANOI), station("VN-B", agency=HAI_PHONG)])
KEY, OTHER_KEY = "hanoi-key", "hai-phong-key"


def digest(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


KEYS = ApiKeys({HANOI: [digest("old"), digest(KEY)], HAI_PHONG: [digest(OTHER_KEY)]})
GOOD = {"station": "VN-A", "pollutant": "pm25", "value": 55.7, "unit": "ug/m3", "time": "2026-01-12T12:05:00+07:00"}


class Desk:
    """An application with the route, and a runtime that takes what comes in (or does not)."""

    def __init__(self, per_minute: float = 1000) -> None:
        self.clock = ManualClock(at("2026-01-12T05:06:00"))
        self.source = PushSource("push", self.clock)
        self.taken: list[Arrival] = []
        self.takes = True
        limits = Limits(self.clock, per_minute)
        desk = PushDesk(self.source, REGISTRY, KEYS, self.clock, limits)
        self.app = Litestar([push_route(desk)], openapi_config=None)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[httpx.AsyncClient]:
        async def run() -> None:
            async for arrival in self.source.arrivals():
                if self.takes:
                    self.taken.append(arrival)
                    arrival.acknowledge()
                    arrival.durable()

        transport = httpx.ASGITransport(app=self.app)  # on this loop, as `airshed up` serves it
        async with httpx.AsyncClient(transport=transport, base_url="http://airshed.test") as client:
            task = asyncio.create_task(run())
            yield client
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def sent(desk: Desk, body: Any, key: str = KEY, **headers: str) -> tuple[int, Any, dict[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with desk.served() as client:
        response = await client.post(
            "/api/readings", content=data, headers={"Authorization": f"Bearer {key}", **headers}
        )
        return response.status_code, response.json(), dict(response.headers)


async def test_every_item_is_answered() -> None:
    desk = Desk()
    items = [
        GOOD,
        {**GOOD, "station": "VN-B"},
        {**GOOD, "station": "VN-Z"},
        {**GOOD, "pollutant": "temp", "unit": "oC"},
        {**GOOD, "unit": "stones"},
        {**GOOD, "time": "2026-01-12T12:05:00"},
        {**GOOD, "time": "2026-01-12T12:05:00Z"},  # local time sent as UTC: seven hours ahead
        {"station": "VN-A"},
        {**GOOD, "value": None, "status": "fault"},
        17,
    ]
    status, answer, _ = await sent(desk, items)
    assert status == 200
    assert (answer["accepted"], answer["refused"], answer["unused"]) == (2, 7, 1)
    outcomes = [(item["item"], item.get("reason", item["outcome"])) for item in answer["items"]]
    assert outcomes == [
        (0, "accepted"),
        (1, "not-your-station"),
        (2, "unknown-station"),
        (3, "unused"),
        (4, "unknown-unit"),
        (5, "naive-time"),
        (6, "clock-ahead"),
        (7, "bad-reading"),
        (8, "accepted"),
        (9, "bad-reading"),
    ]
    for item in answer["items"]:
        assert item["outcome"] != "refused" or (item["message"] and item["remedy"])
    (arrival,) = desk.taken
    assert arrival.loaded.batch.station.tolist() == [0, 0]
    assert arrival.loaded.batch.time_s.tolist() == [at("2026-01-12T05:05:00")] * 2
    assert [refused.place for refused in arrival.loaded.rejected] == [
        f"{HANOI}: item {n}" for n in (1, 2, 4, 5, 6, 7, 9)
    ]
    assert json.loads(arrival.loaded.rejected[2].raw)["unit"] == "stones"


async def test_one_object_and_gzip_are_taken_too() -> None:
    assert (await sent(Desk(), GOOD))[1]["accepted"] == 1
    assert (await sent(Desk(), gzip.compress(json.dumps([GOOD] * 3).encode(), mtime=0)))[1]["accepted"] == 3


async def test_both_keys_of_an_agency_hold_while_one_is_replaced() -> None:
    assert (await sent(Desk(), GOOD, key="old"))[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "bad-json"),
        (b"{", 400, "bad-json"),
        (b'[{"station": "VN-A"', 400, "bad-json"),
        (b"\xff\xfe", 400, "bad-json"),
        (gzip.compress(b"[]", mtime=0)[:-3], 400, "bad-gzip"),
        (b"\x1f\x8bnothing", 400, "bad-gzip"),
        (gzip.compress(b"[" + b" " * MOST_BYTES + b"]", mtime=0), 413, "too-large"),
        (json.dumps([0] * 20_001).encode(), 413, "too-large"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_whole(body: bytes, status: int, reason: str) -> None:
    desk = Desk()
    found, answer, _ = await sent(desk, body)
    assert (found, answer["reason"]) == (status, reason)
    assert answer["remedy"]
    assert desk.taken == []


async def test_a_body_above_the_limit_is_not_read() -> None:
    desk = Desk()
    assert (await sent(desk, b" " * (MOST_BYTES + 1)))[0] == 413
    assert desk.taken == []


@pytest.mark.parametrize("field", ["station", "pollutant", "unit", "time", "value", "status", "period", "source"])
@pytest.mark.parametrize("hostile", ["x" * 3_000_000, "=cmd|' /C calc'!A0\u202e\u200b\x00\r\n"], ids=["3 MB", "nasty"])
async def test_a_hostile_field_is_refused_in_few_words(field: str, hostile: str) -> None:
    """The message travels with the rejection through a topic that takes a megabyte."""
    desk = Desk()
    status, answer, _ = await sent(desk, [{**GOOD, field: hostile}, GOOD])
    if field == "source":  # is the sender's own name for it, which is not used
        assert (status, answer["accepted"]) == (200, 2)
        return
    assert (status, answer["accepted"], answer["refused"]) == (200, 1, 1)
    assert len(answer["items"][0]["message"]) < 300
    assert answer["items"][0]["message"].isprintable()
    (refused,) = desk.taken[0].loaded.rejected
    assert len(refused.message) < 300
    assert len(refused.raw) <= MOST_RAW_BYTES


async def test_no_key_a_wrong_key_and_guessing() -> None:
    desk = Desk()
    for _ in range(GUESSES_PER_MINUTE):
        status, answer, _ = await sent(desk, GOOD, key="guess")
        assert (status, answer["reason"]) == (401, "unknown-key")
    status, answer, headers = await sent(desk, GOOD, key="guess")
    assert (status, answer["reason"]) == (429, "too-often")
    assert int(headers["retry-after"]) == 6
    assert (await sent(desk, GOOD))[0] == 200  # from the same address, which may be a proxy's
    assert len(desk.taken) == 1
    desk.clock.advance(6)
    assert (await sent(desk, GOOD, key="guess"))[0] == 401


async def test_an_agency_may_not_ask_too_often() -> None:
    desk = Desk(per_minute=2)
    assert [(await sent(desk, GOOD))[0] for _ in range(3)] == [200, 200, 429]
    assert (await sent(desk, {**GOOD, "station": "VN-B"}, key=OTHER_KEY))[0] == 200  # the other agency is not touched
    desk.clock.advance(int((await sent(desk, GOOD))[2]["retry-after"]))
    assert (await sent(desk, GOOD))[0] == 200


async def test_200_is_said_only_when_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that dies before its transaction leaves the sender without a 200, so that it sends again."""
    monkeypatch.setattr(push.PushSource.hand_over, "__defaults__", (0.2,))
    desk = Desk()
    desk.takes = False
    status, answer, headers = await sent(desk, GOOD)
    assert (status, answer["reason"], headers["retry-after"]) == (503, "busy", "5")
    assert desk.source.progress_s() == desk.clock.now_s()
    desk.takes = True
    assert (await sent(desk, GOOD))[0] == 200


async def test_waiting_requests_are_bounded_and_hold_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "MOST_WAITING", 2)
    clock = ManualClock(1000.0)
    source = PushSource("push", clock)
    loaded = push.parse(b"[]", REGISTRY, push.Sender(agency=HANOI, now_s=0.0)).loaded
    waiting = [asyncio.create_task(source.hand_over(loaded, "", 5.0)) for _ in range(2)]
    await asyncio.sleep(0)
    clock.advance(30)
    assert source.progress_s() == 1000.0
    with pytest.raises(push.BusyError):
        await source.hand_over(loaded, "", 5.0)
    arrivals = source.arrivals()
    for _ in waiting:
        (await anext(arrivals)).durable()
    await asyncio.gather(*waiting)
    assert source.progress_s() == 1030.0


def test_keys_are_checked_when_they_are_read() -> None:
    text = f'"{HANOI}" = ["{digest(KEY)}"]\n'
    assert read_keys(text, REGISTRY, "keys.toml").agency_of(KEY) == HANOI
    assert read_keys(text, REGISTRY, "keys.toml").agency_of(digest(KEY)) is None  # the file is no key
    with pytest.raises(ConfigurationError) as caught:
        read_keys('"Nobody" = ["sha256:00"]\n', REGISTRY, "keys.toml")
    assert len(caught.value.problems) == 2
    assert HANOI in str(caught.value)


BODY = json.dumps([GOOD, {**GOOD, "pollutant": "pm10"}, {**GOOD, "value": 3}]).encode()


def test_no_damage_to_a_body_raises_or_invents_a_reading() -> None:
    """Cut or damaged JSON is refused whole (the sender holds it still); what stays JSON is judged item by item."""
    sender = push.Sender(agency=HANOI, now_s=at("2026-01-12T05:06:00"))
    damaged = [BODY[:length] for length in range(len(BODY))]
    damaged += [BODY[:n] + bytes([BODY[n] ^ (1 << bit)]) + BODY[n + 1 :] for n in range(len(BODY)) for bit in range(8)]
    for body in damaged:
        try:
            request = push.parse(body, REGISTRY, sender)
        except push.PushError as error:
            assert error.remedy
            continue
        assert len(request.verdicts) == len(request.loaded.batch) + len(request.loaded.rejected) + request.loaded.unused
        intact = sum(verdict.outcome == "accepted" for verdict in request.verdicts)
        assert intact >= 2 or len(request.verdicts) < 3
