"""Samples of every public feed: their formats, invented values; and the registry that knows some of the stations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from streams.errors import InputError
from streams.rejects import Reason
from streams.schemas import POLLUTANTS, STATUSES
from streams.sources import airnow, cnemc, openaq, readings_json, sensor_community
from streams.sources.arrivals import Loaded
from streams.sources.files import FileReader
from streams.sources.rows import Feed
from streams.stations import StationRegistry
from tests.streams.samples import station

FEEDS = Path(__file__).parent / "feeds"


REGISTRY = StationRegistry(
    [
        *(station(code) for code in ("airnow-000051301", "airnow-000051302", "cnemc-1001A", "cnemc-1003A")),
        *(station(code) for code in ("openaq-7001", "openaq-7002", "VN-A", "VN-B")),
        station("sc-90001", station_class="low-cost"),
        station("sc-90002", station_class="low-cost"),
    ]
)
READER = FileReader(registry=REGISTRY, source="feed")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


Value = tuple[str, str, int, int, float | None, str]
"""Station, pollutant, end of the period in UTC epoch seconds, period in seconds, µg/m³ or None, status."""


def values(loaded: Loaded) -> list[Value]:
    of = loaded.batch
    return [
        (
            REGISTRY.stations[station].code,
            POLLUTANTS[pollutant],
            time_s,
            period_s,
            None if value != value else round(value, 6),
            STATUSES[status],
        )
        for station, pollutant, time_s, period_s, value, status in zip(
            of.station.tolist(),
            of.pollutant.tolist(),
            of.time_s.tolist(),
            of.period_s.tolist(),
            of.value.tolist(),
            of.status.tolist(),
            strict=True,
        )
    ]


def feed(prefix: str, place: str) -> Feed:
    return Feed(registry=REGISTRY, prefix=prefix, place=place, source="feed")


@dataclass(frozen=True)
class Sample:
    """A file, its parser, and where its records lie.

    Attributes:
        header: whether the first line is a header, damage to which may cost more than one record.
    """

    name: str
    parse: Callable[[bytes], Loaded]
    header: bool = False
    records: str = "lines"

    @property
    def data(self) -> bytes:
        return (FEEDS / self.name).read_bytes()

    @property
    def path(self) -> PurePath:
        return PurePath("openaq-7001") / self.name

    def read(self, data: bytes) -> Loaded:
        """As the file reader would: an error of the whole file is one rejection."""
        try:
            return self.parse(data)
        except InputError as error:
            return READER.refused(Reason.BAD_FILE, error, self.path, data)


SAMPLES = [
    Sample("HourlyData_2026011205.dat", lambda d: airnow.parse_hourly_data(d, feed("airnow-", "hd"))),
    Sample("HourlyAQObs_2026011205.dat", lambda d: airnow.parse_observations(d, feed("airnow-", "obs")), header=True),
    Sample("china_sites_20260112.csv", lambda d: cnemc.parse(d, feed("cnemc-", "cn")), header=True),
    Sample("location-7001-20260112.csv", lambda d: openaq.parse_archive(d, feed("openaq-", "arc")), header=True),
    Sample("sensor_community.json", lambda d: sensor_community.parse(d, feed("sc-", "sc")), records="json"),
    Sample(
        "openaq_page.json",
        lambda d: openaq.parse_page(d, feed("openaq-", "page"), "openaq-7001").loaded,
        records="json",
    ),
    Sample("readings.json", lambda d: readings_json.parse(d, feed("", "rd")), records="json"),
]
