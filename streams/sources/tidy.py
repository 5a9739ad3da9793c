"""Tidy files: one reading per row, as CSV, CSV.gz or Parquet.

Columns ``time`` (ISO 8601 with an offset, end of the averaging period), ``station_id`` (or ``station``),
``pollutant``, ``value``, ``unit``; optional ``period`` (seconds, default 3600) and ``status`` (default
``measuring``). Other columns are not looked at. The columns go straight into a batch: no row becomes an object
unless it cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streams.columns import PROBLEMS, STATUS_CODES, UNREADABLE_TIME, CodedColumns, Fields, Tables, problem_of, tables
from streams.errors import InputError, ReadingError, RegistryError
from streams.rejects import Reason, rejected
from streams.schemas import Rejected
from streams.sources.arrivals import Loaded
from streams.sources.lines import Lines, as_utf8, fields_of, split_lines, unpack
from streams.stations import StationRegistry
from streams.wire import concatenate

PARQUET_MAGIC = b"PAR1"
DEFAULT_PERIOD_S = 3600
REQUIRED = ("time", "station", "pollutant", "value", "unit")
_OPTIONAL = ("period", "status")
_TEXTS = ("station", "pollutant", "unit", "status")
_STATION_NAMES = ("station_id", "station")
_MISSING = ("", "na", "nan", "n/a", "null", "none", "-")
_TIME_TEXT = "%Y-%m-%dT%H:%M:%S+00:00"
_NO_PERIOD = -1
"""Stands for a period that is not a whole number; refused with every other impossible one."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a feed's files differ from tidy files.

    Attributes:
        columns: our name of a column -> the feed's, where it is another.
        prefix: what the registry puts before the feed's station codes.
        negative_is_missing: negative values stand for no value.
        strangers: what becomes of stations that are not registered; public feeds are full of them.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    negative_is_missing: bool = False
    strangers: Literal["refused", "unused"] = "refused"


TIDY = Dialect()


