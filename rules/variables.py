"""What a condition of a rule can see: the episode, its provinces and stations, the calendar, what was said before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from streams.airsheds import Airshed
from streams.clock import HOUR_S, epoch_s
from streams.components import connected, neighbours_of
from streams.schemas import EpisodeEvent, EpisodeProvince, TransitionKind

Variables = Mapping[str, Any]

_PARTICLES = "median of each province about which it is known, µg/m³; only what the levels or ``watched`` name"

VARIABLES: dict[str, tuple[str, str]] = {
    "kind": ("string", "kind of the event: opened, grown, escalated, eased, merged, split, closed, revised, status"),
    "level": ("int", "level of the episode after the event, 0 = none, 1 = lowest"),
    "previous_level": ("int", "level before the event"),
    "peak_level": ("int", "highest level so far"),
    "previous_peak_level": ("int", "with revised: highest level as it was told before; otherwise peak_level"),
    "level_name": ("string", "name of the level, none for 0"),
    "provinces": ("list(string)", "codes of the provinces in the episode"),
    "joined": ("list(string)", "codes of those that came in with this event"),
    "left": ("list(string)", "codes of those that went out with this event"),
    "changed": ("list(string)", "with revised: codes of those whose level was another one in some past hour"),
    "province_level": ("map(string, int)", "level of each province in the episode"),
    "airshed_level": (
        "map(string, int)",
        "level of every province of the airshed that is on any, connected or not, whichever single station is left out",
    ),
    "together": (
        "int",
        "on the legal track: most adjacent provinces of the case that have the index of the definition on as many "
        "calendar days in a row as it asks for, up to this one, none of them unknown; 0 on the operational track",
    ),
    "index": ("map(string, int)", "median hourly index of each province about which it is known"),
    "index_24h": ("map(string, int)", "median 24-hour index of each province about which it is known"),
    "pm25_1h": ("map(string, double)", f"fine particles of the hour, {_PARTICLES}"),
    "pm25_24h": ("map(string, double)", f"fine particles of the latest 24 hours, {_PARTICLES}"),
    "pm10_1h": ("map(string, double)", f"coarse particles of the hour, {_PARTICLES}"),
    "pm10_24h": ("map(string, double)", f"coarse particles of the latest 24 hours, {_PARTICLES}"),
    "stations": ("map(string, int)", "stations with an index in each province of the episode"),
    "coverage": ("map(string, double)", "share of its stations that have one, 0–1"),
    "station_max": ("map(string, int)", "highest hourly index of a station of each province about which it is known"),
    "hours_since_onset": ("int", "whole hours since the exceedance began"),
    "population": ("int", "people living in the provinces of the episode"),
    "population_share": ("double", "their share of the airshed's people, 0–1; 0 where the pack names no population"),
    "hour": ("int", "local hour of the decision, 0–23"),
    "weekday": ("int", "local day of the week, 1 = Monday to 7 = Sunday"),
    "month": ("int", "local month, 1–12"),
    "date": ("string", "local date, e.g. 2026-02-17"),
    "holiday": ("bool", "the local date is one of the holidays of the pack"),
    "times_told": (
        "int",
        "notices this rule has made in this episode since it opened; one that resumes after its close begins anew",
    ),
    "hours_since_told": ("int", "whole hours since the latest of them, -1 before the first"),
    "highest_told": ("int", "highest level at which this rule has spoken in this episode, 0 before"),
    "forecast": (
        "map(string, int)",
        "highest 24-hour index expected within 36 hours, of each province for which there is a forecast. There is no "
        "forecast feed yet, so it is empty: ask has(forecast.x) or 'x' in forecast first",
    ),
}
"""Type and meaning of every variable of a condition."""


class Memory(msgspec.Struct, array_like=True):
    """What one rule remembers of one episode.

    Attributes:
        times: notices made; ``last_s``: time of the latest, epoch seconds; ``highest``: highest level then.
        holds_since: first of the successive decisions at which its condition has held, epoch seconds; 0 = it does not.
    """

    times: int = 0
    last_s: int = 0
    highest: int = 0
    holds_since: int = 0

    def copy(self) -> Memory:
        return Memory(self.times, self.last_s, self.highest, self.holds_since)

    def spoke(self, level: int, time_s: int) -> None:
        """Note a notice."""
        self.times, self.last_s, self.highest = self.times + 1, time_s, max(self.highest, level)

    def variables(self, time: datetime) -> dict[str, int]:
        """The variables about previous notices."""
        since = (epoch_s(time) - self.last_s) // HOUR_S if self.times else -1
        return {"times_told": self.times, "hours_since_told": since, "highest_told": self.highest}


def variables_of(
    event: EpisodeEvent,
    airshed: Airshed | None = None,
    holidays: Collection[str] = (),
    memory: Memory | None = None,
) -> dict[str, Any]:
    """What a condition sees of an event.

    Args:
        airshed: gives the local time and the number of people; without it UTC and no share.
        holidays: local dates.
        memory: what the rule that asks has said before in the episode.
    """
    everybody = sum(province.population for province in airshed.provinces) if airshed else 0
    return {
        "kind": event.kind,
        "level": event.level,
        "previous_level": event.previous_level,
        "peak_level": event.peak_level,
        "level_name": event.level_name,
        "provinces": [province.code for province in event.provinces],
        "joined": list(event.joined),
        "left": list(event.left),
        "province_level": {province.code: province.level for province in event.provinces},
        "airshed_level": dict(event.airshed_levels),
        "together": _together(event, airshed) if airshed else 0,
        **_values(event.provinces),
        "changed": list(event.revision.provinces) if event.revision else [],
        "previous_peak_level": event.revision.previous_peak_level if event.revision else event.peak_level,
        "hours_since_onset": (epoch_s(event.time) - epoch_s(event.onset)) // HOUR_S,
        "population": event.population,
        "population_share": event.population / everybody if everybody else 0.0,
        **_calendar(event.time.astimezone(ZoneInfo(airshed.zone if airshed else "UTC")), holidays),
        **(memory or Memory()).variables(event.time),
        "forecast": {},
    }


def _together(event: EpisodeEvent, airshed: Airshed) -> int:
    """How many adjacent provinces meet the legal definition on this very day. A case that is held open over an unknown
    day holds more than these."""
    definition = airshed.legal_track
    if event.track != "legal" or definition is None:
        return 0
    met = {
        province.code
        for province in event.provinces
        if len(province.course) >= definition.days
        and all(index is not None and index >= definition.index for index in province.course[-definition.days :])
    }
    return max((len(part) for part in connected(met, neighbours_of(airshed))), default=0)


def _values(provinces: list[EpisodeProvince]) -> dict[str, Any]:
    """The maps by province."""
    quantities = ("pm25_1h", "pm25_24h", "pm10_1h", "pm10_24h")
    return {
        "index": {p.code: p.median_index for p in provinces if p.median_index is not None},
        "index_24h": {p.code: p.median_index_24h for p in provinces if p.median_index_24h is not None},
        **{name: {p.code: p.medians[name] for p in provinces if name in p.medians} for name in quantities},
        "stations": {p.code: p.valid for p in provinces},
        "coverage": {p.code: p.valid / p.known if p.known else 0.0 for p in provinces},
        "station_max": {p.code: p.stations[0][1] for p in provinces if p.stations and p.median_index is not None},
    }


def _calendar(local: datetime, holidays: Collection[str]) -> dict[str, Any]:
    date = local.date().isoformat()
    return {
        "hour": local.hour,
        "weekday": local.isoweekday(),
        "month": local.month,
        "date": date,
        "holiday": date in holidays,
    }


def samples(airshed: Airshed, kinds: list[TransitionKind]) -> Iterator[dict[str, Any]]:
    """Variables of events of every shape: each kind and level, few and all provinces, known and unknown values."""
    codes = [province.code for province in airshed.provinces]
    numbers = range(len(airshed.levels) + 1)
    for kind, level, previous, inside in product(kinds, numbers, numbers, (codes[:2], codes[2:], codes)):
        known = inside[level % 2 :]
        yield {
            "kind": kind,
            "level": level,
            "previous_level": previous,
            "peak_level": max(level, previous),
            "level_name": airshed.level_name(level),
            "provinces": inside,
            "joined": inside[:previous],
            "left": inside[previous:],
            "province_level": dict.fromkeys(inside, level),
            "airshed_level": dict.fromkeys(codes[: 2 * level], level),
            "together": len(inside) * level,
            "index": dict.fromkeys(known, 100 * level),
            "index_24h": dict.fromkeys(known[previous:], 90 * level),
            "pm25_1h": dict.fromkeys(known, 40.5 * level),
            "pm25_24h": dict.fromkeys(known[previous:], 35.5 * level),
            "pm10_1h": dict.fromkeys(known, 60.5 * level),
            "pm10_24h": dict.fromkeys(known[previous:], 55.5 * level),
            "stations": dict.fromkeys(inside, 3 * level),
            "coverage": dict.fromkeys(inside, 0.25 * level),
            "station_max": dict.fromkeys(known, 120 * level),
            "changed": inside[level:],
            "previous_peak_level": previous,
            "hours_since_onset": 50 * previous,
            "population": 20_000_000 * level,
            "population_share": min(1.0, 0.3 * level),
            **_sample_calendar(level, previous),
            **Memory(previous, 0, previous).variables(datetime.fromtimestamp(HOUR_S * 30 * level, ZoneInfo("UTC"))),
            "forecast": dict.fromkeys(known[level:], 110 * previous),
        }


def _sample_calendar(level: int, previous: int) -> dict[str, Any]:
    local = datetime(2026, 1 + level % 12, 1 + 3 * previous % 28, 7 * level % 24, tzinfo=ZoneInfo("UTC"))
    return _calendar(local, [local.date().isoformat()] if previous else [])
