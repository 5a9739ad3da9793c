"""Which partition a key lies in: Kafka's own default (murmur2), so that foreign producers agree with ours."""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)  # the hash is Python code, 7 µs; keys are stations and airsheds, asked for per message
def partition_of(key: str, partitions: int) -> int:
    """Partition of a key (a station, or an airshed), 0 … ``partitions`` − 1."""
    hashed: int = murmur2(key.encode())
    return (hashed & 0x7FFFFFFF) % partitions
