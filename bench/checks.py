"""Whether all engines say the same: the hourly means they wrote against those of the workload."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from bench.cluster import Reader
from bench.workload import POLLUTANTS, hour_text
from streams.chunks import NEVER, SLOTS, unpack
from streams.schemas import StationIndex
from streams.topics import STATIONS, changelog
from streams.windows import SCALE

Means = dict[tuple[str, str, int], float]
"""By station, pollutant and END of the hour, epoch seconds; µg/m³."""

TOLERANCE = 1e-9
"""Relative. Sums of a dozen doubles differ in the last bits by the order of their addition, no more."""

_SHOWN = 3


class DisagreementError(AssertionError):
    """An engine has not computed what the others have: its speed means nothing."""


def check(name: str, found: Means, expected: Means) -> None:
    """Raise ``DisagreementError`` unless ``found`` holds every expected mean and no other value for it."""
    missing = [key for key in expected if key not in found]
    wrong = [
        key for key, mean in expected.items() if key in found and not math.isclose(found[key], mean, rel_tol=TOLERANCE)
    ]
    if missing or wrong:
        lines = [f"{_said(key)}: missing" for key in missing[:_SHOWN]]
        lines += [f"{_said(key)}: {found[key]}, should be {expected[key]}" for key in wrong[:_SHOWN]]
        raise DisagreementError(
            f"{name}: of {len(expected)} hourly means {len(missing)} are missing and {len(wrong)} differ:\n"
            + "\n".join(lines)
        )


def _said(key: tuple[str, str, int]) -> str:
    station, pollutant, hour_s = key
    return f"{station} {pollutant} {hour_text(hour_s)}"


async def of_airshed(topics: Reader, group: str, stations_from: int) -> Means:
    """What Airshed's worker wrote: the hours of its durable state, with the records that say them.

    A record holds the gases' hourly means and the particles' NowCast; the particles' hourly means lie in the state.
    Both are read, and must agree where both speak.
    """
    means = _of_state(dict(await topics.values(changelog(group, "index"))))
    decode = msgspec.json.Decoder(StationIndex).decode
    said: set[tuple[str, int]] = set()
    for _, value in await topics.values(STATIONS, stations_from):
        if b'"type":"mark"' in value:
            continue
        record = decode(value)
        if record.product != "hour" or not record.final:
            continue
        said.add((record.station, int(record.time.timestamp())))
        for pollutant in ("o3", "no2", "so2", "co"):
            key = (record.station, pollutant, int(record.time.timestamp()))
            mean = record.concentration.get(pollutant)
            if mean is not None and not math.isclose(mean, means[key], abs_tol=1e-3):
                raise DisagreementError(f"airshed: {_said(key)}: record {mean}, state {means[key]}")
    return {key: mean for key, mean in means.items() if (key[0], key[2]) in said}


def _of_state(state: Mapping[bytes, bytes]) -> Means:
    keys = [key.decode() for key in state if key[:1] == b"s" and chr(key[-1]) in SLOTS]
    slots = np.array([SLOTS.index(key[-1]) for key in keys], np.int64)
    chunks = unpack((state[key.encode()] for key in keys), slots)
    minutes = np.bitwise_count(chunks.covered)
    with np.errstate(invalid="ignore"):
        means = chunks.sums / SCALE / minutes
    return {
        (key[1:-1], pollutant, hour * 3600): float(means[row, column])
        for row, (key, hour) in enumerate(zip(keys, chunks.hour.tolist(), strict=True))
        if chunks.revision[row] != NEVER
        for column, pollutant in enumerate(POLLUTANTS)
        if minutes[row, column]
    }


class _Mean(msgspec.Struct):
    station: str
    pollutant: str
    hour_s: int
    mean: float


class _Hour(msgspec.Struct):
    hour_s: int
    means: dict[str, float]


async def of_series(topics: Reader, name: str) -> Means:
    """Means written one series at a time (plain Faust)."""
    decode = msgspec.json.Decoder(_Mean).decode
    items = [decode(value) for _, value in await topics.values(f"{name}.means")]
    return {(item.station, item.pollutant, item.hour_s): item.mean for item in items}


async def of_stations(topics: Reader, name: str) -> Means:
    """Means written one station at a time, keyed by station (Quix Streams, Kafka Streams)."""
    decode = msgspec.json.Decoder(_Hour).decode
    found: Means = {}
    for key, value in await topics.values(f"{name}.means"):
        hour = decode(value)
        station = key.decode().partition("|")[0]
        found |= {(station, pollutant, hour.hour_s): mean for pollutant, mean in hour.means.items()}
    return found
