"""The files of a replay, written while it goes on, and given their names when all of them are whole."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from airshed.index_table import IndexTable
from airshed.pipeline import Outcome
from airshed.result_rows import PROVINCE_COLUMNS, province_row
from streams.provinces import RETENTION_S
from streams.schemas import ProvinceState, Rejected

NAMES = (
    "index.csv",
    "provinces.csv",
    "days.jsonl",  # days as the legal definition counts them; what explanations of the legal track rest on
    "provinces.jsonl",  # every statement with its evidence, revisions in their order: what explanations rest on
    "episodes.jsonl",
    "notices.jsonl",
    "rejected.jsonl",
    "deliveries.jsonl",
)

_SETTLED = timedelta(seconds=2 * RETENTION_S)
"""A province hour is revised no later than its retention after its decision; twice that is surely settled."""


class ResultFiles:
    """A context: leaving it by an exception leaves what was there before.

    Memory: what may still be revised, some days of rows.
    """

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._out = out
        self._open = ExitStack()
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> ResultFiles:
        for name in NAMES:
            self._files[name] = self._open.enter_context(self._partial(name).open("wb"))
        self._index = IndexTable(self._files["index.csv"])
        self._provinces = _ProvinceTable(self._files["provinces.csv"])
        self._lines = dict.fromkeys(NAMES[2:], 0)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        for name in NAMES:
            self._partial(name).unlink(missing_ok=True)

    def take(self, outcome: Outcome, rejected: Sequence[Rejected] = ()) -> None:
        """Write what was said."""
        self._index.add(outcome.indices)
        self._provinces.add(outcome.provinces)
        self.write("days.jsonl", outcome.days)
        self.write("provinces.jsonl", outcome.provinces)
        self.write("episodes.jsonl", outcome.episodes)
        self.write("notices.jsonl", outcome.notices)
        self.write("rejected.jsonl", rejected)

    def write(self, name: str, items: Iterable[Any]) -> None:
        """Append items to a file of JSON lines."""
        for item in items:
            self._files[name].write(msgspec.json.encode(item) + b"\n")
            self._lines[name] += 1

    def finish(self) -> dict[str, int]:
        """Everything has been said: the files get their names. Returns rows by file name."""
        rows = {"index.csv": self._index.finish(), "provinces.csv": self._provinces.finish(), **self._lines}
        self._open.close()
        for name in NAMES:
            self._partial(name).replace(self._out / name)
        return rows

    def _partial(self, name: str) -> Path:
        return self._out / f".{name}.partial"


class _ProvinceTable:
    """``provinces.csv``: the latest revision of every province hour, in the order in which they were first said."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow(PROVINCE_COLUMNS)
        self._waiting: dict[tuple[str, str, Any], ProvinceState] = {}
        self._rows = 0

    def add(self, states: Sequence[ProvinceState]) -> None:
        for state in states:
            self._waiting[state.airshed, state.province, state.time] = state
        if states:
            settled = max(state.time for state in states) - _SETTLED
            self._write([key for key in self._waiting if key[2] <= settled])

    def finish(self) -> int:
        self._write(list(self._waiting))
        self._text.flush()
        return self._rows

    def _write(self, keys: Sequence[tuple[str, str, Any]]) -> None:
        for key in keys:
            self._writer.writerow(province_row(self._waiting.pop(key)))
        self._rows += len(keys)
