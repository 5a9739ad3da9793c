"""Long recordings come in pieces by ascending time, whatever holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from airshed.backtesting import recording
from airshed.backtesting.recording import Piece, Recording, in_order
from streams.batches import ReadingBatch
from streams.errors import InputError
from tests.streams.samples import batch, registry

H = 3600
FIRST_S = 1_768_150_800


def at(*hours: int) -> ReadingBatch:
    return batch(*((0, FIRST_S + hour * H, float(hour)) for hour in hours), period_s=H)


def hours_of(batches: list[ReadingBatch]) -> list[list[int]]:
    return [sorted(((piece.time_s - FIRST_S) // H).tolist()) for piece in batches]


def ordered(*pieces: ReadingBatch) -> list[list[int]]:
    numbered = (Piece(f"piece {n}", n / len(pieces), piece) for n, piece in enumerate(pieces))
    return hours_of([piece for _, piece in in_order(numbered)])


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([at(1, 2), at(3, 4)], [[1, 2], [3, 4]]),
        ([at(2, 1)], [[1, 2]]),
        # Two files that overlap by the hours of a time zone.
        ([at(1, 2, 3), at(3, 4)], [[1, 2], [3, 3, 4]]),
        ([at(1, 2, 5), at(3, 4), at(6)], [[1, 2], [3, 4, 5], [6]]),
        ([at(3, 4), at(1, 2)], [[1, 2, 3, 4]]),
        ([at(1), ReadingBatch.empty(), at(2)], [[1], [2]]),
    ],
)
def test_pieces_follow_each_other(pieces: list[ReadingBatch], expected: list[list[int]]) -> None:
    assert ordered(*pieces) == expected


def test_a_piece_that_reaches_back_further_is_named_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"piece 2: begins at 2026-01-11T18:00Z.*names sort by time"):
        ordered(at(1, 2), at(5, 6), at(1))


def frame(hours: range) -> pl.DataFrame:
    times = [f"2026-01-{1 + hour // 24:02d}T{hour % 24:02d}:00:00+00:00" for hour in hours]
    return pl.DataFrame({"time": times, "station_id": "VN-A", "pollutant": "pm25", "unit": "ug/m3"}).with_columns(
        value=pl.Series([float(hour) for hour in hours])
    )


@pytest.mark.parametrize("layout", ["one csv", "one parquet", "a folder"])
@pytest.mark.parametrize("whole_bytes", [0, recording.WHOLE_BYTES])
def test_every_layout_gives_every_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, whole_bytes: int
) -> None:
    monkeypatch.setattr(recording, "WHOLE_BYTES", whole_bytes)
    monkeypatch.setattr(recording, "SLICE_ROWS", 7)
    path = tmp_path / "readings"
    if layout == "one csv":
        frame(range(40)).write_csv(path)
    elif layout == "one parquet":
        frame(range(40)).write_parquet(path)
    else:
        path.mkdir()
        frame(range(20)).write_csv(path / "1.csv")
        frame(range(20, 40)).write_parquet(path / "2.parquet")
    shares: list[float] = []
    source = Recording(path, registry(), shares.append)
    batches = list(source.chunks())
    assert np.concatenate([piece.value for piece in batches]).tolist() == [float(hour) for hour in range(40)]
    assert source.intake.readings == 40
    if not whole_bytes:
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert len(batches) == {"one csv": 1, "one parquet": 6, "a folder": 4}[layout]


def test_what_is_refused_is_counted_and_the_first_are_quoted(tmp_path: Path) -> None:
    strange = frame(range(9)).with_columns(station_id=pl.lit("VN-X"))
    pl.concat([frame(range(3)), strange]).write_csv(tmp_path / "readings.csv")
    source = Recording(tmp_path / "readings.csv", registry())
    list(source.chunks())
    assert (source.intake.readings, source.intake.rejected) == (3, 9)
    assert len(source.intake.refused) == recording.SHOWN
    assert "readings.csv:5" in source.intake.refused[0]


def test_a_recording_without_any_usable_reading_says_why(tmp_path: Path) -> None:
    frame(range(3)).with_columns(station_id=pl.lit("VN-X")).write_csv(tmp_path / "readings.csv")
    with pytest.raises(InputError, match=r"no reading in it can be used.*VN-X.*is --stations its registry"):
        list(Recording(tmp_path / "readings.csv", registry()).chunks())
    with pytest.raises(InputError, match="does not exist"):
        list(Recording(tmp_path / "nothing", registry()).chunks())
