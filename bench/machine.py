"""The machine that is measured on, and how processes are kept apart on it."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("faust-streaming", "aiokafka", "msgspec", "numpy", "quixstreams", "confluent-kafka")

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Cores:
    """Where processes run: the engine alone on one core, the broker on the others.

    On a machine of one core they share it, and only CPU time means anything.
    """

    engine: frozenset[int]
    others: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> Cores:
        available = sorted(os.sched_getaffinity(0))
        return cls(frozenset(available[-1:]), frozenset(available[:-1] or available))


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Processes and threads started meanwhile stay on these cores for good."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def die_with_parent() -> None:
    """For ``preexec_fn``: the process is killed when the one that started it ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def described() -> dict[str, str]:
    """What to know of the machine to judge its figures, by heading."""
    found = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Java": _java(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def load() -> str:
    """Load averages of 1, 5 and 15 minutes."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def resident_mb(process: int | None = None) -> float:
    """Memory of a process now, of this one unless told, MB."""
    pages = int(Path(f"/proc/{process or 'self'}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _java() -> str:
    try:
        told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return "not installed"
    return told.splitlines()[0] if told else "unknown"
