"""Tidy files: straight into columns; bad rows rejected alone with file and line."""

from __future__ import annotations

import gzip
import io
import random
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.airsheds import Airshed
from streams.errors import InputError, RegistryError
from streams.sources.arrivals import Loaded
from streams.sources.tidy import parse_tidy, read_slices, read_tidy
from streams.stations import read_stations
from tests.streams.samples import registry, rows_of

REGISTRY = registry("VN-A", "VN-B")
HEADER = "time,station_id,pollutant,value,unit\n"
EIGHT = "2026-01-12T08:00:00+07:00"
EIGHT_S = 1768179600
GOOD = f"{EIGHT},VN-A,pm25,55.7,ug/m3\n"
OTHER = f"{EIGHT},VN-B,co,1.5,mg/m3\n"


def parsed(text: str | bytes) -> Loaded:
    return parse_tidy(text.encode() if isinstance(text, str) else text, REGISTRY, "in.csv")


def test_rows_become_columns() -> None:
    loaded = parsed(HEADER + GOOD + OTHER + f"{EIGHT},VN-A,temp,17,degC\n" + f"{EIGHT},VN-B,o3,,ug/m3\n")
    assert rows_of(loaded.batch) == [
        (0, 0, EIGHT_S, 3600, 55.7, 0),
        (1, 5, EIGHT_S, 3600, 1500.0, 0),
        (1, 2, EIGHT_S, 3600, None, 0),
    ]
    assert (loaded.rejected, loaded.unused) == ([], 1)


def test_optional_columns_and_any_order() -> None:
    loaded = parsed(
        "status;note;unit;value;pollutant;station;time;period\n"
        f"calibrating;x;ug/m3;1;PM2.5;VN-A;{EIGHT};300\n;y;ug/m3;2;pm10;VN-B;{EIGHT};\n"
    )
    assert rows_of(loaded.batch) == [(0, 0, EIGHT_S, 300, 1.0, 1), (1, 1, EIGHT_S, 3600, 2.0, 0)]


@pytest.mark.parametrize("missing", ["NaN", "", "null", "NA", "-", " "])
def test_missing_values(missing: str) -> None:
    assert rows_of(parsed(HEADER + f"{EIGHT},VN-A,pm25,{missing},ug/m3\n").batch)[0][4] is None


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        (f"{EIGHT},VN-Z,pm25,1,ug/m3", "unknown-station", "'VN-Z'"),
        (f"{EIGHT},VN-A,pm3,1,ug/m3", "unknown-pollutant", "pm25"),
        (f"{EIGHT},VN-A,pm25,1,stones", "unknown-unit", "stones"),
        (f"{EIGHT},VN-A,pm25,twelve,ug/m3", "bad-value", "'twelve'"),
        (f"{EIGHT},VN-A,pm25,inf,ug/m3", "bad-value", "'inf'"),
        ("2026-01-12T08:00:00,VN-A,pm25,1,ug/m3", "naive-time", "offset"),
        ("yesterday,VN-A,pm25,1,ug/m3", "bad-time", "'yesterday'"),
        (f"{EIGHT},VN-A,pm25", "bad-line", "3 fields, expected 5"),
        (f"{EIGHT},VN-A,pm25,1,ug/m3,more", "bad-line", "6 fields, expected 5"),
        (f'"{EIGHT},VN-A,pm25,1,ug/m3', "bad-line", "quotation"),
        (f"{EIGHT},VN-A\0,pm25,1,ug/m3", "unknown-station", ""),
        (",,,,", "unknown-station", "''"),
    ],
)
def test_a_bad_row_is_rejected_alone_with_its_line(line: str, reason: str, said: str) -> None:
    loaded = parsed(HEADER + GOOD + "\n" + line + "\n" + OTHER)
    assert loaded.batch.station.tolist() == [0, 1]
    (refused,) = loaded.rejected
    assert (refused.reason, refused.place, refused.raw) == (reason, "in.csv:4", line.encode())
    assert said in refused.message
    assert refused.message.startswith("in.csv:4: ")


