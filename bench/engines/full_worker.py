"""Airshed's worker with all its agents, until it is stopped. Says ``ready`` when it is."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import uvloop

from airshed.kafka.pipeline import stage_specs
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.worker import Worker, quiet
from airshed.service import stop_on_signals
from bench.engines.airshed_worker import PACK
from bench.stopwatch import Run
from rules.loading import load_pack
from streams.stations import read_stations

PARTITIONS = 6
"""As an installation has by default; this one worker holds them all."""


def settings_of(run: Run) -> KafkaSettings:
    """Default settings, a group and a worker's name of its own."""
    return KafkaSettings(bootstrap=[run.bootstrap], partitions=PARTITIONS, group=run.name, worker="bench")


async def _work(run: Run) -> None:
    quiet()
    pack = load_pack(PACK)
    registry = read_stations(Path(run.stations), [pack.airshed])
    worker = Worker(settings_of(run), stage_specs(settings_of(run), pack, registry, mode="exercise"))
    stop = asyncio.Event()
    stop_on_signals(stop)
    telling = asyncio.create_task(_tell(worker))
    await worker.run(stop)
    telling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await telling


async def _tell(worker: Worker) -> None:
    await worker.ready.wait()
    print("ready", flush=True)


if __name__ == "__main__":
    uvloop.run(_work(Run.from_command_line()))
