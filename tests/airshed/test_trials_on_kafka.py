"""Every case of every pack through the agents of the Kafka runtime: three partitions, batches of any size, crashes.

Without a broker, so that every case meets other batches and other crashes; ``tests/kafka/test_trials.py`` has one.
"""

from __future__ import annotations

import pytest

from airshed.trials import AS_GIVEN
from rules.loading import packaged_packs
from tests.airshed.agents import through_agents
from tests.airshed.cases import CASES, Case


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_is_as_expected_on_kafka_and_says_the_same_bytes(case: Case) -> None:
    case.assert_as_expected(through_agents(case.pack, case.registry, case.sequence(), AS_GIVEN, seed=case.number))


def test_every_pack_has_cases() -> None:
    assert {case.pack.name for case in CASES} == set(packaged_packs())
