"""The cases of all packs, as tests are given them: pack, stations, readings, and what is wrong with what was said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

import msgspec

from airshed.trials import differences_in, notices_of, readings_of, stations_of
from rules.loading import load_pack, packaged_packs
from rules.model import Pack
from rules.notices import Notice
from rules.trials import TrialFile, read_trials
from streams.batches import ReadingBatch
from streams.gateway import replay
from streams.schemas import Mark
from streams.stations import StationRegistry

FOLDER = Path(str(resources.files("rules") / "packs" / "tests"))


@dataclass(frozen=True)
class Case:
    """One case of a packaged pack."""

    pack: Pack
    file: TrialFile
    number: int

    def __str__(self) -> str:
        return f"{self.pack.name}-{self.file.cases[self.number].name}"

    @cached_property
    def registry(self) -> StationRegistry:
        return stations_of(self.pack, self.file.cases[self.number].stations)

    @cached_property
    def readings(self) -> ReadingBatch:
        return readings_of(self.pack, self.file.cases[self.number], self.registry)

    def sequence(self) -> list[ReadingBatch | Mark]:
        """As a gateway hands them over; the last item is a mark."""
        return list(replay(self.readings, lateness_s=self.pack.airshed.detection.lateness_s))

    def assert_as_expected(self, said: Iterable[bytes]) -> None:
        """What the case expects and nothing else, and the very bytes that one process says."""
        said = list(said)
        heard = [msgspec.json.decode(body, type=Notice) for body in said]
        assert differences_in(self.file, self.number, self.pack, heard) == []
        assert said == [msgspec.json.encode(n) for n in notices_of(self.pack, self.file.cases[self.number])]


def _cases() -> Iterable[Case]:
    for name in packaged_packs():
        pack = load_pack(name)
        file = read_trials(FOLDER / f"{name}.yaml", pack)
        yield from (Case(pack, file, number) for number in range(len(file.cases)))


CASES = list(_cases())
