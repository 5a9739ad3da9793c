"""Configured feeds put together: one source per account, secrets revealed late, failures kept apart."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest

from airshed.secret import Secret
from airshed.source_settings import (
    KINDS,
    AccountSettings,
    AirNowSettings,
    DatedFilesSettings,
    DirectorySettings,
    FtpSettings,
    OpenAqSettings,
    PushSettings,
    SensorCommunitySettings,
    SourceSettings,
)
from airshed.sources import Feeds, memory_of
from streams import metrics
from streams.clock import SystemClock
from streams.errors import ConfigurationError
from streams.gateway import live
from streams.sources.arrivals import Arrival
from streams.sources.remote import RemoteFolder
from streams.stations import StationRegistry
from tests.streams.feed_samples import FEEDS, REGISTRY, station
from tests.streams.file_servers import PASSWORD, USERNAME, ftp_server

AGENCIES = StationRegistry([*REGISTRY.stations, station("HN-1", agency="Hà Nội")])


def feeds(*settings: SourceSettings) -> Feeds:
    memory: dict[str, dict[str, bytes]] = {memory_of(source): {} for source in settings}
    return Feeds(settings, AGENCIES, memory, SystemClock())


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_PASSWORD", PASSWORD)
    monkeypatch.setenv("FEED_WRONG", "wrong")
    monkeypatch.setenv("PUSH_KEYS", f'"Hà Nội" = ["sha256:{"0" * 64}"]')


@pytest.mark.usefixtures("secrets")
def test_every_kind_can_be_put_together(tmp_path: Path) -> None:
    password = Secret("env:FEED_PASSWORD")
    accounts = [AccountSettings(username="a", password=password), AccountSettings(username="b", password=password)]
    made = feeds(
        DirectorySettings(name="drop", path=str(tmp_path)),
        FtpSettings(name="ftp", host="127.0.0.1", accounts=accounts),
        PushSettings(name="push", keys=Secret("env:PUSH_KEYS")),
        OpenAqSettings(name="openaq", api_key=password),
        DatedFilesSettings(name="china", url="https://h.example/%Y.csv", zone="Asia/Shanghai"),
        AirNowSettings(name="airnow"),
        SensorCommunitySettings(name="sc"),
    )
    names = [source.name for source in made.sources]
    assert names == ["drop", "ftp/a", "ftp/b", "push", "openaq", "china", "airnow", "sc"]
    assert len(made.routes) == 1
    assert {metrics.value("airshed_source_silent", source=name) for name in names} == {0.0}


def test_a_missing_secret_and_an_unknown_station_stop_the_start() -> None:
    account = AccountSettings(username="a", password=Secret("env:AIRSHED_NOT_SET"))
    with pytest.raises(ConfigurationError, match="set the variable AIRSHED_NOT_SET"):
        feeds(FtpSettings(name="ftp", host="h", accounts=[account]))
    nobody = msgspec.structs.replace(account, station="VN-NOBODY")
    with pytest.raises(ConfigurationError, match="'VN-NOBODY' is not registered"):
        feeds(FtpSettings(name="ftp", host="h", accounts=[nobody]))


def test_the_kind_of_a_source_is_the_name_it_is_chosen_by() -> None:
    for kind, settings in KINDS.items():
        (field,) = [field for field in msgspec.structs.fields(settings) if field.name == "kind"]
        assert field.default == kind


def refused_logins() -> float:
    return metrics.value("airshed_source_failures_total", source="ftp/VN-B", reason="login")


@pytest.mark.usefixtures("secrets")
async def test_an_account_that_fails_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two accounts of one server and a folder, through the gateway; one account has a wrong password."""
    monkeypatch.setattr(RemoteFolder.__init__, "__kwdefaults__", {"station": None, "settle_s": 0.05})
    served_folder, drop = tmp_path / "served", tmp_path / "drop"
    served_folder.mkdir()
    drop.mkdir()
    (served_folder / "anything.txt").write_text("PM2,5\t55,7\tµg/Nm3\t20260112120500\t00\r\n", encoding="utf-8")
    (drop / "HourlyData_2026011205.dat").write_bytes((FEEDS / "HourlyData_2026011205.dat").read_bytes())
    with ftp_server(served_folder) as served:
        right = AccountSettings(username=USERNAME, password=Secret("env:FEED_PASSWORD"), station="VN-A")
        wrong = AccountSettings(username="vn-b", password=Secret("env:FEED_WRONG"), station="VN-B")
        server = FtpSettings(name="ftp", host="127.0.0.1", port=served.port, security="plain", accounts=[wrong, right])
        made = feeds(server, DirectorySettings(name="drop", path=str(drop), poll_s=0.2))
        feed = live(made.sources, AGENCIES, SystemClock(), mark_every_s=0.1)
        arrivals: dict[str, Arrival] = {}
        async with contextlib.aclosing(feed), asyncio.timeout(20):
            async for item in feed:
                if isinstance(item, Arrival):
                    arrivals[item.source] = item
                if len(arrivals) == 2 and refused_logins():
                    break
    assert sorted(arrivals) == ["drop", "ftp/VN-A"]
    assert len(arrivals["ftp/VN-A"].loaded.batch) == 1
    assert len(arrivals["drop"].loaded.batch) == 5
