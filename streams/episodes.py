"""The episode tracker: from province hours to the life of a cross-provincial episode.

State: ``hour/<airshed>/<hour>`` holds the province states of one hour, ``airshed/<airshed>`` everything that was
decided (one key, so that a decision is there wholly or not at all), ``progress`` the watermark, written last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from streams.airsheds import Airshed
from streams.clock import HOUR_S, epoch_s, utc
from streams.components import neighbours_of
from streams.corrections import Correction, history_of
from streams.decisions import Decisions
from streams.history import Load, Window, weight
from streams.schemas import EpisodeEvent, Mark, ProvinceState
from streams.stage import State
from streams.transitions import Scene
from streams.watermark import Watermark


class _Memory(msgspec.Struct):
    """What is decided about one airshed."""

    window: Window
    decisions: Decisions


class _Progress(msgspec.Struct):
    watermark: Watermark = msgspec.field(default_factory=Watermark)
    first: dict[str, int] = {}


_encode = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder(order="deterministic").encode
_decode_memory = msgspec.msgpack.Decoder(_Memory).decode
_decode_states = msgspec.json.Decoder(dict[str, ProvinceState]).decode
_decode_progress = msgspec.json.Decoder(_Progress).decode


class EpisodeTracker:
    """Stage ``list[ProvinceState]`` → ``EpisodeEvent``, for all airsheds of one partition.

    Args:
        pack: name and version of the pack whose levels are in force; episodes keep the one they opened with.
    """

    def __init__(self, airsheds: Sequence[Airshed], state: State, *, pack: str) -> None:
        self._airsheds = {airshed.code: airshed for airshed in sorted(airsheds, key=lambda airshed: airshed.code)}
        self._neighbours = {code: neighbours_of(airshed) for code, airshed in self._airsheds.items()}
        self._pack = pack
        self._state = state
        self._progress = _decode_progress(state["progress"]) if "progress" in state else _Progress()
        self._memories = {
            code: self._remembered(airshed) for code, airshed in self._airsheds.items() if _key(code) in state
        }
        self._touched = {code: set(memory.window.folded) for code, memory in self._memories.items()}

    def accept(self, items: Sequence[ProvinceState]) -> list[EpisodeEvent]:
        """Take province states in. Says nothing: hours are decided at marks."""
        hours: dict[tuple[str, int], dict[str, ProvinceState]] = {}
        for item in items:
            code, hour_s = item.airshed, epoch_s(item.time)
            if code not in self._airsheds or hour_s <= self._oldest(code):
                continue
            if (code, hour_s) not in hours:
                hours[code, hour_s] = self._load(code, hour_s)
            known = hours[code, hour_s].get(item.province)
            if known is None or known.revision < item.revision:
                hours[code, hour_s][item.province] = item
        for (code, hour_s), states in hours.items():
            self._state[_hour_key(code, hour_s)] = _encode_json(states)
            self._touched.setdefault(code, set()).add(hour_s)
        self._begin(hours)
        return []

    def advance(self, mark: Mark) -> list[EpisodeEvent | Mark]:
        """Decide every hour that is complete."""
        return self._decide(self._progress.watermark.observe(mark))

    def give_up(self, source: str) -> list[EpisodeEvent | Mark]:
        """No longer wait for a silent source."""
        return self._decide(self._progress.watermark.give_up(source))

    def _decide(self, progress: int | None) -> list[EpisodeEvent | Mark]:
        said: list[EpisodeEvent | Mark] = []
        if progress is not None:
            due = sorted(self._due(progress))
            for hour_s, code in due:
                said += self._step(self._airsheds[code], self._memories[code], hour_s)
            for code in sorted({code for _, code in due}):
                self._state[_key(code)] = _encode(self._memories[code])
                self._clear(code)
            said.append(Mark(utc(progress), "episodes"))
        self._state["progress"] = _encode_json(self._progress)
        return said

    def _due(self, progress: int) -> Iterator[tuple[int, str]]:
        for code, first_s in self._progress.first.items():
            airshed = self._airsheds[code]
            if code not in self._memories:
                self._memories[code] = _Memory(Window.before(first_s, airshed), Decisions())
            through = (progress - airshed.detection.lateness_s) // HOUR_S * HOUR_S
            for hour_s in range(self._memories[code].window.end_s + HOUR_S, through + 1, HOUR_S):
                yield hour_s, code

    def _step(self, airshed: Airshed, memory: _Memory, hour_s: int) -> list[EpisodeEvent]:
        """One hour of one airshed: first what late readings change, then the hour itself."""
        window, decisions = memory.window, memory.decisions

        def load(hour_s: int) -> dict[str, ProvinceState]:
            return self._load(airshed.code, hour_s)

        corrections = self._correct(airshed, memory, load)
        window.fold(airshed, load)
        scene = self._scene(airshed, window, load(hour_s))
        return [correction.tell(scene) for correction in corrections] + decisions.decide(scene, window, self._pack)

    def _correct(self, airshed: Airshed, memory: _Memory, load: Load) -> list[Correction]:
        window = memory.window
        touched = {hour_s for hour_s in self._touched.get(airshed.code, ()) if hour_s <= window.end_s}
        self._touched.get(airshed.code, set()).difference_update(touched)
        if all(weight(load(hour_s)) == window.folded[hour_s] for hour_s in touched if hour_s > window.start_s):
            return []
        before = history_of(window)
        window.refold(airshed, load)
        return memory.decisions.correct(airshed, self._neighbours[airshed.code], window, before)

    def _scene(self, airshed: Airshed, window: Window, states: Mapping[str, ProvinceState]) -> Scene:
        levels = window.levels()
        since = {code: window.end[code].since for code in levels}
        return Scene(airshed, self._neighbours[airshed.code], window.end_s, states, levels, since)

    def _begin(self, places: Iterable[tuple[str, int]]) -> None:
        first = dict(self._progress.first)
        for code, hour_s in places:
            first[code] = min(hour_s, first.get(code, hour_s))
        if first != self._progress.first:
            self._progress.first = first
            self._state["progress"] = _encode_json(self._progress)

    def _load(self, code: str, hour_s: int) -> dict[str, ProvinceState]:
        stored = self._state.get(_hour_key(code, hour_s))
        return _decode_states(stored) if stored is not None else {}

    def _oldest(self, code: str) -> int:
        """The hour up to which nothing can be changed any more."""
        return self._memories[code].window.start_s if code in self._memories else 0

    def _remembered(self, airshed: Airshed) -> _Memory:
        memory = _decode_memory(self._state[_key(airshed.code)])
        memory.window.adapt(airshed)
        return memory

    def _clear(self, code: str) -> None:
        """Drop the hours in front of the window; a day of them, so that what a crash left behind goes as well."""
        start_s = self._memories[code].window.start_s
        for hour_s in range(start_s - 24 * HOUR_S, start_s + 1, HOUR_S):
            self._state.pop(_hour_key(code, hour_s), None)


def _key(code: str) -> str:
    return f"airshed/{code}"


def _hour_key(code: str, hour_s: int) -> str:
    return f"hour/{code}/{hour_s}"
