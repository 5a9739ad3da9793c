"""The feeds in airshed.toml: one struct per kind, chosen by its key ``kind``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

import msgspec

from airshed.secret import Secret
from streams.errors import FeedError, Problem
from streams.sources.circular10 import CYCLE_S
from streams.sources.silence import SILENT_AFTER_S


class _Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every source has.

    Attributes:
        name: unique; labels metrics, marks and what is rejected.
        silent_after_s: without a usable reading for so long, operators are told.
    """

    name: str
    silent_after_s: float = SILENT_AFTER_S


class DirectorySettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder into which official station files (Circular 10) or files of any other known format are dropped.

    Attributes:
        stamp: whether the times in station files are the start or the end of their cycle; ``period_s`` its length.
        aliases: name prefix or folder -> station code.
    """

    path: str
    kind: Literal["directory"] = "directory"
    poll_s: float = 5.0
    stamp: Literal["start", "end"] = "end"
    period_s: int = CYCLE_S
    aliases: dict[str, str] = {}


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account on a file server. With ``station`` it may bring that station only, whatever its files are called."""

    username: str
    password: Secret | None = None
    private_key: Secret | None = None
    station: str | None = None
    folder: str = "."


class FtpSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files pulled over FTP. ``security = "plain"`` sends the password readably: only where the server knows no TLS."""

    host: str
    kind: Literal["ftp"] = "ftp"
    port: int = 21
    security: Literal["plain", "tls"] = "tls"
    accounts: list[AccountSettings] = []
    poll_s: float = 60.0
    stamp: Literal["start", "end"] = "end"
    period_s: int = CYCLE_S
    aliases: dict[str, str] = {}


class SftpSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files pulled over SFTP. ``host_key``: the server's public key, got from the agency; nothing is sent without."""

    host: str
    host_key: str
    kind: Literal["sftp"] = "sftp"
    port: int = 22
    accounts: list[AccountSettings] = []
    poll_s: float = 60.0
    stamp: Literal["start", "end"] = "end"
    period_s: int = CYCLE_S
    aliases: dict[str, str] = {}


class PushSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``POST /api/readings``. ``keys``: TOML text of agency -> SHA-256 digests of its keys."""

    keys: Secret
    kind: Literal["push"] = "push"
    per_minute: float = 120.0


class OpenAqSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """OpenAQ's API, for the stations that the registry calls ``openaq-<location id>``."""

    api_key: Secret
    kind: Literal["openaq"] = "openaq"
    base_url: str = "https://api.openaq.org/v3"
    prefix: str = "openaq-"
    back_s: float = 172_800.0
    poll_s: float = 900.0
    network: Literal["public", "private"] = "public"


class DatedFilesSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files on a web server, one per hour or day, in any known format: China's network, OpenAQ's archive.

    Attributes:
        url: with the fields of strftime, and ``{station}`` for the feed's own code of each registered station.
        every: one file per hour or per day.
        back_s: for how long a file may be revised.
        zone: of the time in the address.
        prefix: what the registry puts before the feed's codes, where that is not the format's own.
        stamp: for China's files, whether an hour is labelled by its end or its start.
    """

    url: str
    kind: Literal["dated-files"] = "dated-files"
    every: Literal["hour", "day"] = "day"
    back_s: float = 172_800.0
    zone: str = "UTC"
    prefix: str | None = None
    stamp: Literal["start", "end"] = "end"
    poll_s: float = 900.0
    network: Literal["public", "private"] = "public"


class AirNowSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AirNow's hourly files, revised for 48 hours; stations are ``airnow-<AQSID>``."""

    kind: Literal["airnow"] = "airnow"
    base_url: str = "https://s3-us-west-1.amazonaws.com//files.airnowtech.org/airnow"
    file: Literal["HourlyData", "HourlyAQObs"] = "HourlyData"
    prefix: str = "airnow-"
    back_s: float = 172_800.0
    poll_s: float = 600.0
    network: Literal["public", "private"] = "public"


class SensorCommunitySettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Citizens' sensors; stations are ``sc-<sensor id>``, of class low-cost."""

    kind: Literal["sensor-community"] = "sensor-community"
    url: str = "https://data.sensor.community/static/v2/data.dust.min.json"
    prefix: str = "sc-"
    poll_s: float = 300.0
    network: Literal["public", "private"] = "public"


SourceSettings = (
    DirectorySettings
    | FtpSettings
    | SftpSettings
    | PushSettings
    | OpenAqSettings
    | DatedFilesSettings
    | AirNowSettings
    | SensorCommunitySettings
)

KINDS: dict[str, type[msgspec.Struct]] = {
    "directory": DirectorySettings,
    "ftp": FtpSettings,
    "sftp": SftpSettings,
    "push": PushSettings,
    "openaq": OpenAqSettings,
    "dated-files": DatedFilesSettings,
    "airnow": AirNowSettings,
    "sensor-community": SensorCommunitySettings,
}
DEFAULT_KIND = "directory"

SHORTEST_POLL_S = {"openaq": 60.0, "dated-files": 60.0, "airnow": 60.0, "sensor-community": 60.0, "ftp": 5.0}
"""Public services are free because nobody hammers them; their data change every five minutes at the most."""


def resolved(settings: SourceSettings, base: Path) -> SourceSettings:
    """With relative paths made relative to the configuration file."""
    if isinstance(settings, DirectorySettings):
        return msgspec.structs.replace(settings, path=str(base / settings.path))
    return settings


def problems_of(settings: list[SourceSettings]) -> Iterator[Problem]:
    """What is wrong with sources that are each well-formed."""
    names: set[str] = set()
    for n, source in enumerate(settings):
        at = f"sources[{n}]"
        if source.name in names:
            yield Problem(f"two sources are called {source.name!r}", field=f"{at}.name", remedy="rename one")
        names.add(source.name)
        shortest_s = SHORTEST_POLL_S.get(source.kind, 0.1)
        if getattr(source, "poll_s", shortest_s) < shortest_s:
            yield Problem("looks too often", field=f"{at}.poll_s", remedy=f"{shortest_s:g} or more")
        yield from _own_problems(source, at)


def _own_problems(source: SourceSettings, at: str) -> Iterator[Problem]:
    if isinstance(source, DirectorySettings) and not Path(source.path).is_dir():
        yield Problem(f"no folder {source.path}", field=f"{at}.path", remedy="create it")
    elif isinstance(source, (FtpSettings, SftpSettings)):
        yield from _account_problems(source, at)
    elif isinstance(source, DatedFilesSettings) and source.zone not in available_timezones():
        yield Problem(f"unknown time zone {source.zone!r}", field=f"{at}.zone", remedy="an IANA name, Asia/Shanghai")


def _account_problems(source: FtpSettings | SftpSettings, at: str) -> Iterator[Problem]:
    if not source.accounts:
        yield Problem("no accounts", field=f"{at}.accounts", remedy="add [[sources.accounts]] with username, password")
    if isinstance(source, SftpSettings):
        from streams.sources.sftp import read_host_key  # SSH is only loaded where it is used

        try:
            read_host_key(source.host_key)
        except FeedError as error:
            yield Problem(str(error), field=f"{at}.host_key", remedy=error.remedy)
    for account in source.accounts:
        ways = [account.password, account.private_key if source.kind == "sftp" else None]
        if sum(way is not None for way in ways) != 1 or (source.kind == "ftp" and account.private_key):
            remedy = "password" if source.kind == "ftp" else "either password or private_key"
            message = f"account {account.username!r} has no single way to log in"
            yield Problem(message, field=f"{at}.accounts", remedy=f"give it {remedy}")