@pytest.mark.parametrize("field", ["period,0", "period,-5", "period,1.5", "period,x", "status,ok"])
def test_bad_optional_fields(field: str) -> None:
    name, value = field.split(",")
    loaded = parsed(HEADER.replace("unit", f"unit,{name}") + GOOD.replace("ug/m3", f"ug/m3,{value}"))
    assert [r.reason for r in loaded.rejected] == [f"bad-{name}"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + (HEADER + GOOD + OTHER).encode(),
        (HEADER + GOOD + OTHER).encode("utf-16"),
        (HEADER + GOOD + OTHER).replace("\n", "\r\n").encode(),
        (HEADER + GOOD + OTHER).rstrip().encode(),
        (HEADER + GOOD.replace("VN-A", '"VN-A"') + OTHER).encode(),
        (HEADER + GOOD.replace("ug/m3", "µg/m³") + OTHER).encode(),
        gzip.compress((HEADER + GOOD + OTHER).encode()),
        gzip.compress((HEADER + GOOD).encode()) + gzip.compress(OTHER.encode()),
    ],
    ids=["bom", "utf-16", "crlf", "no end", "quoted", "micro", "gzip", "two members"],
)
def test_encodings_change_nothing(data: bytes) -> None:
    loaded = parsed(data)
    assert loaded.rejected == []
    assert sorted(loaded.batch.value.tolist()) == [55.7, 1500.0]


def test_missing_columns_name_what_is_there_and_what_is_expected() -> None:
    with pytest.raises(
        RegistryError, match="columns missing: pollutant, station_id or station; found: time, value"
    ) as e:
        parsed("time,value,unit\n")
    assert "time,station,pollutant,value,unit" in str(e.value)
    with pytest.raises(RegistryError, match="columns missing"):
        parsed("")


