"""Rows of a public feed on their way into a batch: judged together, each refused alone.

Public feeds carry the stations of whole countries. A row of a station that is not registered is therefore no
mistake: it is counted as unused. Only when a file holds nobody of ours at all is that said, once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from streams.batches import ReadingBatch
from streams.columns import PROBLEMS, STATUS_CODES, CodedColumns, Fields, problem_of, tables
from streams.errors import ReadingError
from streams.rejects import Reason, rejected
from streams.schemas import Rejected
from streams.sources.arrivals import Loaded
from streams.stations import StationRegistry

MISSING_TEXTS = frozenset(("", "na", "nan", "n/a", "null", "none", "-", "unknown", "unavailable"))
MISSING_NUMBERS = frozenset((-999.0, -9999.0))
"""What feeds write for "no value"."""

_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})([eE][+-]?\d{1,3})?", re.ASCII)


def number(text: str) -> float | None:
    """A number with a decimal point; ``None`` where the text says there is none, infinite where it is no number."""
    plain = text.strip()
    if plain.casefold() in MISSING_TEXTS:
        return None
    if not _NUMBER.fullmatch(plain):
        return float("inf")
    value = float(plain)
    return None if value in MISSING_NUMBERS else value


@dataclass(frozen=True, kw_only=True)
class Feed:
    """What a parser needs beside the bytes.

    Attributes:
        prefix: what the registry puts before the feed's own station code, so that codes of two feeds never meet.
        place: name of the file or the address, for messages.
        source: name of the feed.
    """

    registry: StationRegistry
    prefix: str
    place: str = ""
    source: str = ""


@dataclass(frozen=True)
class Row:
    """One value as the feed gives it.

    Attributes:
        station: code in the registry, prefix included.
        value: ``None`` = the feed says there is none; infinite = what it says is no number (``text``).
        time_s: END of the averaging period, UTC epoch seconds, or a marker of ``streams.columns``; ``time`` is how the
            feed wrote it.
        raw: the bytes it came in, kept if it cannot be used.
    """

    place: str
    raw: bytes
    station: str
    pollutant: str
    value: float | None
    unit: str
    time_s: int
    period_s: int = 3600
    status: str = "measuring"
    time: str = ""
    text: str = ""


@dataclass(frozen=True)
class Judged:
    """Rows and what became of them; row numbers are positions in the list that was judged.

    Attributes:
        batch: the usable rows, in order; ``rows`` their numbers.
        refused: row number -> reason and the error for a person.
        unused: numbers of rows whose pollutant no stage needs.
    """

    batch: ReadingBatch
    rows: list[int]
    refused: dict[int, tuple[Reason, ReadingError]]
    unused: list[int]


def judge(rows: list[Row], registry: StationRegistry) -> Judged:
    """Check rows and convert them to µg/m³. Never raises for what is in them."""
    look_up = tables(registry)
    code = look_up.combinations.codes.__getitem__
    columns = CodedColumns(
        station=np.array([look_up.stations[row.station] for row in rows], np.int64),
        combination=np.array([code((row.pollutant, row.unit)) for row in rows], np.int64),
        time_s=np.array([row.time_s for row in rows], np.int64),
        period_s=np.array([row.period_s for row in rows], np.int64),
        value=np.array([np.nan if row.value is None else row.value for row in rows], np.float64),
        status=np.array([STATUS_CODES[row.status] for row in rows], np.int64),
    )
    problems, unused = columns.problems(), columns.unused()
    refused = {
        number: (reason, problem_of(reason, _fields(rows[number]), rows[number].place))
        for number in np.flatnonzero(problems).tolist()
        if (reason := PROBLEMS[problems[number]])
    }
    usable = (problems == 0) & ~unused
    batch = columns.batch(usable, look_up.combinations)
    return Judged(batch, np.flatnonzero(usable).tolist(), refused, np.flatnonzero(unused).tolist())


def _fields(row: Row) -> Fields:
    value = row.text or str(row.value)
    return Fields(row.station, row.pollutant, value, row.unit, row.time, str(row.period_s), row.status)


@dataclass
class Rows:
    """Collects the rows of one file of a public feed."""

    feed: Feed
    kept: list[Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    unused: int = 0
    notes: list[str] = field(default_factory=list)
    _strangers: dict[str, None] = field(default_factory=dict)
    _acquainted: bool = False

    def code_of(self, station: str) -> str | None:
        """Our code of the feed's station, ``None`` where it is not registered."""
        code = self.feed.prefix + station
        if self.feed.registry.row(code) >= 0:
            self._acquainted = True
            return code
        self._strangers.setdefault(station)
        return None

    def place(self, number: int | str) -> str:
        return f"{self.feed.place}:{number}"

    def refuse(self, reason: Reason, problem: ReadingError, raw: bytes) -> None:
        self.rejected.append(rejected(reason, problem, raw, self.feed.source))

    def loaded(self) -> Loaded:
        """Everything that was collected, judged."""
        judged = judge(self.kept, self.feed.registry)
        refused = [
            rejected(reason, problem, self.kept[number].raw, self.feed.source)
            for number, (reason, problem) in judged.refused.items()
        ]
        nobody = self._nobody_of_ours()
        return Loaded(
            judged.batch, self.rejected + refused + nobody, self.unused + len(judged.unused), list(self.notes)
        )

    def _nobody_of_ours(self) -> list[Rejected]:
        """A feed without a single registered station: more likely forgotten than meant."""
        registered = any(code.startswith(self.feed.prefix) for code in self.feed.registry.rows)
        if self._acquainted or not self._strangers or registered:
            return []
        example = self.feed.prefix + next(iter(self._strangers))
        problem = ReadingError(
            f"none of the {len(self._strangers)} stations in it is registered",
            place=self.feed.place,
            field="station",
            remedy=f"register those you need, e.g. as {example[:60]!r}",
        )
        return [rejected(Reason.UNKNOWN_STATION, problem, b"", self.feed.source)]
