"""Any file that holds readings: what it is, is decided by its content."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath
from zoneinfo import ZoneInfo

from streams.batches import ReadingBatch
from streams.errors import InputError, ReadingError
from streams.rejects import Reason, rejected
from streams.schemas import Rejected
from streams.sources import airnow, circular10, cnemc, openaq, readings_json, sensor_community
from streams.sources.arrivals import Loaded
from streams.sources.detection import Kind, kind_of
from streams.sources.lines import unpack
from streams.sources.names import Names, StationNames, split_name
from streams.sources.rows import Feed
from streams.sources.tidy import PARQUET_MAGIC, parse_tidy
from streams.stations import StationRegistry
from streams.wire import concatenate, to_batch

MOST_FILE_BYTES = 1024**3
"""Larger files are archives to be split; reading one whole would take several gigabytes of memory."""


@dataclass(frozen=True, kw_only=True)
class Prefixes:
    """What the registry puts before the station codes of each public feed."""

    openaq: str = openaq.PREFIX
    airnow: str = airnow.PREFIX
    sensor_community: str = sensor_community.PREFIX
    cnemc: str = cnemc.PREFIX


@dataclass(frozen=True, kw_only=True)
class FileReader:
    """Reads files of every known kind.

    Attributes:
        names: finds the station of a station file; ``None``: by registry codes only.
        period_s, stamp: see :class:`streams.sources.circular10.Layout`.
        cnemc_stamp: see :mod:`streams.sources.cnemc`.
    """

    registry: StationRegistry
    names: Names | None = None
    period_s: int = circular10.CYCLE_S
    stamp: circular10.Stamp = "end"
    cnemc_stamp: cnemc.Stamp = "end"
    prefixes: Prefixes = Prefixes()
    source: str = "files"
    _known: Names = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", self.names or StationNames(self.registry))

    def load(self, data: bytes, path: PurePath) -> Loaded:
        """Read the bytes of a file. Never raises for what is in them.

        Args:
            path: relative to the folder of the feed; shown in messages and searched for the station.
        """
        try:
            return self._load(data, path)
        except InputError as error:
            return self.refused(Reason.BAD_FILE, error, path, data)

    def refused(self, reason: Reason, error: InputError, path: PurePath, data: bytes = b"") -> Loaded:
        """A file of which nothing can be used."""
        error.place = error.place or str(path)
        return Loaded(ReadingBatch.empty(), [rejected(reason, error, data, self.source)], 0)

    def station_of(self, path: PurePath) -> str | None:
        """Code of the station that a file belongs to by its name, ``None`` where no station is known for it."""
        try:
            return self._known.station_of(path)
        except ReadingError:
            return None

    def zone_of(self, path: PurePath) -> ZoneInfo | None:
        """Zone of the station that a file belongs to, ``None`` where no station is known for it."""
        code = self.station_of(path)
        return ZoneInfo(self.registry.stations[self.registry.row(code)].zone) if code else None

    def _load(self, data: bytes, path: PurePath) -> Loaded:
        if data.startswith(PARQUET_MAGIC):
            return parse_tidy(data, self.registry, str(path), self.source)
        unpacked = unpack(data, str(path))
        kind = kind_of(unpacked.data)
        if kind is Kind.TIDY:
            return parse_tidy(data, self.registry, str(path), self.source)
        if kind is Kind.OPENAQ_ARCHIVE:
            return openaq.parse_archive(data, self._feed(path, self.prefixes.openaq))
        loaded = self._of_kind(kind, unpacked.data, path)
        if unpacked.problem is not None:
            loaded.rejected.append(rejected(Reason.TRUNCATED_FILE, unpacked.problem, b"", self.source))
        return loaded

    def _of_kind(self, kind: Kind, text: bytes, path: PurePath) -> Loaded:
        """Formats that know nothing of compression."""
        prefixes = self.prefixes
        if kind is Kind.CNEMC:
            return cnemc.parse(text, self._feed(path, prefixes.cnemc), self.cnemc_stamp)
        if kind is Kind.HOURLY_DATA:
            return airnow.parse_hourly_data(text, self._feed(path, prefixes.airnow))
        if kind is Kind.OBSERVATIONS:
            return airnow.parse_observations(text, self._feed(path, prefixes.airnow))
        if kind is Kind.SENSOR_COMMUNITY:
            return sensor_community.parse(text, self._feed(path, prefixes.sensor_community))
        if kind is Kind.OPENAQ_PAGE:
            return openaq.parse_page(text, self._feed(path, prefixes.openaq), self._known.station_of(path)).loaded
        if kind is Kind.READINGS_JSON:
            return readings_json.parse(text, self._feed(path, ""))
        return self._station_file(text, path)

    def _feed(self, path: PurePath, prefix: str) -> Feed:
        return Feed(registry=self.registry, prefix=prefix, place=str(path), source=self.source)

    def _station_file(self, data: bytes, path: PurePath) -> Loaded:
        try:
            code = self._known.station_of(path)
        except ReadingError as error:
            return self.refused(Reason.UNKNOWN_STATION, error, path, data)
        zone = ZoneInfo(self.registry.stations[self.registry.row(code)].zone)
        layout = circular10.Layout(
            station=code, zone=zone, period_s=self.period_s, stamp=self.stamp, place=str(path), source=self.source
        )
        file = circular10.parse(data, layout, split_name(path)[1])
        coded = to_batch(file.readings, self.registry, lambda _: str(path))
        return Loaded(coded.batch, file.rejected + coded.rejected, file.unused + coded.unused, file.notes)


def load_path(path: Path, reader: FileReader) -> Loaded:
    """Everything in a file, or in all files below a folder, in the order of their paths.

    Raises:
        InputError: when the path does not exist or a single file cannot be read.
    """
    if not path.exists():
        raise InputError("does not exist", place=str(path), remedy="give a file or a folder with readings")
    if path.is_dir():
        return _together([_load_one(file, path, reader) for file in sorted(path.rglob("*")) if file.is_file()])
    try:
        return reader.load(path.read_bytes(), path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", place=str(path), remedy="check permissions") from None


def _load_one(file: Path, folder: Path, reader: FileReader) -> Loaded:
    relative = file.relative_to(folder)
    try:
        return reader.load(file.read_bytes(), relative)
    except OSError as error:
        return reader.refused(Reason.UNREADABLE_FILE, unreadable(error), relative)


def unreadable(error: OSError) -> ReadingError:
    """The operating system's refusal, with what to do."""
    return ReadingError(
        f"cannot be read: {error.strerror or error}", remedy="give the service read permission, or remove the file"
    )


def _together(files: list[Loaded]) -> Loaded:
    refused: list[Rejected] = [rejection for file in files for rejection in file.rejected]
    notes = [note for file in files for note in file.notes]
    return Loaded(concatenate([file.batch for file in files]), refused, sum(file.unused for file in files), notes)
