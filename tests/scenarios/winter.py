"""All scenarios one after another over the same stations: one recording that holds everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from rules.model import Pack
from streams.batches import ReadingBatch
from streams.gateway import Slice, replay_arrivals
from streams.schemas import EpisodeEvent, Mark, ProvinceState
from streams.sources.scenario_library import SCENARIOS
from streams.sources.scenario_library.ground import THREE_EACH
from streams.sources.scenario_library.stories import differences
from streams.sources.scenario_library.transmission import OLD_CODE
from streams.sources.scenario_library.weather import YEAR_CHANGE
from streams.sources.scenarios import Scenario
from streams.sources.simulation import simulate
from streams.stations import StationRegistry, read_stations

SEED = 11
PAUSE = timedelta(days=4)
"""Longer than late readings can revise (72 hours) and than an episode can resume (24): no scenario sees another."""


@dataclass
class Winter:
    """Attributes:
    scenarios: in their order, with the start each has here.
    sequence: what a gateway hands over.
    """

    scenarios: list[Scenario]
    registry: StationRegistry
    sequence: list[ReadingBatch | Mark]

    def differences(self, events: Sequence[EpisodeEvent], states: Sequence[ProvinceState]) -> list[str]:
        """Where any scenario did not tell its story."""
        found = []
        for scenario, end in zip(self.scenarios, self._ends(), strict=True):
            own = [event for event in events if scenario.start < event.time <= end]
            latest = {(s.province, s.time): s for s in states if scenario.start < s.time <= end}
            wrong = differences(scenario, own, latest.values(), scenario.expected.set_aside)
            found += [f"{scenario.name}: {difference}" for difference in wrong]
        return found

    def _ends(self) -> list[datetime]:
        return [scenario.start + timedelta(days=scenario.days) + PAUSE / 2 for scenario in self.scenarios]


def winter(stations: Path, pack: Pack) -> Winter:
    """The year change first, at its own date, then the others. ``stations`` is where the station file is written."""
    same_network = [scenario for scenario in SCENARIOS.values() if scenario.stations == THREE_EACH]
    scenarios: list[Scenario] = []
    for scenario in [YEAR_CHANGE, *(other for other in same_network if other is not YEAR_CHANGE)]:
        start = scenarios[-1].start + timedelta(days=scenarios[-1].days) + PAUSE if scenarios else scenario.start
        scenarios.append(replace(scenario, start=start))
    simulate(SEED, OLD_CODE).write_stations(stations)
    detection = pack.airshed.detection
    arrivals = replay_arrivals(_arrivals(scenarios), step_s=detection.step_s, lateness_s=detection.lateness_s)
    return Winter(scenarios, read_stations(stations, [pack.airshed]), list(arrivals))


def _arrivals(scenarios: Sequence[Scenario]) -> Iterator[Slice]:
    for scenario in scenarios:
        yield from simulate(SEED, scenario).slices()
