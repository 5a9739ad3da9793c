"""Cases of a pack through the whole pipeline in memory, and how what is said differs from what should be said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from airshed.dry import play
from rules.model import Pack
from rules.notices import Notice
from rules.trials import INDEX, Expected, Trial, TrialFile, course
from streams.batches import ReadingBatch
from streams.clock import HOUR_S, epoch_s
from streams.indices import STANDARDS
from streams.schemas import POLLUTANTS
from streams.screening import Limits
from streams.screening.limits import ClassLimits, NeighbourLimits, PollutantLimits
from streams.stations import Station, StationRegistry

_PLAIN = PollutantLimits(lowest=-15, highest=200_000)
AS_GIVEN = Limits(
    reference=ClassLimits(pm25=_PLAIN, pm10=_PLAIN, o3=_PLAIN, no2=_PLAIN, so2=_PLAIN, co=_PLAIN, pair_offset=None),
    neighbours=NeighbourLimits(enabled=False),
)
"""Screening that takes the values of a case as they are: forty equal hours are a course here, no stuck instrument."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as expected, and where in the file it was."""

    place: str
    message: str


def stations_of(pack: Pack, each: int) -> StationRegistry:
    """Invented reference stations, ``each`` in every province, far enough apart to be nobody's neighbours."""
    return StationRegistry(
        Station(
            code=f"{province.code}-{number:02}",
            name="",
            lat=-60.0 + 2.0 * number,
            lon=-170.0 + 2.0 * place,
            airshed=pack.airshed.code,
            province=province.code,
            agency="",
            zone=pack.airshed.zone,
            station_class="reference",
        )
        for place, province in enumerate(pack.airshed.provinces)
        for number in range(1, each + 1)
    )


def readings_of(pack: Pack, trial: Trial, registry: StationRegistry) -> ReadingBatch:
    """The hourly readings of a case."""
    start_s = epoch_s(trial.begins.replace(tzinfo=ZoneInfo(pack.airshed.zone)))
    standard = pack.airshed.standard
    columns = {
        (province.code, name): course(text)
        for province in pack.airshed.provinces
        for name, text in trial.of_province(province.code).items()
    }
    rows = [
        (row, _pollutant(name), start_s + hour * HOUR_S, value if name != INDEX else pm25_of_index(standard, value))
        for row, station in enumerate(registry.stations)
        for (code, name), values in columns.items()
        if code == station.province
        for hour, value in enumerate(values, start=1)
        if value is not None
    ]
    station, pollutant, time_s, value = (list(column) for column in zip(*rows, strict=True))
    return ReadingBatch(
        np.array(station, np.int32),
        np.array(pollutant, np.int8),
        np.array(time_s, np.int64),
        np.full(len(rows), HOUR_S, np.int32),
        np.array(value, np.float64),
        np.zeros(len(rows), np.int8),
    )


@cache
def pm25_of_index(standard: str, index: float) -> float:
    """The PM2.5 with this index by a standard, µg/m³, by halving the range of concentrations that occur.

    Kept: the courses of all cases together have a few hundred different values, at tens of thousands of hours.
    """
    column = STANDARDS[standard].column("pm25", "24h")
    assert column is not None, "every standard has one"
    low, high = 0.0, 1000.0
    for _ in range(40):
        middle = (low + high) / 2
        below = column.exact(np.array([middle]) * column.per_ug_m3)[0] < index
        low, high = (middle, high) if below else (low, middle)
    return round(high, 3)


def notices_of(pack: Pack, trial: Trial) -> list[Notice]:
    """What a pack says about a case."""
    registry = stations_of(pack, trial.stations)
    batch = readings_of(pack, trial, registry)
    return [notice for step in play([batch], pack, registry, limits=AS_GIVEN) for notice in step.outcome.notices]


def differences(file: TrialFile, number: int, pack: Pack) -> list[Difference]:
    """How a case comes out otherwise than expected; nothing when it is as expected."""
    return differences_in(file, number, pack, notices_of(pack, file.cases[number]))


def differences_in(file: TrialFile, number: int, pack: Pack, notices: Iterable[Notice]) -> list[Difference]:
    """How notices that were made of a case, wherever, differ from what is expected."""
    trial = file.cases[number]
    start_s = epoch_s(trial.begins.replace(tzinfo=ZoneInfo(pack.airshed.zone)))
    left = [((epoch_s(notice.time) - start_s) // HOUR_S, notice) for notice in notices]
    found = []
    for position, expected in enumerate(trial.expect):
        match = next((pair for pair in left if _is(expected, *pair)), None)
        if match is not None:
            left.remove(match)
            continue
        near = [pair for pair in left if pair[1].rule == expected.rule]
        said = "; ".join(_told(*pair) for pair in near) or "the rule did not speak"
        message = f"expected {expected.rule} at hour {expected.at}: {said}"
        found.append(Difference(file.place(number, "expect", position), message))
    for hour, notice in left:
        key = trial.never.index(notice.rule) if notice.rule in trial.never else None
        place = file.place(number, "name") if key is None else file.place(number, "never", key)
        found.append(Difference(place, f"not expected: {_told(hour, notice)}"))
    return found


def run(file: TrialFile, pack: Pack) -> Iterator[tuple[Trial, list[Difference]]]:
    """Every case with its differences."""
    for number, trial in enumerate(file.cases):
        yield trial, differences(file, number, pack)


def _is(expected: Expected, hour: int, notice: Notice) -> bool:
    first, last = expected.hours
    measures = " ".join(text for said in notice.actions.values() for text in said)
    return (
        notice.rule == expected.rule
        and first <= hour <= last
        and (not expected.provinces or sorted(expected.provinces) == sorted(notice.audience.provinces))
        and expected.level in (None, notice.level_name)
        and expected.approval in (None, notice.approval)
        and all(text in measures for text in expected.asks)
        and not any(text in measures for text in expected.never_asks)
    )


def _told(hour: int, notice: Notice) -> str:
    places = " ".join(notice.audience.provinces)
    return f"{notice.rule} at hour {hour} ({notice.level_name}) to {notice.audience.recipients} of {places}"


def _pollutant(name: str) -> int:
    return POLLUTANTS.index("pm25" if name == INDEX else name)
