"""A pack that takes over half way, into a running worker, with a kill in between: what a local replay says."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from airshed.kafka.broker import Broker, free_port
from airshed.kafka.settings import KafkaSettings
from rules.activating import Order, activate
from rules.activations import BEGINNING
from rules.loading import PackFile, pack_file
from streams.schemas import Mark
from tests.kafka.cluster import Installation
from tests.kafka.test_services import configured, hand_over, last_mark, sequence, wait_for_the_last_mark, worker
from tests.runtimes.installation import run, sandbox_process, until, write_recording

SAME_BYTES = ("index.csv", "provinces.csv", "episodes.jsonl", "notices.jsonl")


def new_version() -> PackFile:
    """The packaged pack as another version: lower thresholds, and a rule that is called otherwise."""
    text = pack_file("vietnam-2026").raw.decode()
    lines = ['version: "77"' if line.startswith("version:") else line for line in text.splitlines()]
    text = "\n".join(lines)
    for before, after in (("enter: 201", "enter: 191"), ("id: residents-advisory", "id: people-advisory")):
        assert before in text
        text = text.replace(before, after)
    return PackFile("new.yaml", text.encode())


def replayed(recording: Path, out: Path, *rules: str) -> list[dict[str, Any]]:
    """Episode events of a local replay."""
    readings, stations = str(recording / "readings.csv.gz"), str(recording / "stations.csv")
    done = run("replay", readings, "--stations", stations, *rules, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (out / "episodes.jsonl").read_text(encoding="utf-8").splitlines()]


def ordered(folder: Path, pack: PackFile, hour: datetime, episode: str = "") -> None:
    """An activation for recorded data, maybe one that an officer has ordered for an open episode."""
    activate(folder, pack, Order(from_=hour, by="author", episode=episode))


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(420)
def test_a_pack_that_takes_over_half_way_with_a_kill_in_between(
    broker: Broker, settings: KafkaSettings, tmp_path: Path
) -> None:
    recording, log = tmp_path / "recording", tmp_path / "log"
    recording.mkdir()
    write_recording(recording)
    opened = replayed(recording, tmp_path / "plain")[0]
    hour = datetime.fromisoformat(opened["time"]) + timedelta(hours=12)
    new = new_version()
    whole, shelf = tmp_path / "whole", tmp_path / "rules"
    for folder in (whole, shelf):
        ordered(folder, pack_file("vietnam-2026"), BEGINNING)
    ordered(whole, new, hour, opened["episode"])
    events = replayed(recording, tmp_path / "local", "--rules", str(whole))
    assert {event["pack"] for event in events} > {"vietnam-2026@77"}

    topics = Installation(settings, tmp_path)
    registry, items = sequence(recording)
    middle = next(n for n, item in enumerate(items) if isinstance(item, Mark) and item.time >= hour) - 3
    first = items[: middle + 1]
    with sandbox_process(tmp_path / "sandbox") as sandbox:
        config = configured(tmp_path, recording, sandbox, settings)
        config.write_text(f'{config.read_text()}\n[rules]\nfolder = "{shelf}"\n', encoding="utf-8")
        assert run("topics", "apply", "--config", str(config)).returncode == 0
        with worker(config, log, port := free_port()) as process:
            asyncio.run(hand_over(settings, registry, first))
            wait_for_the_last_mark(settings, last_mark(first), process, log)
            # a wrong pack, dropped into the running system: a metric, a log line and the author's screen, nothing else
            before, written = at_rest(port), topic_ends(topics)
            assert before["airshed_pack_reload_successful"] == 1
            (shelf / "wrong.yaml").write_bytes(new.raw.replace(b"enter: 191", b"enter: high"))
            until_logged("wrong.yaml:", log)
            after = at_rest(port)
            assert {name: value for name, value in after.items() if before.get(name) != value} == {
                "airshed_pack_reload_successful": 0,
                "airshed_pack_reload_refused_total{'kind': 'pack'}": 1,
                # whoever is configured to hear of it; here is nobody
                "airshed_operator_events_total{'occasion': 'pack-rejected', 'outcome': 'nobody'}": 1,
            }
            assert topic_ends(topics) == written
            status = json.loads(run("rules", "status", "--kafka", "--config", str(config), "--json").stdout)
            assert [refused["field"] for refused in status["refused"]] == ["airshed.levels[1].enter"]
            assert status["in_force"] == pack_file("vietnam-2026").parsed().reference
            assert process.poll() is None
            (shelf / "wrong.yaml").unlink()
            until(lambda: at_rest(port)["airshed_pack_reload_successful"] == 1, log)
            ordered(shelf, new, hour, opened["episode"])
            until_logged("vietnam-2026@77", log)
            asyncio.run(hand_over(settings, registry, items[middle + 1 : middle + 40]))
            time.sleep(0.4)
            process.kill()
            process.wait()
        with worker(config, log) as process:
            asyncio.run(hand_over(settings, registry, items[middle + 40 :]))
            wait_for_the_last_mark(settings, last_mark(items), process, log)
        shown = json.loads(run("rules", "status", "--kafka", "--config", str(config), "--json").stdout)
        assert (shown["in_force"], shown["since"]) == ("vietnam-2026@77", hour.strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert (shown["opened"], shown["refused"]) == ([], [])
        done = run("export", "--out", str(tmp_path / "out"), "--config", str(config))
        assert done.returncode == 0, done.stderr
    refused = [line for line in log.read_text(encoding="utf-8").splitlines() if "pack refused" in line]
    assert len(refused) == 1
    assert "wrong.yaml" in refused[0]
    for name in SAME_BYTES:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "local" / name).read_bytes(), name


def until_logged(text: str, log: Path) -> None:
    until(lambda: text in log.read_text(encoding="utf-8"), log)


def at_rest(port: int) -> dict[str, float]:
    """Our metrics of a worker, once half a second changes nothing in them."""
    latest: dict[str, float] = {}

    def still() -> bool:
        nonlocal latest
        time.sleep(0.5)
        before, latest = latest, scraped(port)
        return latest == before

    until(still)
    return latest


def scraped(port: int) -> dict[str, float]:
    """``_created`` times are of the client library, not ours."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    ours = (s for s in samples if s.name.startswith("airshed_") and not s.name.endswith("_created"))
    return {f"{s.name}{s.labels or ''}": s.value for s in ours}


def topic_ends(installation: Installation) -> dict[str, dict[int, int]]:
    """How much lies in each topic."""
    return {topic.name: installation.ends(topic.name) for topic in installation.settings.topics()}
