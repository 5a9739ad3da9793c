"""A source of which most cannot be used is stopped alone, and nothing of what stopped it is acknowledged."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

from streams.batches import ReadingBatch
from streams.rejection_limits import RejectionLimits
from streams.schemas import Rejected
from streams.sources.arrivals import Arrival, Loaded
from streams.sources.guarded import Guarded
from tests.streams.samples import batch


class RejectingFeed:
    """Hands over arrivals of (usable, rejected) readings and notes what was acknowledged."""

    name = "feed"

    def __init__(self, *arrivals: tuple[int, int]) -> None:
        self._arrivals = arrivals
        self.acknowledged: list[str] = []

    def progress_s(self) -> float:
        return 1000.0

    async def arrivals(self) -> AsyncIterator[Arrival]:
        for number, (good, bad) in enumerate(self._arrivals):
            place = f"file-{number}"
            rows = batch(*((0, 1768179600 + n * 300, 1.0) for n in range(good))) if good else ReadingBatch.empty()
            refused = [Rejected(reason="unknown-unit", message="unit ppx", place=place, raw=b"x")] * bad
            yield Arrival("feed", place, Loaded(rows, refused, 0), lambda place=place: self.acknowledged.append(place))


async def taken(source: Guarded) -> list[str]:
    places = []
    async for arrival in source.arrivals():
        arrival.acknowledge()
        places.append(arrival.place)
    return places


def limits() -> RejectionLimits:
    return RejectionLimits(ratio=0.5, run=10, window=20)


async def test_a_feed_with_a_few_bad_lines_runs_on() -> None:
    source = Guarded(RejectingFeed((9, 1), (9, 1), (0, 5), (9, 1), (9, 0)), limits())
    assert len(await taken(source)) == 5
    assert (source.stopped, source.progress_s()) == ("", 1000.0)


async def test_ten_in_a_row_stop_it_and_leave_the_rest_unacknowledged() -> None:
    feed = RejectingFeed((9, 0), (0, 6), (0, 6), (9, 0))
    source = Guarded(feed, limits())
    assert await taken(source) == ["file-0", "file-1"]
    assert feed.acknowledged == ["file-0", "file-1"]
    assert source.stopped.startswith("too-many-rejected-in-a-row; the latest, in file-2: unit ppx")
    assert source.progress_s() == math.inf, "it holds back nobody's marks"


async def test_more_than_half_of_a_window_stops_it() -> None:
    source = Guarded(RejectingFeed((4, 6), (4, 6), (9, 0)), limits())
    assert await taken(source) == ["file-0"]
    assert source.stopped.startswith("too-large-a-share-rejected")
