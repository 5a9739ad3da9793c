"""The shelf of packs while the system runs: looked at every second, told of in metrics and log, never waited for."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog

from airshed.configuration import Configuration
from notifiers import operators
from notifiers.operators import Occasion, OperatorEvent
from rules.loading import load_pack
from rules.model import Pack
from rules.shelf import Shelf
from streams import metrics
from streams.clock import utc
from streams.episodes import EpisodeTracker
from streams.errors import Problem

_log = structlog.get_logger()

LOOK_EVERY_S = 1.0
"""How often the folder is looked at. An activation lies at least a minute in the future when it is written, and its
hour is decided after that; so it has been seen sixty times by then. A look at an unchanged folder costs 50 µs."""


def shelf_of(settings: Configuration) -> Shelf | None:
    """The shelf of an installation, ``None`` where one pack is configured and nothing else."""
    folder = settings.rules.folder
    return Shelf(Path(folder), load_pack(settings.pack)) if folder else None


def base_of(settings: Configuration) -> Pack:
    """The pack that registries and the first stages go by. Raises ``PackError``."""
    shelf = shelf_of(settings)
    return shelf.base if shelf else load_pack(settings.pack)


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
            _report_refusal(refused[text], self._kind(refused[text]))
        self._reported = set(refused)
        for line in contents.lines[self._lines :]:
            entry = line.entry
            _log.info("pack activated", pack=entry.pack, from_=f"{entry.from_:%Y-%m-%dT%H:%MZ}", by=entry.by)
        self._lines = len(contents.lines)

    def _kind(self, problem: Problem) -> str:
        return "log" if problem.place.startswith(str(self._shelf.log)) else "pack"


def report_reigns(tracker: EpisodeTracker, shelf: Shelf | None) -> None:
    """Which packs are in force, and which activations a tracker could not take over any more."""
    for code, reign in tracker.reigns.items():
        known = {reign.pack, *(activation.pack for activation in reign.activations)}
        for reference in known:
            metrics.PACK_IN_FORCE.labels(code, reference).set(reference == reign.pack)
    for activation, decided_s in tracker.take_refused():
        message = f"{activation.pack} for {utc(activation.from_s):%Y-%m-%dT%H:%MZ} came too late"
        remedy = f"hours up to {utc(decided_s):%Y-%m-%dT%H:%MZ} were decided without it: activate it for one to come"
        place = shelf.place(activation) if shelf else ""
        _report_refusal(Problem(message, place=place, field="from", remedy=remedy), "late")


def _report_refusal(problem: Problem, kind: str) -> None:
    metrics.PACK_RELOAD_REFUSED.labels(kind).inc()
    _log.warning("pack refused", kind=kind, place=problem.place, problem=str(problem))
    about = problem.place or kind
    operators.tell(OperatorEvent(occasion=Occasion.PACK_REJECTED, about=about, says=problem.message))
