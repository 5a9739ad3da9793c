"""Feeds over HTTP against local servers that behave like the real ones: paging, limits, tags, revisions, hostility."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from streams.clock import ManualClock
from streams.errors import RefusedFeedError, UnreachableFeedError
from streams.schemas import STATUSES
from streams.sources import web as web_module
from streams.sources.arrivals import Arrival
from streams.sources.dated_files import Calendar, DatedFiles, Snapshot
from streams.sources.openaq_api import Access, OpenAq, paced
from streams.sources.pacing import Pace, TokenBucket
from streams.sources.polling import Look
from streams.sources.web import GuardedResolver, Web, is_allowed, retry_after_s
from tests.streams.feed_samples import FEEDS, READER, REGISTRY, at, values
from tests.streams.web_server import Site, site

NOW_S = at("2026-01-12T08:20:00")


async def looked(feed: Look, *, acknowledge: bool = True) -> list[Arrival]:
    arrivals = []
    async for arrival in feed.look():
        arrivals.append(arrival)
        if acknowledge:
            arrival.acknowledge()
    return arrivals


class OpenAqServer:
    """Two locations with one sensor each, hourly values, and the API's limit of requests a minute."""

    def __init__(self, clock: ManualClock, hours: int, per_minute: int = 60) -> None:
        self.clock, self.hours, self.per_minute = clock, hours, per_minute
        self.uses: list[float] = []
        self.latest = hours

    async def __call__(self, request: web.Request) -> web.Response:
        if request.headers.get("X-API-Key") != "key":
            return web.json_response({"detail": "invalid"}, status=401)
        now_s = self.clock.now_s()
        self.uses = [use for use in self.uses if now_s - use < 60.0] + [now_s]
        if len(self.uses) > self.per_minute:
            return web.json_response({}, status=429, headers={"Retry-After": "17"})
        match request.path.split("/")[2:]:
            case ["locations", location]:
                names = [(f"{location}1", "pm25"), (f"{location}9", "temperature")]
                sensors = [{"id": int(number), "parameter": {"id": 2, "name": name}} for number, name in names]
                return web.json_response({"results": [{"id": int(location), "sensors": sensors}]})
            case ["locations", location, "latest"]:
                newest = {"datetime": {"utc": self.end(self.latest)}, "value": 1.0, "sensorsId": int(f"{location}1")}
                return web.json_response({"meta": {"found": 1}, "results": [newest]})
            case ["sensors", _, "measurements"]:
                return web.json_response({"results": self.page(request)})
        return web.json_response({}, status=404)

    def end(self, hour: int) -> str:
        return (datetime(2026, 1, 11, tzinfo=UTC) + timedelta(hours=hour)).isoformat().replace("+00:00", "Z")

    def page(self, request: web.Request) -> list[object]:
        begin = datetime.fromisoformat(request.query["datetime_from"])
        limit, number = int(request.query["limit"]), int(request.query["page"])
        sample = json.loads((FEEDS / "openaq_page.json").read_text(encoding="utf-8"))["results"][0]
        hours = [h for h in range(1, self.latest + 1) if datetime.fromisoformat(self.end(h)) > begin]
        return [
            {**sample, "value": float(hour), "period": {**sample["period"], "datetimeTo": {"utc": self.end(hour)}}}
            for hour in hours[(number - 1) * limit : number * limit]
        ]


def openaq(served: Site, clock: ManualClock, state: dict[str, bytes], pace: Pace | None = None) -> OpenAq:
    access = Access(
        web=Web(network="private", headers={"X-API-Key": "key"}), pace=pace or Pace([]), base_url=f"{served.url}/v3"
    )
    return OpenAq("openaq", access, REGISTRY, state, clock, page=10)


async def test_openaq_pages_to_the_end_and_resumes_where_it_stopped() -> None:
    clock, state = ManualClock(NOW_S), dict[str, bytes]()
    server = OpenAqServer(clock, hours=25)
    async with site(server) as served:
        arrivals = await looked(openaq(served, clock, state))
        assert [len(arrival.loaded.batch) for arrival in arrivals] == [10, 10, 5] * 2
        found = [value for arrival in arrivals for value in values(arrival.loaded)]
        assert {station for station, *_ in found} == {"openaq-7001", "openaq-7002"}
        assert max(time_s for _, _, time_s, *_ in found) == at("2026-01-12T01:00:00")
        # Nothing new: one request per location says so, in a new process too.
        served.asked.clear()
        assert await looked(openaq(served, clock, state)) == []
        assert served.asked == [f"/v3/locations/700{n}/latest?limit=10" for n in (1, 2)]
        server.latest = 27
        (first, _) = await looked(openaq(served, clock, state))
        assert [value for _, _, _, _, value, _ in values(first.loaded)][-2:] == [26.0, 27.0]
        assert len(first.loaded.batch) == 2 + 6  # what is asked for twice because providers publish out of order


