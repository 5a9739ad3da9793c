"""Small stages of the pipeline's shape whose right answer is obvious: they count what they are given.

Run as a process (``python -m tests.kafka.counting``) this is a whole worker over two of them: ``readings`` →
``index.stations`` (per station, how many and what sum, said at every mark) → ``index.provinces`` (per mark, the total).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import uvloop

from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import StageSpec, decoder_of
from airshed.kafka.worker import Worker
from airshed.service import stop_on_signals
from streams.schemas import Mark
from streams.stage import State
from streams.topics import PROVINCES, READINGS, STATIONS


class Item(msgspec.Struct, frozen=True):
    """A reading of these tests: ``number`` counts up within the station, so that order can be checked."""

    station: str
    number: int


class Tally(msgspec.Struct, frozen=True):
    """What has come in from one station up to a mark. ``disorder`` counts items that were not the next one."""

    station: str
    mark: datetime
    count: int
    total: int
    disorder: int


class Total(msgspec.Struct, frozen=True):
    """Sum of the latest tallies of all stations, once every source has passed the mark."""

    airshed: str
    mark: datetime
    stations: int
    count: int
    total: int
    disorder: int


class CountingStage:
    """Counts items by station; says every station's tally at every mark. ``poison`` raises, as a defect would."""

    def __init__(self, state: State, source: str, of: int) -> None:
        self._state = state
        self._source = source
        self._of = of

    def accept(self, items: Sequence[Item]) -> Sequence[Tally]:
        for item in items:
            if item.station == "defect":
                raise RuntimeError("a defect in the stage")
            count, total, disorder = self._read(item.station)
            wrong = item.number != count
            self._write(item.station, (count + 1, total + item.number, disorder + wrong))
        return []

    def advance(self, mark: Mark) -> Sequence[Tally | Mark]:
        tallies = [Tally(station, mark.time, *self._read(station)) for station in sorted(self._state)]
        return [*tallies, Mark(mark.time, self._source, self._of)]

    def _read(self, station: str) -> tuple[int, int, int]:
        return msgspec.json.decode(self._state.get(station, b"[0,0,0]"), type=tuple[int, int, int])

    def _write(self, station: str, values: tuple[int, int, int]) -> None:
        self._state[station] = msgspec.json.encode(values)


class TotalStage:
    """Adds the tallies of a mark up once all sources have passed it. Repeated input changes nothing."""

    def __init__(self, state: State) -> None:
        self._state = state

    def accept(self, items: Sequence[Tally]) -> Sequence[Total]:
        decided = self._state.get("=decided", b"").decode()
        for item in items:
            if item.mark.isoformat() <= decided:
                continue  # said again by a worker that took over
            self._state[f"{item.mark.isoformat()}|{item.station}"] = msgspec.json.encode(item)
        return []

    def advance(self, mark: Mark) -> Sequence[Total | Mark]:
        self._state[f"~{mark.source}"] = mark.time.isoformat().encode()
        passed = [datetime.fromisoformat(self._state[key].decode()) for key in self._state if key.startswith("~")]
        if len(passed) < mark.of:
            return []
        done = min(passed)
        said = [self._total(moment) for moment in self._moments() if moment <= done]
        if said:
            self._state["=decided"] = done.isoformat().encode()
        return [*said, Mark(done, "total", 1)] if said else []

    def give_up(self, source: str) -> Sequence[Total | Mark]:
        return []

    def _moments(self) -> list[datetime]:
        return sorted({datetime.fromisoformat(key.split("|")[0]) for key in self._state if "|" in key})

    def _total(self, moment: datetime) -> Total:
        keys = [key for key in self._state if key.startswith(f"{moment.isoformat()}|")]
        tallies = [msgspec.json.decode(self._state[key], type=Tally) for key in keys]
        for key in keys:
            del self._state[key]
        counts = (len(tallies), sum(t.count for t in tallies), sum(t.total for t in tallies))
        return Total("all", moment, *counts, sum(t.disorder for t in tallies))


def specs(settings: KafkaSettings) -> list[StageSpec]:
    """The two agents."""
    return [
        StageSpec(
            name="index",
            source=READINGS,
            sink=STATIONS,
            source_partitions=settings.partitions,
            sink_partitions=settings.airshed_partitions,
            decode=decoder_of(Item),
            key_of=lambda _tally: "all",
            marks="every-partition",
            make=lambda partition, state: CountingStage(state, str(partition), settings.partitions),
        ),
        StageSpec(
            name="provinces",
            source=STATIONS,
            sink=PROVINCES,
            source_partitions=settings.airshed_partitions,
            sink_partitions=settings.airshed_partitions,
            decode=decoder_of(Tally),
            key_of=lambda total: total.airshed,
            marks="same-partition",
            make=lambda _partition, state: TotalStage(state),
        ),
    ]


async def _main(settings: KafkaSettings, stages: list[StageSpec]) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    worker = Worker(settings, stages)
    ready = asyncio.create_task(_tell_ready(worker))
    try:
        await worker.run(stop)
    finally:
        ready.cancel()


async def _tell_ready(worker: Worker) -> None:
    await worker.ready.wait()
    print("ready", flush=True)


def moment(number: int) -> datetime:
    """Event time of the ``number``-th mark."""
    return datetime.fromtimestamp((number + 1) * 3600, UTC)


def main(make: Callable[[KafkaSettings], list[StageSpec]]) -> int:
    """Run a worker over the stages that ``make`` gives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", help="JSON of the settings that differ from their defaults")
    chosen: dict[str, Any] = msgspec.json.decode(parser.parse_args().settings)
    if os.environ.get("AIRSHED_TEST_LOG"):
        import logging

        logging.basicConfig(level=os.environ["AIRSHED_TEST_LOG"], format="%(asctime)s %(name)s %(message)s")
    try:
        settings = KafkaSettings(**chosen)
        uvloop.run(_main(settings, make(settings)))
    except Exception as error:  # noqa: BLE001 - the exit code is what the tests look at
        print(f"failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(specs))
