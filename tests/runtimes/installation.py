"""A small installation for tests of whole runtimes: recording, registries, a sandbox, a configuration."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from streams.sources.scenarios import STAGNATION
from streams.sources.simulation import simulate

AIRSHED = (sys.executable, "-m", "airshed.cli")
SUBSCRIBERS = 120


def write_recording(folder: Path, seed: int = 7, per_province: int = 3) -> None:
    """Nine days of a stagnation over 21 stations, ten plants and some residents, as files."""
    scenario = replace(STAGNATION, stations=dict.fromkeys(STAGNATION.stations, per_province), disturbances=())
    simulate(seed, scenario).write(folder)
    path = folder / "subscribers.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[: SUBSCRIBERS + 1]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


@dataclass
class SandboxProcess:
    """A sandbox that outlives the processes under test."""

    folder: Path
    smtp: str
    http: str

    def received(self) -> Counter[str]:
        """How often each message arrived: mails by Message-ID, SMS by number and words."""
        found: Counter[str] = Counter()
        for mail in (self.folder / "mail").glob("*.eml"):
            headers = mail.read_bytes().split(b"\r\n\r\n", 1)[0].decode("ascii", "replace")
            (message_id,) = [line for line in headers.split("\r\n") if line.lower().startswith("message-id:")]
            found[message_id.split(":", 1)[1].strip()] += 1
        log = self.folder / "messages.jsonl"
        created: dict[str, str] = {}
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
            sms = json.loads(line)
            if "body" in sms:
                # The link is signed with the installation's own key, and the stop address has its port: both differ
                # from one folder to another.
                words = re.sub(r"https?://\S+", "<link>", f"{sms['to']} {sms['body']}")
                created[sms["sid"]] = re.sub(r"127\.0\.0\.1:\d+", "<host>", words)
        found.update(created.values())
        return found

    def number(self) -> int:
        """Messages received so far (cheap; for choosing moments)."""
        log = self.folder / "messages.jsonl"
        sms = log.read_bytes().count(b'"body"') if log.exists() else 0
        return sms + sum(1 for _ in (self.folder / "mail").glob("*.eml"))


@contextmanager
def sandbox_process(folder: Path) -> Iterator[SandboxProcess]:
    """Start a sandbox as a process of its own; ended with the block."""
    command = [sys.executable, "-m", "notifiers.sandbox", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        smtp = f"{addresses['smtp_host']}:{addresses['smtp_port']}"
        yield SandboxProcess(folder, smtp, addresses["sms_base_url"])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def write_configuration(path: Path, recording: Path, sandbox: SandboxProcess, extra: str = "") -> Path:
    """An ``airshed.toml`` over a recording; ``extra`` is appended as it is."""
    path.write_text(
        f"""
mode = "exercise"
data_dir = "{path.parent / "var"}"
stations = "{recording / "stations.csv"}"
subscribers = "{recording / "subscribers.csv"}"
facilities = "{recording / "facilities.csv"}"
[sms]
status_callbacks = false
[sandbox]
smtp = "{sandbox.smtp}"
http = "{sandbox.http}"
lookup_after_s = 3.0
[web]
port = 0
{extra}
""",
        encoding="utf-8",
    )
    return path


def start(*arguments: str, log: Path) -> subprocess.Popen[bytes]:
    """Start ``airshed`` with these arguments; its output goes to ``log``."""
    with log.open("ab") as file:
        return subprocess.Popen([*AIRSHED, *arguments], stdout=file, stderr=file, env={**os.environ, "NO_COLOR": "1"})


def run(*arguments: str, timeout: float = 240.0) -> subprocess.CompletedProcess[str]:
    """Run ``airshed`` to its end."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [*AIRSHED, *arguments], capture_output=True, text=True, timeout=timeout, check=False, env=environment
    )


def settled(deliveries: Path) -> list[dict[str, object]]:
    """Deliveries of a file without the reason: a message whose answer was lost and found again says so there."""
    lines = deliveries.read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "reason"} for line in lines]


def until(holds: Callable[[], bool], log: Path | None = None, seconds: float = 60.0) -> None:
    """Return when it holds; fails with what the service has logged."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, log.read_text(encoding="utf-8") if log and log.exists() else "no log"
        time.sleep(0.1)
