"""One pass through the identical stages: what is tallied is what they say, alone or beside another pack."""

from __future__ import annotations

import ast
import gc
import re
import weakref
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import airshed.backtesting
from airshed import dry
from airshed.backtesting.feed import shared
from airshed.backtesting.findings import Findings, findings, yardstick
from airshed.backtesting.people import people_of
from airshed.backtesting.recording import Recording
from airshed.backtesting.reference import reference_of
from airshed.backtesting.running import Played, play, trial
from airshed.backtesting.sentences import changes, summary
from airshed.cli import app
from airshed.pipeline import Outcome
from rules.loading import load_pack
from rules.model import Pack
from streams.batches import ReadingBatch
from streams.clock import HOUR_S, epoch_s
from streams.errors import InputError
from streams.schemas import POLLUTANTS
from tests.airshed.test_order_and_repetition import PACK, registry, stagnation

STATIONS = "station_id,lat,lon,province\n" + "".join(
    f"{station.code},21.0,105.8,{station.province}\n" for station in registry().stations
)


def stricter(level: int) -> Pack:
    """The pack with another threshold of its lowest level, entered after three hours."""
    airshed = PACK.airshed
    changes = {"enter": level, "enter_24h": level, "exit": level - 20, "enter_hours": 3}
    first = msgspec.structs.replace(airshed.levels[0], **changes)
    changed = msgspec.structs.replace(airshed, levels=[first, *airshed.levels[1:]])
    return msgspec.structs.replace(PACK, version="2", airshed=changed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_recording(tmp_path)


def write_recording(folder: Path) -> Path:
    """A recording of three and a half days, as files."""
    readings = stagnation(np.random.default_rng(1))
    codes = [station.code for station in registry().stations]
    frame = pl.DataFrame(
        {
            "time": pl.Series(readings.time_s * 1000).cast(pl.Datetime("ms", "UTC")),
            "station_id": [codes[row] for row in readings.station],
            "pollutant": [POLLUTANTS[number] for number in readings.pollutant],
            "value": readings.value,
            "unit": "ug/m3",
        }
    ).sort("time")
    frame.write_parquet(folder / "readings.parquet")
    (folder / "stations.csv").write_text(STATIONS, encoding="utf-8")
    return folder


def played(folder: Path, *packs: Pack) -> Played:
    trials = [trial(pack, folder / "stations.csv") for pack in packs]
    return play(Recording(folder / "readings.parquet", trials[0].registry), trials)


def found(folder: Path, *packs: Pack) -> Findings:
    result = played(folder, *packs)
    airshed = packs[-1].airshed
    return findings(result, yardstick(result, reference_of(airshed)), people_of(airshed, None, None), "readings")


def test_the_tally_is_what_the_stages_say(folder: Path) -> None:
    whole = Outcome()
    for step in dry.play([stagnation(np.random.default_rng(1))], PACK, registry()):
        whole.add(step.outcome)
    tally = played(folder, PACK).trials[0].tally
    assert [notice.id for notice in tally.told] == [notice.id for notice in whole.notices]
    assert [(t.time_s, t.kind) for life in tally.lives for t in life.turns] == [
        (epoch_s(event.time), event.kind) for event in whole.episodes
    ]
    for state in whole.provinces:
        hour, column = epoch_s(state.time) // HOUR_S, tally.codes.index(state.province)
        unknown = state.condition == "unknown"
        assert tally.levels.between(hour, hour)[0, column] == (-1 if unknown else state.level)


def test_two_packs_beside_each_other_say_what_each_says_alone(folder: Path) -> None:
    other = stricter(121)
    both = found(folder, other, PACK)
    assert [pack.episodes for pack in both.packs] == [
        found(folder, other, PACK).packs[0].episodes,
        found(folder, PACK).packs[0].episodes,
    ]
    assert [pack.notices for pack in both.packs] == [found(folder, pack).packs[0].notices for pack in (other, PACK)]
    assert both.comparison is not None
    assert both.comparison.differences
    assert found(folder, PACK, PACK).comparison == msgspec.structs.replace(
        both.comparison, same=len(both.packs[1].notices), differences=[]
    )


def test_readers_share_what_is_read_and_let_it_go() -> None:
    alive: list[weakref.ref[ReadingBatch]] = []

    def read() -> Iterator[ReadingBatch]:
        for seed in range(6):
            piece = stagnation(np.random.default_rng(seed))
            alive.append(weakref.ref(piece))
            yield piece

    fast, slow = shared(read(), 2)
    had = 0
    for one in fast:
        other = next(slow)
        assert one is other
        had += 1
        del one, other
        gc.collect()
        assert sum(ref() is not None for ref in alive) <= 1  # the one the reading generator still names
    assert had == 6
    assert next(slow, None) is None


def test_the_reference_does_not_move_with_the_pack_under_test(folder: Path) -> None:
    assert found(folder, stricter(121), PACK).reference == found(folder, PACK).reference
    assert found(folder, stricter(121)).reference != found(folder, PACK).reference


def test_a_stagnation_is_one_episode_and_one_hit(folder: Path) -> None:
    result = found(folder, PACK)
    (pack,) = result.packs
    (row,) = pack.episodes
    assert (row.provinces, row.reference, row.closed is not None) == (["01", "24", "33"], "R1", True)
    assert (pack.verification.events.hits, pack.verification.events.misses) == (1, 0)
    assert row.peak_ug_m3 == pytest.approx(185, abs=10)
    assert row.notice_to_peak_h is not None
    assert row.notice_to_peak_h > 0
    assert pack.unknown_share < 0.65  # four of the seven provinces have no station here
    text = "\n".join(summary(result))
    assert "recognises 1 episode" in text
    assert "1 hit, 0 misses, 0 false alarms; POD 1.00, FAR 0.00, CSI 1.00" in text


def test_clean_air_has_no_event_and_no_zero(folder: Path) -> None:
    frame = pl.read_parquet(folder / "readings.parquet").with_columns(value=pl.lit(20.0))
    frame.write_parquet(folder / "readings.parquet")
    result = found(folder, PACK)
    assert result.packs[0].verification.events.pod is None
    text = "\n".join(summary(result))
    assert "recognises no episode and says nothing" in text
    assert "no event" in text


def test_the_findings_can_be_read_by_a_machine(folder: Path) -> None:
    result = found(folder, stricter(121), PACK)
    assert msgspec.json.decode(msgspec.json.encode(result), type=Findings) == result


def test_differences_in_words(folder: Path) -> None:
    result = found(folder, stricter(121), PACK)
    assert result.comparison is not None
    lines = list(changes(result))
    assert len(lines) == len(result.comparison.differences)
    told = [line for line in lines if " advisory to residents of " in line]
    assert re.fullmatch(r"1\d Jan \d\d:\d\d  advisory to residents of Hà Nội, Bắc Ninh, Hưng Yên: .+", told[0])
    assert list(changes(found(folder, PACK))) == []


def test_the_command_prints_what_it_found(folder: Path) -> None:
    arguments = ["backtest", str(folder / "readings.parquet"), "--stations", str(folder / "stations.csv")]
    shown = CliRunner().invoke(app, [*arguments, "--rules", "vietnam-2026", "--report", str(folder / "r.html")])
    assert shown.exit_code == 0, shown.output
    assert "vietnam-2026@" in shown.stdout
    assert "<title>Back-test of vietnam-2026@" in (folder / "r.html").read_text(encoding="utf-8")
    json = CliRunner().invoke(app, [*arguments, "--rules", "vietnam-2026", "--against", "vietnam-2026", "--json"])
    result = msgspec.json.decode(json.stdout, type=Findings)
    assert result.packs[0].pack.endswith("(vietnam-2026)")
    assert sorted(path.name for path in folder.iterdir()) == ["r.html", "readings.parquet", "stations.csv"]


def test_readings_are_screened_as_in_the_installation(folder: Path) -> None:
    """Instruments that end at 60 µg/m³ see no episode."""
    (folder / "airshed.toml").write_text(
        f'stations = "{folder / "stations.csv"}"\n[screening.reference]\npm25 = {{ lowest = -15.0, highest = 60.0 }}\n',
        encoding="utf-8",
    )
    arguments = ["backtest", str(folder / "readings.parquet"), "--stations", str(folder / "stations.csv")]
    arguments += ["--rules", "vietnam-2026", "--json"]
    found = [CliRunner().invoke(app, [*arguments, *more]) for more in ([], ["--config", str(folder / "airshed.toml")])]
    assert [result.exit_code for result in found] == [0, 0], found[1].output
    plain, limited = (msgspec.json.decode(result.stdout, type=Findings).packs[0].episodes for result in found)
    assert (len(plain), limited) == (1, [])


def test_a_registry_of_another_region_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="no station lies in a province of china-2024@"):
        trial(load_pack("china-2024"), folder / "stations.csv")


def test_nothing_in_it_can_send_or_keep() -> None:
    """Back-tests know the spelling of registries and the quiet hours: no engine, no ledger, no channel."""
    for path in Path(airshed.backtesting.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith(("sqlalchemy", "airshed.local", "airshed.kafka", "airshed.messaging")), path
                spelling_and_hours = ("notifiers.registries", "notifiers.quiet_hours")
                assert not name.startswith("notifiers") or name in spelling_and_hours, f"{path}: {name}"
