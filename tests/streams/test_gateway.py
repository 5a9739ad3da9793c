"""The gateway: one ordered sequence of batches and marks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.batches import ReadingBatch
from streams.clock import ManualClock, epoch_s, utc
from streams.gateway import AHEAD_S, Slice, live, refuse_ahead, replay, replay_arrivals, replay_chunks
from streams.schemas import Mark
from streams.sources.arrivals import Arrival, Loaded
from tests.streams.samples import batch, registry, rows_of

REGISTRY = registry("VN-A", "VN-B")
H = 3600
T = 1768179600  # a full hour


def told(items: Iterable[ReadingBatch | Mark]) -> list[str]:
    """The sequence as short texts: seconds after T of the rows, and of the marks."""
    return [
        f"mark {epoch_s(item.time) - T}" if isinstance(item, Mark) else f"rows {(item.time_s - T).tolist()}"
        for item in items
    ]


def at(*seconds: int) -> ReadingBatch:
    return batch(*((0, T + second, float(second)) for second in seconds))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), []),
        # The last step is decided.
        ((H,), ["rows [3600]", "mark 4200"]),
        ((300,), ["rows [300]", "mark 600", "mark 4200"]),
        # What ends in the lateness of an hour comes before that hour is closed.
        ((H, H + 600, H + 601), ["rows [3600, 4200]", "mark 4200", "rows [4201]", "mark 7800"]),
        # In any order; then by time.
        ((2 * H, H), ["rows [3600]", "mark 4200", "rows [7200]", "mark 7800"]),
        # A gap of days: a mark first, so no batch is more than a step ahead of it.
        ((H, 50 * H), ["rows [3600]", "mark 4200", "mark 177000", "rows [180000]", "mark 180600"]),
    ],
)
def test_replay_by_the_time_table(rows: tuple[int, ...], expected: list[str]) -> None:
    assert told(replay(at(*rows))) == expected


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (([], [H]), ["rows [3600]", "mark 4200"]),
        (([2 * H, H], [3 * H]), ["rows [3600]", "mark 4200", "rows [7200]", "mark 7800", "rows [10800]", "mark 11400"]),
        # Two chunks that meet within a step: one mark.
        (([H], [H + 600]), ["rows [3600]", "rows [4200]", "mark 4200", "mark 7800"]),
        # A chunk that reaches back: late, with the step at which the one before it ended.
        (([H, 3 * H], [2 * H, 4 * H]), ["rows [3600]", "mark 4200", "mark 7800", "rows [10800]", "rows [7200]",
                                        "mark 11400", "rows [14400]", "mark 15000"]),
    ],
)  # fmt: skip
def test_chunks_follow_each_other(chunks: tuple[list[int], ...], expected: list[str]) -> None:
    assert told(replay_chunks(at(*chunk) for chunk in chunks)) == expected


def test_marks_carry_the_gateway() -> None:
    *_, mark = replay(at(H), name="hanoi", of=3)
    assert mark == Mark(utc(T + H + 600), "hanoi", 3)


@given(st.lists(st.integers(0, 40 * H), max_size=40), st.sampled_from([0, 600, 5400]), st.sampled_from([H, 600]))
def test_replay_keeps_every_row_and_its_promises(seconds: list[int], lateness_s: int, step_s: int) -> None:
    rows = batch(*((0, T + second, float(number)) for number, second in enumerate(seconds)))
    items = list(replay(rows, step_s=step_s, lateness_s=lateness_s))
    batches = [item for item in items if isinstance(item, ReadingBatch)]
    kept = [row for one in batches for row in rows_of(one)]
    assert kept == sorted(rows_of(rows), key=lambda row: row[2] or 0)  # stable
    promised = -1
    for item in items:
        if isinstance(item, Mark):
            assert epoch_s(item.time) > promised
            promised = epoch_s(item.time)
        elif promised >= 0:
            assert item.time_s.min() > promised
            assert item.time_s.max() <= promised + step_s
    if seconds:
        assert isinstance(items[-1], Mark)
        assert promised >= -(-int(rows.time_s.max()) // step_s) * step_s + lateness_s


def test_arrivals_keep_their_order_and_their_lateness() -> None:
    slices = [Slice(T + 300, at(300)), Slice(T + 600, at(0)), Slice(T + 900, at(900)), Slice(T + 2500, at(2500))]
    assert told(replay_arrivals(slices)) == [
        "rows [300]",
        "rows [0]",  # came at 600, so before the mark of 600
        "mark 600",
        "rows [900]",
        "mark 1200",
        "mark 2400",
        "rows [2500]",
        "mark 3000",
        "mark 4200",
    ]


def test_an_empty_slice_still_moves_the_clock() -> None:
    assert told(replay_arrivals([Slice(T + 300, at(300)), Slice(T + 4000, at())])) == [
        "rows [300]",
        "mark 600",
        "mark 3600",
        "mark 4200",
    ]
    assert told(replay_arrivals([])) == []


def test_readings_from_the_future_are_refused_with_the_remedy() -> None:
    now_s = float(T)
    rows = at(-300, AHEAD_S, AHEAD_S + 1, 7 * H)
    kept, refused = refuse_ahead(rows, REGISTRY, now_s, place="VN-A_1.txt", source="ftp")
    assert (kept.time_s - T).tolist() == [-300, AHEAD_S]
    assert [(r.reason, r.place, r.source) for r in refused] == [("clock-ahead", "VN-A_1.txt", "ftp")] * 2
    assert "VN-A" in refused[0].message
    assert "zone" in refused[0].message or "UTC" in refused[0].message
    assert b'"value":601.0' in refused[0].raw


class Feed:
    """A source that hands over what it is given, and says it has got as far as it is told."""

    def __init__(self, name: str, progress_s: float) -> None:
        self.name = name
        self.queue: asyncio.Queue[ReadingBatch | Exception] = asyncio.Queue()
        self._progress_s = progress_s

    async def arrivals(self) -> AsyncIterator[Arrival]:
        while True:
            item = await self.queue.get()
            if isinstance(item, Exception):
                raise item
            yield Arrival(self.name, "here", Loaded(item, [], 0))

    def progress_s(self) -> float:
        return self._progress_s


async def test_live_merges_sources_and_marks_what_the_slowest_has_handed_over() -> None:
    clock = ManualClock(T + 1000.0)
    slow, fast = Feed("slow", T + 990.7), Feed("fast", T + 1000.0)
    fast.queue.put_nowait(at(900))
    slow.queue.put_nowait(at(300, 7 * H))
    items = live([slow, fast], REGISTRY, clock, mark_every_s=0.05, name="g", of=2)
    got = [await anext(items) for _ in range(3)]
    await items.aclose()  # type: ignore[attr-defined]
    by_name = {item.source: item for item in got if isinstance(item, Arrival)}
    assert (by_name["fast"].loaded.batch.time_s - T).tolist() == [900]
    assert (by_name["slow"].loaded.batch.time_s - T).tolist() == [300]
    assert [r.reason for r in by_name["slow"].loaded.rejected] == ["clock-ahead"]
    assert got[2] == Mark(utc(T + 990), "g", 2)


async def test_a_source_that_hangs_holds_the_marks_only_so_long() -> None:
    clock = ManualClock(T + 1000.0)
    items = live([Feed("hangs", 0.0)], REGISTRY, clock, mark_every_s=0.02, hold_s=300)
    assert await anext(items) == Mark(utc(T + 700), "gateway", 1)
    clock.advance(60)
    assert await anext(items) == Mark(utc(T + 760), "gateway", 1)
    await items.aclose()  # type: ignore[attr-defined]


async def test_a_clock_that_steps_back_takes_no_mark_back() -> None:
    clock = ManualClock(T + 1000.0)
    items = live([], REGISTRY, clock, mark_every_s=0.02)
    assert await anext(items) == Mark(utc(T + 1000), "gateway", 1)
    clock.set(T - 3600.0)
    waiting = asyncio.ensure_future(anext(items))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    clock.set(T + 1001.0)
    assert await waiting == Mark(utc(T + 1001), "gateway", 1)
    await items.aclose()  # type: ignore[attr-defined]


async def test_a_source_that_fails_is_not_silent() -> None:
    feed = Feed("fails", 0.0)
    feed.queue.put_nowait(RuntimeError("a defect"))
    with pytest.raises(RuntimeError, match="a defect"):
        await anext(live([feed], REGISTRY, ManualClock(float(T)), mark_every_s=60))


def test_rows_are_those_of_the_batch() -> None:
    rows = batch((1, T + 10, 1.0), (0, T + 5, 2.0))
    (first, _) = (item for item in replay(rows, lateness_s=0, step_s=H))
    assert isinstance(first, ReadingBatch)
    assert rows_of(first) == [rows_of(rows)[1], rows_of(rows)[0]]
    assert first.value.dtype == np.float64
