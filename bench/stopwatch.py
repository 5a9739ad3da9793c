"""What every engine measures in itself, in the same way: wall and CPU time from its first reading to its last."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Lap:
    """A moment of a run. ``cpu_s``: user and system time of the whole process so far, all its threads."""

    readings: int
    wall_s: float
    cpu_s: float


@dataclass
class Stopwatch:
    """Laps at the first reading, in the middle, and when the last reading's effects are out.

    Start-up (imports, joining the group) lies before the first lap and is not counted for anybody. The middle lets
    the second half be looked at alone: a runtime that compiles as it goes has done so by then.
    """

    readings: int
    laps: list[Lap] = field(default_factory=list)

    def first(self) -> None:
        """The first readings are at hand; later calls change nothing."""
        if not self.laps:
            self._lap(0)

    def passed(self, readings: int) -> bool:
        """So many readings are dealt with. True once all are."""
        if len(self.laps) == 1 and readings >= self.readings // 2:
            self._lap(readings)
        if readings >= self.readings and len(self.laps) == 2:
            self._lap(readings)
        return readings >= self.readings

    def report(self) -> None:
        """Print the laps as one line of JSON: the result of the process."""
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"laps": [asdict(lap) for lap in self.laps], "peak_mb": round(peak_mb, 1)}), flush=True)

    def _lap(self, readings: int) -> None:
        self.laps.append(Lap(readings, time.perf_counter(), time.process_time()))


@dataclass(frozen=True)
class Run:
    """Options of one run of one engine, handed over as JSON."""

    bootstrap: str
    readings: int
    name: str
    stations: str
    folder: str

    @classmethod
    def from_command_line(cls) -> Run:
        return cls(**json.loads(sys.argv[1]))