async def test_openaq_after_a_crash_asks_for_what_was_not_taken_in() -> None:
    clock, state = ManualClock(NOW_S), dict[str, bytes]()
    async with site(OpenAqServer(clock, hours=25)) as served:
        await looked(openaq(served, clock, state), acknowledge=False)
        again = await looked(openaq(served, clock, state))
    assert sum(len(arrival.loaded.batch) for arrival in again) == 50


async def test_openaq_limits_are_kept_and_a_429_is_obeyed() -> None:
    clock = ManualClock(NOW_S)

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    server = OpenAqServer(clock, hours=300)
    async with site(server) as served:
        pace = Pace([TokenBucket(60, 60.0, clock, 30)], sleep)
        feed = openaq(served, clock, {}, pace)
        feed._back_s = 20 * 86_400.0
        arrivals = await looked(feed)  # 2 x (2 + 31) requests: more than a minute allows
        assert sum(len(arrival.loaded.batch) for arrival in arrivals) == 600
        server.per_minute, server.uses = 0, []
        with pytest.raises(UnreachableFeedError) as caught:
            await looked(openaq(served, clock, {}))
    assert (caught.value.reason, caught.value.wait_s) == ("rate-limit", 17.0)


def test_the_limits_of_the_api_are_those_it_states() -> None:
    clock = ManualClock()
    assert [bucket._rate for bucket in paced(clock)._buckets] == [0.5, 1000 / 3600]


async def test_openaq_with_a_wrong_key_says_so_and_not_the_key() -> None:
    clock = ManualClock(NOW_S)
    async with site(OpenAqServer(clock, hours=1)) as served:
        access = Access(
            web=Web(network="private", headers={"X-API-Key": "planted"}), pace=Pace([]), base_url=served.url
        )
        with pytest.raises(RefusedFeedError) as caught:
            await looked(OpenAq("openaq", access, REGISTRY, {}, clock))
    assert caught.value.reason == "key"
    assert "planted" not in f"{caught.value}{caught.value.remedy}"


