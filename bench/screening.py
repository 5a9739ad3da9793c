"""What screening flags on recorded data, and what it makes of faults put into good data.

``python -m bench.screening RECORDED`` prints tables for ``docs/screening.md``; RECORDED is the folder with the
recordings. ``--sample N`` shows N suspect hours of each recording with the hours around them.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rules.loading import load_pack
from streams.airsheds import Airshed
from streams.batches import ReadingBatch
from streams.clock import epoch_s, utc
from streams.gateway import replay
from streams.intake import Intake
from streams.provinces import ProvinceWatch
from streams.rolling import IndexStage
from streams.schemas import POLLUTANTS, Mark, ProvinceState, StationIndex, StationWind
from streams.screening import Limits, Suspicion, screen
from streams.screening.reasons import REACH
from streams.sources.files import FileReader, load_path
from streams.sources.simulation import simulate
from streams.stage import slices
from streams.stations import StationRegistry, read_stations

HOUR = 3600
PM25, PM10 = POLLUTANTS.index("pm25"), POLLUTANTS.index("pm10")
RECORDINGS = (
    ("cn-north-2019-01", "observations.csv.gz", "china-2024"),
    ("vn-2025-04", "observations.csv.gz", "vietnam-2026"),
    ("vn-hanoi-2021", "observations_public15.parquet", "vietnam-2026"),
    ("vn-hanoi-embassy", "observations.csv.gz", "vietnam-2026"),
)
Cell = tuple[str, int, str]  # station, hour since 1970, pollutant


@dataclass
class Seen:
    """What screening said about a run of readings.

    Attributes:
        rejected: single values by (pollutant, reason).
        carried: cells that carry a reason; taken: cells that are left out of averages because of one.
        hours: cells with a value, the number of hours screened.
        lonely: (station, hour) not asked by the province watch.
    """

    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    carried: dict[Cell, str] = field(default_factory=dict)
    taken: dict[Cell, str] = field(default_factory=dict)
    hours: Counter[str] = field(default_factory=Counter)
    lonely: set[tuple[str, int]] = field(default_factory=set)

    def add(self, item: StationIndex) -> None:
        hour = epoch_s(item.time) // HOUR
        for pollutant, share in item.completeness.items():
            self.hours[pollutant] += share >= 0.75
        for pollutant, reason in item.suspect.items():
            self.carried[item.station, hour, pollutant] = reason
            nearest, farthest = REACH[Suspicion[reason.upper().replace("-", "_")]]
            for age in range(nearest, farthest + 1):
                self.taken.setdefault((item.station, hour - age, pollutant), reason)


def look(batch: ReadingBatch, registry: StationRegistry, airshed: Airshed) -> Seen:
    """Run readings through screening, index and province watch; final hours of revision 0 are looked at."""
    limits, seen = Limits(), Seen()
    intake = Intake(IndexStage(registry, [airshed], {}, provisional=False, limits=limits))
    watch = ProvinceWatch([airshed], registry, {}, limits.neighbours)
    for item in replay(batch, step_s=airshed.detection.step_s, lateness_s=airshed.detection.lateness_s):
        if isinstance(item, ReadingBatch):
            intake.accept(item)
            pollutants = item.pollutant.tolist()
            for row, reason in intake.take_rejected():
                seen.rejected[POLLUTANTS[pollutants[row]], reason] += 1
            continue
        for state in _states(watch, intake.advance(item), seen):
            hour = epoch_s(state.time) // HOUR
            seen.lonely |= {(station, hour) for station in state.suspect}
    return seen


def _states(
    watch: ProvinceWatch, said: Iterable[StationIndex | StationWind | Mark], seen: Seen
) -> Iterator[ProvinceState]:
    records: list[StationIndex | Mark] = [item for item in said if not isinstance(item, StationWind)]
    for piece in slices(records):
        if isinstance(piece, Mark):
            yield from (state for state in watch.advance(piece) if isinstance(state, ProvinceState))
            continue
        watch.accept(piece)
        for record in piece:
            if record.product == "hour" and record.revision == 0:
                seen.add(record)


# -- recordings ------------------------------------------------------------------------------------------------------


def recordings(folder: Path) -> Iterator[tuple[str, ReadingBatch, StationRegistry, Airshed]]:
    for name, file, pack in RECORDINGS:
        airshed = load_pack(pack).airshed
        registry = read_stations(folder / name / "stations.csv", [airshed])
        yield name, load_path(folder / name / file, FileReader(registry=registry)).batch, registry, airshed


def show_flags(name: str, seen: Seen, out: Callable[[str], None]) -> None:
    """A line per pollutant: share of hours per reason."""
    reasons = sorted({*seen.carried.values()})
    out(f"\n{name}: hours that carry a reason, per thousand of the hours with a value\n")
    out("| pollutant | hours | taken out | " + " | ".join(reasons) + " | single values rejected |")
    out("|---|---|---|" + "---|" * len(reasons) + "---|")
    by_cell = Counter((pollutant, reason) for (_, _, pollutant), reason in seen.carried.items())
    taken = Counter(pollutant for _, _, pollutant in seen.taken)
    for pollutant in POLLUTANTS:
        hours = seen.hours[pollutant]
        if not hours:
            continue
        cells = [
            f"{by_cell[pollutant, reason]} ({1000 * by_cell[pollutant, reason] / hours:.2f})" for reason in reasons
        ]
        rejected = ", ".join(f"{reason} {n}" for (p, reason), n in sorted(seen.rejected.items()) if p == pollutant)
        share = f"{taken[pollutant]} ({100 * taken[pollutant] / hours:.2f} %)"
        out(f"| {pollutant} | {hours:,} | {share} | " + " | ".join(cells) + f" | {rejected or '-'} |")
    out(f"\nneighbours: {len(seen.lonely)} station hours not asked, at {len({s for s, _ in seen.lonely})} stations")


def show_sample(
    batch: ReadingBatch, registry: StationRegistry, seen: Seen, count: int, out: Callable[[str], None]
) -> None:
    """Flagged hours with the hours around, the flagged one in brackets; PM10 beside PM2.5 where the pair is judged."""
    series: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
    columns = (batch.station, batch.pollutant, batch.time_s, batch.value)
    for station, pollutant, time_s, value in zip(*(column.tolist() for column in columns), strict=True):
        series[station, pollutant][-(-time_s // HOUR)] = value
    chosen = random.Random(7).sample(sorted(seen.carried.items()), min(count, len(seen.carried)))
    for (code, hour, pollutant), reason in sorted(chosen, key=lambda item: (item[1], item[0])):
        place = registry.row(code), POLLUTANTS.index(pollutant)
        at = hour - 1 if reason == "spike-before" else hour
        before = 12 if reason == "flatline" else 4
        values = [(h, series[place].get(h, float("nan"))) for h in range(at - before, at + 4)]
        text = " ".join(f"[{value:g}]" if h == at else f"{value:g}" for h, value in values)
        other = ""
        if reason == "pair":
            partner = place[0], PM10 if place[1] == PM25 else PM25
            other = "  other: " + " ".join(f"{series[partner].get(h, float('nan')):g}" for h, _ in values)
        out(f"{reason:13} {code:14} {pollutant:5} {utc(hour * HOUR):%d %b %H:%M}  {text}{other}")


# -- faults ----------------------------------------------------------------------------------------------------------


@dataclass
class Faulty:
    """Readings with a fault, and the cells that the fault has spoilt."""

    batch: ReadingBatch
    spoilt: set[Cell]


Rows = np.ndarray
Fault = Callable[[ReadingBatch, random.Random, StationRegistry], Faulty]


def _series(batch: ReadingBatch, station: int, pollutant: int) -> Rows:
    rows = np.flatnonzero((batch.station == station) & (batch.pollutant == pollutant))
    return rows[np.argsort(batch.time_s[rows], kind="stable")]


def _stretch(rows: Rows, batch: ReadingBatch, chance: random.Random, hours: int) -> Rows:
    """Rows of some hours, not in the first or the last day."""
    first, last = int(batch.time_s[rows[0]]) // HOUR + 25, int(batch.time_s[rows[-1]]) // HOUR - 25 - hours
    times = batch.time_s[rows]
    while True:
        start = chance.randint(first, max(first, last)) * HOUR
        found: Rows = rows[(times > start) & (times <= start + hours * HOUR)]
        if len(found):
            return found


def _targets(batch: ReadingBatch, chance: random.Random, count: int = 40) -> list[int]:
    pm25 = Counter(batch.station[batch.pollutant == PM25].tolist())
    pm10 = Counter(batch.station[batch.pollutant == PM10].tolist())
    full = sorted(station for station in pm25 if pm10[station] and pm25[station] > 0.9 * max(pm25.values()))
    return chance.sample(full, min(count, len(full)))


def _cells(rows: Rows, batch: ReadingBatch, registry: StationRegistry, pollutants: tuple[int, ...]) -> set[Cell]:
    places = {(int(batch.station[row]), -(-int(batch.time_s[row]) // HOUR)) for row in rows.tolist()}
    return {(registry.stations[s].code, hour, POLLUTANTS[p]) for s, hour in places for p in pollutants}


def _on_values(hours: int, change: Callable[[np.ndarray, random.Random], np.ndarray]) -> Fault:
    """A fault that changes PM2.5 of some stations for some hours."""

    def spoil(batch: ReadingBatch, chance: random.Random, registry: StationRegistry) -> Faulty:
        value, spoilt = batch.value.copy(), set()
        for station in _targets(batch, chance):
            rows = _stretch(_series(batch, station, PM25), batch, chance, hours)
            value[rows] = change(value[rows], chance)
            spoilt |= _cells(rows, batch, registry, (PM25,))
        return Faulty(replace(batch, value=value), spoilt)

    return spoil


def _spike(values: np.ndarray, chance: random.Random) -> np.ndarray:
    values = values.copy()
    at = chance.randrange(len(values))
    values[at] = min(995.0, max(values[at], 20.0) * 5 + 200)
    return values


def _swapped(batch: ReadingBatch, chance: random.Random, registry: StationRegistry) -> Faulty:
    pollutant, spoilt = batch.pollutant.copy(), set()
    for station in _targets(batch, chance):
        fine = _stretch(_series(batch, station, PM25), batch, chance, 24)
        times = set(batch.time_s[fine].tolist())
        coarse = _series(batch, station, PM10)
        coarse = coarse[[time in times for time in batch.time_s[coarse].tolist()]]
        pollutant[fine], pollutant[coarse] = PM10, PM25
        spoilt |= _cells(fine, batch, registry, (PM25, PM10))
    return Faulty(replace(batch, pollutant=pollutant), spoilt)


def _clock(batch: ReadingBatch, chance: random.Random, registry: StationRegistry) -> Faulty:
    """Local time sent as UTC: stamps seven hours ahead, in the order in which they were sent."""
    time_s, spoilt = batch.time_s.copy(), set()
    for station in _targets(batch, chance):
        rows = _stretch(_series(batch, station, PM25), batch, chance, 12)
        time_s[rows] += 7 * HOUR
        spoilt |= _cells(rows, batch, registry, (PM25,))
    return Faulty(replace(batch, time_s=time_s), spoilt)


def _calibration(batch: ReadingBatch, chance: random.Random, registry: StationRegistry) -> Faulty:
    value, spoilt = batch.value.copy(), set()
    for station in _targets(batch, chance):
        rows = _series(batch, station, PM25)
        rows = rows[-(-batch.time_s[rows] // HOUR) % 24 == chance.randrange(24)]
        value[rows] = np.array([chance.choice([0.0, 1.0, 2.0]) for _ in rows])
        spoilt |= _cells(rows, batch, registry, (PM25,))
    return Faulty(replace(batch, value=value), spoilt)


FAULTS: dict[str, Fault] = {
    "stuck for 24 h": _on_values(24, lambda values, _: np.full(len(values), values[0])),
    "one value x5+200": _on_values(1, _spike),
    "unit x1000 for 6 h": _on_values(6, lambda values, _: values * 1000),
    "unit /1000 for 24 h": _on_values(24, lambda values, _: values / 1000),
    "full scale 985 for 3 h": _on_values(3, lambda values, _: np.full(len(values), 985.0)),
    "PM swapped for 24 h": _swapped,
    "zero check every day": _calibration,
}


def show_fault(
    name: str, fault: Fault, clean: ReadingBatch, registry: StationRegistry, airshed: Airshed, before: Seen
) -> str:
    """A row: faults met at all, spoilt hours left out, good hours lost."""
    faulty = fault(clean, random.Random(20190109), registry)
    seen = look(faulty.batch, registry, airshed)
    out = set(seen.taken) | {(code, hour, "pm25") for code, hour in seen.lonely}
    has_value = _valued(faulty.batch, registry)
    caught = {cell for cell in faulty.spoilt if cell in out or cell not in has_value}
    stations = {code for code, _, _ in faulty.spoilt}
    met = {code for code, _, _ in caught}
    lost = {cell for cell in set(seen.taken) - set(before.taken) - faulty.spoilt if cell in has_value}
    total = sum(seen.hours.values())
    return (
        f"| {name} | {len(met)} of {len(stations)} | {100 * len(caught) / len(faulty.spoilt):.0f} % "
        f"| {len(lost)} of {total:,} |"
    )


def _valued(batch: ReadingBatch, registry: StationRegistry) -> set[Cell]:
    """Cells with at least one value that single-value screening lets through."""
    usable = screen(batch).usable
    hours = -(-usable.time_s // HOUR)
    codes = [registry.stations[row].code for row in usable.station.tolist()]
    names = [POLLUTANTS[number] for number in usable.pollutant.tolist()]
    return set(zip(codes, hours.tolist(), names, strict=True))


def show_clock(clean: ReadingBatch, registry: StationRegistry, airshed: Airshed) -> str:
    """The clock fault needs the order of sending, which a replay by time would mend: readings sent late stay late."""
    faulty = _clock(clean, random.Random(20190109), registry)
    intake = Intake(IndexStage(registry, [airshed], {}, provisional=False, limits=Limits()))
    order = np.argsort(clean.time_s, kind="stable")
    refused = moved = 0
    lateness = airshed.detection.lateness_s
    for at in np.unique(-(-clean.time_s[order] // HOUR)).tolist():
        rows = order[-(-clean.time_s[order] // HOUR) == at]
        moved += int((faulty.batch.time_s[rows] != clean.time_s[rows]).sum())
        intake.accept(faulty.batch.take(rows))
        refused += sum(reason == "clock-ahead" for _, reason in intake.take_rejected())
        intake.advance(Mark(utc(at * HOUR + lateness)))
    return f"| clock 7 h ahead for 12 h | - | {100 * refused / moved:.0f} % refused | 0 |"


def show_faults(
    name: str, clean: ReadingBatch, registry: StationRegistry, airshed: Airshed, out: Callable[[str], None]
) -> None:
    before = look(clean, registry, airshed)
    total = sum(before.hours.values())
    out(f"\nFaults put into {name}; without any, {len(before.taken)} of {total:,} hours are left out\n")
    out("| fault | met at stations | spoilt hours left out | good hours lost |\n|---|---|---|---|")
    for label, fault in FAULTS.items():
        out(show_fault(label, fault, clean, registry, airshed, before))
    out(show_clock(clean, registry, airshed))


def cleaned(batch: ReadingBatch, registry: StationRegistry, airshed: Airshed) -> ReadingBatch:
    """The stations of a recording that screening has nothing against."""
    seen = look(batch, registry, airshed)
    doubted = {code for code, _, _ in seen.taken} | {code for code, _ in seen.lonely}
    good = np.array([station.code not in doubted for station in registry.stations])
    return batch.take(good[batch.station])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recorded", type=Path, help="folder of the recordings")
    parser.add_argument("--sample", type=int, default=25, help="suspect hours shown per recording")
    options = parser.parse_args()

    def out(text: str) -> None:
        print(text, flush=True)

    first = None
    for name, batch, registry, airshed in recordings(options.recorded):
        seen = look(batch, registry, airshed)
        show_flags(name, seen, out)
        show_sample(batch, registry, seen, options.sample, out)
        first = first or (batch, registry, airshed)
    if first is None:
        sys.exit("no recordings")
    batch, registry, airshed = first
    show_faults("the recording cn-north-2019-01 (hourly, clean stations)", cleaned(*first), registry, airshed, out)
    simulated = simulate()
    pack = load_pack("vietnam-2026").airshed
    clean = cleaned(simulated.readings, simulated.registry, pack)
    show_faults("the simulated January (5-minute values)", clean, simulated.registry, pack, out)


if __name__ == "__main__":
    main()
