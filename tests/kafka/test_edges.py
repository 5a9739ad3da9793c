"""What stands at the ends of the Kafka runtime: readings in, notices into the ledger, deliveries and files out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine, select

from airshed.kafka.dispatch import CONSUMER, DeliveryPublisher, NoticePlanner
from airshed.kafka.export import ContradictionError, export_events
from airshed.kafka.ingest import run_ingest
from airshed.kafka.stages import MARK_KEY, NOTHING_YET, encode, mark_in
from notifiers.database import connect, load_progress, reading, upgrade
from notifiers.deliveries import Delivery, DeliveryState
from notifiers.tables import notices
from rules.notices import Audience, ExerciseNotice
from streams.batches import ReadingBatch
from streams.schemas import Mark, Rejected
from streams.stations import StationRegistry
from streams.topics import DELIVERIES, NOTICES, READINGS, REJECTED
from streams.wire import decode_messages
from tests.kafka.cluster import Installation, decoded
from tests.streams.samples import station

NOON = datetime(2026, 1, 12, 5, tzinfo=UTC)


def notice(number: int) -> ExerciseNotice:
    return ExerciseNotice(
        id=f"notice-{number}",
        kind="advisory",
        airshed="red-river-delta",
        airshed_names={"en": "Red River Delta"},
        episode="red-river-delta-20260112T05-01",
        transition=number,
        rule="warn",
        audience=Audience(recipients="residents", provinces=["01"]),
        time=NOON + timedelta(hours=number),
        onset=NOON,
        level=1,
        level_name="watch",
        level_names={"en": "Watch"},
        template="advisory",
        priority=1,
        valid_until=NOON + timedelta(hours=12),
        sms_parts=2,
        provinces=[],
        actions={},
        sender={"en": "Test"},
        data_standard="vn_aqi",
        zone="Asia/Ho_Chi_Minh",
        reason="a test",
        pack="test@1",
    )


def delivery(number: int, state: DeliveryState) -> Delivery:
    return Delivery(
        id=f"delivery-{number}",
        notice="notice-1",
        episode="red-river-delta-20260112T05-01",
        kind="advisory",
        recipient=f"resident-{number}",
        channel="sms",
        language="vi",
        state=state,
        reason="accepted",
        parts=1,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(engine)
    yield engine
    engine.dispose()


def produce(installation: Installation, topic: str, partition: int, payloads: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=installation.settings.bootstrap, acks="all")
    for payload in payloads:
        producer.send(topic, value=payload, partition=partition)
    producer.flush()
    producer.close()


def planned(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return sorted(connection.execute(select(notices.c.id)).scalars())


def progress(engine: Engine) -> dict[tuple[str, int], int]:
    with reading(engine) as connection:
        return load_progress(connection, CONSUMER)


# -- ingest ----------------------------------------------------------------------------------------------------------


async def test_readings_come_out_as_they_went_in_and_marks_stand_behind_them(installation: Installation) -> None:
    registry = StationRegistry([station(f"S{number}") for number in range(20)])
    batch = ReadingBatch(
        np.arange(20, dtype=np.int32),
        np.zeros(20, np.int8),
        np.full(20, int(NOON.timestamp())),
        np.full(20, 3600, np.int32),
        np.linspace(10.125, 90.0, 20),
        np.zeros(20, np.int8),
    )
    refused = Rejected(reason="bad-json", message="broken", place="file.csv:3", raw=b"\xff{")
    done = await run_ingest(installation.settings, registry, [batch, refused, Mark(NOON, "gateway"), batch])
    assert (done.readings, done.marks, done.rejected) == (40, 1, 1)
    assert decoded(installation.raw(REJECTED), Rejected) == [refused]
    for number in range(installation.settings.partitions):
        values = [value for part, _, value in installation.messages(READINGS) if part == number]
        kinds = [mark_in(value) for value in values]
        own = [value for value in values if mark_in(value) is None]
        assert kinds[0] is not None
        assert kinds[0].time == NOTHING_YET
        assert kinds.index(Mark(NOON, "gateway")) == 1 + len(own) // 2
        back = decode_messages(own, str, registry).batch
        assert sorted(back.value.tolist()) == sorted(np.repeat(batch.value[np.isin(batch.station, back.station)], 2))


# -- dispatch --------------------------------------------------------------------------------------------------------


async def test_every_notice_is_planned_and_the_ledger_says_how_far(installation: Installation, ledger: Engine) -> None:
    produce(installation, NOTICES, 0, [encode(notice(1)), encode(Mark(NOON, "rules")), encode(notice(2))])
    produce(installation, NOTICES, 1, [encode(notice(3))])
    await NoticePlanner(installation.settings, ledger).catch_up()
    assert planned(ledger) == ["notice-1", "notice-2", "notice-3"]
    assert progress(ledger) == {(NOTICES, 0): 3, (NOTICES, 1): 1}


async def test_it_resumes_from_the_ledger_and_not_from_kafka(installation: Installation, ledger: Engine) -> None:
    """Kafka knows no offset of it; a ledger restored from an old copy gets the missing notices again."""
    produce(installation, NOTICES, 0, [encode(notice(1))])
    await NoticePlanner(installation.settings, ledger).catch_up()
    produce(installation, NOTICES, 0, [encode(notice(1)), encode(notice(2))])
    seen: list[str] = []

    async def note(item: object) -> None:
        assert isinstance(item, ExerciseNotice)
        seen.append(item.id)

    await NoticePlanner(installation.settings, ledger, planned=note).catch_up()
    assert seen == ["notice-1", "notice-2"], "the first message is behind the progress, its repetition is not"
    assert planned(ledger) == ["notice-1", "notice-2"]
    assert installation.committed(NOTICES) == {}


async def test_a_notice_that_cannot_be_read_is_rejected_alone(installation: Installation, ledger: Engine) -> None:
    produce(installation, NOTICES, 0, [b'{"mode":"loud"}', encode(notice(1))])
    await NoticePlanner(installation.settings, ledger).catch_up()
    assert planned(ledger) == ["notice-1"]
    (rejected,) = decoded(installation.raw(REJECTED), Rejected)
    assert rejected.place == "notices/0@0"
    assert rejected.raw == b'{"mode":"loud"}'


async def test_the_planner_stops_when_told(installation: Installation, ledger: Engine) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(NoticePlanner(installation.settings, ledger).run(stop))
    produce(installation, NOTICES, 0, [encode(notice(1))])
    while not planned(ledger):  # noqa: ASYNC110 - the ledger offers no event
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(running, 10)


# -- export ----------------------------------------------------------------------------------------------------------


async def test_repetitions_are_left_out_and_the_last_word_on_a_delivery_counts(
    installation: Installation, tmp_path: Path
) -> None:
    produce(installation, NOTICES, 0, [encode(notice(1)), encode(notice(2)), encode(notice(1))])
    async with DeliveryPublisher(installation.settings) as publisher:
        await publisher.publish([delivery(2, "sent"), delivery(1, "sent")])
        await publisher.publish([delivery(2, "delivered")])
    rows = export_events(installation.settings, tmp_path / "out")
    assert (rows["notices.jsonl"], rows["deliveries.jsonl"]) == (2, 2)
    lines = (tmp_path / "out" / "deliveries.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line)["state"] for line in lines] == ["sent", "delivered"]
    assert len(installation.raw(DELIVERIES)) == 3


def test_one_thing_said_in_two_versions_is_an_error(installation: Installation, tmp_path: Path) -> None:
    other = msgspec.structs.replace(notice(1), priority=5)
    produce(installation, NOTICES, 0, [encode(notice(1)), encode(other)])
    with pytest.raises(ContradictionError, match="notices: notice-1 was said twice") as raised:
        export_events(installation.settings, tmp_path / "out")
    assert '"priority":5' in str(raised.value)


def test_marks_have_a_key_no_station_has() -> None:
    assert MARK_KEY.startswith(b"~")