class Bucket:
    """Files with tags, as object stores serve them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.sent = 0

    async def __call__(self, request: web.Request) -> web.Response:
        data = self.files.get(request.path)
        if data is None:
            return web.Response(status=404)
        tag = f'"{hash(data)}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        self.sent += 1
        return web.Response(body=data, headers={"ETag": tag})


def airnow(served: Site, clock: ManualClock, state: dict[str, bytes]) -> DatedFiles:
    url = f"{served.url}/%Y/%Y%m%d/HourlyData_%Y%m%d%H.dat"
    calendar = Calendar(url=url, step_s=3600, back_s=48 * 3600)
    return DatedFiles("airnow", calendar, Web(network="private"), READER, state, clock)


async def test_airnow_files_are_watched_for_48_hours_and_only_changes_come_again() -> None:
    clock, state, bucket = ManualClock(NOW_S), dict[str, bytes](), Bucket()
    path = "/2026/20260112/HourlyData_2026011205.dat"
    bucket.files[path] = (FEEDS / "HourlyData_2026011205.dat").read_bytes()
    async with site(bucket) as served:
        (arrival,) = await looked(airnow(served, clock, state))
        assert len(arrival.loaded.batch) == 5
        assert len(served.asked) == 49
        assert await looked(airnow(served, clock, state)) == []
        assert bucket.sent == 1  # unchanged files are not sent again
        bucket.files[path] = bucket.files[path].replace(b"|12.4|", b"|13.9|")
        (arrival,) = await looked(airnow(served, clock, state))
        ((station, pollutant, _, _, value, status),) = values(arrival.loaded)
        assert (station, pollutant, value, status) == ("airnow-000051301", "pm25", 13.9, "revised")
        clock.advance(60 * 3600)  # no longer watched, no longer remembered
        await looked(airnow(served, clock, state))
        assert state == {}


async def test_a_revision_that_was_not_taken_in_comes_again_as_one() -> None:
    clock, state, bucket = ManualClock(NOW_S), dict[str, bytes](), Bucket()
    path = "/2026/20260112/HourlyData_2026011205.dat"
    bucket.files[path] = (FEEDS / "HourlyData_2026011205.dat").read_bytes()
    async with site(bucket) as served:
        await looked(airnow(served, clock, state))
        bucket.files[path] = bucket.files[path].replace(b"|12.4|", b"|13.9|")
        for _ in range(2):
            (arrival,) = await looked(airnow(served, clock, state), acknowledge=False)
            assert [STATUSES[s] for s in arrival.loaded.batch.status.tolist()] == ["revised"]


async def test_one_file_per_day_and_station() -> None:
    clock = ManualClock(NOW_S)
    calendar = Calendar(url="https://h/{station}/%Y%m%d.csv", step_s=86_400, back_s=86_400, stations=["7001", "7002"])
    assert list(calendar.urls(clock.now_s())) == [
        f"https://h/{station}/202601{day}.csv" for day in (11, 12) for station in (7001, 7002)
    ]


async def test_sensor_community_is_a_snapshot_of_the_present() -> None:
    state, bucket = dict[str, bytes](), Bucket()
    bucket.files["/data.json"] = (FEEDS / "sensor_community.json").read_bytes()
    async with site(bucket) as served:
        feed = Snapshot("sc", f"{served.url}/data.json", Web(network="private"), READER, state)
        (arrival,) = await looked(feed)
        assert len(arrival.loaded.batch) == 6
        assert await looked(feed) == []
        # The next value within the same five minutes is no revision; the first of the next five minutes is news.
        bucket.files["/data.json"] = bucket.files["/data.json"].replace(b"61.30", b"71.30")
        assert await looked(feed) == []
        bucket.files["/data.json"] = bucket.files["/data.json"].replace(b"05:03:20", b"05:11:50")
        (arrival,) = await looked(feed)
        assert len(arrival.loaded.batch) == 4


@pytest.mark.parametrize(
    ("status", "headers", "error", "reason"),
    [
        (500, {}, UnreachableFeedError, "http-500"),
        (503, {"Retry-After": "20"}, UnreachableFeedError, "http-503"),
        (403, {}, RefusedFeedError, "key"),
        (302, {"Location": "http://169.254.169.254/latest/meta-data"}, RefusedFeedError, "redirect"),
        (410, {}, RefusedFeedError, "http-410"),
    ],
)
async def test_answers_that_are_none(status: int, headers: dict[str, str], error: type, reason: str) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    async with site(handler) as served:
        feed = Snapshot("sc", f"{served.url}/data.json?key=planted", Web(network="private"), READER, {})
        with pytest.raises(error) as caught:
            await looked(feed)
        assert len(served.asked) == 1  # a redirect is not followed
    assert caught.value.reason == reason
    assert "planted" not in str(caught.value)


async def test_a_body_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_module, "MOST_BYTES", 100_000)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(bytes(10_000))
        return response

    async with site(endless) as served:
        with pytest.raises(RefusedFeedError, match="more than"):
            await looked(Snapshot("sc", served.url, Web(network="private"), READER, {}))


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    async def silent(_: web.Request) -> web.Response:
        import asyncio

        await asyncio.sleep(30)
        return web.Response()

    async with site(silent) as served:
        with pytest.raises(UnreachableFeedError) as caught:
            await looked(Snapshot("sc", served.url, Web(network="private", timeout_s=0.2), READER, {}))
    assert caught.value.reason == "timeout"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.8/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://0.0.0.0/x",
        "http://localhost/x",
    ],
)
async def test_a_public_source_does_not_talk_to_addresses_inside(url: str) -> None:
    with pytest.raises(RefusedFeedError) as caught:
        await looked(Snapshot("sc", url, Web(), READER, {}))
    assert caught.value.reason == "forbidden-address"
    assert "private" in caught.value.remedy


async def test_a_name_that_leads_inside_is_refused_and_the_checked_address_is_used() -> None:
    class Rebinding(AbstractResolver):
        """Public at the first question, inside at the next."""

        answers = ("93.184.216.34", "127.0.0.1")

        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list:  # type: ignore[type-arg,override]
            address, type(self).answers = self.answers[0], self.answers[1:]
            return [{"hostname": host, "host": address, "port": port, "family": 2, "proto": 0, "flags": 0}]

        async def close(self) -> None: ...

    guarded = GuardedResolver("public", Rebinding())
    assert [found["host"] for found in await guarded.resolve("feed.example", 80)] == ["93.184.216.34"]
    with pytest.raises(OSError, match="not on the public network"):
        await guarded.resolve("feed.example", 80)


def test_addresses_and_waits() -> None:
    assert is_allowed("8.8.8.8", "public")
    assert not is_allowed("fe80::1%eth0", "public")
    assert is_allowed("192.168.1.4", "private")
    assert [retry_after_s(text) for text in ("17", "", "soon", "999999", "-1")] == [17.0, 0.0, 0.0, 3600.0, 0.0]
