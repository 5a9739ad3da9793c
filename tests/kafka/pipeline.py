"""The whole pipeline as a worker process for the tests: ``python -m tests.kafka.pipeline SETTINGS-JSON``.

What the pipeline works on comes by environment: AIRSHED_TEST_PACK and AIRSHED_TEST_STATIONS; with
AIRSHED_TEST_PROVISIONAL the values of open hours are said as well.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from airshed.kafka.pipeline import stage_specs
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import StageSpec
from rules.loading import load_pack
from streams.stations import read_stations
from tests.kafka.counting import main


def specs(settings: KafkaSettings) -> list[StageSpec]:
    """The real agents."""
    pack = load_pack(os.environ["AIRSHED_TEST_PACK"])
    registry = read_stations(Path(os.environ["AIRSHED_TEST_STATIONS"]), [pack.airshed])
    return stage_specs(settings, pack, registry, mode="exercise", provisional="AIRSHED_TEST_PROVISIONAL" in os.environ)


if __name__ == "__main__":
    sys.exit(main(specs))
