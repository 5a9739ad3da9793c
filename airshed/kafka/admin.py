"""Topics of an installation: what is missing, what differs, and creating what is missing. Nothing is altered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from airshed.kafka.settings import KafkaSettings
from streams.errors import AirshedError
from streams.topics import Topic


class TopicState(StrEnum):
    """How a topic on the cluster compares with what it should be."""

    RIGHT = "right"
    MISSING = "missing"
    DIFFERENT = "different"


@dataclass(frozen=True)
class TopicFinding:
    """One topic. ``differences`` are sentences, each naming what is, what should be and how to change it."""

    topic: Topic
    state: TopicState
    differences: tuple[str, ...] = ()


class TopicsError(AirshedError):
    """Topics are not as the installation needs them; the message names each difference and its remedy."""


def plan_topics(settings: KafkaSettings) -> list[TopicFinding]:
    """Compare the cluster with what is needed. Changes nothing."""
    with _admin(settings) as admin:
        return _findings(admin, settings)


def apply_topics(settings: KafkaSettings) -> list[TopicFinding]:
    """Create the topics that are missing and wait until they can be used.

    Returns:
        What was found before; the missing ones exist now.

    Raises:
        TopicsError: some existing topic differs. Nothing is created then, and nothing is ever altered: partitions
            and retention of a topic with data are for a person to decide.
    """
    with _admin(settings) as admin:
        findings = _findings(admin, settings)
        check(findings)
        missing = [finding.topic for finding in findings if finding.state is TopicState.MISSING]
        if missing:
            admin.create_topics({topic.name: _creation(topic) for topic in missing}, wait_for_metadata=True)
        return findings


def check(findings: list[TopicFinding]) -> None:
    """Raise ``TopicsError`` if any existing topic differs from what it should be."""
    wrong = [f"{finding.topic.name}: {text}" for finding in findings for text in finding.differences]
    if wrong:
        raise TopicsError("\n".join(wrong))


@contextlib.contextmanager
def _admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(client_id=f"{settings.group}-admin", **settings.admin())
    try:
        yield admin
    finally:
        admin.close()


def _creation(topic: Topic) -> dict[str, Any]:
    return {
        "num_partitions": topic.partitions,
        "replication_factor": topic.replication,
        "configs": dict(topic.settings),
    }


def _findings(admin: KafkaAdminClient, settings: KafkaSettings) -> list[TopicFinding]:
    topics = settings.topics()
    there = set(admin.list_topics())
    known = [topic for topic in topics if topic.name in there]
    described = (
        {entry["name"]: entry for entry in admin.describe_topics([topic.name for topic in known])} if known else {}
    )
    configured = _configured(admin, known)
    return [_finding(topic, described.get(topic.name), configured.get(topic.name, {})) for topic in topics]


def _configured(admin: KafkaAdminClient, topics: list[Topic]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    found = admin.describe_configs(resources, config_filter="all")["topic"]
    return {name: {key: entry["value"] for key, entry in values.items()} for name, values in found.items()}


def _finding(topic: Topic, described: dict[str, Any] | None, configured: dict[str, str]) -> TopicFinding:
    if described is None:
        return TopicFinding(topic, TopicState.MISSING)
    differences = tuple(_differences(topic, described, configured))
    return TopicFinding(topic, TopicState.DIFFERENT if differences else TopicState.RIGHT, differences)


def _differences(topic: Topic, described: dict[str, Any], configured: dict[str, str]) -> Iterator[str]:
    partitions = len(described["partitions"])
    if partitions != topic.partitions:
        yield (
            f"has {partitions} partitions, {topic.partitions} are configured (set them alike in airshed.toml; adding "
            "partitions moves keys away from their state)"
        )
    for key, wanted in topic.settings.items():
        if configured.get(key) != wanted:
            yield f"{key} is {configured.get(key)}, should be {wanted} (kafka-configs --alter --topic {topic.name})"
