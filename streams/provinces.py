"""The province watch: from the final hours of its stations to one statement per province and hour.

State, every key written whole, so that any first part of a call's writes can be repeated over:

* ``hour/<airshed>/<hour>/<province>``: the station values of that hour and what was said about it;
* ``late``: the decided province hours that have records which were not taken in yet. Grows before ``progress`` is
  written and shrinks after it;
* ``neighbours/<airshed>``: which stations have been unlike those around them, and for how long;
* ``activations``: by which packs hours are described (``streams.versions.Calendar``). Written first;
* ``progress``: watermark, first and last decided hour by airshed. Written last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import repeat

import msgspec

from streams.airsheds import Airshed, Detection, Quantity
from streams.clock import HOUR_S, epoch_s, utc
from streams.index_batches import IndexBatch
from streams.province_days import DayValue, ProvinceDays
from streams.quantities import concentrations_of
from streams.quorum import asked_of, province_state
from streams.schemas import Mark, ProvinceDay, ProvinceState, ProvinceWind, StationIndex, StationWind
from streams.screening.limits import NeighbourLimits
from streams.screening.neighbours import REASON
from streams.screening.vigil import Vigil
from streams.stage import State, Unkept
from streams.stations import StationRegistry
from streams.versions import Calendar, Versions
from streams.watermark import Watermark
from streams.wind import ProvinceWinds

RETENTION_S = 72 * HOUR_S
"""How long after its decision an hour can still be revised. The readings behind it are kept for 40 hours by the
index stage; the rest is room for records that waited in a queue. Each hour costs about 40 bytes per station."""

Place = tuple[int, str, str]  # hour (epoch s), airshed, province: sorts oldest first


class _Value(msgspec.Struct, array_like=True, gc=False):
    """What one record said about one station hour; ``decided`` is the epoch second of the mark it was made at.
    ``concentrations``: those that the levels of the airshed look at."""

    revision: int
    decided: int
    index: int | None
    index_24h: int | None
    concentrations: dict[str, float] = {}


_Values = list[tuple[str, _Value]]

_NO_CONCENTRATIONS: dict[str, float] = {}  # shared; nobody writes into it


class _Hour(msgspec.Struct, array_like=True):
    """One province hour. ``said`` is a digest of the latest statement, ``revision`` its number, -1 before the first;
    ``suspect`` are the stations not asked, decided with the first statement and kept by its revisions."""

    stations: dict[str, list[_Value]] = {}
    revision: int = -1
    said: bytes = b""
    suspect: list[str] = []

    def add(self, station: str, value: _Value) -> bool:
        """Keep a record unless a newer one is there. Says whether it is (or already was) part of the hour."""
        values = self.stations.setdefault(station, [])
        if values and values[-1].revision >= value.revision:
            return values[-1].revision == value.revision
        values.append(value)
        return True

    def fill(self, values: _Values, known: Collection[str]) -> bool:
        """Keep the first records of an empty hour, one of each station; false (and nothing kept) if they are not."""
        if self.stations:
            return False
        stations = {station: [value] for station, value in values if station in known}
        if len(stations) < len(values):
            return False
        self.stations = stations
        return True

    def settled(self, progress: int) -> list[tuple[str, int, int | None]]:
        """(station, index, 24-hour index) of the stations with an index, highest first.

        Drops what newer records have replaced for good.
        """
        found = []
        for code, values in self.stations.items():
            while len(values) > 1 and values[1].decided <= progress:
                del values[0]
            value = values[0]
            if value.decided <= progress and value.index is not None:
                found.append((-value.index, code, value.index_24h))
        found.sort()
        return [(code, -below, index_24h) for below, code, index_24h in found]

    def concentrations(self, progress: int, stations: Sequence[str]) -> list[dict[str, float]]:
        """Concentrations of these stations. Call ``settled`` before."""
        current = [self.stations[station][0] for station in stations]
        return [value.concentrations for value in current if value.decided <= progress]

    def waiting(self, progress: int) -> bool:
        """Some record was made at a mark that not all sources have passed."""
        return any(values[-1].decided > progress for values in self.stations.values())


class _Progress(msgspec.Struct):
    watermark: Watermark = msgspec.field(default_factory=Watermark)
    first: dict[str, int] = {}
    decided: dict[str, int] = {}


_encode = msgspec.msgpack.Encoder().encode
_encode_state = msgspec.json.Encoder().encode
_decode_hour = msgspec.msgpack.Decoder(_Hour).decode
_decode_late = msgspec.msgpack.Decoder(set[Place]).decode
_decode_progress = msgspec.json.Decoder(_Progress).decode


Statement = ProvinceState | ProvinceDay | ProvinceWind


class ProvinceWatch:
    """Stage ``list[StationIndex | StationWind]`` → ``Statement``, for all airsheds of one partition.

    Hours are decided when every source has passed their end by ``lateness_s``; a province nobody has sent records of
    is unknown. An airshed is spoken of from the first hour of which there is any record. Provisional records are not
    used, day records only where the law counts days (``ProvinceDay``).
    """

    def __init__(
        self,
        airsheds: Sequence[Airshed],
        registry: StationRegistry,
        state: State,
        neighbours: NeighbourLimits | None = None,
        versions: Versions | None = None,
    ) -> None:
        self._calendar = Calendar(versions, state) if versions is not None else None
        self._airsheds = {airshed.code: airshed for airshed in sorted(airsheds, key=lambda airshed: airshed.code)}
        self._known = {
            (airshed.code, province.code): {s.code for s in registry.of_province(airshed.code, province.code)}
            for airshed in airsheds
            for province in airshed.provinces
        }
        self._wanted = {code: airshed.concentrations for code, airshed in self._airsheds.items()}
        self._asked = {place: asked_of(registry.of_province(*place)) for place in self._known}
        self._state = state
        limits = neighbours or NeighbourLimits(enabled=False)
        self._vigils = {code: Vigil(code, registry, state, limits) for code in self._airsheds}
        self._days = ProvinceDays(self._airsheds.values(), registry, state)
        self._winds = ProvinceWinds(self._airsheds.values(), registry, state)
        self._kept = not isinstance(state, Unkept)
        self._valid: dict[Place, list[tuple[str, int, int | None]]] = {}  # of the decision that is being made
        self._open: dict[Place, _Hour] = {}  # hours still to be decided, kept decoded
        self._progress = _decode_progress(state["progress"]) if "progress" in state else _Progress()
        self._late = _decode_late(state["late"]) if "late" in state else set()

    def accept(self, items: Sequence[StationIndex | StationWind]) -> list[Statement]:
        """Take records in. Says nothing: hours are decided at marks."""
        groups: dict[tuple[datetime, str, str], _Values] = {}
        self._winds.add([item for item in items if isinstance(item, StationWind)], self._progress.decided)
        records = [item for item in items if isinstance(item, StationIndex)]
        self._take_days(item for item in records if item.final and item.product == "day")
        for item in records:
            if item.final and item.product == "hour":
                group = groups.setdefault((item.time, item.airshed, item.province), [])
                group.append((item.station, _value(item, self._wanted.get(item.airshed, ()))))
        self._take({(epoch_s(time), airshed, province): values for (time, airshed, province), values in groups.items()})
        return []

    def accept_columns(self, items: Sequence[IndexBatch | StationWind]) -> list[Statement]:
        """The same of records that are still columns."""
        groups: dict[Place, _Values] = {}
        self._winds.add([item for item in items if isinstance(item, StationWind)], self._progress.decided)
        for batch in (item for item in items if isinstance(item, IndexBatch)):
            if batch.occasion.product == "day" and self._days.follows(batch.occasion.airshed):
                self._take_days(batch.records())
            if batch.occasion.final and batch.occasion.product == "hour":
                wanted = self._wanted.get(batch.occasion.airshed, ())
                for province, values in _by_province(batch, wanted).items():
                    groups.setdefault((batch.hour_s, batch.occasion.airshed, province), []).extend(values)
        self._take(groups)
        return []

    def _take(self, groups: Mapping[Place, _Values]) -> None:
        touched: list[Place] = []
        late = set(self._late)
        first = dict(self._progress.first)
        for place, values in groups.items():
            if not self._add(place, values):
                continue
            touched.append(place)
            hour_s, airshed, _ = place
            first[airshed] = min(hour_s, first.get(airshed, hour_s))
            if hour_s <= self._decided(airshed):
                late.add(place)
        self._keep(touched, late, first)

    def _take_days(self, items: Iterable[StationIndex]) -> None:
        days: dict[Place, list[tuple[str, DayValue]]] = {}
        for item in items:
            if self._days.follows(item.airshed):
                decided = 0 if item.decided is None else epoch_s(item.decided)
                values = days.setdefault((epoch_s(item.time), item.airshed, item.province), [])
                values.append((item.station, DayValue(item.revision, decided, item.index)))
        self._days.add(days, self._progress.decided)

    def advance(self, mark: Mark) -> list[Statement | Mark]:
        """Decide every hour that all sources have passed, and revise decided ones that late records change."""
        return self._decide(self._progress.watermark.observe(mark))

    def give_up(self, source: str) -> list[Statement | Mark]:
        """No longer wait for a source that has been silent beyond its grace; it is waited for again once it speaks."""
        return self._decide(self._progress.watermark.give_up(source))

    def _add(self, place: Place, values: _Values) -> bool:
        """Put records of one province hour where they belong. False if none of them is of use."""
        hour_s, airshed, province = place
        known = self._known.get((airshed, province))
        if known is None or hour_s <= self._decided(airshed) - RETENTION_S:
            return False
        hour = self._hour(place)
        if hour.fill(values, known):
            return True
        kept = [hour.add(station, value) for station, value in values if station in known]
        return any(kept)

    def _decided(self, airshed: str) -> int:
        return self._progress.decided.get(airshed, -RETENTION_S)

    def _hour(self, place: Place) -> _Hour:
        if place not in self._open:
            stored = self._state.get(_key(place))
            self._open[place] = _decode_hour(stored) if stored is not None else _Hour()
        return self._open[place]

    def _keep(self, touched: Sequence[Place], late: set[Place], first: dict[str, int]) -> None:
        for place in touched:
            # An hour still to be decided is in memory, and is written with its first statement.
            if self._kept or place[0] <= self._decided(place[1]):
                self._state[_key(place)] = _encode(self._open[place])
        self._note_late(late)
        if first != self._progress.first:
            self._progress.first = first
            self._state["progress"] = _encode_state(self._progress)

    def _decide(self, progress: int | None) -> list[Statement | Mark]:
        said: list[Statement | Mark] = []
        if progress is not None:
            if self._calendar is not None:
                self._calendar.adopt(self._progress.first, self._progress.decided)
            through = {code: _step_before(progress, airshed.detection) for code, airshed in self._airsheds.items()}
            said += self._statements(through, progress)
            said += self._days.statements(through, progress)
            said += self._winds.statements(through)
            for code in self._progress.first:
                self._forget(code, through[code])
                self._progress.decided[code] = max(through[code], self._decided(code))
            said.append(Mark(utc(progress), "provinces"))
        self._state["progress"] = _encode_state(self._progress)
        if progress is not None:
            self._look_again_later(progress)
        return said

    def _statements(self, through: dict[str, int], progress: int) -> Iterator[ProvinceState]:
        due = [place for place in self._late if place[0] > through[place[1]] - RETENTION_S]
        for code, first in self._progress.first.items():
            start = max(first, self._decided(code) + HOUR_S)
            for hour in range(start, through[code] + 1, HOUR_S):
                due += [(hour, code, province.code) for province in self._airsheds[code].provinces]
        due = sorted(set(due))
        self._valid.clear()
        for place in due:
            state = self._statement(place, progress)
            if state is not None:
                yield state
        self._note_late({*self._late, *(place for place in due if self._open[place].waiting(progress))})

    def _note_late(self, late: set[Place]) -> None:
        if late != self._late:
            self._late = late
            self._state["late"] = _encode(sorted(late))

    def _statement(self, place: Place, progress: int) -> ProvinceState | None:
        """The statement about a province hour, ``None`` if exactly this has been said."""
        hour_s, code, province = place
        hour = self._hour(place)
        every = self._settled(place, progress)
        if hour.revision < 0:
            doubted = self._vigils[code].suspects(hour_s, lambda: self._indices(hour_s, code, progress))
            hour.suspect = sorted(doubted & hour.stations.keys())
        who = self._asked[code, province]
        valid = [row for row in every if row[0] in who.stations]
        asked = [row for row in valid if row[0] not in hour.suspect] if hour.suspect else valid
        airshed, wanted = self._airshed(code, hour_s), self._wanted[code]
        concentrations = hour.concentrations(progress, [station for station, _, _ in asked]) if wanted else ()
        state = province_state(
            airshed, province, hour_s, len(who.stations), asked, concentrations, low_cost=who.low_cost
        )
        if len(asked) < len(valid):
            named = {station: REASON for station, _, _ in sorted(valid) if station in hour.suspect}
            state = msgspec.structs.replace(state, suspect=named)
        digest = blake2b(_encode_state(state), digest_size=8).digest()
        if digest == hour.said:
            return None
        hour.revision, hour.said = hour.revision + 1, digest
        self._state[_key(place)] = _encode(hour)
        return msgspec.structs.replace(state, revision=hour.revision)

    def _airshed(self, code: str, hour_s: int) -> Airshed:
        """An airshed with the levels of the pack that is activated for an hour."""
        return self._airsheds[code] if self._calendar is None else self._calendar.airshed(code, hour_s)

    def _indices(self, hour_s: int, code: str, progress: int) -> dict[str, int]:
        """Index of every station of an airshed that has one in this hour."""
        places = [(hour_s, code, province.code) for province in self._airsheds[code].provinces]
        return {station: index for place in places for station, index, _ in self._settled(place, progress)}

    def _settled(self, place: Place, progress: int) -> list[tuple[str, int, int | None]]:
        """The valid stations of a province hour, once per decision: its statement and the airshed's vigil ask."""
        if place not in self._valid:
            self._valid[place] = self._hour(place).settled(progress)
        return self._valid[place]

    def _forget(self, code: str, through: int) -> None:
        """Drop hours that can no longer be revised, and the decoded form of those that are decided."""
        oldest = max(self._progress.first[code], self._decided(code) - RETENTION_S)
        for hour in range(oldest, through - RETENTION_S + 1, HOUR_S):
            for province in self._airsheds[code].provinces:
                self._state.pop(_key((hour, code, province.code)), None)
        self._open = {place: hour for place, hour in self._open.items() if place[1] != code or place[0] > through}

    def _look_again_later(self, progress: int) -> None:
        """Keep as late only what has records that are still waiting for their mark."""
        stored = {place: self._state.get(_key(place)) for place in self._late}
        self._note_late({place for place, body in stored.items() if body and _decode_hour(body).waiting(progress)})


def _by_province(batch: IndexBatch, wanted: Sequence[Quantity]) -> dict[str, _Values]:
    concentrations = batch.concentrations(wanted) if wanted else repeat(_NO_CONCENTRATIONS)
    numbers = (batch.revisions.tolist(), repeat(batch.decided_s), batch.indices(), batch.indices_24h())
    values = map(_Value, *numbers, concentrations)
    groups: dict[str, _Values] = {}
    for row, value in zip(batch.rows.tolist(), values, strict=True):
        station = batch.stations[row]
        groups.setdefault(station.province, []).append((station.code, value))
    return groups


def _value(item: StationIndex, wanted: Sequence[Quantity]) -> _Value:
    decided = 0 if item.decided is None else epoch_s(item.decided)
    concentrations = concentrations_of(item, wanted) if wanted else {}
    return _Value(item.revision, decided, item.index, item.index_24h, concentrations)


def _step_before(progress: int, detection: Detection) -> int:
    """The last hour whose readings have all been waited for."""
    return (progress - detection.lateness_s) // HOUR_S * HOUR_S


def _key(place: Place) -> str:
    hour, airshed, province = place
    return f"hour/{airshed}/{hour}/{province}"
