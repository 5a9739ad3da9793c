"""Recorded readings of any length, in pieces by ascending time, so that a year needs no more memory than a month."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from streams.batches import ReadingBatch
from streams.clock import SystemClock, utc
from streams.errors import InputError
from streams.gateway import refuse_ahead
from streams.schemas import Rejected
from streams.sources.arrivals import Loaded
from streams.sources.files import FileReader, load_path
from streams.sources.tidy import PARQUET_MAGIC, read_slices
from streams.stations import StationRegistry
from streams.wire import concatenate

WHOLE_BYTES = 16 * 1024**2
"""A folder or Parquet file up to this size is read whole, whatever its layout: about four million compressed rows,
100 MB as columns. What is larger is read piece by piece, and its pieces must follow each other in time."""

SLICE_ROWS = 1_000_000
"""Rows of a long Parquet file that are decoded together: about 200 MB while their texts are looked up."""

SHOWN = 5
"""Rejections that a report quotes; the first of a kind of mistake says what all of them would say."""


@dataclass
class Intake:
    """What has been read so far. ``refused``: the first refusals, in words."""

    readings: int = 0
    rejected: int = 0
    unused: int = 0
    refused: list[str] = field(default_factory=list)

    def add(self, loaded: Loaded) -> None:
        """Count a piece."""
        self.readings += len(loaded.batch)
        self.rejected += len(loaded.rejected)
        self.unused += loaded.unused
        self.refused += [f"{item.place}: {item.message}" for item in loaded.rejected[: SHOWN - len(self.refused)]]


@dataclass(frozen=True)
class Piece:
    """Readings that were read together. ``share``: of the whole, once they are dealt with."""

    place: str
    share: float
    batch: ReadingBatch


@dataclass
class Recording:
    """A file or folder of recorded readings.

    Attributes:
        advanced: hears which share of the whole has been handed on and dealt with, 0–1.
    """

    path: Path
    registry: StationRegistry
    advanced: Callable[[float], None] = lambda share: None
    intake: Intake = field(default_factory=Intake)

    def chunks(self) -> Iterator[ReadingBatch]:
        """The readings, each piece later than the one before it.

        Raises:
            InputError: when nothing can be used, or the pieces of a long recording do not follow each other in time.
        """
        for share, batch in in_order(prefetched(self._pieces())):
            yield batch
            self.advanced(share)
        if not self.intake.readings:
            first = f": {self.intake.refused[0]}" if self.intake.refused else ""
            remedy = "is --stations its registry?"
            raise InputError(f"no reading in it can be used{first}", place=str(self.path), remedy=remedy)

    def size(self) -> int:
        """Bytes of all files, 0 where there is none."""
        return sum(self._sizes().values())

    def _sizes(self) -> dict[Path, int]:
        files = [self.path] if self.path.is_file() else sorted(p for p in self.path.rglob("*") if p.is_file())
        return {file: file.stat().st_size for file in files}

    def _pieces(self) -> Iterator[Piece]:
        if not self.path.exists():
            raise InputError("does not exist", place=str(self.path), remedy="give a file or a folder with readings")
        sizes = self._sizes()
        if sum(sizes.values()) <= WHOLE_BYTES:
            yield Piece(str(self.path), 1.0, self._checked(load_path(self.path, self._reader()), self.path))
            return
        done = 0
        for file in sizes:
            done += sizes[file]
            for loaded in self._file(file):
                yield Piece(str(file), done / sum(sizes.values()), self._checked(loaded, file))

    def _file(self, file: Path) -> Iterable[Loaded]:
        if _is_parquet(file):
            return read_slices(file, self.registry, SLICE_ROWS)
        return [load_path(file, self._reader())]

    def _reader(self) -> FileReader:
        return FileReader(registry=self.registry, source=self.path.name)

    def _checked(self, loaded: Loaded, place: Path) -> ReadingBatch:
        """Without readings that end in the future."""
        now_s = SystemClock().now_s()
        batch, ahead = refuse_ahead(loaded.batch, self.registry, now_s, place=str(place), source=self.path.name)
        refused: list[Rejected] = [*loaded.rejected, *ahead]
        self.intake.add(Loaded(batch, refused, loaded.unused))
        return batch


def prefetched(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Read a piece ahead in another thread: decoding leaves the interpreter alone most of the time."""
    with ThreadPoolExecutor(1, "recording") as reader:
        waiting = reader.submit(next, pieces, None)
        while (piece := waiting.result()) is not None:
            waiting = reader.submit(next, pieces, None)
            yield piece


def in_order(pieces: Iterable[Piece]) -> Iterator[tuple[float, ReadingBatch]]:
    """Pieces that may overlap the one before them, as (share, readings) that do not. Holds two of them at a time.

    Raises:
        InputError: for a piece that begins before readings that were handed on already.
    """
    held: Piece | None = None
    passed_s: int | None = None
    for piece in pieces:
        if not len(piece.batch):
            continue
        first_s = int(piece.batch.time_s.min())
        if passed_s is not None and first_s <= passed_s:
            raise _out_of_order(piece.place, first_s, passed_s)
        if held is not None:
            early = held.batch.time_s < first_s
            whole = bool(early.all())
            if early.any():
                passed_s = int(held.batch.time_s[early].max())
                yield held.share, held.batch if whole else held.batch.take(early)
            if not whole:
                piece = replace(piece, batch=concatenate([held.batch.take(~early), piece.batch]))
        held = piece
    if held is not None:
        yield held.share, held.batch


def _out_of_order(place: str, first_s: int, passed_s: int) -> InputError:
    return InputError(
        f"begins at {utc(first_s):%Y-%m-%dT%H:%MZ}, but readings up to {utc(passed_s):%Y-%m-%dT%H:%MZ} came before it",
        place=place,
        remedy="a long recording is read piece by piece: sort its rows by time, and name files so that their names "
        "sort by time (2025-01.parquet, 2025-02.parquet …)",
    )


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
