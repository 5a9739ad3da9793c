"""Who has been lonely for how long, hour after hour, in durable form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from streams.screening.limits import NeighbourLimits
from streams.screening.neighbours import Indices, Neighbours, Runs
from streams.stage import State
from streams.stations import Station


class _Kept(msgspec.Struct, array_like=True):
    hour_s: int
    runs: Runs


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class Vigil:
    """Follows the buddy check of one airshed. Key ``neighbours/<airshed>``, written once per hour.

    Hours come in order. An hour that was followed already is answered from memory, so a call may be repeated on a
    state that holds the mark of its own first run.

    Args:
        stations: of the airshed.
    """

    def __init__(self, airshed: str, stations: Sequence[Station], state: State, limits: NeighbourLimits) -> None:
        self._neighbours = Neighbours(stations, limits) if limits.enabled and stations else None
        self._key = f"neighbours/{airshed}"
        self._state = state
        self._kept = _decode(state[self._key]) if self._key in state else _Kept(-1, {})
        self._suspects = set[str]() if self._neighbours is None else self._neighbours.suspects(self._kept.runs)

    def suspects(self, hour_s: int, index: Callable[[], Indices]) -> set[str]:
        """Stations not to be trusted in this hour; none about hours before the latest one.

        Args:
            index: gives the index of every station, asked for only once per hour.
        """
        if self._neighbours is None or hour_s < self._kept.hour_s:
            return set()
        if hour_s > self._kept.hour_s:
            runs = self._neighbours.follow(self._kept.runs, index())
            self._kept = _Kept(hour_s, dict(sorted(runs.items())))
            self._state[self._key] = _encode(self._kept)
            self._suspects = self._neighbours.suspects(runs)
        return self._suspects
