"""The local runtime is killed at random moments of a replay and started again: same events, every message once."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtimes.installation import (
    run,
    sandbox_process,
    settled,
    start,
    write_configuration,
    write_recording,
)

KILLS = 12
EVENT_FILES = ("episodes.jsonl", "notices.jsonl", "index.csv", "provinces.csv", "provinces.jsonl")


def replay_arguments(folder: Path, recording: Path) -> list[str]:
    return [
        "replay", str(recording / "readings.csv.gz"),
        "--stations", str(recording / "stations.csv"),
        "--subscribers", str(recording / "subscribers.csv"),
        "--facilities", str(recording / "facilities.csv"),
        "--config", str(folder / "airshed.toml"),
        "--out", str(folder / "out"),
        "--send",
    ]  # fmt: skip


def steps_taken(database: Path) -> int:
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1) as connection:
            return int(connection.execute("SELECT position FROM run_progress").fetchone()[0])
    except (sqlite3.Error, TypeError):
        return 0


def moments(seed: int) -> list[tuple[int, int]]:
    """When to kill, counted from each start: after so many steps, or after so many messages if that comes first.

    The replay has some 220 steps; twelve kills at most 16 steps apart all hit it while it runs.
    """
    chance = random.Random(seed)
    return [(chance.randint(1, 16), chance.randint(1, 30)) for _ in range(KILLS)]


def kill_after(
    arguments: list[str], log: Path, moment: tuple[int, int], reached: Callable[[], tuple[int, int]]
) -> bool:
    """Start the replay and kill -9 it at the moment; false if it had ended before."""
    targets = [now + more for now, more in zip(reached(), moment, strict=True)]
    process = start(*arguments, log=log)
    while process.poll() is None:
        if any(now >= target for now, target in zip(reached(), targets, strict=True)):
            process.kill()
            process.wait()
            return True
        time.sleep(0.004)
    assert process.returncode == 0, log.read_text(encoding="utf-8")
    return False


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_and_restarted_it_says_the_same_and_sends_every_message_once(tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    write_recording(recording)
    quiet, cut = tmp_path / "quiet", tmp_path / "cut"
    for folder in (quiet, cut):
        folder.mkdir()
    with sandbox_process(quiet / "sandbox") as sandbox:
        write_configuration(quiet / "airshed.toml", recording, sandbox)
        undisturbed = run(*replay_arguments(quiet, recording))
        assert undisturbed.returncode == 0, undisturbed.stderr
        expected = sandbox.received()
    assert len(expected) > 50
    assert set(expected.values()) == {1}

    with sandbox_process(cut / "sandbox") as sandbox:
        write_configuration(cut / "airshed.toml", recording, sandbox)
        arguments, database = replay_arguments(cut, recording), cut / "out" / "airshed.sqlite"

        def reached() -> tuple[int, int]:
            return steps_taken(database), sandbox.number()

        kills = sum(kill_after(arguments, cut / "log", moment, reached) for moment in moments(20260113))
        last = run(*arguments)
        assert last.returncode == 0, last.stderr
        received = sandbox.received()
    assert kills >= 10, f"only {kills} kills hit a running replay"
    assert {key: number for key, number in received.items() if number > 1} == {}
    assert received.keys() == expected.keys()
    for name in EVENT_FILES:
        assert (cut / "out" / name).read_bytes() == (quiet / "out" / name).read_bytes(), name
    assert settled(cut / "out" / "deliveries.jsonl") == settled(quiet / "out" / "deliveries.jsonl")
