"""Episode events: the numbers and the words of a transition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from streams.airsheds import Airshed
from streams.clock import HOUR_S, utc
from streams.components import Neighbours, regional_level
from streams.history import Load, States
from streams.lineage import Episode
from streams.quorum import EVIDENCE
from streams.schemas import EpisodeEvent, EpisodeProvince, ProvinceState, Revision, Track, TransitionKind
from streams.wind import Winds, wind_of

COURSE = 24
"""Hours of a province that an event tells: a day and night. ``since`` says how long it has lasted beyond that."""


@dataclass(frozen=True)
class Scene:
    """An airshed at the hour of a decision.

    Attributes:
        hour_s: the hour, epoch seconds.
        states: what is known of each province in it.
        levels: level of each province that is on any.
        since: first hour of the exceedance of each of those, epoch seconds.
        corroborated: the level of each that stands without any single station; provinces without one carry no episode.
        load: gives the states of earlier hours, for the evidence; ``step_s``: from one to the next.
        winds: gives the wind of an hour, for the annotation.
        own: the level of each that its own stations prove without any single one of them.
    """

    airshed: Airshed
    neighbours: Neighbours
    hour_s: int
    states: States
    levels: Mapping[str, int]
    since: Mapping[str, int]
    corroborated: Mapping[str, int]
    track: Track = "operational"
    load: Load = lambda _hour_s: {}
    step_s: int = HOUR_S
    winds: Winds = lambda _hour_s: {}
    own: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """First part of the ids of its episodes: the airshed, and the track beside the operational one."""
        return self.airshed.code if self.track == "operational" else f"{self.airshed.code}-{self.track}"

    def level(self, provinces: Collection[str]) -> int:
        """Level of an episode of these provinces: the highest that enough of them, connected, are surely on."""
        levels = {code: self.corroborated.get(code, 0) for code in provinces}
        return regional_level(levels, self.neighbours, self.airshed.detection.minimum_provinces)

    def tell(
        self,
        episode: Episode,
        kind: TransitionKind,
        reason: str,
        *,
        level: int,
        joined: Iterable[str] = (),
        left: Iterable[str] = (),
        merged_into: str | None = None,
        revision: Revision | None = None,
    ) -> EpisodeEvent:
        """The next event of an episode, whose provinces are those it has after the transition. Remembers it there."""
        previous = episode.level
        episode.transition += 1
        episode.level, episode.peak = level, max(level, episode.peak)
        proven = kind != "status" or self.track == "legal"  # hourly ones are many, and nobody is shown their evidence
        departed = [self._province(episode, code, proven=proven) for code in sorted(left)]
        self.remember(episode)
        return EpisodeEvent(
            episode=episode.id,
            airshed=self.airshed.code,
            transition=episode.transition,
            kind=kind,
            time=utc(self.hour_s),
            onset=utc(episode.onset_s),
            level=level,
            level_name=self.airshed.level_name(level),
            previous_level=previous,
            peak_level=episode.peak,
            provinces=[self._province(episode, code, proven=proven) for code in episode.provinces],
            joined=sorted(joined),
            left=[province.code for province in departed],
            population=sum(p.population for p in self.airshed.provinces if p.code in episode.provinces),
            reason=reason,
            pack=episode.pack,
            parent=episode.parent,
            merged_into=merged_into,
            departed=departed,
            track=self.track,
            revision=revision,
            wind=wind_of(episode.provinces, self.neighbours, self.hour_s, self.winds) if proven else None,
            airshed_levels={code: level for code, level in sorted(self.corroborated.items()) if level},
        )

    @staticmethod
    def count(codes: Collection[str]) -> str:
        """``1 province``, ``3 provinces``."""
        return "1 province" if len(codes) == 1 else f"{len(codes)} provinces"

    def words(self, codes: Iterable[str]) -> str:
        """The provinces with their values: ``Hà Nội: index 172, 24 h 160, 5 of 6 stations, level watch; …``."""
        return "; ".join(f"{self._name(code)}: {self._values(code)}" for code in sorted(codes))

    def remember(self, episode: Episode) -> None:
        """Note the levels the provinces of an episode are on, as announced."""
        episode.levels = {code: self.levels.get(code, 0) for code in episode.provinces}
        episode.corroborated = {code: self.own[code] for code in episode.provinces if code in self.own}
        episode.since |= {code: self.since[code] for code in episode.provinces if code in self.since}

    def _province(self, episode: Episode, code: str, *, proven: bool) -> EpisodeProvince:
        state = self.states.get(code)
        level = self.levels.get(code, 0)
        since_s = self.since.get(code) or episode.since.get(code, self.hour_s)
        hours = list(self._hours(code, since_s)) if proven else []
        return EpisodeProvince(
            code=code,
            name=self._name(code),
            level=level,
            level_name=self.airshed.level_name(level),
            since=utc(since_s),
            median_index=state.median_index if state else None,
            median_index_24h=state.median_index_24h if state else None,
            valid=state.valid if state else 0,
            known=state.known if state else 0,
            stations=list(state.stations) if state else [],
            medians=dict(state.medians) if state else {},
            corroborated=self.corroborated.get(code, 0),
            course=[state.median_index if state else None for state in hours],
            witnesses=witnesses(hours, self.airshed.levels[max(level, 1) - 1].enter) if self._on_index else [],
        )

    def _hours(self, code: str, since_s: int) -> Iterator[ProvinceState | None]:
        first_s = max(since_s, self.hour_s - (COURSE - 1) * self.step_s)
        for hour_s in range(first_s, self.hour_s, self.step_s):
            yield self.load(hour_s).get(code)
        yield self.states.get(code)

    @property
    def _on_index(self) -> bool:
        """Stations are told with their index, so it is the only quantity they can be witnesses of."""
        return self.airshed.levels[0].quantity == "index"

    def _name(self, code: str) -> str:
        return next((next(iter(p.names.values())) for p in self.airshed.provinces if p.code == code), code)

    def _values(self, code: str) -> str:
        state = self.states.get(code)
        level = self.airshed.level_name(self.levels.get(code, 0))
        if state is None or state.median_index is None:
            return f"unknown ({state.valid if state else 0} of {state.known if state else 0} stations), level {level}"
        day = "" if state.median_index_24h is None else f", 24 h {state.median_index_24h}"
        return f"index {state.median_index}{day}, {state.valid} of {state.known} stations, level {level}"


def witnesses(hours: Iterable[ProvinceState | None], threshold: float) -> list[tuple[str, int, int]]:
    """Station, hours at or above a threshold and highest index, of the stations named in these hours."""
    above: Counter[str] = Counter()
    highest: dict[str, int] = {}
    for state in hours:
        for station, index, _ in state.stations if state else ():
            above[station] += index >= threshold
            highest[station] = max(index, highest.get(station, index))
    rows = [(station, above[station], index) for station, index in highest.items()]
    return sorted(rows, key=lambda row: (-row[1], -row[2], row[0]))[:EVIDENCE]


def stamp(time_s: int) -> str:
    """``2026-01-12T15:00Z``."""
    return utc(time_s).strftime("%Y-%m-%dT%H:%MZ")
