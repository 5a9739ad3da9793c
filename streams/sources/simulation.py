"""Simulated readings: a scenario and a seed give the same stations, plants, people and readings every time."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.clock import epoch_s, utc
from streams.gateway import Slice, slices
from streams.schemas import POLLUTANTS, STATUSES
from streams.sources import invented
from streams.sources.scenarios import STAGNATION, Course, Disturbance, Scenario
from streams.stations import Station, StationRegistry

CYCLE_S = 300
_CYCLES_PER_HOUR = 3600 // CYCLE_S
_GAS_STATIONS = 4
"""Stations 01–04 of Hà Nội and 01 of every other province measure gases too."""
_TEST_GAS_UG_M3 = 400.0
_FULL_SCALE_UG_M3 = 985.0
_SUBSCRIBERS = 200

Field = NDArray[np.float64]
"""``(n_stations, n_cycles) float64, µg/m³``; NaN = nothing is measured or sent."""


@dataclass(frozen=True)
class Simulation:
    """A simulated stretch of time.

    Attributes:
        registry: its stations.
        readings: every reading sent, in the order of arrival.
        arrival_s: ``(n,) int64``, when each arrives, UTC epoch seconds, ascending.
        facilities, subscribers: rows for the registries of the notifiers.
    """

    scenario: Scenario
    seed: int
    registry: StationRegistry
    readings: ReadingBatch
    arrival_s: NDArray[np.int64]
    facilities: list[dict[str, str]]
    subscribers: list[dict[str, str]]

    @property
    def stations(self) -> tuple[Station, ...]:
        return self.registry.stations

    def slices(self) -> Iterator[Slice]:
        """What arrives, cycle by cycle (5 minutes): input for ``streams.gateway.replay_arrivals``."""
        return slices(self.arrival_s, self.readings)

    def write(self, folder: Path) -> None:
        """``stations.csv``, ``facilities.csv``, ``subscribers.csv`` and ``readings.csv.gz``, as real ones would be."""
        folder.mkdir(parents=True, exist_ok=True)
        invented.write_rows(folder / "stations.csv", invented.station_rows(self.stations))
        invented.write_rows(folder / "facilities.csv", self.facilities)
        invented.write_rows(folder / "subscribers.csv", self.subscribers)
        with gzip.open(folder / "readings.csv.gz", "wt", encoding="utf-8", compresslevel=3) as file:
            file.write("time,station_id,pollutant,value,unit,period,status\n")
            file.writelines(self._lines())

    def _lines(self) -> Iterator[str]:
        batch = self.readings
        codes = [station.code for station in self.stations]
        texts = {moment: utc(moment).isoformat() for moment in np.unique(batch.time_s).tolist()}
        columns = (batch.time_s, batch.station, batch.pollutant, batch.value, batch.period_s, batch.status)
        for time_s, row, pollutant, value, period_s, status in zip(*(c.tolist() for c in columns), strict=True):
            yield (
                f"{texts[time_s]},{codes[row]},{POLLUTANTS[pollutant]},{value},ug/m3,{period_s},{STATUSES[status]}\n"
            )


def simulate(seed: int = 2026, scenario: Scenario = STAGNATION) -> Simulation:
    """Play a scenario. The same seed and scenario give the same simulation."""
    draw = np.random.Generator(np.random.PCG64(seed))
    registry = StationRegistry(invented.stations(scenario.stations, draw))
    fields, statuses = _disturbed(scenario, registry, _fields(scenario, registry, draw))
    readings, arrival_s = _sent(scenario, fields, statuses, draw)
    subscribers = invented.subscribers(_SUBSCRIBERS, draw)
    return Simulation(scenario, seed, registry, readings, arrival_s, invented.facilities(), subscribers)


def _cycles(scenario: Scenario) -> int:
    return scenario.days * 24 * _CYCLES_PER_HOUR


def _hours(scenario: Scenario) -> NDArray[np.float64]:
    """``(n_cycles,)``: end of each cycle, hours since the start."""
    return np.arange(1, _cycles(scenario) + 1) / _CYCLES_PER_HOUR


def _along(course: Course, hours: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(hours, [hour for hour, _ in course], [value for _, value in course])


def _daily_cycle(scenario: Scenario) -> NDArray[np.float64]:
    local_h = (scenario.start.hour + scenario.start.minute / 60 + _hours(scenario)) % 24
    return _along(scenario.daily_cycle, local_h)


def _fields(scenario: Scenario, registry: StationRegistry, draw: np.random.Generator) -> dict[str, Field]:
    """Concentrations by pollutant."""
    pm25 = _fine_particles(scenario, registry, draw)
    shape = pm25.shape
    coarse = 9.0 + 0.28 * pm25
    fields = {"pm25": pm25, "pm10": pm25 + coarse * (1 + 0.1 * draw.standard_normal(shape))}
    with_gases = np.array([_measures_gases(station) for station in registry.stations])
    for name, field in _gases(scenario, pm25, draw).items():
        fields[name] = np.where(with_gases[:, None], field, np.nan)
    return {name: _as_instruments_write(field) for name, field in fields.items()}


def _as_instruments_write(field: Field) -> Field:
    """One decimal, and nothing below what they can tell from zero."""
    return np.round(np.maximum(field, 0.5), 1).astype(np.float64)


def _fine_particles(scenario: Scenario, registry: StationRegistry, draw: np.random.Generator) -> Field:
    between, hourly, single = scenario.noise
    cycle = _daily_cycle(scenario)
    courses: dict[str, NDArray[np.float64]] = {}
    for province in sorted(scenario.courses):
        unrest = _wandering(_cycles(scenario), draw)
        courses[province] = _along(scenario.courses[province], _hours(scenario)) * cycle * (1 + hourly * unrest)
    of_province = np.stack([courses[station.province] for station in registry.stations])
    place = 1 + between * np.clip(draw.standard_normal((len(registry), 1)), -2, 2)
    return of_province * place * (1 + single * draw.standard_normal(of_province.shape))


def _wandering(cycles: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """A smooth random course, standard deviation about 1, that changes from hour to hour."""
    hours = np.arange(cycles // _CYCLES_PER_HOUR + 1)
    return np.interp(np.arange(cycles) / _CYCLES_PER_HOUR, hours, draw.standard_normal(len(hours)))


def _gases(scenario: Scenario, pm25: Field, draw: np.random.Generator) -> dict[str, Field]:
    """Plausible companions: traffic gases with the particles, ozone against the inversion."""
    cycle = _daily_cycle(scenario)
    sunshine = np.maximum(0.0, 1.1 - cycle)

    def around(field: Field) -> Field:
        return field * (1 + 0.08 * draw.standard_normal(pm25.shape))

    return {
        "o3": around(12 + 160 * sunshine * np.ones_like(pm25)),
        "no2": around(14 + 0.3 * pm25),
        "so2": around(8 + 0.12 * pm25),
        "co": around(400 + 9 * pm25),
    }


def _measures_gases(station: Station) -> bool:
    number = int(station.code.rsplit("-", 1)[1])
    return number <= (_GAS_STATIONS if station.province == "01" else 1)


def _disturbed(
    scenario: Scenario, registry: StationRegistry, fields: dict[str, Field]
) -> tuple[dict[str, Field], NDArray[np.int8]]:
    """The fields with every disturbance, and ``(n_stations, n_cycles)`` device statuses."""
    statuses = np.zeros((len(registry), _cycles(scenario)), np.int8)
    hours = _hours(scenario)
    for disturbance in scenario.disturbances:
        row = registry.rows[disturbance.station]
        during = (hours > disturbance.from_h) & (hours <= disturbance.to_h)
        for name, field in fields.items():
            _disturb(field[row], during, disturbance, name)
        if disturbance.kind == "calibrating":
            statuses[row, during] = STATUSES.index("calibrating")
    return fields, statuses


def _disturb(values: NDArray[np.float64], during: NDArray[np.bool_], what: Disturbance, pollutant: str) -> None:
    """Change the values of one pollutant at one station in place."""
    match what.kind:
        case "silent":
            values[during] = np.nan
        case "stuck":
            values[during] = values[np.argmax(during)]
        case "full-scale" if pollutant in ("pm25", "pm10"):
            values[during] = _FULL_SCALE_UG_M3
        case "calibrating":
            values[during] = np.where(np.isnan(values[during]), np.nan, _TEST_GAS_UG_M3)


def _sent(
    scenario: Scenario, fields: dict[str, Field], statuses: NDArray[np.int8], draw: np.random.Generator
) -> tuple[ReadingBatch, NDArray[np.int64]]:
    """Readings as they arrive: some never, some late, some twice, and within a cycle in any order."""
    names = sorted(fields, key=POLLUTANTS.index)
    values = np.stack([fields[name] for name in names])
    there = ~np.isnan(values) & (draw.random(statuses.shape) >= scenario.rates.missing)
    pollutant, station, cycle = np.nonzero(there)
    delay = np.where(draw.random(len(cycle)) < scenario.rates.late, draw.integers(1, 3, len(cycle)), 0)
    again = np.flatnonzero(draw.random(len(cycle)) < scenario.rates.duplicate)
    which = np.concatenate([np.arange(len(cycle)), again])
    arrives = np.concatenate([cycle + delay, cycle[again] + delay[again] + 1])
    order = np.lexsort((draw.random(len(which)), arrives))
    which, arrives = which[order], arrives[order]
    start_s = epoch_s(scenario.start)
    batch = ReadingBatch(
        station[which].astype(np.int32),
        np.array([POLLUTANTS.index(name) for name in names], np.int8)[pollutant[which]],
        start_s + (cycle[which] + 1) * CYCLE_S,
        np.full(len(which), CYCLE_S, np.int32),
        values[pollutant[which], station[which], cycle[which]],
        statuses[station[which], cycle[which]],
    )
    return batch, start_s + (arrives + 1) * CYCLE_S