def read_tidy(path: Path, registry: StationRegistry) -> Loaded:
    """Read a file; its content decides what it is.

    Raises:
        InputError: when it cannot be read at all or lacks a column, naming those found and those expected.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", place=str(path), remedy="check path and permissions"
        ) from None
    return parse_tidy(data, registry, str(path))


def parse_tidy(
    data: bytes, registry: StationRegistry, place: str, source: str = "tidy", dialect: Dialect = TIDY
) -> Loaded:
    """Read the bytes of a file. ``place`` is its name, for messages.

    Raises:
        InputError: when the bytes are damaged, or columns are missing.
    """
    if data.startswith(PARQUET_MAGIC):
        return _Rows(registry, place, source, dialect).of_parquet(data)
    unpacked = unpack(data, place)
    lines = split_lines(as_utf8(_whole_lines(unpacked.data) if unpacked.problem else unpacked.data))
    file = _Rows(registry, place, source, dialect).of_lines(lines)
    if unpacked.problem is not None:
        file.rejected.append(rejected(Reason.TRUNCATED_FILE, unpacked.problem, b"", source))
    return file


def read_slices(path: Path, registry: StationRegistry, rows: int) -> Iterator[Loaded]:
    """Read a Parquet file by slices of so many rows, for recordings that are too long to be held whole.

    Raises:
        InputError: when the file is damaged, or columns are missing.
    """
    file = _Rows(registry, str(path), "tidy", TIDY)
    try:
        lazy = pl.scan_parquet(path)
        total = int(lazy.select(pl.len()).collect().item())
        for first in range(0, total, rows):
            yield file.of_table(lazy.slice(first, rows).collect(), first)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _damaged(error, str(path)) from None


def _damaged(error: BaseException, place: str) -> InputError:
    reason = (str(error).splitlines() or ["unreadable"])[0][:200]
    return InputError(f"damaged Parquet file: {reason}", place=place, remedy="fetch it again")


def _whole_lines(text: bytes) -> bytes:
    """Without the last line, of which nobody knows how much is missing."""
    return text[: text.rfind(b"\n") + 1]


class _Rows:
    """Turns the rows of one file into a batch and rejections."""

    def __init__(self, registry: StationRegistry, place: str, source: str, dialect: Dialect) -> None:
        self._tables: Tables = tables(registry)
        self._place = place
        self._source = source
        self._dialect = dialect

    def of_lines(self, lines: Lines) -> Loaded:
        names = _column_names(lines.header, self._place, self._dialect)
        plain = _read_plain(lines, names)
        raw_lines: list[bytes] = []

        def raw(row: int) -> bytes:
            if not raw_lines:
                raw_lines.extend(lines.plain.split(b"\n"))
            return raw_lines[row].rstrip(b"\r")

        file = self._of_frame(plain, lambda row: f"{self._place}:{lines.plain_numbers[row]}", raw)
        if not lines.odd:
            return file
        odd = self._of_odd_lines(lines, names)
        return Loaded(concatenate([file.batch, odd.batch]), file.rejected + odd.rejected, file.unused + odd.unused)

    def _of_odd_lines(self, lines: Lines, names: dict[str, str]) -> Loaded:
        """Lines with quotation marks are read one by one; lines with other numbers of fields are rejected."""
        good: list[tuple[int, bytes, list[str]]] = []
        refused: list[Rejected] = []
        for number, line in lines.odd:
            fields = fields_of(line, lines.separator)
            if fields is not None and len(fields) == len(lines.header):
                good.append((number, line, fields))
            else:
                refused.append(self._bad_line(number, line, lines, fields))
        columns = {
            name: [fields[lines.header.index(column)] for _, _, fields in good] for name, column in names.items()
        }
        frame = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
        file = self._of_frame(frame, lambda row: f"{self._place}:{good[row][0]}", lambda row: good[row][1])
        return Loaded(file.batch, refused + file.rejected, file.unused)

    def _bad_line(self, number: int, line: bytes, lines: Lines, fields: list[str] | None) -> Rejected:
        found = "a quotation that does not close" if fields is None else f"{len(fields)} fields"
        problem = ReadingError(
            f"{found}, expected {len(lines.header)} fields",
            place=f"{self._place}:{number}",
            field="line",
            remedy=f"write {lines.separator.join(lines.header)}",
        )
        return rejected(Reason.BAD_LINE, problem, line, self._source)

    def of_parquet(self, data: bytes) -> Loaded:
        try:
            frame = pl.read_parquet(data)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            # Some damage makes the reader panic; the exception is no Exception, but the process is unharmed.
            raise _damaged(error, self._place) from None
        return self.of_table(frame)

    def of_table(self, frame: pl.DataFrame, first: int = 0) -> Loaded:
        """Typed columns. ``first``: rows of the file in front of this table, for the row numbers of messages."""
        names = _column_names(frame.columns, self._place, self._dialect)
        frame = frame.select([pl.col(column).alias(name) for name, column in names.items()])
        # Texts of all times would take as long as all the rest, and only messages need them.
        return self._of_frame(
            _as_texts(frame, self._place, times=False),
            lambda row: f"{self._place}: row {first + row + 1}",
            lambda row: frame[row].write_json().encode(),
            lambda: _as_texts(frame, self._place),
        )

    def _of_frame(
        self,
        frame: pl.DataFrame,
        place: Callable[[int], str],
        raw: Callable[[int], bytes],
        shown: Callable[[], pl.DataFrame] | None = None,
    ) -> Loaded:
        """``shown``: the rows as texts, for messages; ``None``: they are texts."""
        columns = self._coded(frame)
        problems, unused = columns.problems(), columns.unused()
        if self._dialect.strangers == "unused":
            unused |= columns.station < 0
            problems[unused] = 0
        refused = []
        texts = shown() if shown is not None and problems.any() else frame
        for row in np.flatnonzero(problems).tolist():
            reason = PROBLEMS[problems[row]]
            assert reason is not None
            refused.append(
                rejected(reason, problem_of(reason, _fields(texts, row), place(row)), raw(row), self._source)
            )
        batch = columns.batch((problems == 0) & ~unused, self._tables.combinations)
        return Loaded(batch, refused, int(unused.sum()))

    def _coded(self, frame: pl.DataFrame) -> CodedColumns:
        look_up, prefix = self._tables, self._dialect.prefix
        value = numbers_of(frame["value"])
        if self._dialect.negative_is_missing:
            value[value < 0] = np.nan
        return CodedColumns(
            station=_codes(frame["station"], lambda text: look_up.stations[prefix + text]),
            combination=_pair_codes(frame, look_up.combinations.codes.__getitem__),
            time_s=_times(frame["time"], look_up.times.__getitem__),
            period_s=_periods(frame),
            value=value,
            status=_codes(frame["status"], lambda text: STATUS_CODES[text or "measuring"])
            if "status" in frame.columns
            else np.zeros(len(frame), np.int64),
        )


def _column_names(found: list[str], place: str, dialect: Dialect) -> dict[str, str]:
    """Our name of each column we need -> its name in the file."""
    by_plain = {name.strip().casefold(): name for name in found}
    theirs = dialect.columns.get
    stations = [theirs("station", "")] if theirs("station") else _STATION_NAMES
    station = next((name for name in stations if name in by_plain), None)
    wanted = {name: theirs(name, name) for name in (*REQUIRED, *_OPTIONAL) if name != "station"}
    missing = [wanted[name] for name in REQUIRED if name != "station" and wanted[name] not in by_plain]
    if station is None:
        missing.append(" or ".join(stations))
    if missing or station is None:
        expected = ",".join([theirs(name, name) for name in REQUIRED])
        raise RegistryError(
            f"columns missing: {', '.join(missing)}; found: {', '.join(found)[:300] or 'none'}",
            place=place,
            remedy=f"the first line names the columns: {expected}, optional {','.join(_OPTIONAL)}",
        )
    names = {name: by_plain[column] for name, column in wanted.items() if column in by_plain}
    return {**names, "station": by_plain[station]}


def _read_plain(lines: Lines, names: dict[str, str]) -> pl.DataFrame:
    """The wanted columns as texts. Every line is known to have as many fields as the header."""
    if not lines.plain:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    wanted = {lines.header.index(column): name for name, column in names.items()}
    frame = pl.read_csv(
        lines.plain,
        has_header=False,
        separator=lines.separator,
        quote_char=None,
        infer_schema=False,
        columns=sorted(wanted),
    )
    if len(frame) != len(lines.plain_numbers):
        raise AssertionError(f"{len(frame)} rows of {len(lines.plain_numbers)} lines: line numbers would be wrong")
    return frame.rename({old: wanted[number] for old, number in zip(frame.columns, sorted(wanted), strict=True)})


def _as_texts(frame: pl.DataFrame, place: str, *, times: bool = True) -> pl.DataFrame:
    """A typed frame as the texts that a CSV would hold; times must carry a zone, and may be left as they are. Texts
    that are numbered by category stay so: they read like texts."""
    time, type_of_time = pl.col("time"), frame.schema["time"]
    if not isinstance(type_of_time, pl.Datetime):
        time = time.cast(pl.String)
    elif type_of_time.time_zone is None:
        raise InputError(
            "the times have no zone", place=place, field="time", remedy="write timestamps with a zone, e.g. UTC"
        )
    elif times:
        time = time.dt.convert_time_zone("UTC").dt.to_string(_TIME_TEXT)
    others = [
        pl.col(name) if name in _TEXTS and isinstance(type_, pl.Categorical | pl.Enum) else pl.col(name).cast(pl.String)
        for name, type_ in frame.schema.items()
        if name not in ("time", "value")
    ]
    value = pl.col("value") if frame.schema["value"].is_numeric() else pl.col("value").cast(pl.String)
    return frame.select([time, value, *others])


def _codes(column: pl.Series, code: Callable[[str], int]) -> NDArray[np.int64]:
    """``(n,) int64``: the code of each text, worked out once per distinct one."""
    if column.is_empty():
        return np.empty(0, np.int64)
    distinct = column.unique()
    codes = [code((text or "").strip()) for text in distinct.cast(pl.String).to_list()]
    if not isinstance(column.dtype, pl.Categorical | pl.Enum):
        return column.replace_strict(distinct, codes, return_dtype=pl.Int64).to_numpy()
    # Categories are numbered already: a table is several times as fast as hashing every text.
    numbers = distinct.to_physical().cast(pl.Int64)
    table = np.empty(int(numbers.fill_null(0).to_numpy().max()) + 2, np.int64)
    missing = len(table) - 1
    table[numbers.fill_null(missing).to_numpy()] = codes
    coded: NDArray[np.int64] = table[column.to_physical().cast(pl.Int64).fill_null(missing).to_numpy()]
    return coded


def _pair_codes(frame: pl.DataFrame, code: Callable[[tuple[str, str]], int]) -> NDArray[np.int64]:
    """The same of pollutant and unit together."""
    texts: list[dict[str, int]] = [{}, {}]

    def numbered(name: str, known: dict[str, int]) -> NDArray[np.int64]:
        return _codes(frame[name], lambda text: known.setdefault(text, len(known)))

    pollutant, unit = (numbered(name, known) for name, known in zip(("pollutant", "unit"), texts, strict=True))
    pairs = pollutant * len(texts[1]) + unit
    distinct = np.unique(pairs)
    pollutants, units = (list(known) for known in texts)
    codes = [code((pollutants[pair // len(units)], units[pair % len(units)])) for pair in distinct.tolist()]
    return np.array(codes, np.int64)[np.searchsorted(distinct, pairs)]


def _times(column: pl.Series, code: Callable[[str], int]) -> NDArray[np.int64]:
    """``(n,) int64`` UTC epoch seconds; parts of a second are dropped."""
    if not isinstance(column.dtype, pl.Datetime):
        return _codes(column, code)
    return column.dt.epoch("s").fill_null(UNREADABLE_TIME).to_numpy()


def numbers_of(column: pl.Series) -> NDArray[np.float64]:
    """``(n,) float64``: NaN where there is none, infinite where the text is no number."""
    numbers = column.cast(pl.Float64, strict=False)
    if column.dtype == pl.String:
        texts = column.str.strip_chars()
        missing = texts.str.to_lowercase().is_in(_MISSING) | texts.is_null()
        numbers = texts.cast(pl.Float64, strict=False).fill_nan(float("inf")).fill_null(float("inf"))
        numbers = numbers.set(missing, float("nan"))
    return numbers.cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True)


def _periods(frame: pl.DataFrame) -> NDArray[np.int64]:
    if "period" not in frame.columns:
        return np.full(len(frame), DEFAULT_PERIOD_S, np.int64)
    texts = frame["period"].str.strip_chars()
    given = texts.cast(pl.Int64, strict=False).fill_null(_NO_PERIOD)
    return given.set(texts.fill_null("") == "", DEFAULT_PERIOD_S).to_numpy()


def _fields(frame: pl.DataFrame, row: int) -> Fields:
    texts = {name: str(value if value is not None else "") for name, value in frame.row(row, named=True).items()}
    return Fields(
        texts["station"].strip(),
        texts["pollutant"].strip(),
        texts["value"],
        texts["unit"].strip(),
        texts["time"],
        texts.get("period", ""),
        texts.get("status", ""),
    )
