"""The Kafka Streams contestant: built by Maven once, outside the repository."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

from airshed.kafka import broker
from bench.stopwatch import Run

PROJECT = Path(__file__).parent / "java"

HEAP_MB = 1024
"""Much more than it needs: its collector must not be what is measured."""


class BuildError(RuntimeError):
    """Maven could not build it."""


def why_missing() -> str:
    """What this machine lacks to build and run it."""
    return broker.why_missing()


@cache
def build() -> Path:
    """The folder of the build, made anew when a source has changed."""
    digest = hashlib.sha256()
    for source in sorted(PROJECT.rglob("*")):
        if source.is_file():
            digest.update(source.read_bytes())
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache_home / "airshed" / f"bench-streams-{digest.hexdigest()[:12]}"
    if (folder / "built").exists():
        return folder
    goals = ["compile", "dependency:copy-dependencies"]
    options = [f"-Dbuild.folder={folder}", f"-DoutputDirectory={folder / 'jars'}"]
    command = ["mvn", "-q", "-B", "-f", str(PROJECT / "pom.xml"), *options, *goals]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"Maven could not build {PROJECT}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    (folder / "built").touch()
    return folder


def command(store: str) -> Callable[[Run], list[str]]:
    """The process; ``store``: memory or rocksdb."""

    def line(run: Run) -> list[str]:
        folder = build()
        classes = f"{folder / 'classes'}:{folder / 'jars'}/*"
        arguments = [run.bootstrap, str(run.readings), run.name, run.folder, store]
        return ["java", f"-Xmx{HEAP_MB}m", "-XX:+UseSerialGC", "-cp", classes, "airshed.bench.HourlyMeans", *arguments]

    return line
