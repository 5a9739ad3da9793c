"""What travels between the stages: one immutable struct per kind of item, JSON on the wire.

Every ``time`` is an aware UTC datetime and, for anything averaged, the END of the averaging period.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

POLLUTANTS = ("pm25", "pm10", "o3", "no2", "so2", "co")
WIND = ("wind_speed", "wind_from_deg")
MEASURED = POLLUTANTS + WIND
"""What readings may be of. Wind annotates episodes and takes part in no index."""

METEOROLOGY = ("wind_speed", "wind_from_deg", "temp", "rh", "pressure", "rain")

Status = Literal["measuring", "calibrating", "fault", "revised"]
STATUSES: tuple[Status, ...] = ("measuring", "calibrating", "fault", "revised")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One value of one pollutant at one station, as it enters.

    Identity is (station, pollutant, time); a repeat changes nothing; a correction has status ``revised``.

    Attributes:
        station: code in the station registry.
        pollutant: one of ``POLLUTANTS`` or ``METEOROLOGY``.
        value: in ``unit``; ``None`` when the station reported no value.
        unit: ``ug/m3``, ``mg/m3``, ``ppb``, ``ppm`` and their usual spellings; others are refused.
        time: END of the averaging period, with an offset.
        period: averaging period, seconds.
        status: device status.
        source: name of the feed, for people.
    """

    station: str
    pollutant: str
    value: float | None
    unit: str
    time: datetime
    period: int = 3600
    status: Status = "measuring"
    source: str = ""


