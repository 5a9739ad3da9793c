"""OpenAQ's API, version 3: the newest of every registered location, and what was missed, sensor by sensor.

Locations are those the registry names (``openaq-<location id>``). Per look one request per location says which of its
sensors have something new; those are then asked for it, page by page, from where the last look ended. The API allows
60 requests a minute and 2 000 an hour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec
import structlog

from streams.clock import Clock, utc
from streams.errors import ReadingError, RefusedFeedError, UnreachableFeedError
from streams.pollutants import canonical_pollutant
from streams.schemas import POLLUTANTS
from streams.sources.arrivals import Arrival
from streams.sources.openaq import PREFIX, parse_page
from streams.sources.pacing import Pace, TokenBucket
from streams.sources.rows import Feed
from streams.sources.web import Answer, Visit, Web
from streams.stage import State
from streams.stations import StationRegistry

_log = structlog.get_logger(__name__)

BASE_URL = "https://api.openaq.org/v3"
PER_MINUTE = 60
PER_HOUR = 2_000
PAGE = 1_000
"""Largest page of the API: forty days of hours."""
SENSORS_FOR_S = 86_400
"""For how long the list of a location's sensors is believed; sensors are replaced a few times a year."""
OVERLAP_S = 6 * 3600
"""Asked for once more at every look, because providers publish late and out of order. Repeats change nothing."""

T = TypeVar("T")


class _Parameter(msgspec.Struct):
    name: str


class _Sensor(msgspec.Struct):
    id: int
    parameter: _Parameter


class _Location(msgspec.Struct):
    sensors: list[_Sensor]


class _Locations(msgspec.Struct):
    results: list[_Location]


class _Moment(msgspec.Struct):
    utc: str


class _Newest(msgspec.Struct, rename="camel"):
    datetime: _Moment
    sensors_id: int


class _NewestList(msgspec.Struct):
    results: list[_Newest]


class Sensors(msgspec.Struct, frozen=True):
    """The sensors of a location that measure something we need, and when that was learned."""

    ids: list[int]
    learned_s: float


class Taken(msgspec.Struct, frozen=True):
    """What was taken in of a sensor: the latest end of a period, and what the API called the newest at that look.

    The newest is compared as text, so that it does not matter whether it is labelled by beginning or end.
    """

    until_s: int = 0
    newest: str = ""


def paced(clock: Clock) -> Pace:
    """The limits of the API. A window that the server counts may begin anywhere, so half of each is kept as burst."""
    return Pace(
        [TokenBucket(PER_MINUTE, 60.0, clock, PER_MINUTE / 2), TokenBucket(PER_HOUR, 3600.0, clock, PER_HOUR / 2)]
    )


@dataclass(frozen=True, kw_only=True)
class Access:
    """How to talk to the API. ``web`` carries the key as header ``X-API-Key``."""

    web: Web
    pace: Pace
    base_url: str = BASE_URL


class OpenAq:
    """The API as a feed that can be looked at.

    Args:
        state: by sensor, the end of the latest period that was taken in; by location, its sensors.
        back_s: how far a sensor that is seen for the first time is asked back, seconds.
    """

    again_s = 0.0

    def __init__(
        self,
        name: str,
        access: Access,
        registry: StationRegistry,
        state: State,
        clock: Clock,
        *,
        back_s: float = 2 * 86_400,
        prefix: str = PREFIX,
        page: int = PAGE,
    ) -> None:
        self._name = name
        self._access = access
        self._registry = registry
        self._state = state
        self._clock = clock
        self._back_s = back_s
        self._page = page
        self._prefix = prefix
        self._locations = [code.removeprefix(prefix) for code in registry.rows if code.startswith(prefix)]

    async def look(self) -> AsyncIterator[Arrival]:
        """What is new at every location; a location that is refused does not stop the others."""
        async with self._access.web.opened() as visit:
            for location in self._locations:
                try:
                    async for arrival in self._of_location(visit, location):
                        yield arrival
                except RefusedFeedError as error:
                    if error.reason == "key":
                        raise
                    _log.warning("location refused", source=self._name, location=location, error=str(error))

    async def _of_location(self, visit: Visit, location: str) -> AsyncIterator[Arrival]:
        sensors = await self._sensors(visit, location)
        answer = await self._get(visit, f"/locations/{location}/latest", {"limit": str(self._page)})
        newest = _decoded(answer, _NewestList, f"/locations/{location}/latest")
        for entry in newest.results:
            if entry.sensors_id in sensors.ids and entry.datetime.utc != self._taken(entry.sensors_id).newest:
                async for arrival in self._of_sensor(visit, location, entry):
                    yield arrival

    async def _sensors(self, visit: Visit, location: str) -> Sensors:
        key = f"location:{location}"
        if key in self._state:
            known = msgspec.json.decode(self._state[key], type=Sensors)
            if self._clock.now_s() - known.learned_s < SENSORS_FOR_S:
                return known
        answer = await self._get(visit, f"/locations/{location}", {})
        found = _decoded(answer, _Locations, f"/locations/{location}")
        ids = [sensor.id for place in found.results for sensor in place.sensors if _is_needed(sensor.parameter.name)]
        learned = Sensors(ids, self._clock.now_s())
        self._state[key] = msgspec.json.encode(learned)
        return learned

    async def _of_sensor(self, visit: Visit, location: str, entry: _Newest) -> AsyncIterator[Arrival]:
        """Everything since the last time, page by page. Remembered after the last page: the API promises no order."""
        path, taken = f"/sensors/{entry.sensors_id}/measurements", self._taken(entry.sensors_id)
        begin_s = taken.until_s - OVERLAP_S if taken.until_s else self._clock.now_s() - self._back_s
        until_s, number, last = taken.until_s, 0, False
        while not last:
            number += 1
            feed = Feed(registry=self._registry, prefix=self._prefix, place=f"{path} page {number}", source=self._name)
            params = {"datetime_from": utc(begin_s).isoformat(), "limit": str(self._page), "page": str(number)}
            page = parse_page((await self._get(visit, path, params)).body, feed, f"{self._prefix}{location}")
            until_s, last = max(until_s, page.latest_s or 0), page.count < self._page
            arrival = Arrival(self._name, feed.place, page.loaded)
            remember = self._remembering(entry.sensors_id, Taken(until_s, entry.datetime.utc))
            yield replace(arrival, acknowledge=remember) if last else arrival

    def _remembering(self, sensor: int, taken: Taken) -> Callable[[], None]:
        def remember() -> None:
            self._state[f"sensor:{sensor}"] = msgspec.json.encode(taken)

        return remember

    def _taken(self, sensor: int) -> Taken:
        raw = self._state.get(f"sensor:{sensor}")
        return msgspec.json.decode(raw, type=Taken) if raw else Taken()

    async def _get(self, visit: Visit, path: str, params: dict[str, str]) -> Answer:
        await self._access.pace.turn()
        answer = await visit.get(self._access.base_url + path, params)
        if answer.status == 404:
            raise RefusedFeedError(f"{path}: not there", reason="http-404", remedy="check the station's code")
        return answer


def _is_needed(parameter: str) -> bool:
    try:
        return canonical_pollutant(parameter) in POLLUTANTS
    except ReadingError:
        return False


def _decoded(answer: Answer, kind: type[T], path: str) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.MsgspecError as error:
        raise UnreachableFeedError(f"{path}: {error}", reason="bad-answer") from None
