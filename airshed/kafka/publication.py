"""What of the index stage's output goes out: one record per station and change, and the current value of each.

A worker that is behind takes many marks in one fetch, and at each of them the stage says every open hour that has new
readings. Nobody needs those that the same fetch overtakes, or that say again what was said. Final records always go
out, each exactly as often as the stage says it: decisions rest on them and on them alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airshed.kafka.stages import encode
from streams.clock import epoch_s
from streams.schemas import StationIndex
from streams.topics import CURRENT
from streams.transport.driver import Outgoing
from streams.transport.partitions import partition_of


class IndexPublication:
    """Implements ``airshed.kafka.stages.Publication`` for one partition of ``readings``.

    What was said is remembered in memory only: a worker that has just started says a provisional value once more.

    Args:
        partitions: of the topic of current values.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._provisional: dict[str, StationIndex] = {}
        self._newest_s: dict[str, int] = {}

    def select(self, said: Sequence[Any]) -> list[Any]:
        """Leave out provisional records that a later one of the batch overtakes, and those that change nothing."""
        overtaken: set[tuple[str, int]] = set()
        kept: list[Any] = []
        for item in reversed(said):
            if not isinstance(item, StationIndex) or item.product != "hour":
                kept.append(item)
                continue
            place = (item.station, epoch_s(item.time))
            if item.final or place not in overtaken:
                kept.append(item)
            overtaken.add(place)
        kept.reverse()
        return [item for item in kept if not self._said_before(item)]

    def _said_before(self, item: Any) -> bool:
        if not isinstance(item, StationIndex) or item.final:
            return False
        last = self._provisional.get(item.station)
        if last is not None and last.time == item.time and _value(last) == _value(item):
            return True
        self._provisional[item.station] = item
        return False

    def also(self, selected: Sequence[Any]) -> Iterator[Outgoing]:
        """The current value of each station that has a new one, for the compacted topic.

        A revision of an hour counts only where nothing newer was said; right after a start that is not known, and the
        value on the topic stays until the next mark.
        """
        current: dict[str, StationIndex] = {}
        for item in selected:
            if not isinstance(item, StationIndex) or item.product != "hour":
                continue
            time_s = epoch_s(item.time)
            newest_s = self._newest_s.get(item.station, time_s + 1 if item.revision else time_s)
            if time_s >= newest_s:
                self._newest_s[item.station] = time_s
                current[item.station] = item
        for station, item in current.items():
            yield Outgoing(CURRENT, partition_of(station, self._partitions), station.encode(), encode(item))


def _value(item: StationIndex) -> tuple[Any, ...]:
    return item.index, item.dominant, item.sub
