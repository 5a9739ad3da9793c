"""The services of the Kafka runtime, as an operator starts them, say what the local runtime says, byte for byte."""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airshed.kafka.broker import Broker
from airshed.kafka.ingest import Ingest
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import mark_in
from airshed.recordings import load_readings
from rules.loading import load_pack
from streams.batches import ReadingBatch
from streams.gateway import replay
from streams.schemas import Mark
from streams.stations import StationRegistry, read_stations
from streams.topics import NOTICES
from tests.kafka.cluster import Installation
from tests.runtimes.installation import (
    SandboxProcess,
    run,
    sandbox_process,
    settled,
    start,
    write_configuration,
    write_recording,
)

KILLS = 11
SAME_BYTES = ("index.csv", "provinces.csv", "provinces.jsonl", "episodes.jsonl", "notices.jsonl", "deliveries.jsonl")
WAIT_S = 120.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder)
    return folder


@pytest.fixture(scope="module")
def local(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the same recording on the local runtime, with sending."""
    folder = tmp_path_factory.mktemp("local")
    with sandbox_process(folder / "sandbox") as sandbox:
        write_configuration(folder / "airshed.toml", recording, sandbox)
        done = run(
            "replay", str(recording / "readings.csv.gz"),
            "--stations", str(recording / "stations.csv"),
            "--subscribers", str(recording / "subscribers.csv"),
            "--facilities", str(recording / "facilities.csv"),
            "--config", str(folder / "airshed.toml"), "--out", str(folder / "out"), "--send",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "out"


def configured(folder: Path, recording: Path, sandbox: SandboxProcess, settings: KafkaSettings) -> Path:
    section = f"""
[kafka]
bootstrap = ["{settings.bootstrap[0]}"]
partitions = {settings.partitions}
airshed_partitions = {settings.airshed_partitions}
group = "{settings.group}"
"""
    return write_configuration(folder / "airshed.toml", recording, sandbox, section)


@contextmanager
def worker(config: Path, log: Path, port: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    process = start("worker", "--config", str(config), "--name", "one", "--port", str(port), log=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def wait_for_the_last_mark(settings: KafkaSettings, last: Mark, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the rules have judged everything up to the end of the recording, in every partition."""
    until, topics = time.monotonic() + WAIT_S, Installation(settings, log.parent)
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        marks = [(number, mark) for number, _, value in topics.messages(NOTICES) if (mark := mark_in(value))]
        if len({number for number, mark in marks if mark.time >= last.time}) == settings.airshed_partitions:
            return
        time.sleep(0.3)
    raise AssertionError(f"no mark of {last.time} after {WAIT_S} s:\n{log.read_text(encoding='utf-8')}")


def sequence(recording: Path) -> tuple[StationRegistry, list[ReadingBatch | Mark]]:
    pack = load_pack("vietnam-2026")
    registry = read_stations(recording / "stations.csv", [pack.airshed])
    loaded = load_readings(recording / "readings.csv.gz", registry)
    detection = pack.airshed.detection
    return registry, list(replay(loaded.batch, step_s=detection.step_s, lateness_s=detection.lateness_s))


def last_mark(items: list[ReadingBatch | Mark]) -> Mark:
    return [item for item in items if isinstance(item, Mark)][-1]


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(420)
def test_ingest_worker_dispatch_say_what_a_local_replay_says(
    broker: Broker, settings: KafkaSettings, recording: Path, local: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with sandbox_process(tmp_path / "sandbox") as sandbox:
        config = configured(tmp_path, recording, sandbox, settings)
        for command in (["topics", "apply"], ["ingest", "--readings", str(recording / "readings.csv.gz")]):
            done = run(*command, "--config", str(config))
            assert done.returncode == 0, done.stderr
        with worker(config, log) as process:
            wait_for_the_last_mark(settings, last_mark(sequence(recording)[1]), process, log)
        for command in (["dispatch", "--once", "--port", "0"], ["export", "--out", str(tmp_path / "out")]):
            done = run(*command, "--config", str(config))
            assert done.returncode == 0, done.stderr
        received = sandbox.received()
    assert set(received.values()) == {1}
    for name in SAME_BYTES:
        assert (tmp_path / "out" / name).read_bytes() == (local / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_a_worker_killed_again_and_again_says_the_same(
    broker: Broker, settings: KafkaSettings, recording: Path, local: Path, tmp_path: Path
) -> None:
    log, chance = tmp_path / "log", random.Random(20260114)
    registry, items = sequence(recording)
    portions = [items[n * len(items) // KILLS : (n + 1) * len(items) // KILLS] for n in range(KILLS)]
    with sandbox_process(tmp_path / "sandbox") as sandbox:
        config = configured(tmp_path, recording, sandbox, settings)
        assert run("topics", "apply", "--config", str(config)).returncode == 0
        for portion in portions:
            with worker(config, log) as process:
                asyncio.run(hand_over(settings, registry, portion))
                time.sleep(chance.uniform(1.0, 6.0))  # from before it is ready to after it is through
                assert process.poll() is None, log.read_text(encoding="utf-8")
                process.kill()
                process.wait()
        with worker(config, log) as process:
            wait_for_the_last_mark(settings, last_mark(items), process, log)
        for command in (["dispatch", "--once", "--port", "0"], ["export", "--out", str(tmp_path / "out")]):
            done = run(*command, "--config", str(config))
            assert done.returncode == 0, done.stderr
        received = sandbox.received()
    assert set(received.values()) == {1}
    for name in SAME_BYTES[:-1]:
        assert (tmp_path / "out" / name).read_bytes() == (local / name).read_bytes(), name
    assert settled(tmp_path / "out" / "deliveries.jsonl") == settled(local / "deliveries.jsonl")


async def hand_over(settings: KafkaSettings, registry: StationRegistry, items: list[ReadingBatch | Mark]) -> None:
    async with Ingest(settings, registry) as ingest:
        await ingest.put(items)
