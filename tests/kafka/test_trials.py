"""Every case of every pack over a real broker: the gateway and the worker, as an operator starts them.

The services run in this process, one case after the other: a process for each would spend most of its time on
importing. Everything else is an installation's own: registry and recording in files, topics, group, state.
"""

from __future__ import annotations

import asyncio
import csv
import gc
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from airshed.configuration import Configuration, KafkaSection, WebSettings
from airshed.kafka.admin import apply_topics
from airshed.kafka.export import read_topic
from airshed.kafka.services import ingest_recorded, worker
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import mark_in
from airshed.rejections import write_tidy
from airshed.trials import AS_GIVEN
from streams.topics import NOTICES
from tests.airshed.cases import CASES, Case
from tests.kafka.cluster import distinct

WAIT_S = 120.0


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The worker sets the process' cycle collector for itself; here other tests follow."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_is_as_expected_over_a_broker_and_says_the_same_bytes(
    case: Case, settings: KafkaSettings, tmp_path: Path
) -> None:
    kafka = replace(settings, partitions=2)
    apply_topics(kafka)
    readings = write(case, tmp_path)
    uvloop.run(served(configured(case, kafka, tmp_path), kafka, readings, case.sequence()[-1].time))
    case.assert_as_expected(distinct(value for value in read_topic(kafka, NOTICES) if mark_in(value) is None))


def configured(case: Case, kafka: KafkaSettings, folder: Path) -> Configuration:
    return Configuration(
        data_dir=str(folder / "var"),
        pack=case.pack.name,
        stations=str(folder / "stations.csv"),
        screening=AS_GIVEN,
        web=WebSettings(port=0),
        kafka=KafkaSection(
            bootstrap=kafka.bootstrap,
            partitions=kafka.partitions,
            airshed_partitions=kafka.airshed_partitions,
            group=kafka.group,
        ),
    )


def write(case: Case, folder: Path) -> Path:
    """Stations and readings of a case, as an operator has them. Returns the file of the readings."""
    stations = case.registry.stations
    with (folder / "stations.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("station_id", "lat", "lon", "province", "zone"))
        rows.writerows((s.code, s.lat, s.lon, s.province, s.zone) for s in stations)
    return write_tidy(folder, case.readings, case.registry)


async def served(settings: Configuration, kafka: KafkaSettings, readings: Path, end: datetime) -> None:
    """``airshed ingest --readings`` and ``airshed worker``, until the rules have judged everything."""
    stop = asyncio.Event()
    await ingest_recorded(settings, readings, stop)
    working = asyncio.create_task(worker(settings, stop, name="one"))
    waiting = asyncio.create_task(judged(kafka, end))
    done, _ = await asyncio.wait([working, waiting], timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    waiting.cancel()
    await working
    assert done == {waiting}, f"the rules did not come to {end} within {WAIT_S} s"
    waiting.result()  # raises what went wrong while waiting


async def judged(kafka: KafkaSettings, end: datetime) -> None:
    """Until every partition of ``notices`` has a mark of that time."""
    parts = {TopicPartition(NOTICES, number) for number in range(kafka.airshed_partitions)}
    consumer = AIOKafkaConsumer(auto_offset_reset="earliest", enable_auto_commit=False, **kafka.client())
    consumer.assign(list(parts))
    await consumer.start()
    try:
        async for record in consumer:
            mark = mark_in(record.value)
            if mark is not None and mark.time >= end:
                parts.discard(TopicPartition(record.topic, record.partition))
                if not parts:
                    return
    finally:
        await consumer.stop()
