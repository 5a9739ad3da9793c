"""Files pulled from real FTP and SFTP servers: each content once, whole, and only where we may."""

from __future__ import annotations

import contextlib
import ftplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.clock import ManualClock
from streams.errors import FeedError, RefusedFeedError, UnreachableFeedError
from streams.sources import ftp
from streams.sources.arrivals import Arrival
from streams.sources.files import FileReader
from streams.sources.ftp import FtpAccount
from streams.sources.listings import Entry, parse_line
from streams.sources.names import OneStation
from streams.sources.remote import InterruptedReadError, RemoteFolder, Server
from streams.sources.seen import SeenFiles
from streams.sources.sftp import SftpAccount
from tests.streams.drops import drop, line
from tests.streams.file_servers import PASSWORD, USERNAME, Served, ftp_server, sftp_server
from tests.streams.samples import registry

REGISTRY = registry("VN-A", "VN-B")
READER = FileReader(registry=REGISTRY, source="pull")


@contextlib.asynccontextmanager
async def serving(kind: str, folder: Path) -> AsyncIterator[tuple[Server, Served]]:
    if kind == "sftp":
        async with sftp_server(folder) as served:
            account = SftpAccount(
                host="127.0.0.1",
                port=served.port,
                username=USERNAME,
                password=PASSWORD,
                host_key=served.host_key,
                folder="/",
            )
            yield account, served
    else:
        with ftp_server(folder, modern=kind == "ftp") as served:
            yield FtpAccount(host="127.0.0.1", port=served.port, username=USERNAME, password=PASSWORD), served


KINDS = pytest.mark.parametrize("kind", ["ftp", "ftp-list", "sftp"])


class Puller:
    """An account that is looked at by hand; ``look`` moves the clock on by ten seconds first."""

    def __init__(self, server: Server, state: dict[str, bytes] | None = None, station: str | None = None) -> None:
        self.clock = ManualClock(1_768_200_000.0)
        self.state = {} if state is None else state
        names = OneStation(REGISTRY, station) if station else None
        reader = FileReader(registry=REGISTRY, names=names, source="pull")
        self.folder = RemoteFolder("pull", server, reader, SeenFiles(self.state), self.clock, station=station)

    async def look(self, seconds: float = 10.0) -> list[Arrival]:
        self.clock.advance(seconds)
        return [arrival async for arrival in self.folder.look()]

    async def settled(self) -> list[Arrival]:
        """What two looks bring."""
        return await self.look() + await self.look()


def places(arrivals: list[Arrival]) -> list[str]:
    return [arrival.place for arrival in arrivals]


@KINDS
async def test_files_come_oldest_first_and_never_twice(kind: str, tmp_path: Path) -> None:
    for minute in (20, 5, 10):
        drop(tmp_path / "2026" / "01", minute)
    drop(tmp_path, 15)
    async with serving(kind, tmp_path) as (server, served):
        puller = Puller(server)
        arrivals = await puller.settled()
        assert [place.rsplit("_")[-1] for place in places(arrivals)] == [
            f"2026011212{minute:02d}00.txt" for minute in (5, 10, 15, 20)
        ]
        assert all(len(arrival.loaded.batch) == 1 and not arrival.loaded.rejected for arrival in arrivals)
        for arrival in arrivals[:3]:
            arrival.acknowledge()
        assert await puller.settled() == []
        assert len(served.fetched()) == 4
        # Killed before the last was acknowledged: only that one is fetched and handed over again.
        assert len(await Puller(server, puller.state).settled()) == 1
        assert len(served.fetched()) == 5


@KINDS
async def test_an_upload_in_progress_is_left_alone(kind: str, tmp_path: Path) -> None:
    path = drop(tmp_path, 5)
    (tmp_path / "VN-A_20260112121000.txt.part").write_text(line(10), encoding="utf-8")
    async with serving(kind, tmp_path) as (server, served):
        puller = Puller(server)
        assert await puller.look() == []
        assert puller.folder.again_s == 10.0
        path.write_text(line(5) + line(10), encoding="utf-8")  # it has grown between two looks
        assert await puller.look() == []
        (arrival,) = await puller.look()
        assert len(arrival.loaded.batch) == 2
        assert len(served.fetched()) == 1


@KINDS
async def test_a_moved_or_renamed_file_is_not_taken_in_again(kind: str, tmp_path: Path) -> None:
    path = drop(tmp_path, 5)
    async with serving(kind, tmp_path) as (server, _):
        puller = Puller(server)
        for arrival in await puller.settled():
            arrival.acknowledge()
        (tmp_path / "archive").mkdir()
        path.rename(tmp_path / "archive" / path.name)
        assert await puller.settled() == []
        (tmp_path / "archive" / path.name).rename(tmp_path / "archive" / "VN-A_20260112120501.txt")
        drop(tmp_path, 10)
        assert places(await puller.settled()) == ["VN-A_20260112121000.txt"]


@KINDS
async def test_equal_bytes_of_two_stations_are_two_readings(kind: str, tmp_path: Path) -> None:
    drop(tmp_path, 5, "VN-A")
    drop(tmp_path, 5, "VN-B")
    async with serving(kind, tmp_path) as (server, _):
        arrivals = await Puller(server).settled()
    assert sorted(arrival.loaded.batch.station.tolist() for arrival in arrivals) == [[0], [1]]


