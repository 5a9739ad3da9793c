"""Progress over several sources: how far event time has surely come, and who is being waited for."""

from __future__ import annotations

import msgspec

from streams.clock import epoch_s
from streams.schemas import Mark


class Watermark(msgspec.Struct):
    """The slowest of ``of`` sources; part of a stage's durable state.

    Nothing is complete before all ``of`` sources have spoken. A source that was given up is not waited for until it
    speaks again. Progress never goes back: a source that returns with an old time only stops it from moving on.

    Attributes:
        of: number of sources, as the latest mark says.
        times: latest time each source promised, UTC epoch seconds.
        given_up: sources that are not waited for.
        reached: progress, UTC epoch seconds; ``None`` while a source has never spoken.
    """

    of: int = 1
    times: dict[str, int] = {}
    given_up: list[str] = []
    reached: int | None = None

    def observe(self, mark: Mark) -> int | None:
        """Take a mark in. The new progress when it moved, else ``None``."""
        self.of = mark.of
        self.times[mark.source] = max(self.times.get(mark.source, 0), epoch_s(mark.time))
        self.given_up = [source for source in self.given_up if source != mark.source]
        return self._moved()

    def give_up(self, source: str) -> int | None:
        """Stop waiting for a silent source. The new progress when it moved, else ``None``."""
        self.given_up = sorted({*self.given_up, source})
        return self._moved()

    def _moved(self) -> int | None:
        waited_for = [time_s for source, time_s in self.times.items() if source not in self.given_up]
        if not waited_for or len(waited_for) + len(self.given_up) < self.of:
            return None
        slowest = min(waited_for)
        if self.reached is not None and slowest <= self.reached:
            return None
        self.reached = slowest
        return slowest
