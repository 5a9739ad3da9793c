"""What the stations of an airshed said about one hour: their records as columns, and the durable form by province.

An hour of an airshed has hundreds of records, nearly always one per station and all of one mark. Columns are sorted
and counted for all provinces at once; no record becomes an object unless it is written to a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.airsheds import Airshed, Quantity
from streams.clock import epoch_s
from streams.index_batches import GroundsBatch, dicts, whole
from streams.quantities import concentrations_of
from streams.quorum import Row, asked_of
from streams.schemas import StationIndex
from streams.stations import Station, StationRegistry

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_INDEX = -1
_NEVER = -1  # revision of a station that has said nothing


class _Value(msgspec.Struct, array_like=True, gc=False):
    """Durable form of one record; ``decided`` is the epoch second of the mark it was made at.
    ``concentrations``: those that the levels of the airshed look at."""

    revision: int
    decided: int
    index: int | None
    index_24h: int | None
    concentrations: dict[str, float] = {}


class _Kept(msgspec.Struct, array_like=True):
    """Durable form of one province hour."""

    stations: dict[str, list[_Value]] = {}
    revision: int = -1
    said: bytes = b""
    suspect: list[str] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class Roster:
    """The stations that lie in the provinces of an airshed, in the order of their codes.

    Attributes:
        provinces: codes; ``places``: their positions; ``province_of``: ``(n,)`` position by station.
        asked: ``(n,) bool``, whether a station is asked about the air of its province; ``asked_of``: by province.
        wanted: the concentrations that the levels look at.
    """

    def __init__(self, airshed: Airshed, registry: StationRegistry) -> None:
        self.provinces = [province.code for province in airshed.provinces]
        self.wanted: Sequence[Quantity] = airshed.concentrations
        self.asked_of = {code: asked_of(registry.of_province(airshed.code, code)) for code in self.provinces}
        self.places = {code: number for number, code in enumerate(self.provinces)}
        self.stations = [s for s in registry.stations if s.airshed == airshed.code and s.province in self.places]
        self.codes = [station.code for station in self.stations]
        self.rows = {code: row for row, code in enumerate(self.codes)}
        self.province_of = np.array([self.places[station.province] for station in self.stations], np.int64)
        self.asked = np.array([s.code in self.asked_of[s.province].stations for s in self.stations], np.bool_)
        self._batched: Sequence[Station] = ()
        self._rows_batched = np.empty(0, np.int64)

    def row(self, station: str, province: str) -> int:
        """Row of a station, -1 where it is not of this province."""
        row = self.rows.get(station, -1)
        return row if row >= 0 and self.provinces[self.province_of[row]] == province else -1

    def __len__(self) -> int:
        return len(self.codes)

    def records(self, items: Sequence[StationIndex]) -> Records:
        """Columns of single records of one hour."""
        rows = (
            (
                self.row(item.station, item.province),
                item.revision,
                0 if item.decided is None else epoch_s(item.decided),
                item.index,
                item.index_24h,
                self.numbers(concentrations_of(item, self.wanted)),
            )
            for item in items
        )
        return Records.of(rows, len(self.wanted))

    def columns(self, batch: GroundsBatch) -> Records:
        """Columns of records that are columns already."""
        if batch.stations is not self._batched:
            # The index stage names the same stations with every batch.
            rows = [self.row(station.code, station.province) for station in batch.stations]
            self._batched, self._rows_batched = batch.stations, np.array(rows, np.int64)
        return Records(
            self._rows_batched[batch.rows],
            batch.revisions.astype(np.int64),
            np.full(len(batch), batch.decided_s),
            whole(batch.content.index),
            whole(batch.content.index_24h),
            batch.concentrations(self.wanted),
        )

    def numbers(self, concentrations: Mapping[str, float]) -> list[float]:
        """Concentrations in the order of ``wanted``, NaN = none."""
        return [concentrations.get(name, np.nan) for name in self.wanted]


@dataclass(frozen=True)
class Records:
    """Records of stations; every array has one entry per record.

    Attributes:
        station: row in the roster, -1 = not in it.
        revision: of the record; ``decided``: the epoch second of the mark it was made at.
        index / index_24h: whole, ``NO_INDEX`` = none.
        concentrations: ``(m, k)`` µg/m³, those that the roster wants, NaN = none.
    """

    station: Ints
    revision: Ints
    decided: Ints
    index: Ints
    index_24h: Ints
    concentrations: Floats

    def __len__(self) -> int:
        return len(self.station)

    def take(self, rows: NDArray[np.bool_] | Ints) -> Records:
        """The chosen records."""
        return Records(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def followed_by(self, later: Records) -> Records:
        """These, then the others."""
        names = self.__dataclass_fields__
        return Records(*(np.concatenate((getattr(self, name), getattr(later, name))) for name in names))

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int, int | None, int | None, Sequence[float]]], wanted: int) -> Records:
        """From single records, with as many concentrations as are wanted."""
        whole, numbers = [], []
        for *five, concentrations in rows:
            whole.append([NO_INDEX if value is None else value for value in five])
            numbers.append(concentrations)
        columns = np.array(whole, np.int64).reshape(len(whole), 5).T
        return cls(*columns, np.array(numbers, np.float64).reshape(len(numbers), wanted))  # type: ignore[call-arg]


@dataclass(frozen=True)
class Asked:
    """The stations with an index that are asked about a province, highest first, then by code.

    Attributes:
        rows: (station, index, 24-hour index).
        numbers: ``(m, k)`` concentrations, NaN = none; ``wanted``: their names.
    """

    rows: Sequence[Row]
    numbers: Floats
    wanted: Sequence[Quantity]

    def without(self, stations: Sequence[str]) -> Asked:
        """The others."""
        kept = [place for place, row in enumerate(self.rows) if row[0] not in stations]
        return Asked([self.rows[place] for place in kept], self.numbers[kept], self.wanted)

    def concentrations(self) -> list[dict[str, float]]:
        """Those that each station has; nothing at all where none is wanted."""
        return dicts(tuple(self.wanted), self.numbers) if self.wanted else []


class Settled:
    """What counts of an hour: of each station with an index one record."""

    def __init__(self, roster: Roster, records: Records) -> None:
        self._roster = roster
        self._records = records.take(records.index >= 0)
        province = roster.province_of[self._records.station]
        order = np.lexsort((self._records.station, -self._records.index, province))
        asked = self._records.take(order[roster.asked[self._records.station[order]]])
        days = [None if value < 0 else value for value in asked.index_24h.tolist()]
        codes = [roster.codes[row] for row in asked.station.tolist()]
        self._rows = list(zip(codes, asked.index.tolist(), days, strict=True))
        self._numbers = asked.concentrations
        places = np.arange(len(roster.provinces) + 1)
        self._starts = np.searchsorted(roster.province_of[asked.station], places).tolist()

    def asked(self, province: str) -> Asked:
        """What the stations that are asked about a province say."""
        place = self._roster.places[province]
        own = slice(self._starts[place], self._starts[place + 1])
        return Asked(self._rows[own], self._numbers[own], self._roster.wanted)

    def indices(self) -> Ints:
        """Index of every station of the roster, also of those that are not asked; ``NO_INDEX`` = none."""
        found = np.full(len(self._roster), NO_INDEX)
        found[self._records.station] = self._records.index
        return found


@dataclass
class Told:
    """What was said about a province hour. ``said`` is a digest of the latest statement, ``revision`` its number, -1
    before the first; ``suspect`` are the stations not asked, decided with the first statement and kept by revisions."""

    revision: int = -1
    said: bytes = b""
    suspect: list[str] = field(default_factory=list)


class AirshedHour:
    """The records of one hour of an airshed, in the order in which they came, and what was said about it.

    A later record of a station has a higher revision and was made at the same or a later mark.
    """

    def __init__(self, roster: Roster) -> None:
        self.told = {province: Told() for province in roster.provinces}
        self._roster = roster
        self._records = Records.of([], len(roster.wanted))
        self._latest = np.full(len(roster), _NEVER)
        self._once = True  # no station has said anything twice

    # -- records -------------------------------------------------------------------------------------------------

    def add(self, records: Records) -> list[str]:
        """Keep the records that are newer than what is there. Returns the provinces with a record that is, or
        already was, part of the hour."""
        records = records if (records.station >= 0).all() else records.take(records.station >= 0)
        touched = np.zeros(len(self.told), np.bool_)
        while len(records):
            # One record per station at a time; of several the first ones first.
            first = np.zeros(len(records), np.bool_)
            first[np.unique(records.station, return_index=True)[1]] = True
            touched[self._add(records if first.all() else records.take(first))] = True
            records = records.take(~first)
        return [self._roster.provinces[place] for place in np.flatnonzero(touched).tolist()]

    def _add(self, records: Records) -> Ints:
        latest = self._latest[records.station]
        part = records.revision >= latest
        newer = records.revision > latest
        if newer.any():
            self._once = self._once and not (latest[newer] > _NEVER).any()
            records_new = records if newer.all() else records.take(newer)
            self._records = self._records.followed_by(records_new) if len(self._records) else records_new
            self._latest[records_new.station] = records_new.revision
        return self._roster.province_of[records.station[part]]

    def settled(self, progress: int) -> Settled:
        """What counts: of each station the latest record that was made at a mark which all sources have passed.

        Drops what newer records have replaced for good.
        """
        return Settled(self._roster, self._current(progress))

    def _current(self, progress: int) -> Records:
        ready = self._records.decided <= progress
        if self._once:
            return self._records if ready.all() else self._records.take(ready)
        last = np.full(len(self._roster), -1)
        at = np.flatnonzero(ready)
        last[self._records.station[at]] = at  # of a station's rows the last one stays
        current = np.zeros(len(ready), np.bool_)
        current[last[last >= 0]] = True
        self._records, current = self._records.take(current | ~ready), current[current | ~ready]
        return self._records.take(current)

    def waiting(self, progress: int) -> set[str]:
        """Provinces with a record made at a mark that not all sources have passed."""
        ahead = self._records.decided > progress
        if not ahead.any():
            return set()
        places = np.unique(self._roster.province_of[self._records.station[ahead]])
        return {self._roster.provinces[place] for place in places.tolist()}

    def stations_of(self, province: str) -> set[str]:
        """The stations of a province that have said anything."""
        rows = self._in(province)
        return {self._roster.codes[row] for row in self._records.station[rows].tolist()}

    def _in(self, province: str) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = np.equal(
            self._roster.province_of[self._records.station], self._roster.places[province]
        )
        return inside

    # -- durable form --------------------------------------------------------------------------------------------

    def packed(self, province: str) -> bytes:
        """A province of the hour, for the state."""
        own = self._records.take(self._in(province))
        columns = (own.station, own.revision, own.decided, own.index, own.index_24h, own.concentrations)
        stations: dict[str, list[_Value]] = {}
        for row, revision, decided, index, index_24h, numbers in zip(*(c.tolist() for c in columns), strict=True):
            concentrations: dict[str, float] = {
                name: value for name, value in zip(self._roster.wanted, numbers, strict=True) if value == value
            }
            stations.setdefault(self._roster.codes[row], []).append(
                _Value(revision, decided, _known(index), _known(index_24h), concentrations)
            )
        told = self.told[province]
        return _encode(_Kept(stations, told.revision, told.said, told.suspect))

    def restore(self, province: str, body: bytes) -> None:
        """Read a province back."""
        kept, roster = _decode(body), self._roster
        self.told[province] = Told(kept.revision, kept.said, kept.suspect)
        rows = (
            (
                roster.row(code, province),
                value.revision,
                value.decided,
                value.index,
                value.index_24h,
                roster.numbers(value.concentrations),
            )
            for code, values in kept.stations.items()
            for value in values
        )
        self.add(Records.of(rows, len(roster.wanted)))


def _known(index: int) -> int | None:
    return None if index < 0 else index
