"""Cases of packs through the stages as the Kafka runtime builds them: everything travels as bytes between topics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airshed.kafka.pipeline import stage_specs
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import StageSpec, encode, mark_in
from airshed.trials import AS_GIVEN, notices_of, readings_of, stations_of
from rules.loading import load_pack
from rules.model import Pack
from rules.trials import Trial, read_trials
from streams.encoding import to_messages
from streams.gateway import replay
from streams.schemas import Mark
from streams.stations import StationRegistry

FOLDER = Path(str(resources.files("rules") / "packs" / "tests"))

CASES = [
    ("korea", "a warning tells the zone once, as a warning, and goes back at 75, not at 35"),
    ("delhi-grap", "stage IV is lifted inside the margin of stage III, and stage II later on"),
    ("china-2024", "orange after 48 hours above 200, red after 72 with 300 among them"),
    ("vietnam-2026", "three days above 300 in two neighbours are what the law describes, and become a draft"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "case"), CASES, ids=[name for name, _ in CASES])
def test_both_runtimes_say_the_same_bytes(name: str, case: str) -> None:
    pack = load_pack(name)
    trial = next(t for t in read_trials(FOLDER / f"{name}.yaml", pack).cases if t.name == case)
    local = [msgspec.json.encode(notice) for notice in notices_of(pack, trial)]
    assert local
    assert list(through_topics(pack, trial)) == local


def through_topics(pack: Pack, trial: Trial) -> Iterator[bytes]:
    """The notices of a case, every stage with a state of its own, restarted on it before each message."""
    registry = stations_of(pack, trial.stations)
    settings = KafkaSettings(bootstrap=["nowhere:1"], partitions=1, airshed_partitions=1)
    specs = stage_specs(settings, pack, registry, mode="exercise", provisional=False, limits=AS_GIVEN)
    payloads: Iterable[bytes] = readings(pack, trial, registry)
    for spec in specs:
        payloads = list(travelled(spec, payloads))
    return (payload for payload in payloads if mark_in(payload) is None)


def readings(pack: Pack, trial: Trial, registry: StationRegistry) -> Iterator[bytes]:
    """What lies in the topic of readings."""
    lateness_s = pack.airshed.detection.lateness_s
    for piece in replay(readings_of(pack, trial, registry), lateness_s=lateness_s):
        if isinstance(piece, Mark):
            yield encode(piece)
        else:
            yield from (value for _, value in to_messages(piece, registry))


def travelled(spec: StageSpec, payloads: Iterable[bytes]) -> Iterator[bytes]:
    """What a stage writes to its sink."""
    state: dict[str, bytes] = {}
    stage = spec.make(0, state)
    for number, payload in enumerate(payloads):
        if number % 97 == 0:  # a restart: whatever is not in the state is gone
            stage = spec.make(0, state)
        mark = mark_in(payload)
        said: Iterable[Any]
        if mark is not None:
            said = stage.advance(mark)
        else:
            decoded = spec.decode(0, [payload], lambda position: f"{spec.source}/0@{position}")
            assert not decoded.rejected
            said = stage.accept(decoded.items) if decoded.items is not None else []
        yield from (encode(item) for item in said)
