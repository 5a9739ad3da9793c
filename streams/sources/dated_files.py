"""Files on a web server, one per hour or day, each revised for a while: AirNow, China's network, OpenAQ's archive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import PurePath
from urllib.parse import urlsplit

import structlog

from streams.batches import ReadingBatch
from streams.clock import Clock
from streams.errors import RefusedFeedError
from streams.sources.arrivals import Arrival, Loaded
from streams.sources.files import FileReader
from streams.sources.revisions import Remembered, decode, encode, news, said_by
from streams.sources.web import Answer, Visit, Web
from streams.stage import State

_log = structlog.get_logger(__name__)
_PREFIX = "dated:"


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Which files there are.

    Attributes:
        url: with the fields of ``strftime`` (``…/HourlyData_%Y%m%d%H.dat``), and ``{station}`` where each station of
            ``stations`` has its own.
        step_s: from one file to the next, seconds.
        back_s: for how long a file may still be revised, seconds.
        zone: of the time in the file's name.
    """

    url: str
    step_s: int
    back_s: int
    zone: tzinfo = UTC
    stations: Sequence[str] = ()

    def urls(self, now_s: float) -> Iterator[str]:
        """Addresses of every file that may have changed, oldest first."""
        step = timedelta(seconds=self.step_s)
        now = datetime.fromtimestamp(now_s, self.zone)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = midnight + ((now - timedelta(seconds=self.back_s) - midnight) // step) * step
        while moment <= now:
            text = moment.strftime(self.url)
            yield from [text.replace("{station}", station) for station in self.stations or [""]]
            moment += step


class DatedFiles:
    """The files as a feed that can be looked at.

    A file is asked for with the tag of what we have, so that an unchanged one costs no transfer; of a changed one only
    what is new or other is handed over.
    """

    again_s = 0.0

    def __init__(self, name: str, calendar: Calendar, web: Web, reader: FileReader, state: State, clock: Clock) -> None:
        self._name = name
        self._calendar = calendar
        self._web = web
        self._reader = reader
        self._state = state
        self._clock = clock

    async def look(self) -> AsyncIterator[Arrival]:
        """Every file that may have changed, oldest first; one that is not there does not stop the others."""
        urls = list(self._calendar.urls(self._clock.now_s()))
        self._forget_all_but(urls)
        refused: list[RefusedFeedError] = []
        async with self._web.opened() as visit:
            for url in urls:
                try:
                    arrival = await self._arrival(visit, url)
                except RefusedFeedError as error:
                    refused.append(error)
                    continue
                if arrival is not None:
                    yield arrival
        if refused and len(refused) == len(urls):
            raise refused[-1]
        for refusal in refused:
            _log.warning("file refused", source=self._name, error=str(refusal), remedy=refusal.remedy)

    async def _arrival(self, visit: Visit, url: str) -> Arrival | None:
        key = _PREFIX + url
        before = decode(self._state[key]) if key in self._state else Remembered("", {})
        answer = await visit.get(url, etag=before.etag)
        if answer.status != 200:
            return None
        loaded = self._reader.load(answer.body, PurePath(urlsplit(url).path.lstrip("/")))
        fresh = news(loaded.batch, before.said, self._reader.registry)
        if not len(fresh) and not loaded.rejected:
            self._remember(key, answer, loaded.batch)
            return None
        return Arrival(self._name, url, replace(loaded, batch=fresh), self._remembering(key, answer, loaded))

    def _remembering(self, key: str, answer: Answer, loaded: Loaded) -> Callable[[], None]:
        return lambda: self._remember(key, answer, loaded.batch)

    def _remember(self, key: str, answer: Answer, batch: ReadingBatch) -> None:
        self._state[key] = encode(Remembered(answer.etag, said_by(batch, self._reader.registry)))

    def _forget_all_but(self, urls: list[str]) -> None:
        there = {_PREFIX + url for url in urls}
        for key in [key for key in self._state if key.startswith(_PREFIX) and key not in there]:
            del self._state[key]


class Snapshot:
    """One address whose content is always the present: fetched at every look. The first value of a period stands."""

    again_s = 0.0

    def __init__(self, name: str, url: str, web: Web, reader: FileReader, state: State) -> None:
        self._name = name
        self._url = url
        self._web = web
        self._reader = reader
        self._state = state

    async def look(self) -> AsyncIterator[Arrival]:
        """What is there and was not there at the last look that was taken in."""
        async with self._web.opened() as visit:
            before = decode(self._state[_PREFIX]) if _PREFIX in self._state else Remembered("", {})
            answer = await visit.get(self._url, etag=before.etag)
        if answer.status == 404:
            raise RefusedFeedError(f"nothing at {self._url}", reason="http-404", remedy="check the url of this source")
        if answer.status != 200:
            return
        loaded = self._reader.load(answer.body, PurePath(urlsplit(self._url).path.lstrip("/")))
        fresh = news(loaded.batch, before.said, self._reader.registry, changed="dropped")
        if len(fresh) or loaded.rejected:
            yield Arrival(self._name, self._url, replace(loaded, batch=fresh), self._remembering(answer, loaded))

    def _remembering(self, answer: Answer, loaded: Loaded) -> Callable[[], None]:
        remembered = Remembered(answer.etag, said_by(loaded.batch, self._reader.registry))

        def remember() -> None:
            self._state[_PREFIX] = encode(remembered)

        return remember