def test_a_truncated_gzip_gives_what_is_readable() -> None:
    text = HEADER + "".join(f"{EIGHT},VN-A,pm25,{random.Random(i).random()},ug/m3\n" for i in range(2000))
    packed = gzip.compress(text.encode())
    loaded = parsed(packed[: len(packed) * 2 // 3])
    assert 1000 < len(loaded.batch) < 2000
    (refused,) = loaded.rejected
    assert refused.reason == "truncated-file"
    assert f"ends after {len(packed) * 2 // 3} bytes" in refused.message
    assert rows_of(loaded.batch) == rows_of(parsed(text).batch)[: len(loaded.batch)]


def test_a_gzip_with_a_wrong_checksum_gives_nothing() -> None:
    """Which of its numbers are wrong cannot be told."""
    packed = bytearray(gzip.compress((HEADER + GOOD).encode(), compresslevel=0))
    at = packed.index(b"55.7")
    packed[at] = ord("9")
    with pytest.raises(InputError, match="damaged gzip"):
        parsed(bytes(packed))


SAMPLE = (HEADER + GOOD + OTHER + f"{EIGHT},VN-A,no2,31.06,ug/m3\n").encode()


def test_every_truncation_costs_the_cut_line_only() -> None:
    whole = rows_of(parsed(SAMPLE).batch)
    for length in range(len(HEADER), len(SAMPLE)):
        loaded = parsed(SAMPLE[:length])
        complete = SAMPLE[:length].count(b"\n") - 1
        assert rows_of(loaded.batch)[:complete] == whole[:complete]
        # A number or unit cut short may still be one; a plain CSV has no end mark. At most one row is affected.
        assert len(loaded.batch) + len(loaded.rejected) <= complete + 1


def test_every_flipped_bit_costs_the_lines_it_touches_only() -> None:
    whole = rows_of(parsed(SAMPLE).batch)
    for position in range(len(HEADER), len(SAMPLE)):
        line = SAMPLE[:position].count(b"\n") - 1
        touched = {line, line + 1} if SAMPLE[position] == ord("\n") else {line}
        for bit in range(8):
            loaded = parsed(SAMPLE[:position] + bytes([SAMPLE[position] ^ (1 << bit)]) + SAMPLE[position + 1 :])
            rows = rows_of(loaded.batch)
            assert all(whole[number] in rows for number in range(3) if number not in touched), (position, bit)


@given(st.lists(st.sampled_from([GOOD, OTHER, "\n", "junk\n", '"a,b\n', f"{EIGHT},VN-Z,pm25,1,ug/m3\n"]), max_size=20))
def test_every_line_is_accounted_for(lines: list[str]) -> None:
    loaded = parsed(HEADER + "".join(lines))
    content = [line for line in lines if line.strip()]
    assert len(loaded.batch) + len(loaded.rejected) == len(content)
    places = {f"in.csv:{number}" for number, line in enumerate(lines, start=2) if line not in (GOOD, OTHER, "\n")}
    assert {refused.place for refused in loaded.rejected} == places


def parquet(**changes: object) -> bytes:
    columns = {
        "time": [datetime(2026, 1, 12, 1, tzinfo=UTC)] * 2,
        "station_id": ["VN-A", "VN-Z"],
        "pollutant": ["pm25", "pm25"],
        "value": [55.7, 1.0],
        "unit": ["ug/m3", "ug/m3"],
    }
    buffer = io.BytesIO()
    pl.DataFrame({**columns, **changes}).write_parquet(buffer)
    return buffer.getvalue()


def test_parquet() -> None:
    loaded = parsed(parquet())
    assert rows_of(loaded.batch) == [(0, 0, EIGHT_S, 3600, 55.7, 0)]
    (refused,) = loaded.rejected
    assert (refused.reason, refused.place) == ("unknown-station", "in.csv: row 2")
    assert b"VN-Z" in refused.raw


def test_parquet_with_missing_values_categories_and_text_times() -> None:
    loaded = parsed(
        parquet(
            time=pl.Series([EIGHT, EIGHT]),
            station_id=pl.Series(["VN-A", "VN-B"], dtype=pl.Categorical),
            value=pl.Series([None, 2.5], dtype=pl.Float32),
            period=[300, None],
        )
    )
    assert rows_of(loaded.batch) == [(0, 0, EIGHT_S, 300, None, 0), (1, 0, EIGHT_S, 3600, 2.5, 0)]


@pytest.mark.parametrize("unit", ["", None])
@pytest.mark.parametrize("kind", [pl.String, pl.Categorical])
def test_parquet_without_a_unit_is_refused_by_row(unit: str | None, kind: pl.DataType) -> None:
    """An empty unit in a file with texts once raised an IndexError, and one that was missing was a wrong pollutant."""
    units, pollutants = pl.Series(["ug/m3", unit], dtype=kind), pl.Series(["pm25"] * 2, dtype=kind)
    loaded = parsed(parquet(station_id=["VN-A"] * 2, unit=units, pollutant=pollutants))
    assert len(loaded.batch) == 1
    assert [rejected.reason for rejected in loaded.rejected] == ["unknown-unit"]


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Enum(["VN-A", "VN-X"])])
def test_texts_and_categories_are_read_alike(kind: pl.DataType) -> None:
    loaded = parsed(parquet(station_id=pl.Series(["VN-X", "VN-A"], dtype=kind)))
    assert loaded.batch.station.tolist() == [registry().row("VN-A")]
    assert [rejected.reason for rejected in loaded.rejected] == ["unknown-station"]
    nobody = parsed(parquet(station_id=pl.Series([None, "VN-A"], dtype=kind)))
    assert nobody.batch.station.tolist() == [registry().row("VN-A")]


def test_times_of_parquet_lose_parts_of_a_second_and_may_be_missing() -> None:
    moment = datetime(2026, 1, 12, 1, 0, 0, 900_000, UTC)
    times = pl.Series([moment, None], dtype=pl.Datetime("us", "UTC"))
    loaded = parsed(parquet(time=times, station_id=["VN-A"] * 2))
    assert loaded.batch.time_s.tolist() == [int(moment.timestamp())]
    assert [rejected.reason for rejected in loaded.rejected] == ["bad-time"]