@KINDS
async def test_an_account_writes_its_own_station_only(kind: str, tmp_path: Path) -> None:
    drop(tmp_path, 5, "WHATEVER")
    (tmp_path / "more.csv").write_text(
        "time,station,pollutant,value,unit\n2026-01-12T05:00:00Z,VN-A,o3,1,ug/m3\n2026-01-12T05:00:00Z,VN-B,o3,2,ug/m3\n"
    )
    async with serving(kind, tmp_path) as (server, _):
        arrivals = await Puller(server, station="VN-A").settled()
    assert sorted(row for arrival in arrivals for row in arrival.loaded.batch.station.tolist()) == [0, 0]
    (refused,) = [refused for arrival in arrivals for refused in arrival.loaded.rejected]
    assert refused.reason == "not-your-station"
    assert b"VN-B" in refused.raw


@KINDS
async def test_a_wrong_password_says_what_to_check(kind: str, tmp_path: Path) -> None:
    async with serving(kind, tmp_path) as (server, _):
        wrong = type(server)(**{**vars(server), "password": "guess"})
        with pytest.raises(RefusedFeedError) as caught:
            await Puller(wrong).look()
    assert caught.value.reason == "login"
    assert "password" in caught.value.remedy
    assert "guess" not in f"{caught.value} {wrong!r}"


@KINDS
async def test_a_server_that_is_gone_is_unreachable(kind: str, tmp_path: Path) -> None:
    async with serving(kind, tmp_path) as (server, _):
        pass
    with pytest.raises(UnreachableFeedError) as caught:
        await Puller(server).look()
    assert caught.value.reason == "unreachable"


async def test_nothing_is_said_to_a_server_with_another_key(tmp_path: Path) -> None:
    async with sftp_server(tmp_path) as other, sftp_server(tmp_path) as served:
        account = SftpAccount(
            host="127.0.0.1", port=served.port, username=USERNAME, password=PASSWORD, host_key=other.host_key
        )
        with pytest.raises(RefusedFeedError, match="key") as caught:
            await Puller(account).look()
    assert caught.value.reason == "host-key"
    assert "agency" in caught.value.remedy
    with pytest.raises(FeedError, match="host_key"):
        SftpAccount(host="h", username="u", host_key="no key")


async def test_a_broken_fetch_is_resumed_where_it_broke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "VN-A_20260112120500.txt"
    path.write_text("".join(line(5, value) for value in range(9000)), encoding="utf-8")
    whole = path.stat().st_size
    retrieve = ftplib.FTP.retrbinary

    def breaking(self: ftplib.FTP, cmd: str, callback: object, **options: object) -> str:
        def first_only(chunk: bytes) -> None:
            callback(chunk)  # type: ignore[operator]
            raise ConnectionResetError("cable pulled")

        return retrieve(self, cmd, first_only, **options)  # type: ignore[arg-type]

    async with serving("ftp", tmp_path) as (server, served):
        puller = Puller(server)
        await puller.look()
        with monkeypatch.context() as patched:
            patched.setattr(ftp.ftplib.FTP, "retrbinary", breaking)
            with pytest.raises(InterruptedReadError, match="broke off after"):
                await puller.look()
        (arrival,) = await puller.look()
        (rest,) = [int(command.split()[1]) for command in served.commands if command.startswith("REST")]
    assert 0 < rest < whole
    assert len(arrival.loaded.batch) == 9000
    assert not arrival.loaded.rejected


@KINDS
async def test_a_file_that_may_not_be_read_stops_no_other(kind: str, tmp_path: Path) -> None:
    first, second = drop(tmp_path, 5), drop(tmp_path, 10)
    async with serving(kind, tmp_path) as (server, _):
        puller = Puller(server)
        await puller.look()

        class Gone(type(puller.folder)):  # type: ignore[misc]
            """The first file goes away after it was listed."""

            async def _arrival(self, connection: object, file: object) -> Arrival | None:
                first.unlink(missing_ok=True)
                return await super()._arrival(connection, file)  # type: ignore[no-any-return]

        puller.folder.__class__ = Gone
        arrivals = await puller.look()
    assert places(arrivals) == [first.name, second.name]
    assert [refused.reason for refused in arrivals[0].loaded.rejected] == ["unreadable-file"]
    assert len(arrivals[1].loaded.batch) == 1


@KINDS
async def test_links_out_of_the_folder_are_not_followed(kind: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    drop(outside, 5)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "loop").symlink_to(inside)
    (inside / "out").symlink_to(outside)
    async with serving(kind, inside) as (server, _):
        assert await Puller(server).settled() == []


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("-rw-r--r--   1 ftp  ftp   1024 Jan 12 12:05 VN-A_1.txt", Entry("VN-A_1.txt", "file", 1024, "Jan 12 12:05")),
        ("-rw-rw-r--+  1 1000 1000 7 Jan 12  2025 tên tệp.txt", Entry("tên tệp.txt", "file", 7, "Jan 12  2025")),
        ("drwxr-xr-x 2 owner 4096 Jan  2 01:00 sub", Entry("sub", "folder", 4096, "Jan  2 01:00")),
        ("-rw-r--r-- 1 a b 9 2026-01-12 12:05 iso.txt", Entry("iso.txt", "file", 9, "2026-01-12 12:05")),
        ("01-12-26  12:05PM                 1024 W.TXT", Entry("W.TXT", "file", 1024, "01-12-26  12:05PM")),
        ("01-12-2026  12:05       1,024 W.TXT", Entry("W.TXT", "file", 1024, "01-12-2026  12:05")),
        ("01-12-26  12:05PM       <DIR>          sub dir", Entry("sub dir", "folder", -1, "01-12-26  12:05PM")),
        ("lrwxrwxrwx 1 a b 9 Jan 12 12:05 link -> /etc", None),
        ("-rw-r--r-- 1 a b 9 Jan 12 12:05 ../../etc/passwd", None),
        ("drwxr-xr-x 1 a b 9 Jan 12 12:05 ..", None),
        ("total 12", None),
        ("", None),
    ],
)
def test_listings_of_old_servers(text: str, entry: Entry | None) -> None:
    assert parse_line(text) == entry
