"""A scenario through the whole pipeline in memory: what is said, and whether it is the expected story."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from airshed.pipeline import Outcome, Pipeline
from rules.model import Pack
from rules.notices import Notice
from streams.batches import ReadingBatch
from streams.gateway import replay_arrivals
from streams.schemas import EpisodeEvent, Mark, ProvinceState
from streams.sources.scenarios import Scenario
from streams.sources.simulation import Simulation, simulate
from streams.stage import State
from streams.stations import StationRegistry, read_stations


@dataclass
class Told:
    """What the stages said about a scenario.

    Attributes:
        said: every statement about a province, in order; ``provinces``: the latest about each hour.
        set_aside: rejected readings by reason.
    """

    episodes: list[EpisodeEvent] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    said: list[ProvinceState] = field(default_factory=list)
    provinces: dict[tuple[str, float], ProvinceState] = field(default_factory=dict)
    set_aside: Counter[str] = field(default_factory=Counter)

    def hear(self, outcome: Outcome) -> None:
        """Add what one step said."""
        self.episodes += outcome.episodes
        self.notices += outcome.notices
        self.said += outcome.provinces
        self.provinces.update({(state.province, state.time.timestamp()): state for state in outcome.provinces})
        self.set_aside.update(reason for _, reason in outcome.untimely)


def rehearse(scenario: Scenario, pack: Pack, seed: int = 2026) -> Told:
    """Play a scenario under a pack. The same scenario, pack and seed tell the same story."""
    simulation = simulate(seed, scenario)
    states: dict[str, dict[str, bytes]] = defaultdict(dict)

    def state_of(name: str) -> State:
        return states[name]

    pipeline = Pipeline(pack, listed(simulation, pack), state_of, mode="exercise")
    told = Told()
    for item in sequence(simulation, pack):
        told.hear(pipeline.advance(item) if isinstance(item, Mark) else pipeline.accept(item))
    return told


def sequence(simulation: Simulation, pack: Pack) -> Iterator[ReadingBatch | Mark]:
    """What arrives, in order, with the marks of a gateway that serves this pack."""
    detection = pack.airshed.detection
    return replay_arrivals(simulation.slices(), step_s=detection.step_s, lateness_s=detection.lateness_s)


def listed(simulation: Simulation, pack: Pack) -> StationRegistry:
    """The stations as their file has them, former names of provinces and all."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stations.csv"
        simulation.write_stations(path)
        return read_stations(path, [pack.airshed])
