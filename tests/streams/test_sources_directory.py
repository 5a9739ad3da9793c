"""A watched folder: growing, late, repeated, unreadable and renamed files."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streams.clock import Clock, ManualClock, SystemClock
from streams.errors import InputError
from streams.sources.arrivals import Arrival
from streams.sources.directory import StationDirectory
from streams.sources.files import FileReader, load_path
from streams.sources.names import StationNames
from tests.streams.drops import drop, line
from tests.streams.samples import registry

REGISTRY = registry("VN-A", "VN-B")
READER = FileReader(registry=REGISTRY, source="ftp")


def directory(
    folder: Path,
    state: dict[str, bytes] | None = None,
    clock: Clock | None = None,
    *,
    settle_s: float = 0.1,
) -> StationDirectory:
    state = {} if state is None else state
    return StationDirectory(folder, READER, state, clock or ManualClock(), settle_s=settle_s, poll_s=0.2)


def places(arrivals: list[Arrival]) -> list[str]:
    return [arrival.place for arrival in arrivals]


def test_files_of_an_outage_come_oldest_first_and_once(tmp_path: Path) -> None:
    state: dict[str, bytes] = {}
    for minute in (20, 5, 15, 10):  # sent in the wrong order, after days
        drop(tmp_path, minute)
    first = list(directory(tmp_path, state).scan())
    assert places(first) == [f"VN-A_2026011212{minute:02d}00.txt" for minute in (5, 10, 15, 20)]
    for arrival in first[:3]:
        arrival.acknowledge()
    # Killed before the last was acknowledged: a new process hands over that one only.
    assert places(list(directory(tmp_path, state).scan())) == ["VN-A_20260112122000.txt"]


def test_the_same_bytes_are_handed_over_once(tmp_path: Path) -> None:
    state: dict[str, bytes] = {}
    source = directory(tmp_path, state)
    path = drop(tmp_path, 5)
    for arrival in source.scan():
        arrival.acknowledge()
    path.write_bytes(path.read_bytes())
    os.utime(path, (1, 1))
    assert list(source.scan()) == []
    assert list(directory(tmp_path, state).scan()) == []


def test_a_file_that_has_grown_is_read_again(tmp_path: Path) -> None:
    source = directory(tmp_path)
    path = drop(tmp_path, 5)
    for arrival in source.scan():
        arrival.acknowledge()
    path.write_text(line(5) + line(10), encoding="utf-8")
    (again,) = source.scan()
    assert len(again.loaded.batch) == 2


def test_unacknowledged_files_are_not_handed_over_twice_by_one_process(tmp_path: Path) -> None:
    source = directory(tmp_path)
    drop(tmp_path, 5)
    assert len(list(source.scan())) == 1
    assert list(source.scan()) == []


def test_files_that_are_gone_are_forgotten_but_not_when_the_drive_is(tmp_path: Path) -> None:
    async def round_of(source: StationDirectory) -> None:
        async with watching(source) as arrivals:
            await quiet(arrivals)

    state: dict[str, bytes] = {}
    paths = [drop(tmp_path, minute) for minute in (5, 10)]
    for arrival in directory(tmp_path, state).scan():
        arrival.acknowledge()
    paths[0].unlink()
    asyncio.run(round_of(directory(tmp_path, state, SystemClock())))
    assert list(state) == [f"file:{paths[1].name}"]
    paths[1].unlink()
    asyncio.run(round_of(directory(tmp_path, state, SystemClock())))
    assert list(state) == [f"file:{paths[1].name}"]


@pytest.mark.parametrize(
    ("name", "content", "reason", "said"),
    [
        ("XX_20260112120500.txt", line(5).encode(), "unknown-station", "aliases"),
        ("VN-A_20260112120500.txt", b"", "bad-file", "empty"),
        ("VN-A_20260112120500.txt", b"\x89PNG\r\n", "bad-file", "TAB"),
        ("VN-A.csv", b"time,pollutant,value\n", "bad-file", "columns missing"),
        ("VN-A.txt", b"time;station;value;unit\r\n", "bad-file", "columns missing: pollutant;"),
        ("VN-A.csv.gz", gzip.compress(b"time,pollutant\n" * 99, mtime=0)[:-4], "bad-file", "columns missing"),
        ("VN-A.gz", b"\x1f\x8bnothing", "bad-file", "damaged gzip"),
        ("VN-A.parquet", b"PAR1....", "bad-file", "damaged Parquet"),
    ],
)
def test_a_file_that_cannot_be_used_stops_nothing(
    tmp_path: Path, name: str, content: bytes, reason: str, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    drop(tmp_path, 30)
    arrivals = {arrival.place: arrival.loaded for arrival in directory(tmp_path).scan()}
    assert len(arrivals["VN-A_20260112123000.txt"].batch) == 1
    (refused,) = arrivals[name].rejected
    assert (refused.reason, refused.place, refused.source) == (reason, name, "ftp")
    assert said in refused.message


def test_an_unreadable_file_is_reported_once_and_read_when_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(tmp_path, 5)
    source = directory(tmp_path)
    with monkeypatch.context() as broken:  # permissions do not stop a test that runs as root
        broken.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        (arrival,) = source.scan()
        assert [(r.reason, r.place) for r in arrival.loaded.rejected] == [("unreadable-file", path.name)]
        assert "read permission" in arrival.loaded.rejected[0].message
        assert list(source.scan()) == []
    (arrival,) = source.scan()
    assert len(arrival.loaded.batch) == 1


def test_tidy_and_station_files_and_folders_of_stations_mix(tmp_path: Path) -> None:
    drop(tmp_path / "VN-B" / "2026", 5, station="")
    drop(tmp_path, 10, station="OLD_PREFIX")
    (tmp_path / "archive.csv.gz").write_bytes(
        gzip.compress(b"time,station,pollutant,value,unit\n2026-01-12T08:00:00Z,VN-A,o3,1,ug/m3\n", mtime=0)
    )
    reader = FileReader(registry=REGISTRY, names=StationNames(REGISTRY, {"OLD_PREFIX": "VN-A"}))
    loaded = load_path(tmp_path, reader)
    assert loaded.rejected == []
    assert sorted(zip(loaded.batch.station.tolist(), loaded.batch.pollutant.tolist(), strict=True)) == [
        (0, 0),
        (0, 2),
        (1, 0),
    ]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: does not exist"):
        load_path(tmp_path / "nowhere", READER)
    with pytest.raises(InputError, match=r"nowhere: is not a folder"):
        directory(tmp_path / "nowhere")


@asynccontextmanager
async def watching(source: StationDirectory) -> AsyncIterator[asyncio.Queue[Arrival]]:
    """The arrivals of a source that runs in the background."""
    queue: asyncio.Queue[Arrival] = asyncio.Queue()

    async def run() -> None:
        async for arrival in source.arrivals():
            arrival.acknowledge()
            await queue.put(arrival)

    task = asyncio.create_task(run())
    try:
        yield queue
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def quiet(arrivals: asyncio.Queue[Arrival], seconds: float = 0.5) -> None:
    """Nothing comes for a while."""
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(arrivals.get(), seconds)


async def test_an_upload_is_read_when_it_stands_still(tmp_path: Path) -> None:
    source = directory(tmp_path, clock=SystemClock(), settle_s=0.5)
    async with watching(source) as arrivals:
        path = tmp_path / "VN-A_20260112120500.txt"
        for minute in range(5, 30, 5):  # a slow link: one line every 0.2 s
            with path.open("a", encoding="utf-8") as file:
                file.write(line(minute))
            await asyncio.sleep(0.2)
        arrival = await asyncio.wait_for(arrivals.get(), 5)
        assert len(arrival.loaded.batch) == 5
        await quiet(arrivals)


async def test_a_temporary_name_is_not_read_until_it_is_renamed(tmp_path: Path) -> None:
    async with watching(directory(tmp_path, clock=SystemClock())) as arrivals:
        part = tmp_path / "VN-A_20260112120500.txt.part"
        part.write_text(line(5), encoding="utf-8")
        (tmp_path / ".VN-A_20260112121000.txt").write_text(line(10), encoding="utf-8")
        await quiet(arrivals)
        part.rename(part.with_suffix(""))
        assert (await asyncio.wait_for(arrivals.get(), 5)).place == "VN-A_20260112120500.txt"


async def test_progress_follows_what_has_been_handed_over(tmp_path: Path) -> None:
    clock = ManualClock(1000.0)
    source = directory(tmp_path, clock=clock)
    drop(tmp_path, 5)
    async with watching(source) as arrivals:
        await quiet(arrivals)
        assert source.progress_s() == 1000.0  # seen, but not settled by this clock
        clock.set(1010.0)
        await asyncio.wait_for(arrivals.get(), 5)
        await asyncio.sleep(0.5)
        assert source.progress_s() == 1010.0
