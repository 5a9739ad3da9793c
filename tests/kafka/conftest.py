"""One real broker for the whole run; every test has its own installation (group and topics) on it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from airshed.kafka.broker import Broker, why_missing
from airshed.kafka.settings import KafkaSettings
from tests.conftest import missing
from tests.kafka.cluster import Installation, delete_topics

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running Apache Kafka."""
    if reason := why_missing():
        missing(request, "kafka", reason)
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture
def settings(broker: Broker) -> Iterator[KafkaSettings]:
    """Settings of an installation of its own, its topics created."""
    chosen = KafkaSettings(
        bootstrap=broker.bootstrap,
        partitions=3,
        airshed_partitions=2,
        group=f"test{next(_numbers)}",
        session_s=6.0,
        reject_run=500,
        fetch_bytes=8_192,  # many small batches, so that kills fall between and into them
    )
    delete_topics(chosen)
    yield chosen


@pytest.fixture
def installation(settings: KafkaSettings, tmp_path: Path) -> Iterator[Installation]:
    """Topics created, workers stopped at the end whatever happens."""
    with Installation(settings, tmp_path) as ready:
        yield ready
