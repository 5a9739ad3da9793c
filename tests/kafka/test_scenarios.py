"""Every scenario through one broker and a worker that is killed on the way: the same bytes as in one process."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airshed.kafka.export import export_events
from airshed.kafka.ingest import run_ingest
from airshed.kafka.stages import encode
from airshed.pipeline import Pipeline
from rules.loading import load_pack
from streams import topics
from streams.schemas import Mark
from tests.kafka.cluster import Installation
from tests.scenarios.winter import Winter, winter

PACK = "vietnam-2026"
WAIT_S = 400.0
KILLS = 3


def told(of: Winter) -> dict[str, list[Any]]:
    """What one process says."""
    states: dict[str, dict[str, bytes]] = defaultdict(dict)
    pipeline = Pipeline(load_pack(PACK), of.registry, states.__getitem__, mode="exercise")
    heard: dict[str, list[Any]] = {"episodes": [], "notices": [], "provinces": []}
    for item in of.sequence:
        outcome = pipeline.advance(item) if isinstance(item, Mark) else pipeline.accept(item)
        for name, items in heard.items():
            items += getattr(outcome, name)
    return heard


def committed(installation: Installation) -> int:
    """Readings, by message, that the worker has put behind it."""
    return sum(installation.committed(topics.READINGS).values())


def wait_until_beyond(installation: Installation, before: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while committed(installation) <= before < sum(installation.ends(topics.READINGS).values()):
        assert installation.processes[-1].running, installation.processes[-1].output
        assert time.monotonic() < deadline, f"no progress beyond {before}\n{installation.processes[-1].output}"
        time.sleep(0.05)


def wait_until_done(installation: Installation) -> None:
    chain = (topics.READINGS, topics.STATIONS, topics.PROVINCES, topics.EPISODES)
    deadline = time.monotonic() + WAIT_S
    while not all(installation.committed(topic) == installation.ends(topic) for topic in chain):
        assert installation.processes[-1].running, installation.processes[-1].output
        behind = {topic: (installation.committed(topic), installation.ends(topic)) for topic in chain}
        assert time.monotonic() < deadline, f"{behind}\n{installation.processes[-1].output}"
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_scenarios_say_the_same_on_kafka_as_in_one_process(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They follow each other over the same stations, so that one worker start and one ingest are enough for all."""
    stations = tmp_path / "stations.csv"
    everything = winter(stations, load_pack(PACK))
    local = told(everything)
    assert everything.differences(local["episodes"], local["provinces"]) == []

    monkeypatch.setenv("AIRSHED_TEST_PACK", PACK)
    monkeypatch.setenv("AIRSHED_TEST_STATIONS", str(stations))
    installation.settings = replace(installation.settings, fetch_bytes=131_072)
    asyncio.run(run_ingest(installation.settings, everything.registry, everything.sequence))
    moments = random.Random(20260121)
    whole, found = sum(installation.ends(topics.READINGS).values()), [0]
    for _ in range(KILLS):
        running = installation.worker("one", "tests.kafka.pipeline")
        running.wait_until_ready()
        wait_until_beyond(installation, found[-1])
        time.sleep(moments.uniform(0.0, 0.5))
        running.kill()
        found.append(committed(installation))
    assert any(0 < progress < whole for progress in found), f"no kill fell into the work: {found} of {whole}"
    installation.worker("one", "tests.kafka.pipeline")
    wait_until_done(installation)
    export_events(installation.settings, tmp_path / "out")
    for name, file in (("episodes", "episodes.jsonl"), ("notices", "notices.jsonl"), ("provinces", "provinces.jsonl")):
        expected = b"".join(encode(item) + b"\n" for item in local[name])
        assert (tmp_path / "out" / file).read_bytes() == expected, name
