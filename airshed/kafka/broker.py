"""A real Apache Kafka for development and tests: one node in KRaft mode, from jars that Maven resolves.

``python -m airshed.kafka.broker --dir DIR [--port N]`` runs it until it is stopped and prints its address.
Production has its own cluster; nothing here is for it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from streams.errors import AirshedError

VERSION = "4.1.0"
POM = Path(__file__).parents[2] / "deploy" / "kafka" / "pom.xml"

START_TIMEOUT_S = 60.0
"""A first start takes about 5 s on two idle cores; a loaded machine several times that."""

STOP_TIMEOUT_S = 15.0
"""A clean stop takes 1-2 s; past this the process is killed, which Kafka survives (it recovers its log)."""

_CLUSTER_ID = "YWlyc2hlZC1kZXZlbG9wbQ"
"""22 characters of URL-safe base64, as the storage tool wants; any constant does for a cluster of one."""

_PR_SET_PDEATHSIG = 1


class BrokerError(AirshedError):
    """The development broker cannot be had: Java or Maven is missing, or it did not start."""


def why_missing() -> str:
    """What this machine lacks to run a broker; empty if nothing."""
    lacking = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    return f"not installed: {', '.join(lacking)} (Java 17 or newer and Maven)" if lacking else ""


def jars() -> Path:
    """The folder with Kafka's jars, resolved through Maven once and kept in the user's cache.

    Raises:
        BrokerError: if Java or Maven is missing, or Maven cannot resolve the jars.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "airshed"
    folder = cache / f"kafka-{VERSION}"
    if folder.is_dir():
        return folder
    if reason := why_missing():
        raise BrokerError(reason)
    cache.mkdir(parents=True, exist_ok=True)
    # Resolved aside and renamed: an interrupted download must not look like a complete one.
    with tempfile.TemporaryDirectory(dir=cache) as aside:
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={aside}/jars"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BrokerError(f"Maven could not resolve Kafka {VERSION}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        with contextlib.suppress(OSError):  # another process was first
            Path(aside, "jars").rename(folder)
    return folder


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """One Kafka node with its data in ``folder``. A context manager; ``kill`` and ``start`` again keep ports and data.

    The process dies with the one that started it, so that an aborted test run leaves nothing behind.
    """

    def __init__(self, folder: Path, *, port: int | None = None, heap_mb: int = 512) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self._controller_port = free_port()
        self._heap_mb = heap_mb
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> list[str]:
        """Addresses for clients."""
        return [f"127.0.0.1:{self.port}"]

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until clients are served.

        Raises:
            BrokerError: with the end of the broker's log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self._write_properties()
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(properties)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(properties)), stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        self._wait_until_serving()

    def stop(self) -> None:
        """Stop cleanly; kill if that takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until the broker ends by itself."""
        return self._process.wait() if self._process else 0

    @property
    def _log(self) -> Path:
        return self.folder / "broker.log"

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _java(self, *arguments: str) -> list[str]:
        # C1 only and a serial collector: half the start-up time, and the tests' two cores are left to the tests.
        quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        return ["java", f"-Xmx{self._heap_mb}m", *quick, "-cp", f"{jars()}/*", *arguments]

    def _format(self, properties: Path) -> None:
        command = self._java("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BrokerError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")

    def _write_properties(self) -> Path:
        path = self.folder / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()), encoding="utf-8")
        return path

    def _properties(self) -> dict[str, str | int | Path]:
        here = f"127.0.0.1:{self.port}"
        controller = f"127.0.0.1:{self._controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{here},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{here}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            # One node holds the internal topics alone; few partitions start faster.
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            # A new group forms at once: there is nobody else to wait for.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            # After a kill the controller waits for the dead broker's session before the same node may come back.
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 500,
            "log.cleaner.dedupe.buffer.size": 8_388_608,
        }

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if _answers(self.port):
                return
            time.sleep(0.05)
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-3000:]
        self.kill()
        raise BrokerError(f"Kafka did not start within {START_TIMEOUT_S:.0f} s; see {self._log}:\n{tail}")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def _die_with_parent() -> None:
    """In the child, before Java starts: be killed when the parent ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Run a broker in the foreground."""
    parser = argparse.ArgumentParser(prog="airshed.kafka.broker", description="A development Kafka, in the foreground.")
    parser.add_argument("--dir", type=Path, help="data folder, kept between runs; default: a temporary one")
    parser.add_argument("--port", type=int, help="default: any free port")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        folder = options.dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airshed-kafka-")))
        broker = stack.enter_context(Broker(folder, port=options.port))
        print(f"Kafka {VERSION} at {broker.bootstrap[0]}, data in {broker.folder}; Ctrl-C stops it", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            return broker.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
