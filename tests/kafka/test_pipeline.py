"""The real pipeline on a real broker says the same as in one process, byte for byte, killed or not."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airshed.kafka.export import export_events, said
from airshed.kafka.ingest import run_ingest
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import encode
from airshed.pipeline import Pipeline
from rules.loading import load_pack
from streams import topics
from streams.batches import ReadingBatch
from streams.gateway import replay_arrivals
from streams.provinces import Statement
from streams.schemas import Mark, ProvinceState, StationIndex
from streams.sources.scenarios import STAGNATION
from streams.sources.simulation import simulate
from streams.stations import StationRegistry, read_stations
from tests.kafka.cluster import Installation, Process, decoded

PACK = "vietnam-2026"


@dataclass
class Recording:
    """Nine simulated days with late, repeated and disordered readings, and what one process says about them."""

    stations: Path
    registry: StationRegistry
    sequence: list[ReadingBatch | Mark]
    episodes: bytes
    notices: bytes
    provinces: set[bytes]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("recording")
    pack = load_pack(PACK)
    scenario = replace(STAGNATION, stations=dict.fromkeys(STAGNATION.stations, 3), disturbances=())
    simulation = simulate(5, scenario)
    simulation.write(folder)
    registry = read_stations(folder / "stations.csv", [pack.airshed])
    sequence = list(replay_arrivals(simulation.slices()))
    states: dict[str, dict[str, bytes]] = defaultdict(dict)
    pipeline = Pipeline(pack, registry, states.__getitem__, mode="exercise")
    heard: dict[str, list[Any]] = {"episodes": [], "notices": [], "provinces": []}
    for item in sequence:
        outcome = pipeline.advance(item) if isinstance(item, Mark) else pipeline.accept(item)
        for name, items in heard.items():
            items += getattr(outcome, name)
    lines = {name: [encode(item) for item in items] for name, items in heard.items()}
    assert lines["episodes"], "a recording without an episode proves nothing"
    return Recording(
        folder / "stations.csv",
        registry,
        sequence,
        b"".join(line + b"\n" for line in lines["episodes"]),
        b"".join(line + b"\n" for line in lines["notices"]),
        set(lines["provinces"]),
    )


@pytest.fixture
def worked(installation: Installation, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose workers run the real stages."""
    monkeypatch.setenv("AIRSHED_TEST_PACK", PACK)
    monkeypatch.setenv("AIRSHED_TEST_STATIONS", str(recording.stations))
    installation.settings = replace(installation.settings, fetch_bytes=131_072)
    return installation


def worker(installation: Installation, name: str = "one") -> Process:
    return installation.worker(name, "tests.kafka.pipeline")


def ingest(settings: KafkaSettings, recording: Recording) -> None:
    asyncio.run(run_ingest(settings, recording.registry, recording.sequence))


def wait_until_done(installation: Installation) -> None:
    """Until every stage has committed all of its input."""
    chain = (topics.READINGS, topics.STATIONS, topics.PROVINCES, topics.EPISODES)
    deadline = time.monotonic() + 90
    while not all(installation.committed(topic) == installation.ends(topic) for topic in chain):
        assert installation.processes[-1].running, installation.processes[-1].output
        behind = {topic: (installation.committed(topic), installation.ends(topic)) for topic in chain}
        assert time.monotonic() < deadline, f"{behind}\n{installation.processes[-1].output}"
        time.sleep(0.2)


def assert_same(installation: Installation, recording: Recording, out: Path) -> None:
    export_events(installation.settings, out)
    assert (out / "episodes.jsonl").read_bytes() == recording.episodes
    assert (out / "notices.jsonl").read_bytes() == recording.notices
    states = said(installation.settings, topics.PROVINCES, Statement, encode)
    assert {encode(state) for state in states if isinstance(state, ProvinceState)} == recording.provinces


@pytest.mark.slow
def test_the_same_is_said_as_in_one_process(worked: Installation, recording: Recording, tmp_path: Path) -> None:
    running = worker(worked)
    ingest(worked.settings, recording)
    wait_until_done(worked)
    assert_same(worked, recording, tmp_path / "out")
    assert running.stop() == 0


@pytest.mark.slow
def test_provisional_values_change_nothing_and_the_current_ones_are_kept(
    worked: Installation, recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRSHED_TEST_PROVISIONAL", "1")
    worker(worked)
    ingest(worked.settings, recording)
    wait_until_done(worked)
    assert_same(worked, recording, tmp_path / "out")
    hours = [item for item in _said(worked, topics.STATIONS) if item.product == "hour"]
    assert not all(item.final for item in hours)
    latest: dict[str, StationIndex] = {}
    for item in hours:
        if item.time >= latest.get(item.station, item).time:
            latest[item.station] = item
    # Read from the start, as a dashboard does: later values replace earlier ones, whether compacted away or not.
    assert {item.station: item for item in _said(worked, topics.CURRENT)} == latest


def _said(installation: Installation, topic: str) -> list[StationIndex]:
    items: list[StationIndex] = decoded(installation.raw(topic), StationIndex)
    return items


@pytest.mark.slow
def test_sent_twice_it_is_said_once(worked: Installation, recording: Recording, tmp_path: Path) -> None:
    """A gateway that is started over sends everything again from the start."""
    ingest(worked.settings, recording)
    ingest(worked.settings, recording)
    worker(worked)
    wait_until_done(worked)
    assert_same(worked, recording, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments_the_same_is_said(
    worked: Installation, recording: Recording, tmp_path: Path, seed: int
) -> None:
    ingest(worked.settings, recording)
    moments = random.Random(seed)
    for _ in range(5):
        running = worker(worked)
        running.wait_until_ready()
        time.sleep(moments.uniform(0.1, 1.5))
        running.kill()
    worker(worked)
    wait_until_done(worked)
    assert_same(worked, recording, tmp_path / "out")


@pytest.mark.slow
def test_two_workers_share_the_work(worked: Installation, recording: Recording, tmp_path: Path) -> None:
    worker(worked, "one").wait_until_ready()
    worker(worked, "two").wait_until_ready()
    ingest(worked.settings, recording)
    wait_until_done(worked)
    assert_same(worked, recording, tmp_path / "out")
