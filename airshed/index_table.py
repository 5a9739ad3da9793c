"""``index.csv`` from columns: one row per station, hour (or day) and product, its latest revision.

The same bytes as ``airshed.result_rows`` writes row by row, at a twentieth of the time. Rows wait until no
late reading can revise them any more, so a year takes as much memory as two days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from airshed.result_rows import INDEX_COLUMNS
from streams.contents import Content
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
        hours = [self._waiting.pop(key) for key in keys]
        # One frame for all hours of an airshed in a row: polars takes its time for every call, not for every row.
        for _, together in groupby(hours, key=lambda batches: (id(batches[0].stations), batches[0].occasion.airshed)):
            frame = self._frame(list(together))
            self._rows += len(frame)
            frame.write_csv(self._file, include_header=False)

    def _frame(self, hours: Sequence[Sequence[IndexBatch]]) -> pl.DataFrame:
        columns = _Columns([batch for batches in hours for batch in batches], _latest(hours))
        return columns.frame(self._names_of(hours[0][0].stations))

    def _names_of(self, stations: Sequence[Station]) -> pl.DataFrame:
        if id(stations) not in self._names:
            names = {"station": [one.code for one in stations], "province": [one.province for one in stations]}
            self._names[id(stations)] = stations, pl.DataFrame(names)
        return self._names[id(stations)][1]


def _latest(hours: Sequence[Sequence[IndexBatch]]) -> Ints:
    """Of all records behind each other, the positions of the latest about every station and hour, in the order in
    which stations were first spoken of."""
    chosen, start = [], 0
    for batches in hours:
        rows = np.concatenate([batch.rows for batch in batches])
        if len(batches) == 1:
            chosen.append(np.arange(start, start + len(rows)))
        else:
            _, first = np.unique(rows, return_index=True)
            _, from_behind = np.unique(rows[::-1], return_index=True)
            chosen.append(start + (len(rows) - 1 - from_behind)[np.argsort(first)])
        start += len(rows)
    return np.concatenate(chosen)


class _Columns:
    """The chosen records of batches of one airshed, as columns of the file."""

    def __init__(self, batches: Sequence[IndexBatch], chosen: Ints) -> None:
        self._batches = batches
        self._chosen = chosen
        self._which = np.repeat(np.arange(len(batches)), [len(batch) for batch in batches])[chosen]

    def frame(self, names: pl.DataFrame) -> pl.DataFrame:
        """``names``: code and province of every station."""
        standard = self._batches[0].occasion.standard.code
        index, rows = self._all(lambda batch: batch.content.index), self._all(lambda batch: batch.rows)
        sub = self._all(lambda batch: batch.content.sub)
        completeness = self._all(lambda batch: batch.content.completeness)
        classes = _classes(standard)
        columns = {
            "time": self._text(lambda batch: f"{datetime.fromtimestamp(batch.hour_s, UTC):%Y-%m-%dT%H:%M:%SZ}"),
            "airshed": self._text(lambda batch: batch.occasion.airshed),
            "province": names["province"].gather(rows),
            "station": names["station"].gather(rows),
            "product": self._text(lambda batch: batch.occasion.product),
            "standard": self._text(lambda batch: batch.occasion.standard.code),
            "index": _whole(index),
            "category": classes["name"].gather(_class_of(index, classes["low"].to_numpy())),
            "dominant": _POLLUTANTS.gather(self._all(lambda batch: batch.content.dominant.astype(np.int64))),
            "index_24h": _whole(self._all(lambda batch: batch.content.index_24h)),
            **{f"sub_{name}": _whole(sub[:, place]) for place, name in enumerate(POLLUTANTS)},
            **_numbers("concentration", self._all(lambda batch: _by_pollutant(batch.content))),
            **_numbers("completeness", np.where((completeness > 0) | ~np.isnan(sub), completeness, np.nan)),
            "revision": pl.Series(self._all(lambda batch: batch.revisions)),
        }
        return pl.DataFrame(columns).select(INDEX_COLUMNS)

    def _all(self, part: Callable[[IndexBatch], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([part(batch) for batch in self._batches])[self._chosen]

    def _text(self, of: Callable[[IndexBatch], str]) -> pl.Series:
        """What all records of a batch have in common."""
        return pl.Series([of(batch) for batch in self._batches]).gather(self._which)


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


def _whole(values: Floats) -> pl.Series:
    return pl.Series(values, nan_to_null=True).cast(pl.Int64)


def _numbers(name: str, values: Floats) -> dict[str, pl.Series]:
    columns = (pl.Series(values[:, place], nan_to_null=True) for place in range(len(POLLUTANTS)))
    return {f"{name}_{pollutant}": column for pollutant, column in zip(POLLUTANTS, columns, strict=True)}


def _by_pollutant(content: Content) -> Floats:
    """Of several statistics of a pollutant (``o3_1h``, ``o3_8h``) the highest."""
    if content.keys == POLLUTANTS:
        return content.concentration
    result = np.full((len(content.index), len(POLLUTANTS)), np.nan)
    for number, key in enumerate(content.keys):
        place = POLLUTANTS.index(key.split("_")[0])
        result[:, place] = np.fmax(result[:, place], content.concentration[:, number])
    return result
