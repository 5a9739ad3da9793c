"""The shelf of packs while the system runs: looked at every second, told of in metrics and log, never waited for."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from airshed.reigns import report_refusal
from rules.shelf import Shelf
from streams import metrics
from streams.errors import Problem

_log = structlog.get_logger()

LOOK_EVERY_S = 1.0
"""How often the folder is looked at. An activation lies at least a minute in the future when it is written, and its
hour is decided after that; so it has been seen sixty times by then. A look at an unchanged folder costs 50 µs."""


class Reloading:
    """Looks at a shelf until told to stop. Whatever is wrong there changes nothing but what is reported."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._reported: set[str] = set()
        self._lines = 0
        self.report()

    async def run(self, stop: asyncio.Event) -> None:
        """Look every second. The files are read in another thread, so that no stage waits for them."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
            try:
                changed = await asyncio.to_thread(self._shelf.refresh)
            except Exception as error:  # noqa: BLE001 - a defect in the checking must not end what is running
                _log.error("shelf not read", folder=str(self._shelf.folder), error=str(error), exc_info=error)
                metrics.PACK_RELOAD_SUCCESSFUL.set(0)
                continue
            if changed:
                self.report()

    def report(self) -> None:
        """Tell what is refused and what is new, each once for as long as it stays so."""
        contents = self._shelf.contents
        metrics.PACK_RELOAD_SUCCESSFUL.set(0 if contents.problems else 1)
        refused = {str(problem): problem for problem in contents.problems}
        for text in refused.keys() - self._reported:
            report_refusal(refused[text], self._kind(refused[text]))
        self._reported = set(refused)
        for line in contents.lines[self._lines :]:
            entry = line.entry
            _log.info("pack activated", pack=entry.pack, from_=f"{entry.from_:%Y-%m-%dT%H:%MZ}", by=entry.by)
        self._lines = len(contents.lines)

    def _kind(self, problem: Problem) -> str:
        return "log" if problem.place.startswith(str(self._shelf.log)) else "pack"
