"""Station files of Circular 10/2021: what loggers really send, and what damage may cost."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import PurePath
from zoneinfo import ZoneInfo

import pytest

from streams.errors import ReadingError
from streams.schemas import Reading
from streams.sources.circular10 import LARGEST_FILE_BYTES, Layout, Stamp, StationFile, local_time, parse
from streams.sources.names import StationNames, split_name
from tests.streams.samples import registry

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NOON = datetime(2026, 1, 12, 12, 5, tzinfo=HANOI)
SAMPLE = "\r\n".join(
    [
        "PM10\t86.2\tµg/Nm3\t20260112120500\t00",
        "PM2,5\t55,7\tµg/Nm3\t20260112120500\t00",
        "NO2\t31.06\tµg/Nm3\t20260112120500\t00",
        "CO\t1.234\tmg/Nm3\t20260112120500\t00",
        "SO2\t\tµg/Nm3\t20260112120500\t02",
        "O3\t20\tµg/Nm3\t20260112120500\t01",
        "Temp\t17.3\toC\t20260112120500\t00",
        "",
    ]
)


def parsed(text: str | bytes, stamp: Stamp = "end", name_time: datetime | None = None) -> StationFile:
    data = text if isinstance(text, bytes) else text.encode()
    return parse(data, Layout(station="VN-A", zone=HANOI, place="VN-A_1.txt", stamp=stamp), name_time)


def values(file: StationFile) -> dict[str, tuple[float | None, str, str]]:
    return {reading.pollutant: (reading.value, reading.unit, reading.status) for reading in file.readings}


def test_a_file_as_it_comes() -> None:
    file = parsed(SAMPLE)
    assert values(file) == {
        "pm10": (86.2, "µg/Nm3", "measuring"),
        "pm25": (55.7, "µg/Nm3", "measuring"),
        "no2": (31.06, "µg/Nm3", "measuring"),
        "co": (1.234, "mg/Nm3", "measuring"),
        "so2": (None, "µg/Nm3", "fault"),
        "o3": (20.0, "µg/Nm3", "calibrating"),
    }
    assert {(reading.time, reading.period, reading.station) for reading in file.readings} == {(NOON, 300, "VN-A")}
    assert (file.rejected, file.unused, file.notes) == ([], 1, [])


@pytest.mark.parametrize("symbol", ["PM2,5", "PM2.5", "PM25", "pm2,5", "Pm2.5", " PM2.5 "])
def test_fine_particles_by_any_name(symbol: str) -> None:
    assert parsed(f"{symbol}\t1\tµg/Nm3\t20260112120500\t00").readings[0].pollutant == "pm25"


@pytest.mark.parametrize(
    "encoded",
    [
        SAMPLE.encode(),
        b"\xef\xbb\xbf" + SAMPLE.encode(),
        SAMPLE.encode("utf-16"),
        b"\xfe\xff" + SAMPLE.encode("utf-16-be"),
        SAMPLE.encode("latin-1"),
        SAMPLE.replace("µ", "μ").encode(),
        SAMPLE.replace("µ", "\uf06d").encode(),
        SAMPLE.replace("µ", "u").encode(),
        SAMPLE.replace("\r\n", "\n").encode(),
        SAMPLE.rstrip().encode(),
        SAMPLE.replace("\r\n", "\t\r\n").encode(),
        SAMPLE.replace("\r\n", "\r\n\r\n").encode(),
    ],
    ids=[
        "utf-8",
        "bom",
        "utf-16",
        "utf-16-be",
        "latin-1",
        "greek mu",
        "symbol mu",
        "u",
        "lf",
        "no end",
        "tabs",
        "gaps",
    ],
)
def test_encodings_and_line_ends_change_nothing(encoded: bytes) -> None:
    as_sent, same = parsed(SAMPLE), parsed(encoded)
    assert same.rejected == []
    assert [(r.pollutant, r.value, r.time, r.status) for r in same.readings] == [
        (r.pollutant, r.value, r.time, r.status) for r in as_sent.readings
    ]


def test_several_times_in_one_file() -> None:
    lines = [f"PM10\t{minute}\tµg/Nm3\t202601121{minute:03d}00\t00" for minute in (200, 205, 210)]
    assert [reading.time for reading in parsed("\n".join(lines)).readings] == [
        NOON + timedelta(minutes=minute) for minute in (-5, 0, 5)
    ]


def test_a_logger_that_stamps_the_start() -> None:
    assert parsed(SAMPLE, stamp="start").readings[0].time == NOON + timedelta(minutes=5)


@pytest.mark.parametrize("value", ["", " ", "-", "NaN", "null"])
def test_no_value_is_none(value: str) -> None:
    assert parsed(f"PM10\t{value}\tµg/Nm3\t20260112120500\t00").readings[0].value is None


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        ("PM10\t86.2\tµg/Nm3\t20260112120500", "bad-line", "4 fields, expected 5"),
        ("PM10 86.2 µg/Nm3 20260112120500 00", "bad-line", "TAB"),
        ("PM10\t86.2\tµg/Nm3\t20260112120500\t0", "bad-status", "two digits"),
        ("PM10\t86.2\tµg/Nm3\t20260112120500\t07", "bad-status", "00, 01 or 02"),
        ("PM10\t1.234,5\tµg/Nm3\t20260112120500\t00", "bad-value", "thousands"),
        ("PM10\t1,234.5\tµg/Nm3\t20260112120500\t00", "bad-value", "thousands"),
        ("PM10\t12abc\tµg/Nm3\t20260112120500\t00", "bad-value", "12abc"),
        ("PM10\tinf\tµg/Nm3\t20260112120500\t00", "bad-value", "inf"),
        ("PM10\t1_000\tµg/Nm3\t20260112120500\t00", "bad-value", "1_000"),
        ("PM10\t86.2\tgrain\t20260112120500\t00", "unknown-unit", "grain"),
        ("PM10\t86.2\tppb\t20260112120500\t00", "unknown-unit", "pm10"),
        ("PN10\t86.2\tµg/Nm3\t20260112120500\t00", "unknown-pollutant", "pm10"),
        ("PM10\t86.2\tµg/Nm3\t20261312120500\t00", "bad-time", "14 digits"),
        ("PM10\t86.2\tµg/Nm3\t20260230120500\t00", "bad-time", "14 digits"),
        ("PM10\t86.2\tµg/Nm3\t2026-01-12 12:05\t00", "bad-time", "yyyyMMddHHmmss"),
        ("PM10\t86.2\tµg/Nm3\t00010101000000\t00", "bad-time", "clock"),
        ("PM10\t86.2\tµg/Nm3\t19700101000500\t00", "bad-time", "clock"),
    ],
)
def test_a_bad_line_is_rejected_alone(line: str, reason: str, said: str) -> None:
    good = "NO2\t31\tµg/Nm3\t20260112120500\t00"
    file = parsed(f"{good}\r\n{line}\r\n{good}\r\n")
    assert len(file.readings) == 2
    (refused,) = file.rejected
    assert (refused.reason, refused.place, refused.raw) == (reason, "VN-A_1.txt:2", line.encode())
    assert refused.message.startswith("VN-A_1.txt:2: ")
    assert said in refused.message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"PK\x03\x04 a zip", "TAB"),
        (b"\t" * (LARGEST_FILE_BYTES + 1), "bytes"),
    ],
)
def test_what_is_no_station_file_is_one_rejection(data: bytes, said: str) -> None:
    file = parsed(data)
    assert [refused.reason for refused in file.rejected] == ["bad-file"]
    assert said in file.rejected[0].message
    assert len(file.rejected[0].raw) <= 65_536


def readings_of(file: StationFile) -> dict[str, Reading]:
    return {reading.pollutant: reading for reading in file.readings}


def test_every_truncation_costs_the_cut_line_only() -> None:
    data = SAMPLE.encode()
    whole = readings_of(parsed(SAMPLE))
    for length in range(1, len(data)):
        complete_lines = data[:length].count(b"\n")
        file = parsed(data[:length])
        names = ["pm10", "pm25", "no2", "co", "so2", "o3"]
        for name in names[:complete_lines]:
            assert readings_of(file)[name] == whole[name]
        # Whatever the cut line still gives, it is never another value than the whole one gave.
        for name, reading in readings_of(file).items():
            assert reading == whole[name]


def test_every_flipped_bit_costs_the_lines_it_touches_only() -> None:
    """A flipped line end touches the two lines it parted."""
    data = SAMPLE.encode()
    whole = parsed(SAMPLE).readings
    for position in range(len(data)):
        line = data[:position].count(b"\n")
        touched = {line, line + 1} if data[position] == ord("\n") else {line}
        safe = [reading for number, reading in enumerate(whole) if number not in touched]
        for bit in range(8):
            file = parsed(data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :])
            assert [reading for reading in safe if reading not in file.readings] == []


def test_a_name_that_contradicts_the_lines_is_noted() -> None:
    assert parsed(SAMPLE, name_time=datetime(2026, 1, 12, 12, 9)).notes == []  # noqa: DTZ001 - names have no zone
    (note,) = parsed(SAMPLE, name_time=datetime(2026, 1, 12, 5, 5)).notes  # noqa: DTZ001
    assert "25200 s apart" in note
    assert "VN-A" in note


@pytest.mark.parametrize(
    ("name", "prefix", "time"),
    [
        ("TH_BSON_KHILO2_20260112120500.txt", "TH_BSON_KHILO2", "20260112120500"),
        ("VN-A_20260112120500.TXT", "VN-A", "20260112120500"),
        ("20260112120500.txt", "", "20260112120500"),
        ("2026-01-12_12-05.txt", "", "20260112120500"),
        ("VN-A_2026-01-12_12-05-30.txt", "VN-A", "20260112120530"),
        ("VN-A_20261312120500.txt", "VN-A_20261312120500", None),
        ("VN-A.txt", "VN-A", None),
    ],
)
def test_names(name: str, prefix: str, time: str | None) -> None:
    assert split_name(PurePath(name)) == (prefix, local_time(time) if time else None)


def test_the_station_comes_from_prefix_then_folder_then_table() -> None:
    names = StationNames(registry("VN-A", "VN-B"), {"TH_BSON_KHILO2_": "VN-B"})
    assert names.station_of(PurePath("vn-a_20260112120500.txt")) == "VN-A"
    assert names.station_of(PurePath("VN-A/2026/01/20260112120500.txt")) == "VN-A"
    assert names.station_of(PurePath("VN-A/TH_BSON_KHILO2_20260112120500.txt")) == "VN-B"
    with pytest.raises(ReadingError, match="aliases") as error:
        names.station_of(PurePath("in/XX_20260112120500.txt"))
    assert "'XX'" in str(error.value)
    with pytest.raises(ReadingError, match="not registered"):
        StationNames(registry("VN-A"), {"OLD": "VN-Z"})
