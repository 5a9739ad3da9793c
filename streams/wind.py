"""Wind: from readings of speed and direction to the hours of stations, of provinces, and to what an episode is told.

Wind explains and decides nothing. It therefore never revises: what comes after its hour was closed is left out, here
and in every later stage, so that each hour is said once.

Directions are meteorological: where the wind comes FROM, degrees clockwise from north. Vectors point the way the air
moves. Sums run over sorted stations and times with ``math.fsum``, so that they are the same whatever came first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from streams.airsheds import Airshed
from streams.batches import ReadingBatch
from streams.clock import HOUR_S, epoch_s, utc
from streams.components import Neighbours
from streams.schemas import MEASURED, STATUSES, EpisodeWind, Mark, ProvinceWind, StationWind
from streams.stage import State
from streams.stations import Station, StationRegistry

CALM_M_S = 1.0
"""Below about 1 m/s vanes turn at will: no direction can be used."""

STAGNANT_M_S = 2.0
"""A mean surface wind below 2 m/s does not clear the air; the usual bound of stagnation indices."""

MEMORY_HOURS = 24
FEWEST_HOURS = 6
"""Hours that stagnation is judged on, and how many of them must be known."""

UPWIND_DEG = 45
"""How far a neighbour may lie from where the wind comes from: half of the quadrant."""

FASTEST_M_S = 75.0
"""Faster than any typhoon's mean wind at a station: a slip of the unit or of the instrument."""

AHEAD_S = 6 * HOUR_S
"""How far ahead of the closed hours samples are kept; further is a wrong clock."""

_SPEED = MEASURED.index("wind_speed")
_USABLE = [STATUSES.index("measuring"), STATUSES.index("revised")]

Samples = dict[int, dict[int, tuple[float | None, float | None]]]  # by hour, by time: speed, direction

_encode = msgspec.msgpack.Encoder().encode
_decode_samples = msgspec.msgpack.Decoder(Samples).decode
_decode_through = msgspec.msgpack.Decoder(dict[str, int]).decode


