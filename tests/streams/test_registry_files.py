"""Hostile registry files: what cannot be read is refused in its place and in flat memory; nothing hides in a cell."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from rules.loading import load_pack
from streams.airsheds import Airshed
from streams.errors import RegistryError
from streams.registry_rows import Row, rows
from streams.stations import Station, read_stations

HEAD = "station_id,name,lat,lon,province,agency\n"
SMUGGLED = "mallory,one who was never entered,21.0,105.8,01,\n"


@pytest.fixture(scope="module")
def airshed() -> Airshed:
    return load_pack("vietnam-2026").airshed


def written(folder: Path, *lines: str) -> Path:
    path = folder / "stations.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEAD)
        file.writelines(lines)
    return path


def read(folder: Path, airshed: Airshed, *lines: str) -> tuple[Station, ...]:
    return read_stations(written(folder, *lines), [airshed]).stations


def of(path: Path) -> tuple[list[Row], list[RegistryError]]:
    """The rows of a file and its refusals; the memory taken at most is held to."""
    tracemalloc.start()
    try:
        found = [row for row, _ in rows(path, ("station_id",))]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000, "ten megabytes are never in memory"
    return [row for row in found if not isinstance(row, RegistryError)], [
        row for row in found if isinstance(row, RegistryError)
    ]


MONSTERS: dict[str, Callable[[], str]] = {
    "plain": lambda: "x" * 10_000_000,
    "quoted": lambda: '"' + "x" * 10_000_000 + '"',
    "rows in it": lambda: '"\n' + SMUGGLED * 200_000 + '"',
    "rows behind a long line": lambda: '"' + "x" * 10_000_000 + "\n" + SMUGGLED * 10 + '"',
    "doubled quotation marks": lambda: '"' + '""' * 2_000_000 + ("\n" + SMUGGLED) * 100_000 + '"',
}
"""Cells of ten megabytes."""


@pytest.mark.parametrize("kind", MONSTERS)
def test_a_cell_of_ten_megabytes_is_one_refusal(tmp_path: Path, kind: str) -> None:
    """What a spreadsheet puts into quotation marks is a name, whatever it holds: not one row comes out of it."""
    cell = MONSTERS[kind]()
    path = written(tmp_path, "a,first,21,105.8,01,\n", f"b,{cell},21,105.8,01,\n", "c,last,21,105.8,01,\n")
    good, refused = of(path)
    assert [row["station_id"] for row in good] == ["a", "c"]
    (error,) = refused
    assert error.place == f"{path}:3"
    assert "not readable as CSV" in error.message
    assert error.remedy
    assert len(str(error)) < 500


def test_a_quotation_that_never_ends_says_what_was_not_used(tmp_path: Path) -> None:
    path = written(tmp_path, "a,first,21,105.8,01,\n", 'b,"' + SMUGGLED * 100_000)
    good, refused = of(path)
    assert [row["station_id"] for row in good] == ["a"]
    assert "lines 3 to 100002 were not used" in refused[0].message


def test_a_head_of_ten_megabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("station_id," + "x" * 10_000_000 + "\na,1\n", encoding="utf-8")
    with pytest.raises(RegistryError, match="not readable as CSV") as caught:
        of(path)
    assert len(str(caught.value)) < 500


def test_ten_megabytes_of_stations_name_end_with_its_place(tmp_path: Path, airshed: Airshed) -> None:
    for kind in ("plain", "rows in it"):
        with pytest.raises(RegistryError, match=r"stations\.csv:2: not readable as CSV"):
            read(tmp_path, airshed, f"a,{MONSTERS[kind]()},21,105.8,01,\n")


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        ("=cmd|' /C calc'!A0,x,21,105.8,01,", "station_id", "would be a formula"),
        ("＝cmd,x,21,105.8,01,", "station_id", "would be a formula"),
        ("@SUM(A1),x,21,105.8,01,", "station_id", "would be a formula"),
        ("VN\u202e-A,x,21,105.8,01,", "station_id", "cannot be seen"),
        ("VN\u200b-A,x,21,105.8,01,", "station_id", "cannot be seen"),
        ("VN\x00-A,x,21,105.8,01,", "station_id", "cannot be seen"),
        ('"VN-A\r\nBcc: x",x,21,105.8,01,', "station_id", "cannot be seen"),
        (f"{'x' * 101},x,21,105.8,01,", "station_id", "101 characters"),
        (f"VN-A,{'x' * 201},21,105.8,01,", "name", "201 characters"),
        (f"VN-A,x,21,105.8,01,{'x' * 201}", "agency", "201 characters"),
        ("VN-A,x,21,105.8,=1+1,", "province", "would be a formula"),
        ("VN-A,x,21,105.8,Hà Nội\u202e,", "province", "cannot be seen"),
        (f"VN-A,x,{'9' * 1_900},105.8,01,", "lat", "outside"),
        (f"VN-A,x,{'x' * 1_900},105.8,01,", "lat", "is not a number"),
        ("VN-A,x,21,105.8,01,a,b", "", "more cells than columns"),
    ],
)
def test_a_hostile_station_is_refused_by_its_field(
    tmp_path: Path, airshed: Airshed, row: str, field: str, said: str
) -> None:
    with pytest.raises(RegistryError) as caught:
        read(tmp_path, airshed, row + "\n")
    assert caught.value.field == field
    assert said in caught.value.message
    assert caught.value.place.startswith(str(tmp_path / "stations.csv"))
    assert caught.value.remedy
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_what_nobody_sees_is_taken_out_of_a_stations_name(tmp_path: Path, airshed: Airshed) -> None:
    (found,) = read(tmp_path, airshed, 'VN-A,"Trạm\u200b số\u202e 1\r\n {{ 7*7 }}",21,105.8,01,Sở\u200e NN&MT,\n')
    assert (found.name, found.agency) == ("Trạm số 1 {{ 7*7 }}", "Sở NN&MT")


def test_a_zone_longer_than_a_files_name_is_refused(tmp_path: Path, airshed: Airshed) -> None:
    path = tmp_path / "zones.csv"
    path.write_text(f"code,lat,lon,province,zone\nVN-A,21,105.8,01,{'x' * 1_000}\n", encoding="utf-8")
    with pytest.raises(RegistryError, match="unknown time zone"):
        read_stations(path, [airshed])
