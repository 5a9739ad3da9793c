"""Puts the configured feeds together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airshed.operator_channels import tell_silence
from airshed.source_settings import (
    AccountSettings,
    AirNowSettings,
    DatedFilesSettings,
    DirectorySettings,
    FtpSettings,
    OpenAqSettings,
    PushSettings,
    SensorCommunitySettings,
    SftpSettings,
    SourceSettings,
)
from console.push import Limits, PushDesk, push_route, read_keys
from streams.clock import Clock
from streams.errors import ConfigurationError, InputError, Problem
from streams.sources.arrivals import Source
from streams.sources.dated_files import Calendar, DatedFiles, Snapshot
from streams.sources.directory import StationDirectory
from streams.sources.files import FileReader, Prefixes
from streams.sources.ftp import FtpAccount
from streams.sources.guarded import Guarded
from streams.sources.memory import Part
from streams.sources.names import Names, OneStation, StationNames
from streams.sources.openaq_api import Access, OpenAq, paced
from streams.sources.polling import PolledSource
from streams.sources.push import PushSource
from streams.sources.remote import RemoteFolder, Server
from streams.sources.seen import SeenFiles
from streams.sources.sftp import SftpAccount
from streams.sources.silence import Listened
from streams.sources.web import Web
from streams.stage import State
from streams.stations import StationRegistry

_HOUR_S, _DAY_S = 3600, 86_400


def memory_of(source: SourceSettings) -> str:
    """Name of the state in which a source remembers what it has handed over."""
    return f"source:{source.name}"


class Feeds:
    """The sources of an installation, and the routes of those that are sent to.

    Args:
        memory: state by the name that ``memory_of`` gives.

    Raises:
        ConfigurationError: when a secret is missing, or an account names a station that is not registered.
    """

    def __init__(
        self, settings: Sequence[SourceSettings], registry: StationRegistry, memory: Mapping[str, State], clock: Clock
    ) -> None:
        self._registry = registry
        self._clock = clock
        self.sources: list[Source] = []
        self.routes: list[Any] = []
        for source in settings:
            try:
                made = list(self._made(source, memory[memory_of(source)]))
            except InputError as error:
                raise ConfigurationError([Problem(error.message, field=source.name, remedy=error.remedy)]) from None
            self.sources += [
                Listened(Guarded(one), clock, silent_after_s=source.silent_after_s, on_change=tell_silence)
                for one in made
            ]
        if len(self.routes) > 1:
            problem = Problem("there is one address to push to", field="sources", remedy='keep one of kind "push"')
            raise ConfigurationError([problem])

    def _made(self, source: SourceSettings, state: State) -> Iterator[Source]:
        """The live sources of one entry: one, or one per account."""
        if isinstance(source, (FtpSettings, SftpSettings)):
            for account in source.accounts:
                yield self._of_account(source, account, state)
        elif isinstance(source, DirectorySettings):
            yield StationDirectory(
                Path(source.path), self._reader(source), state, self._clock, poll_s=source.poll_s, name=source.name
            )
        elif isinstance(source, PushSettings):
            yield self._push(source)
        else:
            yield PolledSource(source.name, self._polled(source, state), self._clock, poll_s=source.poll_s)

    def _polled(
        self,
        source: OpenAqSettings | DatedFilesSettings | AirNowSettings | SensorCommunitySettings,
        state: State,
    ) -> OpenAq | DatedFiles | Snapshot:
        if isinstance(source, OpenAqSettings):
            web = Web(network=source.network, headers={"X-API-Key": source.api_key.reveal()})
            access = Access(web=web, pace=paced(self._clock), base_url=source.base_url.rstrip("/"))
            return OpenAq(
                source.name, access, self._registry, state, self._clock, back_s=source.back_s, prefix=source.prefix
            )
        web = Web(network=source.network)
        if isinstance(source, SensorCommunitySettings):
            prefixes = Prefixes(sensor_community=source.prefix)
            return Snapshot(source.name, source.url, web, self._plain_reader(source.name, prefixes), state)
        calendar, prefixes = self._air_now(source) if isinstance(source, AirNowSettings) else self._dated(source)
        stamp = source.stamp if isinstance(source, DatedFilesSettings) else "end"
        reader = FileReader(registry=self._registry, prefixes=prefixes, cnemc_stamp=stamp, source=source.name)
        return DatedFiles(source.name, calendar, web, reader, state, self._clock)

    def _plain_reader(self, name: str, prefixes: Prefixes) -> FileReader:
        return FileReader(registry=self._registry, prefixes=prefixes, source=name)

    def _air_now(self, source: AirNowSettings) -> tuple[Calendar, Prefixes]:
        url = f"{source.base_url.rstrip('/')}/%Y/%Y%m%d/{source.file}_%Y%m%d%H.dat"
        return Calendar(url=url, step_s=_HOUR_S, back_s=int(source.back_s)), Prefixes(airnow=source.prefix)

    def _dated(self, source: DatedFilesSettings) -> tuple[Calendar, Prefixes]:
        given = source.prefix
        prefixes = (
            Prefixes() if given is None else Prefixes(openaq=given, airnow=given, sensor_community=given, cnemc=given)
        )
        prefix = prefixes.openaq
        stations = [code.removeprefix(prefix) for code in self._registry.rows if code.startswith(prefix)]
        calendar = Calendar(
            url=source.url,
            step_s=_HOUR_S if source.every == "hour" else _DAY_S,
            back_s=int(source.back_s),
            zone=ZoneInfo(source.zone),
            stations=stations if "{station}" in source.url else (),
        )
        return calendar, prefixes

    def _of_account(self, source: FtpSettings | SftpSettings, account: AccountSettings, state: State) -> Source:
        name = f"{source.name}/{account.station or account.username}"
        names: Names | None = OneStation(self._registry, account.station) if account.station else None
        reader = self._reader(source, names, name)
        seen = SeenFiles(Part(state, f"{account.username}/"))
        server = _ftp(source, account) if isinstance(source, FtpSettings) else _sftp(source, account)
        folder = RemoteFolder(name, server, reader, seen, self._clock, station=account.station)
        return PolledSource(name, folder, self._clock, poll_s=source.poll_s)

    def _reader(
        self, source: DirectorySettings | FtpSettings | SftpSettings, names: Names | None = None, name: str = ""
    ) -> FileReader:
        return FileReader(
            registry=self._registry,
            names=names or StationNames(self._registry, source.aliases),
            period_s=source.period_s,
            stamp=source.stamp,
            source=name or source.name,
        )

    def _push(self, source: PushSettings) -> PushSource:
        keys = read_keys(source.keys.reveal(), self._registry, source.keys.reference)
        inbox = PushSource(source.name, self._clock)
        limits = Limits(self._clock, source.per_minute)
        desk = PushDesk(inbox, self._registry, keys, self._clock, limits)
        self.routes.append(push_route(desk))
        return inbox


def _ftp(source: FtpSettings, account: AccountSettings) -> Server:
    return FtpAccount(
        host=source.host,
        port=source.port,
        username=account.username,
        password=account.password.reveal() if account.password else "",
        folder="/" if account.folder == "." else account.folder,
        security=source.security,
    )


def _sftp(source: SftpSettings, account: AccountSettings) -> Server:
    return SftpAccount(
        host=source.host,
        port=source.port,
        username=account.username,
        host_key=source.host_key,
        password=account.password.reveal() if account.password else None,
        private_key=account.private_key.reveal() if account.private_key else None,
        folder=account.folder,
    )
