"""Sources that are looked at: failures, back-off, silence, paces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from streams import metrics
from streams.batches import ReadingBatch
from streams.clock import ManualClock
from streams.errors import FeedError, RefusedFeedError, UnreachableFeedError
from streams.sources.arrivals import Arrival, Loaded
from streams.sources.memory import Part
from streams.sources.pacing import Pace, TokenBucket
from streams.sources.polling import LONGEST_WAIT_S, PolledSource
from streams.sources.silence import Listened
from tests.streams.samples import batch

SOME = Loaded(batch((0, 1000, 5.0)), [], 0)
NONE = Loaded(ReadingBatch.empty(), [], 0)


class Script:
    """A feed that does what it is told, look by look."""

    again_s = 0.0

    def __init__(self, *looks: Loaded | FeedError) -> None:
        self._looks = list(looks)

    async def look(self) -> AsyncIterator[Arrival]:
        if not self._looks:
            await asyncio.Event().wait()
        step = self._looks.pop(0)
        if isinstance(step, FeedError):
            raise step
        yield Arrival("script", "", step)


async def waits_of(clock: ManualClock, *looks: Loaded | FeedError, poll_s: float = 60.0) -> list[float]:
    """How long a source stays away after each look."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    source = PolledSource("script", Script(*looks), clock, poll_s=poll_s, sleep=sleep)

    async def run() -> None:
        async for _ in source.arrivals():
            pass

    task = asyncio.create_task(run())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return waits


def down(wait_s: float = 0.0) -> FeedError:
    return UnreachableFeedError("no connection", reason="unreachable", wait_s=wait_s)


async def test_a_failing_source_is_left_alone_ever_longer_but_not_for_ever() -> None:
    waits = await waits_of(ManualClock(), *[down() for _ in range(12)], SOME, down())
    assert waits[:5] == [5.0, 10.0, 20.0, 40.0, 80.0]
    assert waits[11] == LONGEST_WAIT_S
    assert waits[12:] == [60.0, 5.0]  # it spoke: from the beginning


async def test_the_other_side_decides_how_long_at_least() -> None:
    assert await waits_of(ManualClock(), down(wait_s=77.0)) == [77.0]


async def test_a_refused_login_is_not_tried_more_often_than_a_look_is_due() -> None:
    refused = RefusedFeedError("530", reason="login")
    assert await waits_of(ManualClock(), refused, refused) == [60.0, 60.0]


async def test_failures_are_counted_and_logged_with_the_remedy() -> None:
    before = metrics.value("airshed_source_failures_total", source="script", reason="login")
    with capture_logs() as logs:
        await waits_of(ManualClock(), RefusedFeedError("530", reason="login", remedy="check the password"))
    assert metrics.value("airshed_source_failures_total", source="script", reason="login") == before + 1
    assert [(log["event"], log["remedy"]) for log in logs] == [("source failed", "check the password")]


async def test_progress_is_held_while_a_look_is_under_way_only() -> None:
    clock = ManualClock(1000.0)
    going, entered = asyncio.Event(), asyncio.Event()

    class Slow(Script):
        async def look(self) -> AsyncIterator[Arrival]:
            entered.set()
            await going.wait()
            yield Arrival("slow", "", SOME)

    source = PolledSource("slow", Slow(), clock, poll_s=60.0, sleep=lambda _: asyncio.Event().wait())
    task = asyncio.create_task(anext(source.arrivals()))
    await entered.wait()
    clock.advance(50)
    assert source.progress_s() == 1000.0
    going.set()
    await task


class Quiet:
    """A live source that hands over what is put into its queue."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Arrival] = asyncio.Queue()

    name = "quiet"

    def progress_s(self) -> float:
        return 0.0

    async def arrivals(self) -> AsyncIterator[Arrival]:
        while True:
            yield await self.queue.get()


async def test_silence_is_said_once_and_ends_with_a_reading() -> None:
    clock, quiet = ManualClock(), Quiet()
    listened = Listened(quiet, clock, silent_after_s=3600.0, check_s=0.01)
    heard: list[Arrival] = []

    async def run() -> None:
        async for arrival in listened.arrivals():
            heard.append(arrival)  # noqa: PERF401 - the task is cancelled in the middle

    with capture_logs() as logs:
        task = asyncio.create_task(run())
        await asyncio.sleep(0.05)
        assert metrics.value("airshed_source_silent", source="quiet") == 0
        clock.advance(3601)
        quiet.queue.put_nowait(Arrival("quiet", "", NONE))  # nothing but rejections is silence too
        await asyncio.sleep(0.05)
        assert metrics.value("airshed_source_silent", source="quiet") == 1
        quiet.queue.put_nowait(Arrival("quiet", "", SOME))
        await asyncio.sleep(0.05)
        assert metrics.value("airshed_source_silent", source="quiet") == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [log["event"] for log in logs] == ["source silent", "source speaks again"]
    assert "agency" in logs[0]["remedy"]
    assert len(heard) == 2


async def test_a_defect_of_a_source_is_not_swallowed() -> None:
    class Broken(Quiet):
        async def arrivals(self) -> AsyncIterator[Arrival]:
            raise ZeroDivisionError
            yield

    with pytest.raises(ZeroDivisionError):
        await anext(Listened(Broken(), ManualClock()).arrivals())


async def test_no_window_of_a_minute_sees_more_than_the_limit() -> None:
    clock = ManualClock()

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    pace = Pace([TokenBucket(60, 60.0, clock, 30), TokenBucket(2000, 3600.0, clock, 1000)], sleep)
    uses: list[float] = []
    for _ in range(3000):
        await pace.turn()
        uses.append(clock.now_s())
    for start in range(0, len(uses), 7):
        assert sum(uses[start] <= use < uses[start] + 60.0 for use in uses[start : start + 70]) <= 60
    assert max(sum(1 for use in uses if begin <= use < begin + 3600.0) for begin in uses[::100]) <= 2000


def test_parts_of_a_state_do_not_see_each_other() -> None:
    whole: dict[str, bytes] = {"other": b"x"}
    first, second = Part(whole, "a/"), Part(whole, "b/")
    first["k"], second["k"] = b"1", b"2"
    assert (dict(first), dict(second), len(first)) == ({"k": b"1"}, {"k": b"2"}, 1)
    del first["k"]
    assert whole == {"other": b"x", "b/k": b"2"}
