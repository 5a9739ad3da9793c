"""The worker on a real broker: nothing lost, nothing counted twice, in order, whatever happens to it."""

from __future__ import annotations

import random
import time

import pytest
from kafka import KafkaProducer

from airshed.kafka.broker import Broker
from streams.schemas import Rejected
from streams.topics import PROVINCES, READINGS, REJECTED, STATIONS
from tests.kafka.cluster import Installation, Process, decoded, distinct
from tests.kafka.counting import Tally, Total, moment

STATIONS_N = 7


def expected(steps: int, per_step: int) -> list[Total]:
    """What the counting stages must say of ``fill(range(steps), stations=STATIONS_N, per_step=per_step)``."""
    return [_total(step, (step + 1) * per_step) for step in range(steps)]


def _total(step: int, numbers: int) -> Total:
    return Total("all", moment(step), STATIONS_N, STATIONS_N * numbers, STATIONS_N * numbers * (numbers - 1) // 2, 0)


def totals(installation: Installation, steps: int) -> list[Total]:
    """The totals said so far, once the last step is among them."""
    wanted = moment(steps - 1)
    return installation.wait_for(PROVINCES, lambda items: any(t.mark == wanted for t in items), Total)


def assert_said_once_each(installation: Installation, steps: int, per_step: int) -> None:
    """Repetitions removed, the outputs of both stages are those of a run that nothing disturbed."""
    assert distinct(totals(installation, steps)) == expected(steps, per_step)
    tallies = distinct(decoded(installation.raw(STATIONS), Tally))
    assert len({(t.station, t.mark) for t in tallies}) == len(tallies), "one tally was said in two versions"


def test_every_item_is_counted_once_and_in_order(installation: Installation) -> None:
    installation.fill(range(5), stations=STATIONS_N, per_step=40)
    worker = installation.worker()
    assert totals(installation, 5) == expected(5, 40)
    assert worker.stop() == 0


def test_a_stopped_worker_has_committed_everything(installation: Installation) -> None:
    installation.fill(range(3), stations=STATIONS_N, per_step=20)
    worker = installation.worker()
    totals(installation, 3)
    assert worker.stop() == 0
    assert installation.committed(READINGS) == installation.ends(READINGS)


def test_killed_before_its_first_commit_nothing_is_skipped(installation: Installation) -> None:
    """Faust leaves a partition without a committed offset at the position where recovery has dropped its messages."""
    for step in range(3):
        worker = installation.worker()
        worker.wait_until_ready()
        installation.fill([step], stations=STATIONS_N, per_step=30)
        worker.kill()
    assert not installation.committed(READINGS)
    installation.worker()
    assert_said_once_each(installation, 3, 30)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments_the_same_is_said(installation: Installation, seed: int) -> None:
    """Eight kills in the middle of work."""
    moments = random.Random(seed)
    steps, per_step = 80, 40
    installation.fill(range(steps), stations=STATIONS_N, per_step=per_step)
    reached = []
    for _ in range(8):
        worker = installation.worker()
        worker.wait_until_ready()
        time.sleep(moments.uniform(0.0, 0.5))
        worker.kill()
        reached.append(len(installation.raw(STATIONS)))
    installation.worker()
    assert_said_once_each(installation, steps, per_step)
    assert any(0 < count < reached[-1] for count in reached[:-1]), f"no kill fell into the work: {reached}"


@pytest.mark.slow
def test_workers_come_and_go(installation: Installation) -> None:
    """One worker, a second one joins, the first is stopped, comes back, the second is killed: nothing is missed."""
    installation.worker("one").wait_until_ready()
    installation.fill([0], stations=STATIONS_N, per_step=50)
    second = installation.worker("two")
    second.wait_until_ready()
    installation.fill([1], stations=STATIONS_N, per_step=50)
    totals(installation, 2)
    _first(installation).stop()
    installation.fill([2], stations=STATIONS_N, per_step=50)
    installation.worker("one").wait_until_ready()
    installation.fill([3], stations=STATIONS_N, per_step=50)
    second.kill()
    installation.fill([4], stations=STATIONS_N, per_step=50)
    assert_said_once_each(installation, 5, 50)


def _first(installation: Installation) -> Process:
    return installation.processes[0]


def test_what_cannot_be_read_is_rejected_alone(installation: Installation) -> None:
    producer = KafkaProducer(bootstrap_servers=installation.settings.bootstrap)
    for payload in (b"{broken", b"", b"\xff\xfe", b'{"station": 5}', b"[" * 5_000):
        producer.send(READINGS, key=b"s0", value=payload, partition=0)
    producer.send(READINGS, key=b"s0", value=None, partition=0)
    producer.flush()
    installation.fill(range(2), stations=STATIONS_N, per_step=10)
    installation.worker()
    assert_said_once_each(installation, 2, 10)
    rejected = decoded(installation.raw(REJECTED), Rejected)
    assert [item.place for item in rejected] == [f"readings/0@{offset}" for offset in range(6)]
    assert rejected[0].raw == b"{broken"
    assert "readings/0@3: expected a Item" in rejected[3].message


def test_a_defect_stops_the_worker_and_no_offset_passes_it(installation: Installation) -> None:
    """Faust acknowledges what an agent raised at and goes on with the next event; here the worker ends with code 1."""
    installation.fill([0], stations=STATIONS_N, per_step=10)
    first = installation.worker()
    totals(installation, 1)
    assert first.stop() == 0
    before = installation.committed(READINGS)
    installation.send("defect", 0)
    installation.fill([1], stations=STATIONS_N, per_step=10)
    second = installation.worker()
    assert second.ended() == 1
    assert "failed: a defect in the stage" in second.output
    partition = installation.partition_of("defect")
    assert installation.committed(READINGS)[partition] == before[partition]


def test_a_feed_of_rubbish_stops_the_worker(installation: Installation) -> None:
    producer = KafkaProducer(bootstrap_servers=installation.settings.bootstrap)
    for _ in range(installation.settings.reject_run):
        producer.send(READINGS, key=b"s0", value=b"rubbish", partition=1)
    producer.flush()
    worker = installation.worker()
    assert worker.ended() == 1
    assert "too-many-rejected-in-a-row" in worker.output
    assert "Mend the feed" in worker.output


@pytest.mark.slow
def test_the_broker_is_killed_and_comes_back(installation: Installation, broker: Broker) -> None:
    """The worker waits or gives up; either way nothing is lost once somebody (or systemd) starts it again."""
    installation.fill(range(60), stations=STATIONS_N, per_step=60)
    worker = installation.worker()
    worker.wait_until_ready()
    time.sleep(0.3)
    broker.kill()
    time.sleep(1.0)
    broker.start()
    installation.fill([60], stations=STATIONS_N, per_step=60)
    time.sleep(3.0)
    if not worker.running:
        installation.worker()
    assert_said_once_each(installation, 61, 60)
