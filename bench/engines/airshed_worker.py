"""Airshed's own worker with its index agent: decoding, screening, rolling index, records and state out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from airshed.kafka.pipeline import stage_specs
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import Decoded, PlaceOf, StageSpec
from airshed.kafka.worker import Worker, quiet
from bench.stopwatch import Run, Stopwatch
from rules.loading import load_pack
from streams.stations import read_stations

PACK = "vietnam-2026"


def settings_of(bootstrap: str, group: str) -> KafkaSettings:
    """One partition: one core's work. Everything else as an installation has it."""
    return KafkaSettings(bootstrap=[bootstrap], partitions=1, airshed_partitions=1, group=group, worker="bench")


def index_spec(settings: KafkaSettings, stations: Path) -> StageSpec:
    """The index agent of an ordinary installation."""
    pack = load_pack(PACK)
    registry = read_stations(stations, [pack.airshed])
    return stage_specs(settings, pack, registry, mode="actual")[0]


def watched(spec: StageSpec, watch: Stopwatch, stop: asyncio.Event) -> StageSpec:
    """The same agent under a stopwatch: started by the first decoding, passed when a batch is durable."""
    taken = 0

    def decode(partition: int, payloads: Sequence[bytes], place_of: PlaceOf) -> Decoded[Any]:
        nonlocal taken
        watch.first()
        taken += len(payloads)
        return spec.decode(partition, payloads, place_of)

    def after(stage: Any, said: Sequence[Any]) -> None:
        if spec.after is not None:
            spec.after(stage, said)
        if watch.passed(taken):
            stop.set()

    return replace(spec, decode=decode, after=after)


async def _work(run: Run) -> None:
    quiet()
    settings = settings_of(run.bootstrap, run.name)
    stop, watch = asyncio.Event(), Stopwatch(run.readings)
    await Worker(settings, [watched(index_spec(settings, Path(run.stations)), watch, stop)]).run(stop)
    watch.report()


if __name__ == "__main__":
    uvloop.run(_work(Run.from_command_line()))
