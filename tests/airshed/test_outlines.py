"""A region of one's own: its GeoJSON in airshed.toml draws public alerts and places residents' circles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from airshed.cli import app
from airshed.configuration import load
from airshed.local.live import database_of
from airshed.messaging import cap_publication
from airshed.packs import base_of
from notifiers.cap.alerts import alerts
from notifiers.cap.checks import problems
from notifiers.cap.documents import document
from rules.loading import load_pack
from rules.notices import Notice, NoticeProvince
from streams.clock import SystemClock
from streams.errors import AirshedError
from tests.airshed.installations import called
from tests.notifiers.samples import notice
from tests.notifiers.test_cap import Voice, read, texts
from tests.streams.test_geography import region, square

SETTINGS = """
pack = "france"
stations = "stations.csv"
outlines = "region.geojson"
[cap]
sender = "alerts@example.org"
[contacts]
countries = ["FR"]
"""
PEOPLE = """subscriber_id,lat,lon,radius_km,phone,consent_source,consent_date
anne,48.85,2.05,1,0612345678,form,2026-01-15
jean,48.85,2.05,10,0612345679,form,2026-01-15
away,45.75,4.85,5,0612345670,form,2026-01-15
"""


def features() -> Iterator[dict[str, object]]:
    """A row of squares, Paris first, 7 km wide each."""
    for number, province in enumerate(load_pack("france").airshed.provinces):
        yield square(province.names["fr"], 2.0 + 0.1 * number, 48.8, code=province.code)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    region(tmp_path, *features())
    (tmp_path / "airshed.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "stations.csv").write_text("station_id,lat,lon,province\np1,48.85,2.05,75\n", encoding="utf-8")
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    return tmp_path


def run(folder: Path, *words: str) -> tuple[int, str]:
    answer = called(app, folder, *words)
    refused = isinstance(answer.exception, AirshedError)  # which `airshed` prints, and ends with 1
    return answer.exit_code, f"{answer.output}{answer.exception if refused else ''}"


def test_circles_of_residents_touch_the_provinces_of_the_file(folder: Path) -> None:
    code, said = run(folder, "subscribers", "import", str(folder / "people.csv"), "--json")
    assert (code, json.loads(said)["accepted"]) == (1, 2)
    assert "is in none of the provinces served" in said
    (anne,) = json.loads(run(folder, "subscribers", "show", "anne", "--json")[1])
    (jean,) = json.loads(run(folder, "subscribers", "show", "jean", "--json")[1])
    assert [place["provinces"] for place in (*anne["places"], *jean["places"])] == [["75"], ["75", "77N"]]


def test_public_alerts_draw_the_provinces_of_the_file(folder: Path) -> None:
    settings = load(folder / "airshed.toml")
    publication = cap_publication(database_of(settings), settings, "https://a.example", SystemClock())
    assert publication is not None
    names = base_of(settings).airshed.provinces[0].names
    paris = NoticeProvince(code="75", names=names, level=1, level_name="alert", index=120, index_24h=None)
    made: Notice = msgspec.structs.replace(notice(provinces=["75"]), provinces=[paris])
    (alert,) = alerts([made], publication.publisher, Voice())
    assert problems(document(alert)) == []
    root = read(document(alert))
    square_of_paris = "48.800,2.000 48.800,2.100 48.900,2.100 48.900,2.000 48.800,2.000"
    assert set(texts(root, "polygon")) == {square_of_paris}


def test_a_bad_file_is_answered_before_anything_runs(folder: Path) -> None:
    region(folder, *list(features())[1:])
    said = "no feature is province '75' of the rule pack (give one with the code '75' or the name 'Paris'"
    code, shown = run(folder, "doctor")
    assert code == 1
    assert said in " ".join(shown.split())
    code, shown = run(folder, "subscribers", "import", str(folder / "people.csv"))
    assert code == 1
    assert said in shown
    assert run(folder, "subscribers", "count", "--json") == (0, "[]\n"), "nothing of the file was taken"
    (folder / "region.geojson").unlink()
    code, shown = run(folder, "doctor")
    assert code == 1
    assert f"outlines: no file {folder / 'region.geojson'}" in shown