def is_wind(batch: ReadingBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows that are readings of wind."""
    return batch.pollutant >= _SPEED


class WindHours:
    """The wind of stations, hour by hour; stands beside the index stage and shares its state.

    State: ``wind:<station>``, the samples of hours that are not closed; ``wind``, the last closed hour by airshed.

    Args:
        closed: by airshed, the last hour that the index stage's state shows as closed: what was to be said of hours
            up to it is durable, whatever became of the samples.
    """

    def __init__(
        self, airsheds: Iterable[Airshed], registry: StationRegistry, state: State, closed: Mapping[str, int]
    ) -> None:
        self._lateness_s = {airshed.code: airshed.detection.lateness_s for airshed in airsheds}
        self._registry, self._state = registry, state
        self._through = _decode_through(state["wind"]) if "wind" in state else {}
        for code, hour in closed.items():
            self._through[code] = max(hour * HOUR_S, self._through.get(code, 0))
        self._samples = {
            station.code: self._open_hours(station, body)
            for station in registry.stations
            if station.airshed in self._lateness_s and (body := state.get(_key(station.code))) is not None
        }

    def _open_hours(self, station: Station, body: bytes) -> Samples:
        through_s = self._through.get(station.airshed, 0)
        return {hour_s: times for hour_s, times in _decode_samples(body).items() if hour_s > through_s}

    def accept(self, batch: ReadingBatch) -> int:
        """Take readings of wind in. Returns how many are of use."""
        touched: set[str] = set()
        used = 0
        columns = (batch.station, batch.pollutant, batch.time_s, batch.period_s, batch.value, batch.status)
        for row, name, time_s, period_s, value, status in zip(*(c.tolist() for c in columns), strict=True):
            station = self._registry.stations[row]
            if status in _USABLE and period_s <= HOUR_S and self._add(station, name == _SPEED, time_s, value):
                touched.add(station.code)
                used += 1
        for code in sorted(touched):
            self._state[_key(code)] = _encode(self._samples[code])
        return used

    def advance(self, marks: Iterable[Mark]) -> list[StationWind]:
        """The hours that are closed by marks of the index stage, station by station."""
        said: list[StationWind] = []
        before = dict(self._through)
        for mark in marks:
            for code, lateness_s in self._lateness_s.items():
                self._through[code] = (epoch_s(mark.time) - lateness_s) // HOUR_S * HOUR_S
            for code in sorted(self._samples):
                said += self._close(self._registry.stations[self._registry.row(code)], mark)
        if self._through != before and (self._samples or "wind" in self._state or said):
            self._state["wind"] = _encode(self._through)
        return said

    def _add(self, station: Station, is_speed: bool, time_s: int, value: float) -> bool:
        hour_s = -(-time_s // HOUR_S) * HOUR_S
        through_s = self._through.get(station.airshed)
        timely = through_s is None or through_s < hour_s <= through_s + AHEAD_S
        possible = 0 <= value <= (FASTEST_M_S if is_speed else 360.0)  # false for NaN
        if station.airshed not in self._lateness_s or not timely or not possible:
            return False
        times = self._samples.setdefault(station.code, {}).setdefault(hour_s, {})
        speed, direction = times.get(time_s, (None, None))
        times[time_s] = (value, direction) if is_speed else (speed, value)
        return True

    def _close(self, station: Station, mark: Mark) -> Iterator[StationWind]:
        hours = self._samples[station.code]
        due = sorted(hour_s for hour_s in hours if hour_s <= self._through[station.airshed])
        for hour_s in due:
            found = _mean_of(hours.pop(hour_s))
            if found is not None:
                speed, east, north = found
                yield StationWind(
                    airshed=station.airshed,
                    province=station.province,
                    station=station.code,
                    time=utc(hour_s),
                    speed=speed,
                    east=east,
                    north=north,
                    decided=mark.time,
                )
        if due:
            self._state[_key(station.code)] = _encode(hours)


def _mean_of(times: Mapping[int, tuple[float | None, float | None]]) -> tuple[float, float, float] | None:
    pairs = [(speed, way) for _, (speed, way) in sorted(times.items()) if speed is not None and way is not None]
    if not pairs:
        return None
    number = len(pairs)
    speed = math.fsum(speed for speed, _ in pairs) / number
    east = math.fsum(-speed * math.sin(math.radians(way)) for speed, way in pairs) / number
    north = math.fsum(-speed * math.cos(math.radians(way)) for speed, way in pairs) / number
    return round(speed, 2), round(east, 2) + 0.0, round(north, 2) + 0.0  # no -0.0


def _key(station: str) -> str:
    return f"wind:{station}"


Pending = dict[int, dict[str, StationWind]]
_decode_pending = msgspec.msgpack.Decoder(Pending).decode


class ProvinceWinds:
    """Part of the province watch: the wind of provinces. State: ``winds/<airshed>``, hours still to be decided."""

    def __init__(self, airsheds: Iterable[Airshed], registry: StationRegistry, state: State) -> None:
        self._state = state
        self._places = {
            airshed.code: {p.code: _centre(registry.of_province(airshed.code, p.code)) for p in airshed.provinces}
            for airshed in airsheds
        }
        keys = ((code, f"winds/{code}") for code in self._places)
        self._pending = {code: _decode_pending(state[key]) if key in state else {} for code, key in keys}

    def add(self, items: Sequence[StationWind], decided: Mapping[str, int]) -> None:
        """Take station hours in; ``decided``: latest decided hour by airshed."""
        touched: set[str] = set()
        for item in items:
            hour_s = epoch_s(item.time)
            if item.airshed in self._places and hour_s > decided.get(item.airshed, 0):
                self._pending[item.airshed].setdefault(hour_s, {})[item.station] = item
                touched.add(item.airshed)
        self._save(touched)

    def statements(self, through: Mapping[str, int]) -> list[ProvinceWind]:
        """Every province of an airshed about which any wind is known, for the hours decided now."""
        said: list[ProvinceWind] = []
        touched: set[str] = set()
        for code, hours in self._pending.items():
            for hour_s in sorted(hour_s for hour_s in hours if hour_s <= through[code]):
                said += self._hour(code, hour_s, [item for _, item in sorted(hours.pop(hour_s).items())])
                touched.add(code)
        self._save(touched)
        return said

    def _hour(self, code: str, hour_s: int, items: Sequence[StationWind]) -> Iterator[ProvinceWind]:
        for province, place in self._places[code].items():
            own = [item for item in items if item.province == province]
            if place is not None:
                yield ProvinceWind(
                    airshed=code,
                    province=province,
                    time=utc(hour_s),
                    speed=_mean([item.speed for item in own]),
                    east=_mean([item.east for item in own]),
                    north=_mean([item.north for item in own]),
                    lat=place[0],
                    lon=place[1],
                )

    def _save(self, airsheds: Iterable[str]) -> None:
        for code in sorted(airsheds):
            self._state[f"winds/{code}"] = _encode(self._pending[code])


def _centre(stations: Sequence[Station]) -> tuple[float, float] | None:
    lat, lon = _mean([s.lat for s in stations], 4), _mean([s.lon for s in stations], 4)
    return None if lat is None or lon is None else (lat, lon)


def _mean(values: Sequence[float], decimals: int = 2) -> float | None:
    return round(math.fsum(values) / len(values), decimals) if values else None


Winds = Callable[[int], Mapping[str, ProvinceWind]]
"""Gives the wind of an hour (epoch seconds), by province code."""


def wind_of(provinces: Sequence[str], neighbours: Neighbours, hour_s: int, winds: Winds) -> EpisodeWind | None:
    """The wind of an episode of these provinces; ``None`` where no feed says anything about this hour."""
    now = winds(hour_s)
    own = [now[code] for code in provinces if code in now]
    speed = _mean([wind.speed for wind in own if wind.speed is not None], 1)
    east, north = (_mean([v for wind in own if (v := getattr(wind, name)) is not None]) for name in ("east", "north"))
    if speed is None or east is None or north is None:
        return None
    calm = math.hypot(east, north) < CALM_M_S
    source = None if calm else round(math.degrees(math.atan2(-east, -north))) % 360
    mean_24h = _mean_of_hours(provinces, hour_s, winds)
    return EpisodeWind(
        speed=speed,
        calm=calm,
        from_deg=source,
        upwind=[] if source is None else _upwind(provinces, neighbours, now, source),
        mean_24h=mean_24h,
        stagnant=None if mean_24h is None else mean_24h < STAGNANT_M_S,
    )


def _mean_of_hours(provinces: Sequence[str], hour_s: int, winds: Winds) -> float | None:
    hours = [winds(hour_s - age * HOUR_S) for age in range(MEMORY_HOURS)]
    means = [
        _mean([wind.speed for code in provinces if (wind := hour.get(code)) and wind.speed is not None])
        for hour in hours
    ]
    known = [mean for mean in means if mean is not None]
    return _mean(known, 1) if len(known) >= FEWEST_HOURS else None


def _upwind(
    provinces: Sequence[str], neighbours: Neighbours, places: Mapping[str, ProvinceWind], source: int
) -> list[str]:
    borders = ((code, other) for code in provinces for other in neighbours[code] if other not in provinces)
    return sorted(
        {
            other
            for code, other in borders
            if code in places and other in places and _turn(_bearing(places[code], places[other]), source) <= UPWIND_DEG
        }
    )


def _bearing(here: ProvinceWind, there: ProvinceWind) -> float:
    """Direction in which ``there`` lies, degrees clockwise from north; flat, which is enough for a neighbour."""
    east = (there.lon - here.lon) * math.cos(math.radians(here.lat))
    return math.degrees(math.atan2(east, there.lat - here.lat)) % 360


def _turn(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)
