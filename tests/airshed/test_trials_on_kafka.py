"""Every case of every pack through the agents of the Kafka runtime: three partitions, batches of any size, crashes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec
import pytest

from airshed.trials import AS_GIVEN, differences_in, notices_of, readings_of, stations_of
from rules.loading import load_pack, packaged_packs
from rules.notices import Notice
from rules.trials import TrialFile, read_trials
from streams.gateway import replay
from tests.airshed.agents import through_agents

FOLDER = Path(str(resources.files("rules") / "packs" / "tests"))
PACKS = {name: load_pack(name) for name in packaged_packs()}
FILES: dict[str, TrialFile] = {name: read_trials(FOLDER / f"{name}.yaml", pack) for name, pack in PACKS.items()}
CASES = [(name, number) for name, file in FILES.items() for number in range(len(file.cases))]
IDS = [f"{name}-{FILES[name].cases[number].name}" for name, number in CASES]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), CASES, ids=IDS)
def test_every_case_is_as_expected_on_kafka_and_says_the_same_bytes(name: str, number: int) -> None:
    pack, file = PACKS[name], FILES[name]
    trial = file.cases[number]
    registry = stations_of(pack, trial.stations)
    sequence = replay(readings_of(pack, trial, registry), lateness_s=pack.airshed.detection.lateness_s)
    said = through_agents(pack, registry, sequence, AS_GIVEN, seed=number)
    heard = [msgspec.json.decode(body, type=Notice) for body in said]
    assert differences_in(file, number, pack, heard) == []
    assert said == [msgspec.json.encode(notice) for notice in notices_of(pack, trial)]


def test_every_pack_has_cases() -> None:
    assert {name for name, _ in CASES} == set(packaged_packs())