class Mark(msgspec.Struct, frozen=True, tag_field="type", tag="mark"):
    """A promise of progress: everything of ``source`` that is on time and ends by ``time`` has been handed over.

    Attributes:
        time: event time reached.
        source: who promises (a gateway's name on ``readings``; the readings partition on ``index.stations``).
        of: number of sources that must reach a step before it may be decided.
    """

    time: datetime
    source: str = "0"
    of: int = 1


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be used, with its bytes and the reason.

    Attributes:
        reason: short machine-readable code (``bad-json``, ``unknown-station``, ``unknown-unit``, ``clock-ahead`` …).
        message: sentence for the person who can fix it: place, field, what was expected, what to do.
        place: file and line, or topic, partition and offset.
        raw: the original bytes (base64 on the wire).
    """

    reason: str
    message: str
    place: str
    raw: bytes
    source: str = ""


class StationIndex(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="type", tag="station-index"
):
    """The index of one station for one hour (or one day).

    Attributes:
        time: END of the hour, or of the day (local 24:00).
        product: ``hour`` or ``day``.
        index: the station's index, ``None`` where the standard gives none.
        sub: sub-index by pollutant.
        concentration: what each sub-index was computed from, µg/m³ (NowCast for PM, 1 h mean for gases;
            the day's statistics for ``day``, keyed ``pm25_24h``, ``o3_8h`` …).
        trailing_24h: mean of the latest 24 hourly PM means by pollutant, µg/m³ (at least 18 valid hours).
        index_24h: index of ``trailing_24h``: the highest PM sub-index, ``None`` without one.
        completeness: by pollutant, the fraction of the hour (day) covered by valid readings, 0–1.
        final: false while the hour is still open.
        revision: 0 for the first final value, then counting up as late data change it.
        decided: time of the mark at which the record was made. A stage that hears several index partitions takes
            the record in when all of them have passed it, so that their interleaving changes nothing.
        suspect: by pollutant, why screening doubts this hour (``streams.screening.Suspicion``): no average and no
            index counts it, here or in any later record. ``spike-before`` speaks of the hour before this one.
        withheld: by pollutant, the mean of this hour that was not counted for that reason, µg/m³.
        screening: version of the rules behind ``suspect``; empty where nothing is.
        means_1h: mean of the hour by particle pollutant, µg/m³; only where a level of the airshed looks at it.
    """

    airshed: str
    province: str
    station: str
    station_class: str
    time: datetime
    product: Literal["hour", "day"]
    standard: str
    index: int | None
    category: str | None
    dominant: str | None
    sub: dict[str, int]
    concentration: dict[str, float]
    trailing_24h: dict[str, float]
    index_24h: int | None
    completeness: dict[str, float]
    final: bool
    revision: int
    decided: datetime | None = None
    suspect: dict[str, str] = {}
    withheld: dict[str, float] = {}
    screening: str = ""
    means_1h: dict[str, float] = {}


class WithoutOne(msgspec.Struct, frozen=True, array_like=True):
    """What a province's reference stations say about an hour whichever one of them is left out.

    Attributes:
        reached: the highest entry threshold that more than half of them meet: then at least half of the others do.
        median_index / median_index_24h / medians: medians without the highest value of each.
    """

    reached: int | float
    median_index: int
    median_index_24h: int | None
    medians: dict[str, float] = {}


class ProvinceState(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="province-state"):
    """One province at one hour.

    Attributes:
        condition: ``unknown`` (too few valid stations: neither clean nor exceeding), ``clean`` or ``exceeding``
            (some level's entry threshold is met in this hour).
        level: number of the highest level whose entry threshold the hour meets, 0 for none or unknown; by the levels
            of the rule pack activated for the hour. An episode that is open under an older one is judged by that.
        median_index: median of the valid stations' hourly index; ``None`` when unknown.
        median_index_24h: median of the valid stations' 24-hour index; ``None`` without one.
        basis: class of the stations that are asked. Low-cost sensors are asked only where there is no reference
            station.
        valid / known: asked stations with an index in this hour / in the registry.
        single_station: one station only could be asked.
        stations: evidence: (station, index, index_24h) of the valid stations, highest first, at most ten.
        revision: 0 for the first statement about the hour, counting up as late data change it.
        suspect: stations that have an index and were not asked, with the reason (``neighbours``).
        reached: the highest entry threshold that the hour would meet, in the unit of the levels; ``None`` when unknown.
            ``level`` follows from it and from the levels in force, so that another rule pack can judge the same hour.
        medians: of the concentrations that the airshed's levels look at (``streams.airsheds.Quantity``), median of
            the stations, µg/m³; without those that too few stations have.
        without_one: the same hour without any single station; ``None`` where that is unknown, which it always is for
            a single station and for low-cost sensors.
    """

    airshed: str
    province: str
    time: datetime
    condition: Literal["unknown", "clean", "exceeding"]
    level: int
    median_index: int | None
    median_index_24h: int | None
    valid: int
    known: int
    coverage: float
    single_station: bool
    stations: list[tuple[str, int, int | None]]
    revision: int
    suspect: dict[str, str] = {}
    reached: int | float | None = None
    medians: dict[str, float] = {}
    basis: Literal["reference", "low-cost"] = "reference"
    without_one: WithoutOne | None = None


class StationWind(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="station-wind"):
    """The wind at one station in one hour; said once, when the hour is closed.

    Attributes:
        time: END of the hour.
        speed: mean of the speeds, m/s.
        east / north: mean wind vector, m/s, the way the air moves (a wind FROM the west has ``east`` above 0).
        decided: the mark at which it was said.
    """

    airshed: str
    province: str
    station: str
    time: datetime
    speed: float
    east: float
    north: float
    decided: datetime


class ProvinceWind(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="province-wind"):
    """The wind of one province in one hour, the mean of its stations. Provinces without any say where they lie.

    Attributes:
        speed / east / north: as of ``StationWind``; ``None`` without a station.
        lat / lon: centre of the province's registered stations, WGS 84 degrees.
    """

    airshed: str
    province: str
    time: datetime
    speed: float | None
    east: float | None
    north: float | None
    lat: float
    lon: float


class EpisodeWind(msgspec.Struct, frozen=True, kw_only=True):
    """What the wind is doing in the provinces of an episode. It explains; nothing is decided by it.

    Attributes:
        speed: mean speed of the hour, m/s.
        calm: the mean vector is shorter than 1 m/s; such a wind has no direction.
        from_deg: where it comes from, degrees clockwise from north; ``None`` when calm.
        upwind: neighbours of the episode it comes from, by code.
        mean_24h: mean speed of the latest 24 hours, m/s; ``None`` with fewer than six of them.
        stagnant: that mean is below 2 m/s; ``None`` when it is not known.
    """

    speed: float
    calm: bool
    from_deg: int | None
    upwind: list[str]
    mean_24h: float | None
    stagnant: bool | None


class ProvinceDay(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="province-day"):
    """One province on one calendar day, as its reference stations show it; said where a legal definition asks.

    Attributes:
        time: END of the day (local 24:00).
        index: the highest daily index that as many stations as the definition asks for are at or above; ``None`` when
            too few stations have one.
        highest: of any station.
        valid / known: reference stations with a daily index / in the registry.
        stations: evidence: (station, daily index) of the valid stations, highest first, at most ten.
        revision: 0 for the first statement about the day, counting up as late data change it.
    """

    airshed: str
    province: str
    time: datetime
    index: int | None
    highest: int | None
    valid: int
    known: int
    stations: list[tuple[str, int]]
    revision: int


class EpisodeProvince(msgspec.Struct, frozen=True, kw_only=True):
    """A province's part in an episode at the moment of a transition.

    Attributes:
        level: level it is on; ``corroborated``: the highest that does not rest on any single station, nor on low-cost
            sensors. Only the latter opens an episode, holds it open and makes its level.
        since: first hour of the exceedance it is in, or was in.
        course: its hourly medians from ``since`` on, the latest 24 of them, oldest first; the last is of the hour of
            the event, ``None`` is unknown. (Days, on the legal track. Not told with the
            hourly ``status`` of an episode.)
        witnesses: station, in how many of these hours it was at or above the threshold of the level, its highest
            index in them. Those at or above it first, highest first, at most ten.
    """

    code: str
    name: str
    level: int
    level_name: str
    since: datetime
    median_index: int | None
    median_index_24h: int | None
    valid: int
    known: int
    stations: list[tuple[str, int, int | None]]
    medians: dict[str, float] = {}
    corroborated: int = 0
    course: list[int | None] = []
    witnesses: list[tuple[str, int, int]] = []


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What late readings changed about an episode that had been told already.

    Attributes:
        provinces: codes of those whose level is another one in some hour.
        first / last: first and last such hour; ``hours``: how many there are.
        previous_onset / previous_peak_level: as they were told before.
        supported: whether the hours as they are known now still make an episode.
    """

    provinces: list[str]
    first: datetime
    last: datetime
    hours: int
    previous_onset: datetime
    previous_peak_level: int
    supported: bool


TransitionKind = Literal["opened", "grown", "escalated", "eased", "merged", "split", "closed", "revised", "status"]
Track = Literal["operational", "legal"]


class EpisodeEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="episode-event"):
    """One transition of a cross-provincial episode.

    Attributes:
        episode: deterministic id, from airshed, onset hour and seed province.
        transition: counts up from 1 within the episode; (episode, transition) is the identity of the event.
        time: the event-time step at which it was decided.
        onset: first hour of the exceedance that led to the episode.
        level / previous_level: level of the episode after and before the transition (0 = none).
        provinces: the provinces in the episode after the transition (before it, for ``closed``), by code.
        joined / left: province codes that came in or went out with this transition.
        departed: the provinces of ``left`` as they are now.
        airshed_levels: level of every province of the airshed that is on any whichever single station is left out, in
            the episode or not.
        peak_level: highest level so far.
        population: people living in ``provinces``, 0 where the registry does not say.
        reason: what made the transition, in words, with the numbers.
        pack: name and version of the rule pack in force for this episode.
        parent / merged_into: other episodes concerned by a split or a merge.
        revision: with ``revised``, what has changed.
        wind: as far as a feed of wind says; ``None`` without.
        track: ``operational``: the levels of the pack; ``legal``: the definition of the law, beside it.
    """

    episode: str
    airshed: str
    transition: int
    kind: TransitionKind
    time: datetime
    onset: datetime
    level: int
    level_name: str
    previous_level: int
    peak_level: int
    provinces: list[EpisodeProvince]
    joined: list[str]
    left: list[str]
    population: int
    reason: str
    pack: str
    parent: str | None = None
    merged_into: str | None = None
    departed: list[EpisodeProvince] = []
    track: Track = "operational"
    revision: Revision | None = None
    wind: EpisodeWind | None = None
    airshed_levels: dict[str, int] = {}
