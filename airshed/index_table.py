"""``index.csv`` from columns: one row per station, hour (or day) and product, its latest revision.

The same bytes as ``airshed.result_rows`` writes row by row, at a twentieth of the time. Rows wait until no
late reading can revise them any more, so a year takes as much memory as two days.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from airshed.result_rows import INDEX_COLUMNS
from streams.index_batches import IndexBatch
from streams.indices import STANDARDS
from streams.schemas import POLLUTANTS
from streams.stations import Station
from streams.windows import RING_HOURS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TOGETHER = 48
"""Hours and days that are written together: a frame of some 30 000 rows at 700 stations."""

_Key = tuple[str, str, int]  # airshed, product, hour


class IndexTable:
    """Writes final records as rows of a CSV file, in the order in which they were first said."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: dict[_Key, list[IndexBatch]] = {}
        self._names: dict[int, tuple[Sequence[Station], pl.DataFrame]] = {}  # holds the stations, so ids stay theirs
        self._rows = 0
        file.write((",".join(INDEX_COLUMNS) + "\n").encode())

    def add(self, batches: Iterable[IndexBatch]) -> None:
        """Take records in; provisional ones are left out."""
        latest = None
        for batch in batches:
            occasion = batch.occasion
            if occasion.final:
                self._waiting.setdefault((occasion.airshed, occasion.product, occasion.hour), []).append(batch)
                latest = occasion.hour
        if latest is not None and len(self._waiting) > RING_HOURS + _TOGETHER:
            self._write([key for key in self._waiting if key[2] <= latest - RING_HOURS])

    def finish(self) -> int:
        """Write what is left. Returns the number of rows."""
        self._write(list(self._waiting))
        return self._rows

    def _write(self, keys: Sequence[_Key]) -> None:
        frames = [self._frame(self._waiting.pop(key)) for key in keys]
        if frames:
            whole = pl.concat(frames)
            self._rows += len(whole)
            whole.write_csv(self._file, include_header=False)

    def _frame(self, batches: Sequence[IndexBatch]) -> pl.DataFrame:
        """The latest revision of every station that the batches of one hour or day speak of."""
        frames = [_columns(batch, self._names_of(batch.stations)) for batch in batches]
        if len(frames) == 1:
            return frames[0]
        rows = np.concatenate([batch.rows for batch in batches])
        _, first = np.unique(rows, return_index=True)
        _, from_behind = np.unique(rows[::-1], return_index=True)
        latest = len(rows) - 1 - from_behind
        return pl.concat(frames)[latest[np.argsort(first)]]

    def _names_of(self, stations: Sequence[Station]) -> pl.DataFrame:
        if id(stations) not in self._names:
            names = {"station": [one.code for one in stations], "province": [one.province for one in stations]}
            self._names[id(stations)] = stations, pl.DataFrame(names)
        return self._names[id(stations)][1]


def _columns(batch: IndexBatch, names: pl.DataFrame) -> pl.DataFrame:
    content, occasion = batch.content, batch.occasion
    standard = occasion.standard
    shown = (content.completeness > 0) | ~np.isnan(content.sub)
    classes = _classes(standard.code)
    columns = {
        "time": _repeated(f"{datetime.fromtimestamp(batch.hour_s, UTC):%Y-%m-%dT%H:%M:%SZ}", batch),
        "airshed": _repeated(occasion.airshed, batch),
        "province": names["province"].gather(batch.rows),
        "station": names["station"].gather(batch.rows),
        "product": _repeated(occasion.product, batch),
        "standard": _repeated(standard.code, batch),
        "index": _whole(content.index),
        "category": classes["name"].gather(_class_of(content.index, classes["low"].to_numpy())),
        "dominant": _POLLUTANTS.gather(content.dominant.astype(np.int64)),
        "index_24h": _whole(content.index_24h),
        **{f"sub_{name}": _whole(content.sub[:, place]) for place, name in enumerate(POLLUTANTS)},
        **_numbers("concentration", _by_pollutant(content.keys, content.concentration)),
        **_numbers("completeness", np.where(shown, content.completeness, np.nan)),
        "revision": pl.Series(batch.revisions),
    }
    return pl.DataFrame(columns).select(INDEX_COLUMNS)


_POLLUTANTS = pl.Series([*POLLUTANTS, None])
"""By position; -1, the last, is none."""


@lru_cache(maxsize=8)
def _classes(standard: str) -> pl.DataFrame:
    """Lower end and name of every class; the last is none."""
    categories = STANDARDS[standard].categories
    names = [category.names[STANDARDS[standard].language] for category in categories]
    return pl.DataFrame({"low": [*(float(category.low) for category in categories), None], "name": [*names, None]})


def _class_of(index: Floats, low: Floats) -> Ints:
    found = np.maximum(np.searchsorted(low[:-1], index, side="right") - 1, 0)
    return np.where(np.isnan(index), -1, found)


def _repeated(text: str, batch: IndexBatch) -> pl.Series:
    return pl.repeat(text, len(batch), eager=True)


def _whole(values: Floats) -> pl.Series:
    return pl.Series(values, nan_to_null=True).cast(pl.Int64)


def _numbers(name: str, values: Floats) -> dict[str, pl.Series]:
    columns = (pl.Series(values[:, place], nan_to_null=True) for place in range(len(POLLUTANTS)))
    return {f"{name}_{pollutant}": column for pollutant, column in zip(POLLUTANTS, columns, strict=True)}


def _by_pollutant(keys: Sequence[str], values: Floats) -> Floats:
    """Of several statistics of a pollutant (``o3_1h``, ``o3_8h``) the highest."""
    if tuple(keys) == POLLUTANTS:
        return values
    result = np.full((len(values), len(POLLUTANTS)), np.nan)
    for number, key in enumerate(keys):
        place = POLLUTANTS.index(key.split("_")[0])
        result[:, place] = np.fmax(result[:, place], values[:, number])
    return result
