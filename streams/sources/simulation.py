"""Simulated readings: a scenario and a seed give the same stations, plants, people and readings every time."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.batches import ReadingBatch
from streams.clock import HOUR_S, epoch_s, utc
from streams.gateway import Slice, slices
from streams.schemas import POLLUTANTS, STATUSES
from streams.sources import invented
from streams.sources.scenarios import STAGNATION, Course, Disturbance, Scenario
from streams.stations import Station, StationRegistry

_TICK_S = 300
"""Deliveries are delayed by whole ticks: the five minutes in which loggers try again."""
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
        """What arrives together: input for ``streams.gateway.replay_arrivals``."""
        return slices(self.arrival_s, self.readings)

    def write(self, folder: Path) -> None:
        """``stations.csv``, ``facilities.csv``, ``subscribers.csv`` and ``readings.csv.gz``, as real ones would be."""
        folder.mkdir(parents=True, exist_ok=True)
        self.write_stations(folder / "stations.csv")
        invented.write_rows(folder / "facilities.csv", self.facilities)
        invented.write_rows(folder / "subscribers.csv", self.subscribers)
        with gzip.open(folder / "readings.csv.gz", "wt", encoding="utf-8", compresslevel=3) as file:
            file.write("time,station_id,pollutant,value,unit,period,status\n")
            file.writelines(self._lines())

    def write_stations(self, path: Path) -> None:
        """The station registry as a file, with provinces as the scenario lists them."""
        listed_as = self.scenario.listed_as
        rows = invented.station_rows(self.stations)
        invented.write_rows(path, [row | {"province": listed_as.get(row["province"], row["province"])} for row in rows])

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
    readings, arrival_s = _sent(scenario, registry, fields, statuses, draw)
    subscribers = invented.subscribers(_SUBSCRIBERS, draw)
    return Simulation(scenario, seed, registry, readings, arrival_s, invented.facilities(), subscribers)


def _per_hour(scenario: Scenario) -> int:
    return HOUR_S // scenario.cycle_s


def _cycles(scenario: Scenario) -> int:
    return scenario.days * 24 * _per_hour(scenario)


def _hours(scenario: Scenario) -> NDArray[np.float64]:
    """``(n_cycles,)``: end of each cycle, hours since the start."""
    return np.arange(1, _cycles(scenario) + 1) / _per_hour(scenario)


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
        unrest = _wandering(scenario, draw)
        courses[province] = _along(scenario.courses[province], _hours(scenario)) * cycle * (1 + hourly * unrest)
    of_province = np.stack([courses[station.province] for station in registry.stations])
    place = 1 + between * np.clip(draw.standard_normal((len(registry), 1)), -2, 2)
    ripple = scenario.ripple_ug_m3 * (-1.0) ** np.arange(_cycles(scenario))
    return of_province * place * (1 + single * draw.standard_normal(of_province.shape)) + ripple


def _wandering(scenario: Scenario, draw: np.random.Generator) -> NDArray[np.float64]:
    """A smooth random course, standard deviation about 1, that changes from hour to hour."""
    cycles, per_hour = _cycles(scenario), _per_hour(scenario)
    hours = np.arange(cycles // per_hour + 1)
    return np.interp(np.arange(cycles) / per_hour, hours, draw.standard_normal(len(hours)))


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
    """The fields with every disturbance of the instruments, and ``(n_stations, n_cycles)`` device statuses."""
    statuses = np.zeros((len(registry), _cycles(scenario)), np.int8)
    for disturbance in scenario.disturbances:
        during = _during(scenario, disturbance)
        for row in _concerned(registry, disturbance.station).tolist():
            for name, field in fields.items():
                if disturbance.pollutant in ("", name):
                    _disturb(field[row], during, disturbance, name)
            if disturbance.kind == "calibrating":
                statuses[row, during] = STATUSES.index("calibrating")
    return fields, statuses


def _during(scenario: Scenario, disturbance: Disturbance) -> NDArray[np.bool_]:
    hours = _hours(scenario)
    return np.asarray((hours > disturbance.from_h) & (hours <= disturbance.to_h))


def _concerned(registry: StationRegistry, station: str) -> NDArray[np.int64]:
    """Rows of the stations that a disturbance names. Raises ``ValueError`` when it names none."""
    rows = [row for row, one in enumerate(registry.stations) if station in ("*", one.code, one.province)]
    if not rows:
        raise ValueError(f"{station!r} is no station and no province of the scenario")
    return np.array(rows, np.int64)


def _disturb(values: NDArray[np.float64], during: NDArray[np.bool_], what: Disturbance, pollutant: str) -> None:
    """Change the values of one pollutant at one station in place."""
    particles = pollutant in ("pm25", "pm10")
    match what.kind:
        case "silent":
            values[during] = np.nan
        case "stuck":
            values[during] = values[np.argmax(during)] if np.isnan(what.value) else what.value
        case "full-scale" if particles:
            values[during] = _FULL_SCALE_UG_M3
        case "calibrating":
            values[during] = np.where(np.isnan(values[during]), np.nan, _TEST_GAS_UG_M3)
        case "smoke" if particles:
            values[during] = np.round(values[during] + what.value * (1.0 if pollutant == "pm25" else 1.1), 1)
        case "zero-check":
            values[during] = np.where(np.isnan(values[during]), np.nan, what.value)
        case "unit":
            values[during] = np.round(values[during] * what.value, 4)


def _sent(
    scenario: Scenario,
    registry: StationRegistry,
    fields: dict[str, Field],
    statuses: NDArray[np.int8],
    draw: np.random.Generator,
) -> tuple[ReadingBatch, NDArray[np.int64]]:
    """Readings as they arrive: some never, some late, some twice, and what comes together in any order."""
    names = sorted(fields, key=POLLUTANTS.index)
    values = np.stack([fields[name] for name in names])
    there = ~np.isnan(values) & (draw.random(statuses.shape) >= scenario.rates.missing)
    pollutant, station, cycle = np.nonzero(there)
    ends_s = epoch_s(scenario.start) + (cycle + 1) * scenario.cycle_s
    late = draw.random(len(cycle)) < scenario.rates.late
    sent_s = ends_s + np.where(late, draw.integers(1, 3, len(cycle)), 0) * _TICK_S
    sent_s = np.maximum(sent_s, _held_until_s(scenario, registry)[station, cycle])
    again = np.flatnonzero(draw.random(len(cycle)) < scenario.rates.duplicate)
    which = np.concatenate([np.arange(len(cycle)), again])
    arrival_s = np.concatenate([sent_s, sent_s[again] + _TICK_S])
    order = np.lexsort((draw.random(len(which)), arrival_s))
    which, arrival_s = which[order], arrival_s[order]
    labels_s = ends_s + _clock_errors_s(scenario, registry)[station, cycle]
    batch = ReadingBatch(
        station[which].astype(np.int32),
        np.array([POLLUTANTS.index(name) for name in names], np.int8)[pollutant[which]],
        labels_s[which],
        np.full(len(which), scenario.cycle_s, np.int32),
        values[pollutant[which], station[which], cycle[which]],
        statuses[station[which], cycle[which]],
    )
    return batch, arrival_s


def _held_until_s(scenario: Scenario, registry: StationRegistry) -> NDArray[np.int64]:
    """``(n_stations, n_cycles)``: before this moment a reading cannot come; 0 where the line is up."""
    until_s = np.zeros((len(registry), _cycles(scenario)), np.int64)
    for disturbance in scenario.disturbances:
        if disturbance.kind == "held-back":
            end_s = epoch_s(scenario.start) + round(disturbance.to_h * HOUR_S)
            until_s[np.ix_(_concerned(registry, disturbance.station), _during(scenario, disturbance))] = end_s
    return until_s


def _clock_errors_s(scenario: Scenario, registry: StationRegistry) -> NDArray[np.int64]:
    """``(n_stations, n_cycles)``: how far the clock behind each reading is ahead, seconds."""
    errors_s = np.zeros((len(registry), _cycles(scenario)), np.int64)
    for disturbance in scenario.disturbances:
        if disturbance.kind == "clock":
            where = np.ix_(_concerned(registry, disturbance.station), _during(scenario, disturbance))
            errors_s[where] = round(disturbance.value * HOUR_S)
    return errors_s
