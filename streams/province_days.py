"""The calendar days of provinces, for legal definitions: from the days of reference stations to one statement each.

State: ``day/<airshed>/<end>``, the station values of one day and what was said of them; ``days``, which of these there
are. Written before the day is first said, so that a repeated call finds what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec

from streams.airsheds import Airshed, LegalDefinition
from streams.clock import HOUR_S, utc
from streams.local_days import hours_of_day_ending
from streams.quorum import EVIDENCE, asked_of
from streams.schemas import ProvinceDay
from streams.stage import State
from streams.stations import StationRegistry

RETENTION_S = 72 * HOUR_S
"""How long after its end a day can still be revised; as long as the hours."""

Place = tuple[int, str, str]  # END of the day (epoch s), airshed, province


class DayValue(msgspec.Struct, array_like=True):
    """What one record said about one station day; ``decided`` is the epoch second of the mark it was made at."""

    revision: int
    decided: int
    index: int | None


class _Day(msgspec.Struct, array_like=True):
    """One province day: by station the records that may still count, and the latest statement."""

    stations: dict[str, list[DayValue]] = {}
    said: ProvinceDay | None = None

    def add(self, station: str, value: DayValue) -> None:
        values = self.stations.setdefault(station, [])
        if not values or values[-1].revision < value.revision:
            values.append(value)

    def valid(self, progress: int) -> list[tuple[str, int]]:
        """(station, index) by the latest record that was made at a mark all sources have passed, highest first."""
        for values in self.stations.values():
            while len(values) > 1 and values[1].decided <= progress:
                del values[0]
        current = [(code, values[0]) for code, values in self.stations.items() if values[0].decided <= progress]
        found = [(code, value.index) for code, value in current if value.index is not None]
        return sorted(found, key=lambda row: (-row[1], row[0]))

    def waiting(self, progress: int) -> bool:
        return any(values[-1].decided > progress for values in self.stations.values())


_Days = dict[str, _Day]
_encode = msgspec.msgpack.Encoder().encode
_decode_days = msgspec.msgpack.Decoder(_Days).decode
_decode_ends = msgspec.msgpack.Decoder(list[tuple[int, str]]).decode


class ProvinceDays:
    """Part of the province watch: the days of airsheds that have a legal definition."""

    def __init__(self, airsheds: Iterable[Airshed], registry: StationRegistry, state: State) -> None:
        self._airsheds = {airshed.code: airshed for airshed in airsheds if airshed.legal_track is not None}
        self._zones = {code: ZoneInfo(airshed.zone) for code, airshed in self._airsheds.items()}
        self._asked = {
            (code, province.code): asked_of(registry.of_province(code, province.code))
            for code, airshed in self._airsheds.items()
            for province in airshed.provinces
        }
        self._state = state
        ends = _decode_ends(state["days"]) if "days" in state else []
        self._days = {
            (end_s, code): _decode_days(state[_key(end_s, code)]) for end_s, code in ends if _key(end_s, code) in state
        }
        self._unsaid = {(end_s, code, province) for (end_s, code), days in self._days.items() for province in days}

    def follows(self, airshed: str) -> bool:
        """Whether the days of an airshed are of use."""
        return airshed in self._airsheds

    def add(self, values: Mapping[Place, Sequence[tuple[str, DayValue]]], decided: Mapping[str, int]) -> None:
        """Take values of station days in, by province day; ``decided``: latest decided hour by airshed."""
        touched = {}
        for (end_s, code, province), rows in values.items():
            asked = self._asked.get((code, province))
            if asked is None or asked.low_cost or end_s <= decided.get(code, 0) - RETENTION_S:
                continue
            if not hours_of_day_ending(end_s // HOUR_S, self._zones[code]):
                continue  # the day of a station in another zone
            day = self._days.setdefault((end_s, code), {}).setdefault(province, _Day())
            for station, value in rows:
                if station in asked.stations:
                    day.add(station, value)
            touched[end_s, code] = self._days[end_s, code]
            self._unsaid.add((end_s, code, province))
        self._keep(touched)

    def statements(self, through: Mapping[str, int], progress: int) -> Iterator[ProvinceDay]:
        """What is new about the days that are complete, oldest first; then forgets what can no longer be revised."""
        touched = {}
        for end_s, code, province in sorted(self._unsaid):
            if end_s > through[code]:
                continue
            day = self._days[end_s, code][province]
            said = self._statement((end_s, code, province), day.valid(progress))
            if not day.waiting(progress):
                self._unsaid.discard((end_s, code, province))
            revision = 0 if day.said is None else day.said.revision
            if day.said != msgspec.structs.replace(said, revision=revision):
                day.said = said if day.said is None else msgspec.structs.replace(said, revision=revision + 1)
                touched[end_s, code] = self._days[end_s, code]
                yield day.said
        for end_s, code in touched:
            self._state[_key(end_s, code)] = _encode(self._days[end_s, code])
        self._forget(through)

    def _statement(self, place: Place, valid: Sequence[tuple[str, int]]) -> ProvinceDay:
        end_s, code, province = place
        airshed, known = self._airsheds[code], len(self._asked[code, province].stations)
        assert airshed.legal_track is not None
        detection = airshed.detection
        needed = min(detection.minimum_stations, known)
        unknown = not valid or len(valid) < needed or len(valid) < detection.minimum_coverage * known
        nth = _asked_for(airshed.legal_track, len(valid), needed)
        return ProvinceDay(
            airshed=code,
            province=province,
            time=utc(end_s),
            index=None if unknown else valid[nth - 1][1],
            highest=valid[0][1] if valid else None,
            valid=len(valid),
            known=known,
            stations=list(valid[:EVIDENCE]),
            revision=0,
        )

    def _keep(self, touched: Iterable[tuple[int, str]]) -> None:
        places = sorted(touched)
        for end_s, code in places:
            self._state[_key(end_s, code)] = _encode(self._days[end_s, code])
        if places:
            self._state["days"] = _encode(sorted(self._days))

    def _forget(self, through: Mapping[str, int]) -> None:
        gone = [place for place in sorted(self._days) if place[0] <= through[place[1]] - RETENTION_S]
        for place in gone:
            del self._days[place]
            self._state.pop(_key(*place), None)
        if gone:
            self._unsaid = {place for place in self._unsaid if place[:2] in self._days}
            self._state["days"] = _encode(sorted(self._days))


def _asked_for(definition: LegalDefinition, valid: int, needed: int) -> int:
    """How many of the valid stations must be at or above the index."""
    return {"any": 1, "half": max(needed, (valid + 1) // 2), "all": valid}[definition.stations]


def _key(end_s: int, airshed: str) -> str:
    return f"day/{airshed}/{end_s}"
