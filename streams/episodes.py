"""The episode tracker: from province hours to the life of a cross-provincial episode.

State: ``hour/<airshed>/<hour>`` holds the province states of one hour, ``wind/<airshed>/<hour>`` its wind,
``day/<airshed>/<end>`` what was said of one day,
``airshed/<airshed>`` everything that was decided (one key, so that a decision is there wholly or not at all),
``progress`` the watermark, written last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

import msgspec

from streams import levels
from streams.airsheds import Airshed
from streams.clock import HOUR_S, epoch_s, utc
from streams.components import neighbours_of
from streams.corrections import Correction, history_of
from streams.decisions import Decisions
from streams.history import DAY_S, Load, Window, weight
from streams.legal import LegalTrack
from streams.lineage import Episode
from streams.local_days import hours_of_day_ending
from streams.schemas import EpisodeEvent, Mark, ProvinceDay, ProvinceState, ProvinceWind
from streams.stage import State, Unkept
from streams.transitions import Scene
from streams.versions import Activation, OnePack, Reign, Versions
from streams.watermark import Watermark


class _Memory(msgspec.Struct):
    """What is decided about one airshed."""

    window: Window
    decisions: Decisions
    reign: Reign = msgspec.field(default_factory=Reign)
    legal: LegalTrack | None = None

    @property
    def opened(self) -> list[Episode]:
        """The open episodes of both tracks: they keep the pack in force."""
        return [*self.decisions.open, *(self.legal.decisions.open if self.legal else ())]


class _Progress(msgspec.Struct):
    watermark: Watermark = msgspec.field(default_factory=Watermark)
    first: dict[str, int] = {}


_encode = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder(order="deterministic").encode
_decode_memory = msgspec.msgpack.Decoder(_Memory).decode
_decode_states = msgspec.json.Decoder(dict[str, ProvinceState]).decode
_decode_days = msgspec.json.Decoder(dict[str, ProvinceDay]).decode
_decode_winds = msgspec.json.Decoder(dict[str, ProvinceWind]).decode
_decode_progress = msgspec.json.Decoder(_Progress).decode


@dataclass(frozen=True)
class Standing:
    """How an airshed stands: what others may read in the state of its tracker.

    Attributes:
        decided_s: the latest decided hour, epoch seconds.
        opened: the open episodes, those of the legal track last.
    """

    reign: Reign
    decided_s: int
    opened: list[str]


def standing(code: str, state: Mapping[str, bytes]) -> Standing | None:
    """How an airshed stands; ``None`` before its first decision."""
    if _key(code) not in state:
        return None
    memory = _decode_memory(state[_key(code)])
    return Standing(memory.reign, memory.window.end_s, [episode.id for episode in memory.opened])


class EpisodeTracker:
    """Stage ``list[ProvinceState | ProvinceDay | ProvinceWind]`` → ``EpisodeEvent``, for all airsheds of one partition.

    Args:
        airsheds: as the base pack describes them.
        pack: name and version of that pack.
        versions: the packs over time; ``None``: only this one.
    """

    def __init__(
        self, airsheds: Sequence[Airshed], state: State, *, pack: str, versions: Versions | None = None
    ) -> None:
        self._airsheds = {airshed.code: airshed for airshed in sorted(airsheds, key=lambda airshed: airshed.code)}
        self._versions = versions or OnePack(airsheds, pack)
        self._state = state
        self._progress = _decode_progress(state["progress"]) if "progress" in state else _Progress()
        self._memories = {code: self._remembered(code) for code in self._airsheds if _key(code) in state}
        self._neighbours = {code: neighbours_of(airshed) for code, airshed in self._airsheds.items()}
        self._touched = {code: set(memory.window.folded) for code, memory in self._memories.items()}
        self._touched_days = {
            code: set(memory.legal.window.folded) for code, memory in self._memories.items() if memory.legal
        }
        self._kept = not isinstance(state, Unkept)
        self._hours: dict[tuple[str, int], dict[str, ProvinceState]] = {}  # what the state holds of them, decoded
        self._late: set[tuple[str, Activation]] = set()
        self._refused: list[tuple[Activation, int]] = []

    def accept(self, items: Sequence[ProvinceState | ProvinceDay | ProvinceWind]) -> list[EpisodeEvent]:
        """Take province states in. Says nothing: hours are decided at marks."""
        self._take_winds([item for item in items if isinstance(item, ProvinceWind)])
        hours: dict[tuple[str, int], dict[str, ProvinceState]] = {}
        self._take_days([item for item in items if isinstance(item, ProvinceDay)])
        for item in (item for item in items if isinstance(item, ProvinceState)):
            code, hour_s = item.airshed, epoch_s(item.time)
            if code not in self._airsheds or hour_s <= self._oldest(code):
                continue
            if (code, hour_s) not in hours:
                hours[code, hour_s] = self._load(code, hour_s)
            known = hours[code, hour_s].get(item.province)
            if known is None or known.revision < item.revision:
                hours[code, hour_s][item.province] = item
        for (code, hour_s), states in hours.items():
            self._hours[code, hour_s] = states
            if self._kept:
                self._state[_hour_key(code, hour_s)] = _encode_json(states)
            self._touched.setdefault(code, set()).add(hour_s)
        self._begin(hours)
        return []

    def _take_days(self, items: Sequence[ProvinceDay]) -> None:
        days: dict[tuple[str, int], dict[str, ProvinceDay]] = {}
        for item in items:
            code, end_s = item.airshed, epoch_s(item.time)
            legal = self._memories[code].legal if code in self._memories else None
            if code not in self._airsheds or (legal is not None and end_s <= legal.window.start_s):
                continue
            known = days.setdefault((code, end_s), self._load_days(code, end_s)).get(item.province)
            if known is None or known.revision < item.revision:
                days[code, end_s][item.province] = item
        for (code, end_s), said in days.items():
            self._state[_day_key(code, end_s)] = _encode_json(said)
            self._touched_days.setdefault(code, set()).add(end_s)

    def _take_winds(self, items: Sequence[ProvinceWind]) -> None:
        hours: dict[tuple[str, int], dict[str, ProvinceWind]] = {}
        for item in items:
            place = item.airshed, epoch_s(item.time)
            if item.airshed in self._airsheds and place[1] > self._oldest(item.airshed):
                hours.setdefault(place, self._load_winds(*place))[item.province] = item
        for (code, hour_s), winds in hours.items():
            self._state[_wind_key(code, hour_s)] = _encode_json(winds)

    def advance(self, mark: Mark) -> list[EpisodeEvent | Mark]:
        """Decide every hour that is complete."""
        return self._decide(self._progress.watermark.observe(mark))

    def give_up(self, source: str) -> list[EpisodeEvent | Mark]:
        """No longer wait for a silent source."""
        return self._decide(self._progress.watermark.give_up(source))

    @property
    def reigns(self) -> dict[str, Reign]:
        """By airshed, the pack in force and what is to come; without airsheds that have no decided hour."""
        return {code: memory.reign for code, memory in self._memories.items()}

    def counted(self, code: str) -> Mapping[str, levels.Standing]:
        """What is counted for each province of an airshed, after the latest decided hour; for explanations."""
        return self._memories[code].window.end if code in self._memories else {}

    def take_refused(self) -> list[tuple[Activation, int]]:
        """Activations that came too late since the last call, each with the hour decided by then (epoch seconds)."""
        taken, self._refused = self._refused, []
        return taken

    def _decide(self, progress: int | None) -> list[EpisodeEvent | Mark]:
        said: list[EpisodeEvent | Mark] = []
        if progress is not None:
            due = sorted(self._due(progress))
            for code in sorted({code for _, code in due}):
                self._adopt(code)
            for hour_s, code in due:
                said += self._step(code, self._memories[code], hour_s)
            for code in sorted({code for _, code in due}):
                if self._kept:
                    self._state[_key(code)] = _encode(self._memories[code])
                self._clear(code)
            said.append(Mark(utc(progress), "episodes"))
        self._state["progress"] = _encode_json(self._progress)
        return said

    def _due(self, progress: int) -> Iterator[tuple[int, str]]:
        for code, first_s in self._progress.first.items():
            airshed = self._airsheds[code]
            if code not in self._memories:
                airshed = self._begin_reign(code, first_s)
            through = (progress - airshed.detection.lateness_s) // HOUR_S * HOUR_S
            for hour_s in range(self._memories[code].window.end_s + HOUR_S, through + 1, HOUR_S):
                yield hour_s, code

    def _step(self, code: str, memory: _Memory, hour_s: int) -> list[EpisodeEvent]:
        """One hour of one airshed: what late readings change, then whose levels count, then the hour itself."""
        window, decisions = memory.window, memory.decisions

        def load(hour_s: int) -> dict[str, ProvinceState]:
            return self._load(code, hour_s)

        corrections = self._correct(self._airsheds[code], memory, load)
        self._take_over(code, memory, hour_s, load)
        window.fold(self._airsheds[code], load)
        scene = self._scene(self._airsheds[code], window, load)
        told = [correction.tell(scene) for correction in corrections]
        return told + decisions.decide(scene, window, memory.reign.pack) + self._legal_step(code, memory, hour_s)

    def _legal_step(self, code: str, memory: _Memory, hour_s: int) -> list[EpisodeEvent]:
        """A day of one airshed, at the hour with which it ends."""
        airshed = self._airsheds[code]
        if airshed.legal_track is None:
            memory.legal = None
            return []
        if not hours_of_day_ending(hour_s // HOUR_S, ZoneInfo(airshed.zone)):
            return []
        memory.legal = memory.legal or LegalTrack.before(hour_s, airshed, airshed.legal_track)
        touched = {end_s for end_s in self._touched_days.get(code, set()) if end_s <= hour_s}
        self._touched_days.get(code, set()).difference_update(touched)
        return memory.legal.step(
            airshed, self._neighbours[code], lambda end_s: self._load_days(code, end_s), touched, memory.reign.pack
        )

    def _begin_reign(self, code: str, first_s: int) -> Airshed:
        """Everything starts with the first hour, under the pack that is activated then."""
        reign = Reign.begin(self._versions.activations(code), first_s)
        airshed = self._switch(code, reign.pack)
        self._memories[code] = _Memory(Window.before(first_s, airshed), Decisions(), reign)
        return airshed

    def _adopt(self, code: str) -> None:
        decided_s = self._memories[code].window.end_s
        for activation in self._memories[code].reign.adopt(self._versions.activations(code), decided_s):
            if (code, activation) not in self._late:
                self._late.add((code, activation))
                self._refused.append((activation, decided_s))

    def _take_over(self, code: str, memory: _Memory, hour_s: int, load: Load) -> None:
        pack = memory.reign.successor(hour_s, memory.opened)
        if pack:
            old, new = self._airsheds[code], self._switch(code, pack)
            memory.reign.pack, memory.reign.since_s = pack, hour_s
            memory.window.take_over(old, new, load)
            memory.decisions.take_over(new, memory.window, pack, lambda level: new.level_like(level, old))
            if memory.legal is not None:
                memory.legal.take_over(pack)

    def _switch(self, code: str, pack: str) -> Airshed:
        airshed = self._versions.airshed(code, pack)
        self._airsheds[code], self._neighbours[code] = airshed, neighbours_of(airshed)
        return airshed

    def _correct(self, airshed: Airshed, memory: _Memory, load: Load) -> list[Correction]:
        window = memory.window
        touched = {hour_s for hour_s in self._touched.get(airshed.code, ()) if hour_s <= window.end_s}
        self._touched.get(airshed.code, set()).difference_update(touched)
        if all(weight(load(hour_s)) == window.folded[hour_s] for hour_s in touched if hour_s > window.start_s):
            return []
        before = history_of(window)
        window.refold(airshed, load)
        return memory.decisions.correct(airshed, self._neighbours[airshed.code], window, before)

    def _scene(self, airshed: Airshed, window: Window, load: Load) -> Scene:
        neighbours = self._neighbours[airshed.code]
        levels, since, sure = window.levels(), window.since(), window.corroborated()
        return Scene(
            airshed,
            neighbours,
            window.end_s,
            load(window.end_s),
            levels,
            since,
            sure,
            load=cache(load),
            winds=cache(lambda hour_s: self._load_winds(airshed.code, hour_s)),
            own=window.own(),
        )

    def _begin(self, places: Iterable[tuple[str, int]]) -> None:
        first = dict(self._progress.first)
        for code, hour_s in places:
            first[code] = min(hour_s, first.get(code, hour_s))
        if first != self._progress.first:
            self._progress.first = first
            self._state["progress"] = _encode_json(self._progress)

    def _load(self, code: str, hour_s: int) -> dict[str, ProvinceState]:
        """The states of an hour. Asked for several times as it goes through the window, so it is decoded once."""
        if (code, hour_s) not in self._hours:
            stored = self._state.get(_hour_key(code, hour_s))
            if stored is None:
                return {}
            self._hours[code, hour_s] = _decode_states(stored)
        return self._hours[code, hour_s]

    def _load_days(self, code: str, end_s: int) -> dict[str, ProvinceDay]:
        stored = self._state.get(_day_key(code, end_s))
        return _decode_days(stored) if stored is not None else {}

    def _load_winds(self, code: str, hour_s: int) -> dict[str, ProvinceWind]:
        stored = self._state.get(_wind_key(code, hour_s))
        return _decode_winds(stored) if stored is not None else {}

    def _oldest(self, code: str) -> int:
        """The hour up to which nothing can be changed any more."""
        return self._memories[code].window.start_s if code in self._memories else 0

    def _remembered(self, code: str) -> _Memory:
        memory = _decode_memory(self._state[_key(code)])
        base = self._versions.activations(code)[0]
        memory.reign.pack = memory.reign.pack or base.pack
        replaced = self._versions.replaced(memory.reign)
        self._airsheds[code] = self._versions.airshed(code, base.pack if replaced else memory.reign.pack)
        memory.window.adapt(self._airsheds[code])
        if replaced:
            memory.reign = Reign(base.pack, memory.window.end_s + HOUR_S, [base])
            highest = len(self._airsheds[code].levels)
            memory.decisions.take_over(
                self._airsheds[code], memory.window, base.pack, lambda level: min(level, highest)
            )
            if memory.legal is not None:
                memory.legal.take_over(base.pack)
        return memory

    def _clear(self, code: str) -> None:
        """Drop the hours in front of the window; a day of them, so that what a crash left behind goes as well."""
        start_s = self._memories[code].window.start_s
        self._hours = {hour: states for hour, states in self._hours.items() if hour[0] != code or hour[1] > start_s}
        for hour_s in range(start_s - 24 * HOUR_S, start_s + 1, HOUR_S):
            self._state.pop(_hour_key(code, hour_s), None)
            self._state.pop(_wind_key(code, hour_s), None)
        legal = self._memories[code].legal
        if legal is not None:
            for end_s in range(legal.window.start_s - DAY_S, legal.window.start_s + 1, DAY_S):
                self._state.pop(_day_key(code, end_s), None)


def _key(code: str) -> str:
    return f"airshed/{code}"


def _day_key(code: str, end_s: int) -> str:
    return f"day/{code}/{end_s}"


def _wind_key(code: str, hour_s: int) -> str:
    return f"wind/{code}/{hour_s}"


def _hour_key(code: str, hour_s: int) -> str:
    return f"hour/{code}/{hour_s}"
