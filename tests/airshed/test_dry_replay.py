"""A replay in memory writes the files that a durable one writes, and only whole ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from airshed import replaying
from airshed.cli import app
from airshed.configuration import Configuration
from airshed.index_table import IndexTable
from airshed.messaging import import_registries, keys_of
from airshed.pipeline import Outcome
from airshed.recordings import load_readings
from airshed.result_files import NAMES, ResultFiles
from airshed.result_rows import write_index
from notifiers.database import connect, upgrade
from notifiers.planner import plan
from rules.loading import load_pack
from streams.batches import ReadingBatch
from streams.clock import HOUR_S
from streams.gateway import Slice, replay_arrivals
from streams.index_batches import IndexBatch
from streams.intake import Intake
from streams.rolling import IndexStage
from streams.schemas import Mark
from streams.screening import Limits
from streams.stations import read_stations
from tests.airshed.test_order_and_repetition import PACK, registry, stagnation
from tests.runtimes.installation import write_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder)
    return folder


def durable(recording: Path, out: Path) -> None:
    """What ``--send`` does, without anybody who sends."""
    pack = load_pack("vietnam-2026")
    engine = connect(f"sqlite:///{out / 'airshed.sqlite'}")
    upgrade(engine)
    keys = keys_of(Configuration(), out, "")
    import_registries(engine, keys, pack, recording / "subscribers.csv", recording / "facilities.csv")
    stations = read_stations(recording / "stations.csv", [pack.airshed])
    loaded = load_readings(recording / "readings.csv.gz", stations)
    run = replaying.Replay(engine, pack, stations, loaded, "input", plan=plan)
    asyncio.run(run.play())
    replaying.export(engine, out)


def dry(recording: Path, out: Path, *more: str) -> None:
    arguments = ["replay", str(recording / "readings.csv.gz"), "--stations", str(recording / "stations.csv")]
    done = CliRunner().invoke(app, [*arguments, "--rules", "vietnam-2026", "--out", str(out), "--json", *more])
    assert done.exit_code == 0, done.output


def test_the_same_files_as_a_durable_replay(recording: Path, tmp_path: Path) -> None:
    kept, light = tmp_path / "kept", tmp_path / "light"
    kept.mkdir()
    durable(recording, kept)
    addressed = ("--subscribers", str(recording / "subscribers.csv"), "--facilities", str(recording / "facilities.csv"))
    dry(recording, light, *addressed)
    for name in NAMES:
        assert (light / name).read_bytes() == (kept / name).read_bytes(), name
    assert (light / "deliveries.jsonl").read_bytes().count(b"\n") > 50
    assert {path.name for path in light.iterdir()} == {*NAMES, "secret.key"}


def test_started_anew_it_starts_over_and_leaves_no_database(recording: Path, tmp_path: Path) -> None:
    dry(recording, tmp_path)
    first = {name: (tmp_path / name).read_bytes() for name in NAMES}
    dry(recording, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == first
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)


def test_cut_off_it_leaves_the_files_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "episodes.jsonl").write_text("before\n", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt), ResultFiles(tmp_path) as files:
        files.take(Outcome())
        raise KeyboardInterrupt
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [
        ("episodes.jsonl", "before\n")
    ]


def arrivals(batch: ReadingBatch, seed: int) -> list[Slice]:
    """A tenth of the readings up to nine hours late: hours and days get revisions."""
    chance = np.random.default_rng(seed)
    late = np.where(chance.random(len(batch)) < 0.1, chance.integers(1, 10, len(batch)) * HOUR_S, 0)
    arrival_s = batch.time_s + late
    return [Slice(int(moment), batch.take(arrival_s == moment)) for moment in np.unique(arrival_s)]


@pytest.mark.parametrize("seed", range(3))
def test_rows_from_columns_are_the_rows_from_records(seed: int, tmp_path: Path) -> None:
    batch = six_pollutants(seed)
    stage = Intake(IndexStage(registry(), [PACK.airshed], {}, provisional=True, limits=Limits()))
    lines: list[bytes] = []
    with (tmp_path / "columns.csv").open("wb") as file:
        table = IndexTable(file)
        for item in replay_arrivals(arrivals(batch, seed)):
            if not isinstance(item, Mark):
                stage.accept(item)
                continue
            batches = [piece for piece in stage.advance_in_columns(item) if isinstance(piece, IndexBatch)]
            table.add(batches)
            lines += [msgspec.json.encode(record) for one in batches if one.occasion.final for record in one.records()]
        rows = table.finish()
    assert any(msgspec.json.decode(line)["revision"] for line in lines)
    assert rows == write_index(lines, tmp_path / "records.csv")
    assert (tmp_path / "columns.csv").read_bytes() == (tmp_path / "records.csv").read_bytes()


def six_pollutants(seed: int) -> ReadingBatch:
    """The stagnation, with gases that follow the particles, gaps, and values of every size and fraction."""
    fine = stagnation(np.random.default_rng(seed))
    chance = np.random.default_rng(seed + 100)
    value = np.concatenate([fine.value * factor for factor in (1.0, 1.7, 0.6123, 0.3, 0.07, 12.345)])
    value[chance.random(len(value)) < 0.15] = np.nan
    return ReadingBatch(
        np.tile(fine.station, 6),
        np.repeat(np.arange(6, dtype=np.int8), len(fine)),
        np.tile(fine.time_s, 6),
        np.tile(fine.period_s, 6),
        value,
        np.tile(fine.status, 6),
    )
