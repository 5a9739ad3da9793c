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

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from streams.airshed_hours import AirshedHour, Records, Roster, Settled
from streams.airsheds import Airshed, Detection
from streams.clock import HOUR_S, epoch_s, utc
from streams.index_batches import GroundsBatch, IndexBatch
from streams.province_days import DayValue, ProvinceDays
from streams.quorum import province_state
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
Hour = tuple[int, str]  # hour (epoch s), airshed


class _Progress(msgspec.Struct):
    watermark: Watermark = msgspec.field(default_factory=Watermark)
    first: dict[str, int] = {}
    decided: dict[str, int] = {}


_encode = msgspec.msgpack.Encoder().encode
_encode_state = msgspec.json.Encoder().encode
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
        self._rosters = {code: Roster(airshed, registry) for code, airshed in self._airsheds.items()}
        self._state = state
        limits = neighbours or NeighbourLimits(enabled=False)
        self._vigils = {code: Vigil(code, roster.stations, state, limits) for code, roster in self._rosters.items()}
        self._days = ProvinceDays(self._airsheds.values(), registry, state)
        self._winds = ProvinceWinds(self._airsheds.values(), registry, state)
        self._kept = not isinstance(state, Unkept)
        self._settled: dict[Hour, Settled] = {}  # of the decision that is being made
        self._hours: dict[Hour, AirshedHour] = {}  # those still to be decided; without a state all that may be revised
        self._progress = _decode_progress(state["progress"]) if "progress" in state else _Progress()
        self._late = _decode_late(state["late"]) if "late" in state else set()

    def accept(self, items: Sequence[StationIndex | StationWind]) -> list[Statement]:
        """Take records in. Says nothing: hours are decided at marks."""
        groups: dict[tuple[datetime, str], list[StationIndex]] = {}
        self._winds.add([item for item in items if isinstance(item, StationWind)], self._progress.decided)
        records = [item for item in items if isinstance(item, StationIndex)]
        self._take_days(item for item in records if item.final and item.product == "day")
        for item in records:
            if item.final and item.product == "hour" and item.airshed in self._rosters:
                groups.setdefault((item.time, item.airshed), []).append(item)
        self._take(((epoch_s(time), code), self._rosters[code].records(own)) for (time, code), own in groups.items())
        return []

    def accept_columns(self, items: Sequence[GroundsBatch | StationWind]) -> list[Statement]:
        """The same of records that are still columns; days that the law counts must be whole (``IndexBatch``)."""
        self._winds.add([item for item in items if isinstance(item, StationWind)], self._progress.decided)
        batches = [item for item in items if isinstance(item, GroundsBatch) and item.occasion.airshed in self._rosters]
        for batch in batches:
            if batch.occasion.product == "day" and self._days.follows(batch.occasion.airshed):
                assert isinstance(batch, IndexBatch), "a day that the law counts comes whole"
                self._take_days(batch.records())
        hours = [batch for batch in batches if batch.occasion.final and batch.occasion.product == "hour"]
        codes = [batch.occasion.airshed for batch in hours]
        self._take(
            ((batch.hour_s, code), self._rosters[code].columns(batch)) for batch, code in zip(hours, codes, strict=True)
        )
        return []

    def _take(self, groups: Iterable[tuple[Hour, Records]]) -> None:
        touched: list[Place] = []
        late = set(self._late)
        first = dict(self._progress.first)
        for (hour_s, code), records in groups:
            if hour_s <= self._decided(code) - RETENTION_S:
                continue
            provinces = self._hour(hour_s, code).add(records)
            touched += ((hour_s, code, province) for province in provinces)
            if provinces:
                first[code] = min(hour_s, first.get(code, hour_s))
            if hour_s <= self._decided(code):
                late.update((hour_s, code, province) for province in provinces)
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

    def _decided(self, airshed: str) -> int:
        return self._progress.decided.get(airshed, -RETENTION_S)

    def _hour(self, hour_s: int, code: str) -> AirshedHour:
        if (hour_s, code) not in self._hours:
            hour = self._hours[hour_s, code] = AirshedHour(self._rosters[code])
            for province in self._rosters[code].provinces if self._kept else ():
                stored = self._state.get(_key((hour_s, code, province)))
                if stored is not None:
                    hour.restore(province, stored)
        return self._hours[hour_s, code]

    def _save(self, place: Place) -> None:
        if self._kept:
            hour_s, code, province = place
            self._state[_key(place)] = self._hour(hour_s, code).packed(province)

    def _keep(self, touched: Sequence[Place], late: set[Place], first: dict[str, int]) -> None:
        for place in touched:
            self._save(place)
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
        self._settled.clear()
        for place in due:
            state = self._statement(place, progress)
            if state is not None:
                yield state
        self._note_late({*self._late, *self._waiting(due, progress)})

    def _waiting(self, places: Iterable[Place], progress: int) -> set[Place]:
        """Those with records that are still waiting for their mark."""
        hours = {(hour_s, code) for hour_s, code, _ in places}
        waiting = {hour: self._hour(*hour).waiting(progress) for hour in hours}
        return {place for place in places if place[2] in waiting[place[:2]]}

    def _note_late(self, late: set[Place]) -> None:
        if late != self._late:
            self._late = late
            self._state["late"] = _encode(sorted(late))

    def _statement(self, place: Place, progress: int) -> ProvinceState | None:
        """The statement about a province hour, ``None`` if exactly this has been said."""
        hour_s, code, province = place
        hour, settled, roster = self._hour(hour_s, code), self._settle(hour_s, code, progress), self._rosters[code]
        told, who = hour.told[province], roster.asked_of[province]
        if told.revision < 0:
            doubted = self._vigils[code].suspects(hour_s, settled.indices)
            told.suspect = sorted(doubted & hour.stations_of(province)) if doubted else []
        valid = settled.asked(province)
        asked = valid.without(told.suspect) if told.suspect else valid
        airshed = self._airshed(code, hour_s)
        state = province_state(
            airshed, province, hour_s, len(who.stations), asked.rows, asked.concentrations(), low_cost=who.low_cost
        )
        if len(asked.rows) < len(valid.rows):
            named = {station: REASON for station, _, _ in sorted(valid.rows) if station in told.suspect}
            state = msgspec.structs.replace(state, suspect=named)
        digest = blake2b(_encode_state(state), digest_size=8).digest()
        if digest == told.said:
            return None
        told.revision, told.said = told.revision + 1, digest
        self._save(place)
        return msgspec.structs.replace(state, revision=told.revision) if told.revision else state

    def _airshed(self, code: str, hour_s: int) -> Airshed:
        """An airshed with the levels of the pack that is activated for an hour."""
        return self._airsheds[code] if self._calendar is None else self._calendar.airshed(code, hour_s)

    def _settle(self, hour_s: int, code: str, progress: int) -> Settled:
        """What counts of an hour, once per decision: the statements about all provinces and the vigil ask."""
        if (hour_s, code) not in self._settled:
            self._settled[hour_s, code] = self._hour(hour_s, code).settled(progress)
        return self._settled[hour_s, code]

    def _forget(self, code: str, through: int) -> None:
        """Drop hours that can no longer be revised, and the decoded form of those that can be read back."""
        oldest = max(self._progress.first[code], self._decided(code) - RETENTION_S)
        for hour in range(oldest, through - RETENTION_S + 1, HOUR_S):
            for province in self._airsheds[code].provinces if self._kept else ():
                self._state.pop(_key((hour, code, province.code)), None)
        needed = through if self._kept else through - RETENTION_S
        self._hours = {hour: known for hour, known in self._hours.items() if hour[1] != code or hour[0] > needed}

    def _look_again_later(self, progress: int) -> None:
        """Keep as late only what has records that are still waiting for their mark."""
        self._note_late(self._waiting(self._late, progress))


def _step_before(progress: int, detection: Detection) -> int:
    """The last hour whose readings have all been waited for."""
    return (progress - detection.lateness_s) // HOUR_S * HOUR_S


def _key(place: Place) -> str:
    hour, airshed, province = place
    return f"hour/{airshed}/{hour}/{province}"
