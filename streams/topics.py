"""Every topic of the Kafka runtime, once: name, key, partitions, settings. Applied by ``airshed topics apply``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

READINGS = "readings"
REJECTED = "readings.rejected"
STATIONS = "index.stations"
CURRENT = "index.current"
PROVINCES = "index.provinces"
EPISODES = "episodes"
NOTICES = "notices"
DELIVERIES = "deliveries"

STAGES = ("index", "provinces", "episodes", "rules")
"""Stages that run as agents and keep state, in the order of the pipeline."""

Key = Literal["station", "airshed", "none", "delivery", "state"]

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Topic:
    """A topic as it should be.

    Attributes:
        key: what the message key is. Messages keyed by ``airshed`` all lie in the partition of that key, so that one
            consumer sees a whole airshed in order.
        settings: topic configuration, every value spelled out; nothing is left to a broker's default that matters.
    """

    name: str
    key: Key
    partitions: int
    replication: int
    settings: Mapping[str, str]


def changelog(group: str, stage: str) -> str:
    """Name of the topic that holds a stage's state; Faust derives the same from its application id."""
    return f"{group}-{stage}-changelog"


def all_topics(*, group: str, partitions: int, airshed_partitions: int, replication: int) -> list[Topic]:
    """Every topic of one installation, in the order of the pipeline."""

    def topic(name: str, key: Key, count: int, settings: Mapping[str, str]) -> Topic:
        return Topic(name, key, count, replication, {**settings, "min.insync.replicas": str(_in_sync(replication))})

    return [
        # A week of readings can be replayed; the windows themselves need 72 hours at most.
        topic(READINGS, "station", partitions, _kept(7, bytes_max=1_048_576)),
        topic(REJECTED, "none", 1, _kept(30, bytes_max=2_097_152)),
        topic(STATIONS, "airshed", airshed_partitions, _kept(14)),
        # For dashboards: whoever reads it from the start has the latest value of every station, and little else.
        topic(CURRENT, "station", airshed_partitions, _LATEST),
        topic(PROVINCES, "airshed", airshed_partitions, _kept(90)),
        # What was decided and what was said is the record of the authority: kept.
        topic(EPISODES, "airshed", airshed_partitions, _kept(None)),
        topic(NOTICES, "airshed", airshed_partitions, _kept(None)),
        topic(DELIVERIES, "delivery", airshed_partitions, _kept(90)),
        topic(changelog(group, "index"), "state", partitions, _STATE),
        *(topic(changelog(group, stage), "state", airshed_partitions, _STATE) for stage in STAGES[1:]),
    ]


def _kept(days: int | None, *, bytes_max: int = 1_048_576) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1" if days is None else str(days * _DAY_MS),
        "retention.bytes": "-1",
        "max.message.bytes": str(bytes_max),
    }


_LATEST = {
    "cleanup.policy": "compact",
    "delete.retention.ms": str(_DAY_MS),
    # A value replaces the one before it every few minutes: what is read from the start stays within a few times
    # what it holds, because a segment is closed after a quarter of an hour and cleaned when a tenth of it is old.
    "segment.ms": "900000",
    "segment.bytes": "16777216",
    "min.cleanable.dirty.ratio": "0.1",
    "max.message.bytes": "1048576",
}

_STATE = {
    "cleanup.policy": "compact",
    # Tombstones must outlive the longest pause of a worker, or a key it still holds would come back.
    "delete.retention.ms": str(_DAY_MS),
    # Recovery reads the whole topic: a dirty half at most, looked at in segments of 64 MiB.
    "min.cleanable.dirty.ratio": "0.5",
    "segment.bytes": "67108864",
    "max.message.bytes": "1048576",
}


def _in_sync(replication: int) -> int:
    """With three copies two must hold a write before it counts; with fewer there is nothing to choose."""
    return 2 if replication >= 3 else 1
