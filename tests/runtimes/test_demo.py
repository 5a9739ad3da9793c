"""The demonstration: one cross-provincial episode from onset to end, messages received once, metrics as documented."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import DESCRIPTIONS
from tests.runtimes.installation import SandboxProcess, run, start

FILES = ("episodes.jsonl", "notices.jsonl", "provinces.csv", "index.csv")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrape(port: int) -> dict[str, set[tuple[str, ...]]]:
    """Label values by metric, of the metrics of Airshed that have a sample."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found: dict[str, set[tuple[str, ...]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("airshed_"):
                found.setdefault(sample.name, set()).add(tuple(sample.labels.values()))
    return found


def watch(process: subprocess.Popen[bytes], port: int) -> dict[str, set[tuple[str, ...]]]:
    """Scrape as long as the process serves; the latest answer is returned."""
    latest: dict[str, set[tuple[str, ...]]] = {}
    while process.poll() is None:
        try:
            latest = scrape(port)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
        time.sleep(0.2)
    return latest


@pytest.mark.slow
def test_the_demonstration_tells_its_story(tmp_path: Path) -> None:
    folder, port = tmp_path / "demo", free_port()
    process = start("demo", "--json", "--speed", "0", "--port", str(port), "--dir", str(folder), log=tmp_path / "log")
    seen = watch(process, port)
    assert process.returncode == 0, (tmp_path / "log").read_text(encoding="utf-8")
    summary = json.loads((tmp_path / "log").read_text(encoding="utf-8"))

    (transitions,) = summary["episodes"].values()
    assert transitions[0] == "opened"
    assert transitions[-1] == "closed"
    assert {"grown", "escalated", "eased"} <= set(transitions)
    assert set(summary["deliveries"]["email"]) == {"sent", "suppressed"}
    assert set(summary["deliveries"]["sms"]) <= {"sent", "delivered", "suppressed"}

    received = SandboxProcess(folder / "sandbox", "", "").received()
    reached = [line for line in deliveries(folder) if line["state"] in ("sent", "delivered")]
    assert sum(received.values()) == len(reached)
    assert {kind for kind, _ in told(reached)} == {"advisory", "request", "all-clear"}
    pairs = [(line["notice"], line["recipient"], line["channel"]) for line in reached]
    assert len(pairs) == len(set(pairs))

    named = {description.name for description in DESCRIPTIONS}
    assert {base_name(name) for name in seen} <= named
    for name in (
        "airshed_readings_total", "airshed_index_values_total", "airshed_episode_events_total",
        "airshed_notices_total", "airshed_deliveries_total", "airshed_event_time_seconds",
        "airshed_event_time_lag_seconds",
    ):  # fmt: skip
        assert seen.get(name), name
    assert {state for _, state in seen["airshed_deliveries_total"]} >= {"sent"}

    again = run("demo", "--json", "--speed", "0", "--dir", str(tmp_path / "again"))
    assert again.returncode == 0, again.stderr
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


def base_name(name: str) -> str:
    """The documented name of a sample (a histogram has several)."""
    for suffix in ("_bucket", "_count", "_sum", "_created"):
        name = name.removesuffix(suffix)
    return name if any(d.name == name for d in DESCRIPTIONS) else f"{name}_total"


def deliveries(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "deliveries.jsonl").read_text(encoding="utf-8").splitlines()]


def told(reached: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(line["kind"], line["channel"]) for line in reached}


def test_it_leaves_a_folder_of_somebody_else_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    refused = run("demo", "--dir", str(tmp_path))
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
    assert (tmp_path / "letter.txt").read_text(encoding="utf-8") == "mine"
