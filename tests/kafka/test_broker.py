"""The development broker keeps its address and its data over a kill, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from airshed.kafka.broker import Broker


@pytest.mark.slow
def test_killed_and_started_again_it_has_its_topics(broker: Broker, tmp_path: Path) -> None:
    with Broker(tmp_path) as own:
        admin = KafkaAdminClient(bootstrap_servers=own.bootstrap)
        admin.create_topics({"kept": {"num_partitions": 1, "replication_factor": 1}})
        admin.close()
        own.kill()
        own.start()
        admin = KafkaAdminClient(bootstrap_servers=own.bootstrap)
        assert "kept" in admin.list_topics()
        admin.close()


@pytest.mark.slow
def test_it_ends_with_the_process_that_started_it(broker: Broker, tmp_path: Path) -> None:
    starter = (
        "import sys, time; from pathlib import Path; from airshed.kafka.broker import Broker\n"
        "b = Broker(Path(sys.argv[1])); b.start(); print(b._process.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", starter, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    kafka = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while _alive(kafka):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A killed child whose parent is gone stays a zombie until somebody reaps it: it serves nobody.
    status = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    return status.rpartition(")")[2].split()[0] != "Z"
