"""A replay that sends nothing: readings in, files out, nothing durable in between. Killed, it is run again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from airshed.dry import Step
from airshed.recordings import Report
from airshed.result_files import ResultFiles
from rules.notices import Notice
from streams.sources.arrivals import Loaded


class Ledger(Protocol):
    """Where deliveries are planned: ``airshed.planned.Planned``."""

    def add(self, notices: Iterable[Notice]) -> None:
        """Plan the deliveries of notices."""
        ...

    def deliveries(self) -> Iterable[Any]:
        """Every planned delivery."""
        ...


def replay_dry(
    loaded: Loaded,
    steps: Iterable[Step],
    out: Path,
    *,
    ledger: Ledger | None = None,
    advanced: Callable[[int], None] = lambda rows: None,
) -> Report:
    """Write the files of a recording.

    Args:
        loaded: the recording, for the report.
        steps: what the stages make of it (``airshed.dry.play``).
        ledger: plans the deliveries of notices; without one nobody is addressed.
        advanced: hears how many readings have been taken in since it last did.
    """
    started = time.perf_counter()
    report = Report(len(loaded.batch), len(loaded.rejected), loaded.unused)
    with ResultFiles(out) as files:
        files.write("rejected.jsonl", loaded.rejected)
        for step in steps:
            files.take(step.outcome, step.rejected)
            if ledger is not None:
                ledger.add(step.outcome.notices)
            advanced(step.readings)
        if ledger is not None:
            files.write("deliveries.jsonl", ledger.deliveries())
        report.files = files.finish()
    report.seconds = time.perf_counter() - started
    return report
