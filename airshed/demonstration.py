"""The demonstration: a simulated January stagnation through the whole pipeline, messages received and all."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import sqlalchemy as sa

from airshed import replaying
from airshed.configuration import Configuration
from airshed.local.runtime import LocalRuntime
from airshed.message_settings import CapSettings
from airshed.messaging import Messaging, import_registries, messaging
from airshed.pipeline import Outcome
from airshed.service import Health, health_routes, listening_socket, serving, url_of
from airshed.view import LiveView
from notifiers import standings
from notifiers.database import connect, reading
from notifiers.deliveries import Delivery
from notifiers.planner import plan
from notifiers.reports import summary
from rules.model import Pack
from streams.batches import ReadingBatch
from streams.clock import ManualClock, epoch_s
from streams.gateway import replay_arrivals
from streams.schemas import EpisodeEvent, Mark
from streams.sources.simulation import Simulation
from streams.stations import read_stations

TITLE = "SIMULATION"

Redraw = Callable[[], None]


@dataclass
class Story:
    """What happened, for the summary."""

    readings: int = 0
    events: list[EpisodeEvent] = field(default_factory=list)
    deliveries: dict[tuple[str, str], int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    messages: Path | None = None
    seconds: float = 0.0


@dataclass
class Demonstration:
    """One run in one folder.

    Attributes:
        speed: simulated seconds per real second; 0 = as fast as the machine allows.
        port: where ``/metrics`` and the acknowledgement pages are served while it runs; 0 = any free one.
    """

    simulation: Simulation
    pack: Pack
    folder: Path
    speed: float
    port: int = 0
    story: Story = field(default_factory=Story)

    def __post_init__(self) -> None:
        self.view = LiveView(self.pack.airshed, f"{TITLE}, seed {self.simulation.seed}")
        self.clock = ManualClock()

    async def run(self, announce: Callable[[str], None], redraw: Redraw) -> Story:
        """Play it. ``announce`` is told the address of the metrics; ``redraw`` is called when the view has changed."""
        started = time.perf_counter()
        self.simulation.write(self.folder)
        engine = self._database()
        async with self._notifying(engine, announce) as notifying:
            await self._play(self._runtime(engine, notifying), notifying, redraw)
            self._finish(engine, notifying, redraw)
        self.story.seconds = time.perf_counter() - started
        return self.story

    def _database(self) -> sa.Engine:
        return connect(f"sqlite:///{self.folder / 'airshed.sqlite'}")

    @contextlib.asynccontextmanager
    async def _notifying(self, engine: sa.Engine, announce: Callable[[str], None]) -> AsyncIterator[Messaging]:
        listener = listening_socket("127.0.0.1", self.port)
        alerts = CapSettings(sender="simulation@airshed.example.invalid", folder=str(self.folder / "cap"))
        settings = Configuration(data_dir=str(self.folder), cap=alerts)
        routes = health_routes(Health())
        async with (
            messaging(
                engine,
                settings,
                self.clock,
                public_url=url_of(listener),
                worker="demo",
                on_change=self._delivered,
                extra_routes=routes,
                recorded=True,
            ) as notifying,
            serving(notifying.app, listener),
        ):
            announce(f"{url_of(listener)}/metrics")
            yield notifying

    def _runtime(self, engine: sa.Engine, notifying: Messaging) -> LocalRuntime:
        folder = self.folder
        import_registries(engine, notifying.keys, self.pack, folder / "subscribers.csv", folder / "facilities.csv")
        registry = read_stations(folder / "stations.csv", [self.pack.airshed])
        return LocalRuntime(engine, self.pack, registry, mode="exercise", plan=plan, heard=standings.note)

    async def _play(self, runtime: LocalRuntime, notifying: Messaging, redraw: Redraw) -> None:
        """Simulated time stands still while messages go out: at this speed half a day would pass in a second."""
        pace = _Pace(self.speed)
        detection = self.pack.airshed.detection
        sequence = replay_arrivals(self.simulation.slices(), step_s=detection.step_s, lateness_s=detection.lateness_s)
        batches: list[ReadingBatch] = []
        for item in sequence:
            if not isinstance(item, Mark):
                batches.append(item)
                continue
            await pace.until(epoch_s(item.time))
            self.clock.set(epoch_s(item.time))
            outcome = runtime.take(batches, item)
            self._saw(outcome, item, sum(len(batch) for batch in batches))
            batches = []
            redraw()
            if outcome.notices:
                pace.pause()
                await notifying.dispatcher.drain()
                redraw()

    def _saw(self, outcome: Outcome, mark: Mark, readings: int) -> None:
        self.story.readings += readings
        self.story.events += outcome.episodes
        self.view.saw(outcome, mark.time, readings)

    async def _delivered(self, deliveries: Sequence[Delivery]) -> None:
        self.view.delivered(deliveries)

    def _finish(self, engine: sa.Engine, notifying: Messaging, redraw: Redraw) -> None:
        redraw()
        with reading(engine) as connection:
            self.story.deliveries = summary(connection)
        self.story.files = replaying.export(engine, self.folder)
        if notifying.sandbox is not None:
            self.story.messages = notifying.sandbox.write_pages()


class _Pace:
    """Lets event time pass at ``speed`` times real time, and the event loop breathe in between."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._origin: tuple[float, float] | None = None

    def pause(self) -> None:
        """Begin anew at the next moment: what has been waited for meanwhile is not caught up."""
        self._origin = None

    async def until(self, event_s: float) -> None:
        now = time.monotonic()
        if self._origin is None:
            self._origin = (now, event_s)
        wait = 0.0
        if self._speed > 0:
            wait = self._origin[0] + (event_s - self._origin[1]) / self._speed - now
        await asyncio.sleep(max(wait, 0.0))


class Summary(msgspec.Struct):
    """The outcome of a demonstration in numbers, for ``--json``."""

    readings: int
    seconds: float
    episodes: dict[str, list[str]]
    deliveries: dict[str, dict[str, int]]
    files: dict[str, int]


def summary_of(story: Story) -> Summary:
    """Transitions by episode, deliveries by channel and state."""
    episodes: dict[str, list[str]] = {}
    for event in story.events:
        episodes.setdefault(event.episode, []).append(event.kind)
    by_channel: dict[str, dict[str, int]] = {}
    for (channel, state), number in sorted(story.deliveries.items()):
        by_channel.setdefault(channel, {})[state] = number
    return Summary(story.readings, round(story.seconds, 1), episodes, by_channel, story.files)