def test_damaged_parquet_and_times_without_zone_are_named() -> None:
    with pytest.raises(InputError, match="damaged Parquet"):
        parsed(parquet()[:-20])
    with pytest.raises(InputError, match=r"in\.csv: time: the times have no zone"):
        parsed(parquet(time=[datetime(2026, 1, 12, 1)] * 2))  # noqa: DTZ001 - that is the fault


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.csv: cannot be read"):
        read_tidy(tmp_path / "nowhere.csv", REGISTRY)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("folder", "file", "rows", "unused"),
    [
        ("cn-north-2019-01", "observations.csv.gz", 760_484, 0),
        ("vn-2025-04", "observations.csv.gz", 125_507, 82_976),
        ("vn-hanoi-embassy", "observations.csv.gz", 32_161, 0),
        ("beijing-2015-2017", "observations.parquet", 548_195, 276_723),
    ],
)
def test_recorded_files_are_read_wholly(recorded: Path, folder: str, file: str, rows: int, unused: int) -> None:
    """Pollutants and wind are used; temperature, humidity, pressure, rain and published indices are not."""
    airsheds: list[Airshed] = []
    path = recorded / "data" / folder
    loaded = read_tidy(path / file, read_stations(path / "stations.csv", airsheds))
    assert (len(loaded.batch), loaded.unused, loaded.rejected) == (rows, unused, [])


def mutations(data: bytes, count: int, seed: int) -> list[bytes]:
    """Bytes changed, lost and put in at random."""
    draw = random.Random(seed)
    results = []
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(draw.randint(1, 5)):
            at = draw.randrange(len(changed) + 1)
            cut = draw.choice((0, 0, 1, 40))
            changed[at : at + cut] = bytes(draw.choice(b'",;\n\r\t\x00\xff0') for _ in range(draw.randint(0, 3)))
        results.append(bytes(changed))
    return results


@pytest.mark.parametrize("kind", ["csv", "gzip", "parquet", "noise"])
def test_no_damage_raises_anything_but_an_error_with_a_remedy(kind: str) -> None:
    text = (HEADER + (GOOD + OTHER) * 20).encode()
    data = {"csv": text, "gzip": gzip.compress(text), "parquet": parquet(), "noise": bytes(range(256))}[kind]
    whole = set(rows_of(parsed(text).batch))
    for damaged in mutations(data, 150, seed=1):
        try:
            loaded = parsed(damaged)
        except InputError as error:
            assert error.remedy
            continue
        if kind == "gzip" and set(rows_of(loaded.batch)) - whole:
            assert "truncated-file" in {refused.reason for refused in loaded.rejected}


def test_bytes_after_a_gzip_are_said() -> None:
    loaded = parsed(gzip.compress((HEADER + GOOD).encode()) + b"\x1e\x8bmore")
    assert len(loaded.batch) == 1
    assert ["no gzip" in refused.message for refused in loaded.rejected] == [True]
    assert parsed(gzip.compress((HEADER + GOOD).encode()) + bytes(512)).rejected == []


def test_parquet_by_slices_is_the_whole_file_and_keeps_its_row_numbers(tmp_path: Path) -> None:
    (tmp_path / "long.parquet").write_bytes(parquet(station_id=["VN-A", "VN-X"]))
    slices = list(read_slices(tmp_path / "long.parquet", registry(), 1))
    assert [len(loaded.batch) for loaded in slices] == [1, 0]
    assert slices[1].rejected[0].place.endswith("long.parquet: row 2")
    (tmp_path / "broken.parquet").write_bytes(parquet()[:-20])
    with pytest.raises(InputError, match="damaged Parquet file"):
        list(read_slices(tmp_path / "broken.parquet", registry(), 1))
