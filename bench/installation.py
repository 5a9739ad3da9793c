"""A whole installation for the live measurements: broker, topics, registry, and the worker's process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from airshed.kafka.admin import apply_topics
from airshed.kafka.settings import KafkaSettings
from bench.cluster import running_broker
from bench.engines.full_worker import settings_of
from bench.machine import Cores, die_with_parent, pinned
from bench.stopwatch import Run
from bench.workload import Workload

READY_S = 120.0


@dataclass(frozen=True)
class Installation:
    """A broker with topics, and where the registry lies."""

    run: Run
    cores: Cores

    @property
    def settings(self) -> KafkaSettings:
        return settings_of(self.run)

    def start(self) -> subprocess.Popen[str]:
        """Start the worker; it may not be ready yet."""
        command = [sys.executable, "-m", "bench.engines.full_worker", json.dumps(asdict(self.run))]
        with pinned(self.cores.engine):
            return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)


@contextmanager
def installed(name: str, workload: Workload) -> Iterator[Installation]:
    """An installation while the block runs."""
    cores = Cores.of_this_machine()
    with tempfile.TemporaryDirectory(prefix="airshed-bench-") as folder, running_broker(Path(folder), cores) as broker:
        stations = Path(folder) / "stations.csv"
        workload.write_registry(stations)
        installation = Installation(Run(broker.bootstrap[0], 0, name, str(stations), folder), cores)
        apply_topics(installation.settings)
        yield installation


def wait_until_ready(process: subprocess.Popen[str]) -> float:
    """Seconds waited. Raises ``RuntimeError`` when the worker ends instead."""
    started = time.perf_counter()
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError(f"the worker ended with {process.wait(READY_S)} before it was ready")
    return time.perf_counter() - started


def cpu_s(process: subprocess.Popen[str]) -> float:
    """CPU time of a running process so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
