"""Topics of an installation: planned, created, never altered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kafka import KafkaAdminClient

from airshed.kafka.admin import TopicsError, TopicState, apply_topics, plan_topics
from airshed.kafka.settings import KafkaSettings
from streams.topics import NOTICES, READINGS


def states(settings: KafkaSettings) -> dict[str, TopicState]:
    return {finding.topic.name: finding.state for finding in plan_topics(settings)}


def test_planning_changes_nothing_and_applying_creates_everything(settings: KafkaSettings) -> None:
    assert set(states(settings).values()) == {TopicState.MISSING}
    assert set(states(settings).values()) == {TopicState.MISSING}
    apply_topics(settings)
    assert set(states(settings).values()) == {TopicState.RIGHT}
    apply_topics(settings)


def test_other_partitions_are_reported_and_never_altered(settings: KafkaSettings) -> None:
    apply_topics(settings)
    wider = replace(settings, partitions=settings.partitions + 1)
    with pytest.raises(TopicsError, match=r"readings: has 3 partitions, 4 are configured \(set them alike"):
        apply_topics(wider)
    assert states(settings)[READINGS] is TopicState.RIGHT


def test_another_retention_is_reported_with_the_remedy(settings: KafkaSettings) -> None:
    configs = {"cleanup.policy": "delete", "retention.ms": "1000"}
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    admin.create_topics({NOTICES: {"num_partitions": 2, "replication_factor": 1, "configs": configs}})
    admin.close()
    with pytest.raises(TopicsError, match=r"notices: retention\.ms is 1000, should be -1") as raised:
        apply_topics(settings)
    assert f"kafka-configs --alter --topic {NOTICES}" in str(raised.value)
    assert states(settings)[READINGS] is TopicState.MISSING, "nothing is created while something is wrong"
