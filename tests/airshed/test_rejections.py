"""Rejected readings handed back: what can be used by now, once, in the way readings come."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from airshed.cli import app
from airshed.configuration import load
from airshed.local import store
from airshed.local.live import database_of
from airshed.rejections import Kept, kept_locally, replay_locally, revive, write_tidy
from rules.loading import load_pack
from streams.schemas import Rejected
from streams.screening import Limits
from streams.sources.files import FileReader, load_path
from streams.stations import StationRegistry, read_stations
from tests.streams.samples import batch, rows_of

OLD = "station_id,lat,lon,province\nVN-A,21.0,105.8,Hà Nội\n"
NEW = OLD + "VN-B,21.1,105.9,Hà Nội\n"
JSON = b'{"station":"VN-B","pollutant":"pm25","value":41.5,"unit":"ug/m3","time":"2026-01-12T01:00:00Z"}'
LINE = b"2026-01-12T02:00:00+00:00,VN-B,pm25,42.5,ug/m3"
STATION_FILE = "PM2,5\t43,5\tµg/m3\t20260112100000\t00\n".encode()


def item(reason: str, raw: bytes, place: str = "drop/readings.csv:7") -> Rejected:
    return Rejected(reason=reason, message="why", place=place, raw=raw, source="drop")


ITEMS = [
    item("unknown-station", JSON, "readings/3@17"),
    item("unknown-station", LINE),
    item("unknown-station", STATION_FILE, "VN-B_20260112100000.txt"),
    item("unknown-station", JSON.replace(b"VN-B", b"VN-C")),
    item("bad-json", b"{"),
    item("late", JSON),
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "stations.csv").write_text(OLD, encoding="utf-8")
    path = tmp_path / "airshed.toml"
    path.write_text('[[sources]]\nname = "drop"\nkind = "directory"\npath = "incoming"\n', encoding="utf-8")
    engine = database_of(load(path))
    store.metadata.create_all(engine)
    with engine.begin() as connection:
        store.log_rejected(connection, ITEMS)
    return path


def registry(config: Path) -> StationRegistry:
    settings = load(config)
    return read_stations(Path(settings.stations), [load_pack(settings.pack).airshed])


def engine_of(config: Path) -> sa.Engine:
    return database_of(load(config))


def handed_back(config: Path) -> list[float]:
    incoming = config.parent / "incoming"
    loaded = load_path(incoming, FileReader(registry=registry(config)))
    assert loaded.rejected == []
    return sorted(loaded.batch.value.tolist())


def test_before_the_registry_is_completed_nothing_can_be_used(config: Path) -> None:
    revived, path = replay_locally(engine_of(config), load(config), registry(config))
    assert (revived.items, path) == ([], None)
    assert list((config.parent / "incoming").iterdir()) == []


def test_after_the_station_is_registered_its_readings_come_back_once(config: Path) -> None:
    (config.parent / "stations.csv").write_text(NEW, encoding="utf-8")
    revived, _ = replay_locally(engine_of(config), load(config), registry(config))
    assert [kept.number for kept in revived.items] == ["1", "2", "3"]
    assert handed_back(config) == [41.5, 42.5, 43.5]
    again, path = replay_locally(engine_of(config), load(config), registry(config))
    assert (again.items, path) == ([], None)
    assert len(kept_locally(engine_of(config))) == len(ITEMS), "nothing is deleted"


def test_a_crash_between_the_file_and_the_note_writes_the_same_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config.parent / "stations.csv").write_text(NEW, encoding="utf-8")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store, "note_replayed", crash)
        with pytest.raises(KeyboardInterrupt):
            replay_locally(engine_of(config), load(config), registry(config))
    replay_locally(engine_of(config), load(config), registry(config))
    assert len(list((config.parent / "incoming").iterdir())) == 1
    assert handed_back(config) == [41.5, 42.5, 43.5]


def test_what_time_has_refused_is_replayed_only_when_asked_for(config: Path) -> None:
    (config.parent / "stations.csv").write_text(NEW, encoding="utf-8")
    kept = [Kept(str(number), one) for number, one in enumerate(ITEMS)]
    assert [one.number for one in revive(kept, registry(config), ["late"]).items] == ["5"]


def test_the_way_back_keeps_every_digit(config: Path, tmp_path: Path) -> None:
    stations = registry(config)
    rows = batch((0, 1768179600, 0.1 + 0.2), (0, 1768179900, float("nan")), (0, 1768180200, -3.0))
    path = write_tidy(tmp_path / "incoming", rows, stations)
    assert rows_of(load_path(path, FileReader(registry=stations)).batch) == rows_of(rows)


def test_list_show_and_replay_on_the_command_line(config: Path) -> None:
    (config.parent / "stations.csv").write_text(NEW, encoding="utf-8")
    run = CliRunner()
    listed = run.invoke(app, ["rejected", "list", "--config", str(config), "--json"])
    assert [one["number"] for one in msgspec.json.decode(listed.stdout)] == ["6", "5", "4", "3", "2", "1"]
    shown = run.invoke(app, ["rejected", "show", "1", "--config", str(config)])
    assert '"value":41.5' in shown.stdout
    replayed = run.invoke(app, ["rejected", "replay", "--config", str(config), "--json"])
    assert msgspec.json.decode(replayed.stdout)["readings"] == 3, replayed.output
    again = run.invoke(app, ["rejected", "replay", "--config", str(config)])
    assert again.stdout.startswith("0 items, 0 readings handed back")


def test_limits_of_screening_are_read_and_checked_with_the_configuration(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    config.write_text(text + "[screening.neighbours]\nradius_km = 30\n", encoding="utf-8")
    assert load(config).screening.neighbours.radius_km == 30
    assert load(config).screening.reference == Limits().reference
    config.write_text(text + "[screening.neighbours]\nnum_min = 1\n", encoding="utf-8")
    with pytest.raises(Exception, match="num_min at least 2"):
        load(config)
